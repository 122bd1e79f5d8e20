//! Where accounts are kept, by URL.

mod audit;
mod ceremonies;
mod devices;
pub(crate) mod entity;
mod erasure;
mod identities;
mod invitations;
mod links;
mod members;
mod migration;
mod open;
mod organisations;
mod passkeys;
mod revocations;
mod sessions;
mod tokens;
mod users;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::Caller;
use runtime::Runtime;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, QuerySelect,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use tokio::sync::Notify;
use url::Url;

pub(crate) use ceremonies::{LIFETIME as CEREMONY_LIFETIME, NewCeremony, Purpose};
pub(crate) use devices::{
    INTERVAL as DEVICE_INTERVAL, LIFETIME as DEVICE_LIFETIME, NewDeviceLogin, Polled,
};
pub(crate) use erasure::Account;
pub(crate) use identities::Identity;
pub(crate) use links::{NewLink, Opening};
pub(crate) use members::Membership;
pub(crate) use organisations::NewOrganisation;
pub(crate) use passkeys::{MOST as MOST_PASSKEYS, NewPasskey, OtherWays};
pub(crate) use revocations::Revocation;
pub(crate) use sessions::{Ages, KnownSession, NewSession};
pub(crate) use tokens::{Known, NewToken, minute};

use crate::calls::Calls;
use crate::{Error, OpenError};
use audit::Change;
pub(crate) use audit::Event;
use entity::organisations as organisation;
use migration::Migrator;
use revocations::revoke;

/// Names the lock that migrations of PostgreSQL take, among all locks of the database.
const MIGRATION_LOCK: i64 = 0x7765_6674_7573_6572;
/// How often a store that was away at the start is tried.
const RETRY: Duration = Duration::from_secs(1);

/// Users, organisations, members, invitations and tokens. Clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct Store {
    db: DatabaseConnection,
    calls: Calls,
    /// Whether the schema is known to be there.
    ready: Arc<AtomicBool>,
    /// Who acts, for the audit log.
    actor: Arc<str>,
    /// From where.
    address: Arc<str>,
    /// Something was revoked by this process.
    revoked: Arc<Notify>,
}

impl Store {
    /// Opens the store and brings its schema up to date. A server of PostgreSQL that does not answer is no error: calls
    /// fail with UNAVAILABLE until it does.
    ///
    /// # Errors
    /// When the URL makes no sense, or the database refuses.
    pub async fn open(url: &Url, rt: &Runtime) -> Result<Self, OpenError> {
        let store = Store {
            db: open::connect(url).await?,
            calls: Calls::register(rt)?,
            ready: Arc::default(),
            actor: "weft".into(),
            address: "".into(),
            revoked: Arc::default(),
        };
        match store.migrate().await {
            Ok(_) => {}
            Err(error) if open::is_away(&error) => store.retry(rt, &error),
            Err(error) => return Err(error.into()),
        }
        let probed = store.clone();
        store.calls.probe(rt, move || {
            let db = probed.db.clone();
            async move { Ok(db.execute_unprepared("SELECT 1").await.map(drop)?) }
        });
        Ok(store)
    }

    /// Brings the schema up to date, and tells which steps that took. Of several processes that start together one does
    /// it and the others wait.
    pub(crate) async fn migrate(&self) -> Result<Vec<String>, sea_orm::DbErr> {
        let transaction = self.db.begin_with_options(WRITING).await?;
        if transaction.get_database_backend() == DbBackend::Postgres {
            let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
            transaction.execute_unprepared(&lock).await?;
        }
        let pending = Migrator::get_pending_migrations(&transaction).await?;
        Migrator::up(&transaction, None).await?;
        transaction.commit().await?;
        self.ready.store(true, Ordering::Release);
        Ok(pending.iter().map(|step| step.name().to_owned()).collect())
    }

    fn retry(&self, rt: &Runtime, error: &sea_orm::DbErr) {
        tracing::warn!(%error, "the users' store is away; it is tried again");
        let store = self.clone();
        rt.spawn("migrations of the users' store", async move {
            while let Err(error) = store.migrate().await {
                tracing::debug!(%error, "the users' store is still away");
                tokio::time::sleep(RETRY).await;
            }
        });
    }

    /// The same store, used by somebody.
    pub(crate) fn by(&self, actor: &str) -> Store {
        Store {
            actor: actor.into(),
            ..self.clone()
        }
    }

    /// The same store, used from this address.
    pub(crate) fn from(&self, address: &str) -> Store {
        Store {
            address: address.into(),
            ..self.clone()
        }
    }

    /// The same store, used by a caller.
    pub(crate) fn of(&self, caller: &Caller) -> Store {
        self.by(&caller.subject).from(&caller.address_text())
    }

    /// The connections, once the schema is there.
    fn read(&self) -> Result<&DatabaseConnection, Error> {
        let ready = self.ready.load(Ordering::Acquire);
        ready.then_some(&self.db).ok_or(Error::NotReady)
    }

    /// For tests of what others may do to it.
    pub(crate) fn connections(&self) -> &DatabaseConnection {
        &self.db
    }

    /// A transaction that may write.
    async fn write(&self) -> Result<DatabaseTransaction, Error> {
        Ok(self.read()?.begin_with_options(WRITING).await?)
    }

    /// Commits a change: with its link in the audit log, and with what it takes back from those who were told otherwise.
    async fn commit(
        &self,
        transaction: DatabaseTransaction,
        change: Change<'_>,
        revoked: &[Revocation],
    ) -> Result<(), Error> {
        self.commit_all(transaction, &[change], revoked).await
    }

    /// As [`Store::commit`], for a change that concerns several organisations.
    async fn commit_all(
        &self,
        transaction: DatabaseTransaction,
        changes: &[Change<'_>],
        revoked: &[Revocation],
    ) -> Result<(), Error> {
        if !revoked.is_empty() {
            revoke(&transaction, self.now(), revoked).await?;
        }
        let events = changes.iter().map(|change| self.event(*change));
        audit::add(&transaction, events.collect()).await?;
        transaction.commit().await?;
        if !revoked.is_empty() {
            self.revoked.notify_waiters();
        }
        Ok(())
    }

    /// Milliseconds since the Unix epoch by the date of the machine, which replicas share.
    pub(crate) fn now(&self) -> i64 {
        millis(SystemTime::now())
    }
}

/// A transaction of SQLite that reads first and writes then could not wait for another writer.
const WRITING: TransactionOptions = TransactionOptions {
    isolation_level: None,
    access_mode: None,
    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
};

/// An organisation that exists, locked against other changes of it, its members and tokens until the transaction ends.
async fn lock_organisation(
    transaction: &DatabaseTransaction,
    org_id: &str,
) -> Result<organisation::Model, Error> {
    let found = organisation::Entity::find_by_id(org_id)
        .lock_exclusive()
        .one(transaction)
        .await?;
    let live = found.filter(|found| found.deleted_at.is_none());
    live.ok_or(Error::NotFound("organisation"))
}

/// Brings the schema of the store behind this URL up to date, and tells which steps that took.
///
/// # Errors
/// When the store cannot be opened or refuses.
pub async fn migrate(url: &Url, rt: &Runtime) -> Result<Vec<String>, OpenError> {
    let store = Store {
        db: open::connect(url).await?,
        calls: Calls::register(rt)?,
        ready: Arc::default(),
        actor: "weft".into(),
        address: "".into(),
        revoked: Arc::default(),
    };
    Ok(store.migrate().await?)
}

/// Milliseconds since the Unix epoch.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
