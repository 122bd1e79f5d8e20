//! An index in a file of SQLite, for one machine: one process may write while others read. Not for network file systems,
//! where the write-ahead log does not work.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, SqlitePool};

use super::{Backend, Hour, IndexEntry};
use crate::{OpenError, StoreError};

/// How long a call waits for another process's, and for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 4;
const BUSY: u32 = 5;

/// Rows of one organisation and hour stand together in their order; so do the hours for [`Backend::hours`].
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS entries (
    hour INTEGER NOT NULL,
    org TEXT NOT NULL,
    first INTEGER NOT NULL,
    name TEXT NOT NULL,
    last INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (hour, org, first, name)
) STRICT";
const SCHEMA_VERSION: i64 = 1;

#[derive(Debug)]
pub(super) struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, OpenError> {
        if let Some(directory) = path.parent() {
            let made = tokio::fs::create_dir_all(directory).await;
            made.map_err(|error| OpenError::Io(directory.display().to_string(), error))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE);
        match connect(pool, options).await {
            Ok((pool, SCHEMA_VERSION)) => Ok(Sqlite { pool }),
            Ok((_, version)) => Err(OpenError::Other(format!(
                "{} is of version {version}, this program knows {SCHEMA_VERSION}",
                path.display()
            ))),
            Err(error) => Err(OpenError::Other(format!(
                "cannot open {}: {error}",
                path.display()
            ))),
        }
    }
}

/// Tries for as long as others are at it: turning the write-ahead log on does not heed the busy time-out.
async fn connect(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> Result<(SqlitePool, i64), sqlx::Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        let opened = match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => create(&pool).await.map(|version| (pool, version)),
            Err(error) => Err(error),
        };
        match opened {
            Err(error) if primary_code(&error) == Some(BUSY) && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            opened => return opened,
        }
    }
}

async fn create(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let version = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?;
    if version != 0 {
        return Ok(version);
    }
    sqlx::query(SCHEMA).execute(&mut *transaction).await?;
    sqlx::query("PRAGMA user_version = 1")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(SCHEMA_VERSION)
}

#[async_trait::async_trait]
impl Backend for Sqlite {
    async fn put(&self, entries: &[IndexEntry]) -> Result<(), StoreError> {
        // A transaction that reads first and writes then could not wait for another writer.
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = transaction.map_err(classify)?;
        for entry in entries {
            let put = sqlx::query(
                "INSERT OR REPLACE INTO entries (hour, org, first, name, last, payload)
                VALUES (?, ?, ?, ?, ?, ?)",
            );
            put.bind(entry.hour())
                .bind(&entry.org)
                .bind(entry.first)
                .bind(&entry.name)
                .bind(entry.last)
                .bind(&entry.payload[..])
                .execute(&mut *transaction)
                .await
                .map_err(classify)?;
        }
        transaction.commit().await.map_err(classify)
    }

    async fn hour(
        &self,
        org: &str,
        hour: Hour,
        from: i64,
        until: i64,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT first, name, last, payload FROM entries
            WHERE hour = ? AND org = ? AND first >= ? AND first < ? ORDER BY first, name",
        );
        let rows = rows.bind(hour).bind(org).bind(from).bind(until);
        let rows = rows.fetch_all(&self.pool).await.map_err(classify)?;
        rows.iter()
            .map(|row| entry(org, row).map_err(classify))
            .collect()
    }

    async fn hours(&self, before: Hour, most: usize) -> Result<Vec<(Hour, String)>, StoreError> {
        let hours = sqlx::query_as(
            "SELECT DISTINCT hour, org FROM entries WHERE hour < ? ORDER BY hour, org LIMIT ?",
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let hours = hours.bind(before).bind(most).fetch_all(&self.pool).await;
        hours.map_err(classify)
    }

    async fn delete_hour(&self, org: &str, hour: Hour) -> Result<(), StoreError> {
        let deleted = sqlx::query("DELETE FROM entries WHERE hour = ? AND org = ?");
        let deleted = deleted.bind(hour).bind(org).execute(&self.pool).await;
        deleted.map(drop).map_err(classify)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let probe = sqlx::query("SELECT 1 FROM entries LIMIT 1");
        let probed = probe.fetch_optional(&self.pool).await;
        probed.map(drop).map_err(classify)
    }
}

fn entry(org: &str, row: &SqliteRow) -> Result<IndexEntry, sqlx::Error> {
    Ok(IndexEntry {
        org: org.to_owned(),
        first: row.try_get(0)?,
        name: row.try_get(1)?,
        last: row.try_get(2)?,
        payload: Bytes::from(row.try_get::<Vec<u8>, _>(3)?),
    })
}

/// SQLite's result code, <https://www.sqlite.org/rescode.html>; the low byte is the primary one.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?.parse::<u32>();
    code.ok().map(|code| code & 0xff)
}

fn classify(error: sqlx::Error) -> StoreError {
    match primary_code(&error) {
        Some(13) => StoreError::Refused(format!("make room on the disk: {error}")),
        Some(3 | 8 | 14) => {
            StoreError::Refused(format!("let this user write to the index's file: {error}"))
        }
        Some(11 | 26) => StoreError::Refused(format!("the index's file is damaged: {error}")),
        _ => StoreError::Unavailable(error.to_string()),
    }
}
