//! People as OpenID Connect providers know them, and the memberships that their groups give.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, ModelTrait,
    QueryFilter, Set,
};

use super::entity::{identities, members, sessions, users};
use super::members::{add, change_role, in_organisation, keep_an_admin};
use super::{Change, NewSession, Revocation, Store, lock_organisation, users as accounts};
use crate::Error;
use crate::permissions::Role;
use crate::secret::Secret;

/// What a provider says of a person.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    /// The person's name there, which never changes.
    pub(crate) subject: String,
    /// Verified.
    pub(crate) email: String,
    pub(crate) name: Option<String>,
    /// What its groups give, by organisation.
    pub(crate) roles: BTreeMap<String, Role>,
}

impl Store {
    /// Logs a person in whom a provider vouches for. Its account is the one that it logged in to before, else the one of its
    /// address, else a new one if it was invited, a group of it may something, or anybody may `sign_up`.
    pub(crate) async fn log_in_identity(
        &self,
        identity: &Identity,
        sign_up: bool,
        session: NewSession,
    ) -> Result<(users::Model, sessions::Model, Secret), Error> {
        let welcome =
            !identity.roles.is_empty() || self.may_log_in(&identity.email, sign_up).await?;
        let logged_in = async {
            let transaction = self.write().await?;
            let user = self.person(&transaction, identity, welcome).await?;
            let mut revoked = Vec::new();
            self.grant(&transaction, &user, identity, &mut revoked)
                .await?;
            let (session, secret) = self
                .begin_session(&transaction, &user.id, session, &mut revoked)
                .await?;
            self.by(&user.id)
                .commit_for_person(transaction, "session.begin", &session, &revoked)
                .await?;
            Ok((user, session, secret))
        };
        self.calls.run("log_in_identity", logged_in).await
    }

    async fn person(
        &self,
        transaction: &DatabaseTransaction,
        identity: &Identity,
        welcome: bool,
    ) -> Result<users::Model, Error> {
        let key = (identity.issuer.clone(), identity.subject.clone());
        let known = identities::Entity::find_by_id(key).one(transaction).await?;
        if let Some(known) = known {
            let user = users::Entity::find_by_id(known.user_id).one(transaction);
            return user.await?.ok_or(Error::NotFound("user"));
        }
        let existing = accounts::find(transaction, &identity.email).await?;
        let now = self.now();
        let user = match existing {
            Some(user) => user,
            None if !welcome => {
                return Err(Error::Denied(
                    "nobody invited this address; ask an admin of your organisation",
                ));
            }
            None => {
                let user = accounts::find_or_add(transaction, &identity.email, now).await?;
                match &identity.name {
                    None => user,
                    Some(name) => {
                        let mut row = user.into_active_model();
                        row.name = Set(name.clone());
                        row.update(transaction).await?
                    }
                }
            }
        };
        let row = identities::ActiveModel {
            issuer: Set(identity.issuer.clone()),
            subject: Set(identity.subject.clone()),
            user_id: Set(user.id.clone()),
            created_at: Set(now),
        };
        identities::Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok(user)
    }

    /// Brings the memberships that this provider gave in line with what it says now. Those that people gave stay as they are.
    async fn grant(
        &self,
        transaction: &DatabaseTransaction,
        user: &users::Model,
        identity: &Identity,
        revoked: &mut Vec<Revocation>,
    ) -> Result<(), Error> {
        let given = members::Entity::find()
            .filter(members::Column::UserId.eq(&user.id))
            .filter(members::Column::GrantedBy.eq(&identity.issuer));
        let given = given.all(transaction).await?;
        let mut orgs: Vec<&str> = identity.roles.keys().map(String::as_str).collect();
        orgs.extend(given.iter().map(|member| member.org_id.as_str()));
        // In one order, so that two logins never wait for each other.
        orgs.sort_unstable();
        orgs.dedup();
        for org_id in orgs {
            let role = identity.roles.get(org_id).copied();
            match self
                .grant_one(transaction, user, (org_id, role), &identity.issuer)
                .await
            {
                Ok(true) => revoked.push(Revocation::member(org_id, &user.id)),
                Ok(false) => {}
                // An organisation that is not there, or would lose its last admin.
                Err(error @ (Error::NotFound(_) | Error::Precondition(_))) => {
                    tracing::warn!(org_id, %error, "what a group gives is left as it is");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether something changed.
    async fn grant_one(
        &self,
        transaction: &DatabaseTransaction,
        user: &users::Model,
        (org_id, role): (&str, Option<Role>),
        issuer: &str,
    ) -> Result<bool, Error> {
        lock_organisation(transaction, org_id).await?;
        let all = in_organisation(transaction, org_id).await?;
        let found = all.iter().find(|member| member.user_id == user.id);
        match (found, role) {
            (None, None) => return Ok(false),
            (Some(member), _) if member.granted_by != issuer => return Ok(false),
            (Some(member), Some(role)) if member.role() == role => return Ok(false),
            (Some(_), Some(role)) => {
                let changed = change_role(transaction, org_id, &user.id, role).await?;
                mark(transaction, changed, issuer).await?;
            }
            (None, Some(role)) => {
                let added = add(transaction, org_id, &user.id, role, self.now()).await?;
                mark(transaction, added, issuer).await?;
                self.drop_invitation(transaction, org_id, &user.email)
                    .await?;
            }
            (Some(member), None) => {
                keep_an_admin(&all, member)?;
                member.clone().delete(transaction).await?;
            }
        }
        let detail = match role {
            Some(role) => format!("{role}, by a group of {issuer}"),
            None => format!("no group of {issuer} any more"),
        };
        let change = Change {
            org_id,
            action: if role.is_some() {
                "member.set"
            } else {
                "member.remove"
            },
            target: &user.email,
            detail: &detail,
        };
        self.note(transaction, change).await?;
        Ok(true)
    }
}

async fn mark(
    transaction: &DatabaseTransaction,
    member: members::Model,
    issuer: &str,
) -> Result<(), Error> {
    let mut row = member.into_active_model();
    row.granted_by = Set(issuer.to_owned());
    row.update(transaction).await?;
    Ok(())
}
