//! Passkeys, and logins with them.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, ModelTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};

use super::entity::{identities, passkeys, sessions, users};
use super::{NewSession, Store, minute};
use crate::secret::Secret;
use crate::{Error, names};

/// Of one person.
pub(crate) const MOST: usize = 20;

/// What a passkey starts with.
#[derive(Debug)]
pub(crate) struct NewPasskey {
    pub(crate) user_id: String,
    pub(crate) name: String,
    /// As the device names it, in base64url.
    pub(crate) credential_id: String,
    pub(crate) credential: String,
}

/// How people log in here without passkeys.
#[derive(Debug, Clone, Default)]
pub(crate) struct OtherWays {
    /// With links by mail, which everybody with an account gets.
    pub(crate) mail: bool,
    /// At these providers, whoever has been there.
    pub(crate) issuers: Vec<String>,
}

impl Store {
    /// A person's, oldest first.
    pub(crate) async fn passkeys(&self, user_id: &str) -> Result<Vec<passkeys::Model>, Error> {
        let found = async {
            let found = passkeys::Entity::find()
                .filter(passkeys::Column::UserId.eq(user_id))
                .order_by_asc(passkeys::Column::CreatedAt)
                .order_by_asc(passkeys::Column::Id);
            Ok(found.all(self.read()?).await?)
        };
        self.calls.run("passkeys", found).await
    }

    /// The one that a device names so.
    pub(crate) async fn passkey(
        &self,
        credential_id: &str,
    ) -> Result<Option<passkeys::Model>, Error> {
        let found = async {
            let column = passkeys::Column::CredentialId;
            let found = passkeys::Entity::find().filter(column.eq(credential_id));
            Ok(found.one(self.read()?).await?)
        };
        self.calls.run("passkey", found).await
    }

    pub(crate) async fn add_passkey(&self, new: NewPasskey) -> Result<passkeys::Model, Error> {
        let added = async {
            let transaction = self.write().await?;
            lock_user(&transaction, &new.user_id).await?;
            let own = passkeys::Entity::find().filter(passkeys::Column::UserId.eq(&new.user_id));
            if own.count(&transaction).await? >= MOST as u64 {
                return Err(Error::Precondition("a person has at most 20 passkeys"));
            }
            let model = passkeys::Model {
                id: names::id(names::PASSKEY),
                user_id: new.user_id,
                credential_id: new.credential_id,
                credential: new.credential,
                name: new.name,
                created_at: self.now(),
                last_used_at: None,
            };
            passkeys::Entity::insert(model.clone().into_active_model())
                .exec_without_returning(&transaction)
                .await?;
            self.commit_about_person(
                transaction,
                ("passkey.add", &model.name),
                &model.user_id,
                &[],
            )
            .await?;
            Ok(model)
        };
        match self.calls.run("add_passkey", added).await {
            Err(error) if error.is_duplicate() => {
                Err(Error::Exists("this passkey is registered already"))
            }
            added => added,
        }
    }

    pub(crate) async fn rename_passkey(
        &self,
        user_id: &str,
        id: &str,
        name: &str,
    ) -> Result<passkeys::Model, Error> {
        let renamed = async {
            let transaction = self.write().await?;
            let found = own(&transaction, user_id, id).await?;
            let detail = format!("{} is {name} now", found.name);
            let mut row = found.into_active_model();
            row.name = Set(name.to_owned());
            let renamed = row.update(&transaction).await?;
            self.commit_about_person(transaction, ("passkey.rename", &detail), user_id, &[])
                .await?;
            Ok(renamed)
        };
        self.calls.run("rename_passkey", renamed).await
    }

    /// Removes one of a person's, if there is another way in.
    pub(crate) async fn remove_passkey(
        &self,
        user_id: &str,
        id: &str,
        ways: &OtherWays,
    ) -> Result<(), Error> {
        let removed = async {
            let transaction = self.write().await?;
            // Of two that are removed at once, the second sees that it is the last.
            lock_user(&transaction, user_id).await?;
            let found = own(&transaction, user_id, id).await?;
            let others = passkeys::Entity::find()
                .filter(passkeys::Column::UserId.eq(user_id))
                .filter(passkeys::Column::Id.ne(id));
            let identities = identities::Entity::find()
                .filter(identities::Column::UserId.eq(user_id))
                .filter(identities::Column::Issuer.is_in(&ways.issuers));
            let another = ways.mail
                || others.count(&transaction).await? > 0
                || identities.count(&transaction).await? > 0;
            if !another {
                return Err(Error::Precondition(
                    "this is your only way to log in; register another passkey first",
                ));
            }
            let name = found.name.clone();
            found.delete(&transaction).await?;
            self.commit_about_person(transaction, ("passkey.remove", &name), user_id, &[])
                .await
        };
        self.calls.run("remove_passkey", removed).await
    }

    /// Logs in whoever owns this passkey, which has signed, and keeps what it is since.
    pub(crate) async fn log_in_passkey(
        &self,
        known: &passkeys::Model,
        credential: &str,
        session: NewSession,
    ) -> Result<(users::Model, sessions::Model, Secret), Error> {
        let logged_in = async {
            let transaction = self.write().await?;
            let user = lock_user(&transaction, &known.user_id).await?;
            // What was checked is what is there: else it was removed, or its counter moved on, meanwhile.
            let used = passkeys::Entity::update_many()
                .col_expr(passkeys::Column::Credential, Expr::value(credential))
                .col_expr(
                    passkeys::Column::LastUsedAt,
                    Expr::value(minute(self.now())),
                )
                .filter(passkeys::Column::Id.eq(&known.id))
                .filter(passkeys::Column::Credential.eq(&known.credential))
                .exec(&transaction)
                .await?;
            if used.rows_affected == 0 {
                return Err(Error::Unproven(
                    "this passkey was used or removed just now; try again",
                ));
            }
            let mut revoked = Vec::new();
            let (session, secret) = self
                .begin_session(&transaction, &user.id, session, &mut revoked)
                .await?;
            self.commit_for_person(transaction, "session.begin", &session, &revoked)
                .await?;
            Ok((user, session, secret))
        };
        self.calls.run("log_in_passkey", logged_in).await
    }
}

/// A person, locked against other changes of the person's passkeys until the transaction ends.
async fn lock_user(
    transaction: &DatabaseTransaction,
    user_id: &str,
) -> Result<users::Model, Error> {
    let found = users::Entity::find_by_id(user_id)
        .lock_exclusive()
        .one(transaction);
    found.await?.ok_or(Error::NotFound("user"))
}

async fn own(
    transaction: &DatabaseTransaction,
    user_id: &str,
    id: &str,
) -> Result<passkeys::Model, Error> {
    let found = passkeys::Entity::find_by_id(id)
        .filter(passkeys::Column::UserId.eq(user_id))
        .one(transaction);
    found.await?.ok_or(Error::NotFound("passkey"))
}
