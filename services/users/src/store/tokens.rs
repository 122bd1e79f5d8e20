use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, Set,
};

use super::entity::{members, organisations, tokens};
use super::{Change, Revocation, Store, lock_organisation};
use crate::permissions::Permissions;
use crate::secret::{Digested, Kind, Secret};
use crate::{Error, names};

const MINUTE: i64 = 60_000;
/// Tokens of one organisation that work at once, personal ones included.
const MOST: usize = 1000;

/// What a token starts with.
#[derive(Debug, Clone)]
pub(crate) struct NewToken {
    pub(crate) org_id: String,
    /// Whose personal token it is.
    pub(crate) user_id: Option<String>,
    pub(crate) name: String,
    pub(crate) permissions: Permissions,
    pub(crate) created_by: String,
    pub(crate) expires_at: Option<i64>,
}

/// What is known about a token that was presented.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) token: tokens::Model,
    pub(crate) organisation: organisations::Model,
    /// The owner's membership, for a personal token.
    pub(crate) member: Option<members::Model>,
}

impl Store {
    pub(crate) async fn add_token(&self, new: NewToken) -> Result<(tokens::Model, Secret), Error> {
        let added = async {
            let transaction = self.write().await?;
            lock_organisation(&transaction, &new.org_id).await?;
            let all = live(self.now()).filter(tokens::Column::OrgId.eq(&new.org_id));
            if all.all(&transaction).await?.len() >= MOST {
                return Err(Error::Precondition(
                    "an organisation has at most 1,000 tokens",
                ));
            }
            let added = self.insert(&transaction, new).await?;
            let (token, _) = &added;
            self.commit(transaction, change("token.create", token), &[])
                .await?;
            Ok(added)
        };
        self.calls.run("add_token", added).await
    }

    async fn insert(
        &self,
        transaction: &DatabaseTransaction,
        new: NewToken,
    ) -> Result<(tokens::Model, Secret), Error> {
        let secret = Secret::of(match new.user_id {
            None => Kind::Organisation,
            Some(_) => Kind::Personal,
        });
        let model = tokens::Model {
            id: names::id(names::TOKEN),
            org_id: new.org_id,
            user_id: new.user_id,
            name: new.name,
            digest: secret.digest().as_str().to_owned(),
            permissions: new.permissions.to_column(),
            created_at: self.now(),
            created_by: new.created_by,
            expires_at: new.expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        let row = model.clone().into_active_model();
        tokens::Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok((model, secret))
    }

    /// Those that work, newest first; of one person if one is given.
    pub(crate) async fn tokens(
        &self,
        org_id: &str,
        user_id: Option<&str>,
    ) -> Result<Vec<tokens::Model>, Error> {
        let found = async {
            let mut query = live(self.now()).filter(tokens::Column::OrgId.eq(org_id));
            if let Some(user_id) = user_id {
                query = query.filter(tokens::Column::UserId.eq(user_id));
            }
            let query = query
                .order_by_desc(tokens::Column::CreatedAt)
                .order_by_asc(tokens::Column::Id);
            Ok(query.all(self.read()?).await?)
        };
        self.calls.run("tokens", found).await
    }

    /// One that works.
    pub(crate) async fn token(&self, org_id: &str, id: &str) -> Result<tokens::Model, Error> {
        let found = async {
            let query = live(self.now())
                .filter(tokens::Column::OrgId.eq(org_id))
                .filter(tokens::Column::Id.eq(id));
            let found = query.one(self.read()?).await?;
            found.ok_or(Error::NotFound("token"))
        };
        self.calls.run("token", found).await
    }

    /// Another token like this one, which ends after `overlap` milliseconds.
    pub(crate) async fn rotate_token(
        &self,
        old: &tokens::Model,
        overlap: i64,
        by: &str,
    ) -> Result<(tokens::Model, Secret), Error> {
        let rotated = async {
            let transaction = self.write().await?;
            lock_organisation(&transaction, &old.org_id).await?;
            let now = self.now();
            let found = live(now)
                .filter(tokens::Column::Id.eq(&old.id))
                .one(&transaction);
            let old = found.await?.ok_or(Error::NotFound("token"))?;
            let new = NewToken {
                org_id: old.org_id.clone(),
                user_id: old.user_id.clone(),
                name: old.name.clone(),
                permissions: Permissions::from_column(old.permissions),
                created_by: by.to_owned(),
                // As long as the old one had when it was made.
                expires_at: old.expires_at.map(|end| now + (end - old.created_at)),
            };
            let rotated = self.insert(&transaction, new).await?;
            let end = old.expires_at.unwrap_or(i64::MAX).min(now + overlap);
            let id = old.id.clone();
            let mut row = old.into_active_model();
            row.expires_at = Set(Some(end));
            row.update(&transaction).await?;
            let change = change("token.rotate", &rotated.0);
            self.commit(transaction, change, &[Revocation::token(&id)])
                .await?;
            Ok(rotated)
        };
        self.calls.run("rotate_token", rotated).await
    }

    pub(crate) async fn revoke_token(&self, org_id: &str, id: &str) -> Result<(), Error> {
        let revoked = async {
            let transaction = self.write().await?;
            let now = self.now();
            let updated = tokens::Entity::update_many()
                .col_expr(tokens::Column::RevokedAt, Expr::value(now))
                .filter(tokens::Column::OrgId.eq(org_id))
                .filter(tokens::Column::Id.eq(id))
                .filter(tokens::Column::RevokedAt.is_null())
                .exec(&transaction)
                .await?;
            if updated.rows_affected == 0 {
                return Err(Error::NotFound("token"));
            }
            let change = Change {
                org_id,
                action: "token.revoke",
                target: id,
                detail: "",
            };
            self.commit(transaction, change, &[Revocation::token(id)])
                .await?;
            Ok(())
        };
        self.calls.run("revoke_token", revoked).await
    }

    /// The token with this digest, if it works in this organisation; in its own if that is empty.
    pub(crate) async fn known(
        &self,
        digest: &Digested,
        org_id: &str,
    ) -> Result<Option<Known>, Error> {
        let found = async {
            let db = self.read()?;
            let token = live(self.now()).filter(tokens::Column::Digest.eq(digest.as_str()));
            let Some(token) = token.one(db).await? else {
                return Ok(None);
            };
            let org_id = if org_id.is_empty() {
                token.org_id.clone()
            } else {
                org_id.to_owned()
            };
            if token.user_id.is_none() && token.org_id != org_id {
                return Ok(None);
            }
            let organisation = organisations::Entity::find_by_id(&org_id).one(db).await?;
            let Some(organisation) = organisation.filter(|found| found.deleted_at.is_none()) else {
                return Ok(None);
            };
            let member = match &token.user_id {
                None => None,
                Some(user_id) => {
                    let key = (org_id, user_id.clone());
                    let member = members::Entity::find_by_id(key).one(db).await?;
                    let Some(member) = member else {
                        return Ok(None);
                    };
                    Some(member)
                }
            };
            Ok(Some(Known {
                token,
                organisation,
                member,
            }))
        };
        self.calls.run("known", found).await
    }

    /// Remembers that a token was used now, exact to a minute.
    pub(crate) async fn used(&self, id: &str) -> Result<(), Error> {
        let used = async {
            let minute = minute(self.now());
            let column = tokens::Column::LastUsedAt;
            tokens::Entity::update_many()
                .col_expr(column, Expr::value(minute))
                .filter(tokens::Column::Id.eq(id))
                .filter(
                    Condition::any()
                        .add(column.is_null())
                        .add(column.lt(minute)),
                )
                .exec(self.read()?)
                .await?;
            Ok(())
        };
        self.calls.run("used", used).await
    }
}

fn change<'a>(action: &'static str, token: &'a tokens::Model) -> Change<'a> {
    Change {
        org_id: &token.org_id,
        action,
        target: &token.id,
        detail: &token.name,
    }
}

/// The minute that this falls into.
pub(crate) fn minute(millis: i64) -> i64 {
    millis - millis.rem_euclid(MINUTE)
}

/// Tokens that are neither revoked nor expired.
fn live(now: i64) -> sea_orm::Select<tokens::Entity> {
    let column = tokens::Column::ExpiresAt;
    tokens::Entity::find()
        .filter(tokens::Column::RevokedAt.is_null())
        .filter(Condition::any().add(column.is_null()).add(column.gt(now)))
}
