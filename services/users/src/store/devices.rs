//! Programs that wait for a person to say that they may have a token (RFC 8628).

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, ModelTrait, PaginatorTrait,
    QueryFilter, QuerySelect, Set,
};

use super::Store;
use super::entity::{device_logins, tokens};
use super::tokens::NewToken;
use crate::Error;
use crate::permissions::Permissions;
use crate::secret::{Digested, Secret};

/// How long a person may take, in milliseconds: 10 minutes.
pub(crate) const LIFETIME: i64 = 10 * 60 * 1000;
/// Between two polls, in milliseconds, and by how much it grows when a poll comes sooner (section 3.5).
pub(crate) const INTERVAL: i64 = 5_000;
/// A poll that is on time may seem a little early.
const LEEWAY: i64 = 500;
/// Programs that wait at once, whoever they are.
const MOST: u64 = 10_000;

const PENDING: &str = "pending";
const APPROVED: &str = "approved";
const DENIED: &str = "denied";

const UNKNOWN: Error = Error::NotFound("code, or it has expired or was answered; begin again");

/// What a program wants.
#[derive(Debug)]
pub(crate) struct NewDeviceLogin {
    /// Of what the program keeps.
    pub(crate) digest: Digested,
    /// Of what its person reads.
    pub(crate) code_digest: Digested,
    pub(crate) client: String,
    pub(crate) address: String,
    pub(crate) permissions: Permissions,
    /// Of the token, in milliseconds.
    pub(crate) lifetime: i64,
}

/// What a program is told.
#[derive(Debug)]
pub(crate) enum Polled {
    Pending,
    SlowDown,
    Denied,
    Granted(Box<tokens::Model>, Secret),
}

impl Store {
    pub(crate) async fn begin_device_login(&self, new: NewDeviceLogin) -> Result<(), Error> {
        let begun = async {
            let transaction = self.write().await?;
            let all = device_logins::Entity::find();
            if all.count(&transaction).await? >= MOST {
                return Err(Error::Exhausted(
                    "too many programs wait for a login just now; try again in a few minutes",
                ));
            }
            let now = self.now();
            let row = device_logins::Model {
                digest: new.digest.as_str().to_owned(),
                code_digest: new.code_digest.as_str().to_owned(),
                client: new.client,
                address: new.address,
                permissions: new.permissions.to_column(),
                lifetime: new.lifetime,
                created_at: now,
                expires_at: now.saturating_add(LIFETIME),
                poll_interval: INTERVAL,
                polled_at: 0,
                state: PENDING.to_owned(),
                user_id: String::new(),
                org_id: String::new(),
            };
            device_logins::Entity::insert(row.into_active_model())
                .exec_without_returning(&transaction)
                .await?;
            Ok(transaction.commit().await?)
        };
        self.calls.run("begin_device_login", begun).await
    }

    /// The one that waits with this code.
    pub(crate) async fn device_login(
        &self,
        code: &Digested,
    ) -> Result<device_logins::Model, Error> {
        let found = async {
            let found = waiting(code, self.now());
            found.one(self.read()?).await?.ok_or(UNKNOWN)
        };
        self.calls.run("device_login", found).await
    }

    /// Lets the one that waits with this code have a token of this person in this organisation, or refuses it.
    pub(crate) async fn answer_device_login(
        &self,
        code: &Digested,
        (user_id, org_id): (&str, &str),
        approve: bool,
    ) -> Result<(), Error> {
        let answered = async {
            let transaction = self.write().await?;
            let found = waiting(code, self.now()).lock_exclusive().one(&transaction);
            let found = found.await?.ok_or(UNKNOWN)?;
            let (action, state) = match approve {
                true => ("device.approve", APPROVED),
                false => ("device.refuse", DENIED),
            };
            let detail = format!("{}, from {}", found.client, found.address);
            let mut row = found.into_active_model();
            row.state = Set(state.to_owned());
            row.user_id = Set(user_id.to_owned());
            row.org_id = Set(org_id.to_owned());
            row.update(&transaction).await?;
            self.commit_about_person(transaction, (action, &detail), user_id, &[])
                .await
        };
        self.calls.run("answer_device_login", answered).await
    }

    /// What has become of it; none if it never was, has expired, or was told before. An answer is told once.
    pub(crate) async fn poll_device_login(
        &self,
        digest: &Digested,
    ) -> Result<Option<Polled>, Error> {
        let polled = async {
            let transaction = self.write().await?;
            let now = self.now();
            let found = device_logins::Entity::find_by_id(digest.as_str())
                .filter(device_logins::Column::ExpiresAt.gt(now))
                .lock_exclusive()
                .one(&transaction);
            let Some(found) = found.await? else {
                return Ok(None);
            };
            if found.state != PENDING {
                found.clone().delete(&transaction).await?;
                transaction.commit().await?;
                return Ok(Some(Err(found)));
            }
            let early = now - found.polled_at < found.poll_interval - LEEWAY;
            let interval = match early {
                true => found.poll_interval.saturating_add(INTERVAL),
                false => found.poll_interval,
            };
            device_logins::Entity::update_many()
                .col_expr(device_logins::Column::PolledAt, Expr::value(now))
                .col_expr(device_logins::Column::PollInterval, Expr::value(interval))
                .filter(device_logins::Column::Digest.eq(digest.as_str()))
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(Some(Ok(match early {
                true => Polled::SlowDown,
                false => Polled::Pending,
            })))
        };
        match self.calls.run("poll_device_login", polled).await? {
            None => Ok(None),
            Some(Ok(waiting)) => Ok(Some(waiting)),
            Some(Err(answered)) if answered.state == DENIED => Ok(Some(Polled::Denied)),
            Some(Err(approved)) => {
                let new = NewToken {
                    org_id: approved.org_id,
                    name: approved.client,
                    permissions: Permissions::from_column(approved.permissions),
                    created_by: approved.user_id.clone(),
                    expires_at: Some(self.now().saturating_add(approved.lifetime)),
                    user_id: Some(approved.user_id.clone()),
                };
                let (token, secret) = self.by(&approved.user_id).add_token(new).await?;
                Ok(Some(Polled::Granted(Box::new(token), secret)))
            }
        }
    }

    /// Forgets those that nobody answered in time.
    pub(crate) async fn forget_device_logins(&self) -> Result<(), Error> {
        let forgotten = async {
            device_logins::Entity::delete_many()
                .filter(device_logins::Column::ExpiresAt.lte(self.now()))
                .exec(self.read()?)
                .await?;
            Ok(())
        };
        self.calls.run("forget_device_logins", forgotten).await
    }
}

/// The one that nobody has answered.
fn waiting(code: &Digested, now: i64) -> sea_orm::Select<device_logins::Entity> {
    device_logins::Entity::find()
        .filter(device_logins::Column::CodeDigest.eq(code.as_str()))
        .filter(device_logins::Column::State.eq(PENDING))
        .filter(device_logins::Column::ExpiresAt.gt(now))
}
