//! Links that log somebody in once.

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect,
};

use super::entity::{invitations, login_links, sessions, users};
use super::members::{add, change_role, is_member};
use super::{Change, NewSession, Revocation, Store, lock_organisation, users as accounts};
use crate::Error;
use crate::permissions::Role;
use crate::secret::{Digested, Kind, Secret};

/// The same for links that never were, were used, and have expired.
const UNKNOWN: Error = Error::Unproven("this link was used, has expired, or never was one");

/// What a link is for.
#[derive(Debug, Clone)]
pub(crate) enum NewLink<'a> {
    /// Whoever reads mail to this address.
    Mail { email: &'a str },
    /// An admin of this organisation: of this address, or whoever opens it if that is empty.
    Bootstrap { org_id: &'a str, email: &'a str },
}

/// What somebody gives who opens a link.
#[derive(Debug, Clone)]
pub(crate) struct Opening<'a> {
    pub(crate) digest: &'a Digested,
    /// For a link that names nobody; none if nothing that makes sense was given.
    pub(crate) email: Option<&'a str>,
    /// Whether anybody may sign up, and not only who was invited.
    pub(crate) sign_up: bool,
}

impl Store {
    /// Makes a link that works for `lifetime` milliseconds. None if there are `most` for this address already.
    pub(crate) async fn add_link(
        &self,
        new: &NewLink<'_>,
        lifetime: i64,
        most: u64,
    ) -> Result<Option<(Secret, i64)>, Error> {
        let added = async {
            let transaction = self.write().await?;
            let now = self.now();
            let (email, org_id) = match *new {
                NewLink::Mail { email } => (email, None),
                NewLink::Bootstrap { org_id, email } => (email, Some(org_id)),
            };
            if let Some(org_id) = org_id {
                lock_organisation(&transaction, org_id).await?;
                login_links::Entity::delete_many()
                    .filter(login_links::Column::OrgId.eq(org_id))
                    .filter(login_links::Column::Email.eq(email))
                    .exec(&transaction)
                    .await?;
            }
            let live = login_links::Entity::find()
                .filter(login_links::Column::Email.eq(email))
                .filter(login_links::Column::OrgId.is_null())
                .filter(login_links::Column::ExpiresAt.gt(now));
            if org_id.is_none() && live.count(&transaction).await? >= most {
                return Ok(None);
            }
            let secret = Secret::of(match email {
                "" => Kind::Bootstrap,
                _ => Kind::Link,
            });
            let model = login_links::Model {
                digest: secret.digest().as_str().to_owned(),
                email: email.to_owned(),
                org_id: org_id.map(str::to_owned),
                created_at: now,
                expires_at: now.saturating_add(lifetime),
            };
            let row = model.clone().into_active_model();
            login_links::Entity::insert(row)
                .exec_without_returning(&transaction)
                .await?;
            let change = org_id.map(|org_id| Change {
                org_id,
                action: "login.bootstrap",
                target: email,
                detail: "a link for an admin was made",
            });
            self.commit_all(transaction, change.as_slice(), &[]).await?;
            Ok(Some((secret, model.expires_at)))
        };
        self.calls.run("add_link", added).await
    }

    /// Whether somebody of this address may log in: has an account, was invited, or may sign up.
    pub(crate) async fn may_log_in(&self, email: &str, sign_up: bool) -> Result<bool, Error> {
        let asked = async {
            let db = self.read()?;
            let known = accounts::find(db, email).await?.is_some();
            let invited = invitations::Entity::find()
                .filter(invitations::Column::Email.eq(email))
                .filter(invitations::Column::ExpiresAt.gt(self.now()))
                .one(db);
            // Always, so that how long it takes tells nothing.
            let invited = invited.await?.is_some();
            Ok(known || invited || sign_up)
        };
        self.calls.run("may_log_in", asked).await
    }

    /// Uses up a link, and logs its holder in. A link that is refused works on.
    pub(crate) async fn open_link(
        &self,
        opening: &Opening<'_>,
        mut session: NewSession,
    ) -> Result<(users::Model, sessions::Model, Secret), Error> {
        // Asked before the transaction, because it is about what others do.
        let found = self.link(opening.digest).await?;
        let allowed =
            found.org_id.is_some() || self.may_log_in(&found.email, opening.sign_up).await?;
        let opened = async {
            let transaction = self.write().await?;
            // Of two that open it at once, the one that deletes it gets in.
            let deleted = login_links::Entity::delete_many()
                .filter(login_links::Column::Digest.eq(opening.digest.as_str()))
                .exec(&transaction)
                .await?;
            if deleted.rows_affected == 0 || !allowed {
                return Err(UNKNOWN);
            }
            let mut revoked = Vec::new();
            session.method = match found.org_id {
                None => "mail".to_owned(),
                Some(_) => "bootstrap".to_owned(),
            };
            let user = match &found.org_id {
                None => accounts::find_or_add(&transaction, &found.email, self.now()).await?,
                Some(org_id) => {
                    lock_organisation(&transaction, org_id).await?;
                    let user = self.bootstrapped(&transaction, &found, opening).await?;
                    self.make_admin(&transaction, org_id, &user, &mut revoked)
                        .await?;
                    user
                }
            };
            let (session, secret) = self
                .begin_session(&transaction, &user.id, session, &mut revoked)
                .await?;
            self.by(&user.id)
                .commit_for_person(transaction, "session.begin", &session, &revoked)
                .await?;
            Ok((user, session, secret))
        };
        self.calls.run("open_link", opened).await
    }

    async fn link(&self, digest: &Digested) -> Result<login_links::Model, Error> {
        let found = async {
            let found = login_links::Entity::find_by_id(digest.as_str())
                .filter(login_links::Column::ExpiresAt.gt(self.now()))
                .limit(1)
                .one(self.read()?);
            found.await?.ok_or(UNKNOWN)
        };
        self.calls.run("link", found).await
    }

    /// Who opens a bootstrap link. One that names nobody makes an account and takes none over.
    async fn bootstrapped(
        &self,
        transaction: &DatabaseTransaction,
        link: &login_links::Model,
        opening: &Opening<'_>,
    ) -> Result<users::Model, Error> {
        if !link.email.is_empty() {
            return accounts::find_or_add(transaction, &link.email, self.now()).await;
        }
        let email = opening.email.ok_or(Error::Invalid(
            "this link makes an account: give your e-mail address",
        ))?;
        if accounts::find(transaction, email).await?.is_some() {
            return Err(Error::Exists(
                "there is an account of this address; give another, or have a link made for this one",
            ));
        }
        accounts::find_or_add(transaction, email, self.now()).await
    }

    async fn make_admin(
        &self,
        transaction: &DatabaseTransaction,
        org_id: &str,
        user: &users::Model,
        revoked: &mut Vec<Revocation>,
    ) -> Result<(), Error> {
        if is_member(transaction, org_id, &user.id).await? {
            change_role(transaction, org_id, &user.id, Role::Admin).await?;
            revoked.push(Revocation::member(org_id, &user.id));
        } else {
            add(transaction, org_id, &user.id, Role::Admin, self.now()).await?;
            self.drop_invitation(transaction, org_id, &user.email)
                .await?;
        }
        let change = Change {
            org_id,
            action: "member.set",
            target: &user.email,
            detail: "admin, by a bootstrap link",
        };
        self.by(&user.id).note(transaction, change).await
    }
}
