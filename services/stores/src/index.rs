//! Which blocks an organisation has in which hour.

mod dynamodb;
mod memory;
mod sqlite;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use runtime::Runtime;
use url::Url;

use crate::address::Address;
use crate::calls::Calls;
use crate::{OpenError, StoreError, aws};

const HOUR: i64 = 3_600_000_000_000;
const PAYLOAD_BYTES: usize = 300 << 10;
/// DynamoDB's bound on a key, 1,024 bytes, leaves that much.
const ORG_BYTES: usize = 256;
/// Hours that one query reads at a time.
const HOURS_AT_ONCE: usize = 8;

/// Entries cover at most this many nanoseconds: who looks for what was there at some time must look this far back.
pub const MAX_SPAN: i64 = 300_000_000_000;

/// An hour, numbered from 1970.
pub type Hour = i64;

/// An entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Whose it is: 1 to 256 bytes.
    pub org: String,
    /// The first moment it covers, in Unix nanoseconds, not before 1970; its hour is the partition.
    pub first: i64,
    /// The last moment it covers, at most [`MAX_SPAN`] later and in the same hour.
    pub last: i64,
    /// Tells entries of the same `first` apart: `[A-Za-z0-9._-]`, 1 to 128 bytes. With `org` and `first` the identity
    /// of the entry.
    pub name: String,
    /// What it says: at most 300 KiB.
    pub payload: Bytes,
}

impl IndexEntry {
    /// The hour it belongs to.
    #[must_use]
    pub fn hour(&self) -> Hour {
        self.first.div_euclid(HOUR)
    }
}

/// Which blocks an organisation has in which hour.
///
/// A process opens its index once and clones it: metrics and, in memory, the entries belong to what was opened.
#[derive(Debug, Clone)]
pub struct Index {
    backend: Arc<dyn Backend>,
    calls: Calls,
}

#[async_trait::async_trait]
trait Backend: std::fmt::Debug + Send + Sync {
    async fn put(&self, entries: &[IndexEntry]) -> Result<(), StoreError>;
    /// All entries of this hour with first in `from..until`, by `first` and name.
    async fn hour(
        &self,
        org: &str,
        hour: Hour,
        from: i64,
        until: i64,
    ) -> Result<Vec<IndexEntry>, StoreError>;
    async fn hours(&self, before: Hour, most: usize) -> Result<Vec<(Hour, String)>, StoreError>;
    async fn delete_hour(&self, org: &str, hour: Hour) -> Result<(), StoreError>;
    /// Whether it answers, found out as cheaply as possible.
    async fn probe(&self) -> Result<(), StoreError>;
}

impl Index {
    /// Opens `memory:`, `sqlite:///file` or `dynamodb://table?endpoint=…&region=…&credentials=/file&create=true`. What is
    /// away at this moment is no error: calls fail until it is there.
    ///
    /// # Errors
    /// If the URL is wrong, a file cannot be made, or an index is open already.
    pub async fn open(url: &Url, rt: &Runtime) -> Result<Self, OpenError> {
        let backend: Arc<dyn Backend> = match url.scheme() {
            "memory" => {
                Address::parse(url, &[])?;
                Arc::new(memory::Memory::default())
            }
            "sqlite" => {
                let path = Address::parse(url, &[])?.file_path()?;
                Arc::new(sqlite::Sqlite::open(&path).await?)
            }
            "dynamodb" => {
                let [endpoint, region, credentials] = aws::PARAMETERS;
                let known = [endpoint, region, credentials, "create"];
                let address = Address::parse(url, &known)?;
                Arc::new(dynamodb::DynamoDb::open(&address).await?)
            }
            other => {
                return Err(OpenError::Url(format!(
                    "{other}: is no index; sqlite:///file and dynamodb://table are"
                )));
            }
        };
        let calls = Calls::register("index", rt)?;
        let probed = Arc::clone(&backend);
        calls.probe(rt, move || {
            let backend = Arc::clone(&probed);
            async move { backend.probe().await }
        });
        Ok(Index { backend, calls })
    }

    /// Writes entries; those of the same identity are replaced. They are durable when this returns. Some may have been
    /// written when it fails; writing them again does no harm.
    ///
    /// # Errors
    /// As the store says.
    pub async fn put(&self, entries: &[IndexEntry]) -> Result<(), StoreError> {
        entries.iter().try_for_each(check)?;
        if entries.is_empty() {
            return Ok(());
        }
        self.calls.write("put", self.backend.put(entries)).await
    }

    /// All entries that touch `from..until`, by `first` and name, whatever their number and however many hours.
    ///
    /// # Errors
    /// As the store says.
    pub async fn query(
        &self,
        org: &str,
        from: i64,
        until: i64,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        if from >= until {
            return Ok(Vec::new());
        }
        let from_first = from.saturating_sub(MAX_SPAN).max(0);
        let hours = from_first.div_euclid(HOUR)..=until.saturating_sub(1).div_euclid(HOUR);
        let found = stream::iter(hours)
            .map(|hour| self.backend.hour(org, hour, from_first, until))
            .buffered(HOURS_AT_ONCE)
            .try_fold(Vec::new(), async |mut entries, hour| {
                entries.extend(hour.into_iter().filter(|entry| entry.last >= from));
                Ok(entries)
            });
        self.calls.read("query", found).await
    }

    /// Up to so many hours before this one that organisations have entries in, oldest first.
    ///
    /// # Errors
    /// As the store says.
    pub async fn hours(
        &self,
        before: Hour,
        most: usize,
    ) -> Result<Vec<(Hour, String)>, StoreError> {
        self.calls
            .read("hours", self.backend.hours(before, most))
            .await
    }

    /// Deletes an organisation's entries of an hour.
    ///
    /// # Errors
    /// As the store says; some may be deleted then, and calling again deletes the rest.
    pub async fn delete_hour(&self, org: &str, hour: Hour) -> Result<(), StoreError> {
        let deleted = self.backend.delete_hour(org, hour);
        self.calls.write("delete_hour", deleted).await
    }
}

fn check(entry: &IndexEntry) -> Result<(), StoreError> {
    let IndexEntry {
        org,
        first,
        last,
        name,
        payload,
    } = entry;
    let refuse = |what: &str| {
        let refusal = format!("entry {name:?} at {first}: {what}");
        Err(StoreError::Refused(refusal))
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(allowed) {
        return refuse("its name is none");
    }
    if org.is_empty() || org.len() > ORG_BYTES {
        return refuse("its organisation's id is empty or too long");
    }
    let one_hour = last.div_euclid(HOUR) == entry.hour();
    if *first < 0 || last < first || last - first > MAX_SPAN || !one_hour {
        return refuse("it does not cover a span within one hour");
    }
    if payload.len() > PAYLOAD_BYTES {
        return refuse("its payload is too long");
    }
    Ok(())
}
