//! Registrations and logins that take two calls of the same browser.

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

use super::Store;
use super::entity::ceremonies;
use crate::Error;
use crate::secret::Digested;

/// How long a ceremony may take, in milliseconds: 5 minutes.
pub(crate) const LIFETIME: i64 = 5 * 60 * 1000;
/// Ceremonies under way at once, whoever began them.
const MOST: u64 = 10_000;

/// What a ceremony is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Register,
    LogIn,
}

impl Purpose {
    fn column(self) -> &'static str {
        match self {
            Purpose::Register => "register",
            Purpose::LogIn => "log-in",
        }
    }
}

/// What a ceremony starts with.
#[derive(Debug)]
pub(crate) struct NewCeremony<'a> {
    pub(crate) purpose: Purpose,
    /// Of what its browser holds.
    pub(crate) digest: Digested,
    /// Whose passkey it must be; empty for anybody's.
    pub(crate) user_id: &'a str,
    /// The session that must end it; empty for whoever holds the secret.
    pub(crate) session_id: &'a str,
    pub(crate) state: String,
}

impl Store {
    /// Begins one; an earlier one of the same session is void.
    pub(crate) async fn begin_ceremony(&self, new: NewCeremony<'_>) -> Result<(), Error> {
        let begun = async {
            let transaction = self.write().await?;
            if !new.session_id.is_empty() {
                ceremonies::Entity::delete_many()
                    .filter(ceremonies::Column::SessionId.eq(new.session_id))
                    .exec(&transaction)
                    .await?;
            }
            let all = ceremonies::Entity::find();
            if all.count(&transaction).await? >= MOST {
                return Err(Error::Exhausted(
                    "too many people use passkeys just now; wait a minute, and try again",
                ));
            }
            let row = ceremonies::Model {
                digest: new.digest.as_str().to_owned(),
                purpose: new.purpose.column().to_owned(),
                user_id: new.user_id.to_owned(),
                session_id: new.session_id.to_owned(),
                state: new.state,
                expires_at: self.now().saturating_add(LIFETIME),
            };
            ceremonies::Entity::insert(row.into_active_model())
                .exec_without_returning(&transaction)
                .await?;
            Ok(transaction.commit().await?)
        };
        self.calls.run("begin_ceremony", begun).await
    }

    /// Takes one out, whatever becomes of it. Of several that try at once, one gets it.
    pub(crate) async fn take_ceremony(
        &self,
        digest: &Digested,
        purpose: Purpose,
    ) -> Result<Option<ceremonies::Model>, Error> {
        let taken = async {
            let transaction = self.write().await?;
            let found = ceremonies::Entity::find_by_id(digest.as_str())
                .filter(ceremonies::Column::Purpose.eq(purpose.column()))
                .filter(ceremonies::Column::ExpiresAt.gt(self.now()))
                .one(&transaction);
            let Some(found) = found.await? else {
                return Ok(None);
            };
            let deleted = ceremonies::Entity::delete_by_id(digest.as_str())
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            Ok((deleted.rows_affected == 1).then_some(found))
        };
        self.calls.run("take_ceremony", taken).await
    }

    /// Forgets those that were not ended in time.
    pub(crate) async fn forget_ceremonies(&self) -> Result<(), Error> {
        let forgotten = async {
            ceremonies::Entity::delete_many()
                .filter(ceremonies::Column::ExpiresAt.lte(self.now()))
                .exec(self.read()?)
                .await?;
            Ok(())
        };
        self.calls.run("forget_ceremonies", forgotten).await
    }
}
