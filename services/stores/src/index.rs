//! Which blocks an organisation has in which hour.

mod memory;

use std::sync::Arc;

use bytes::Bytes;
use runtime::Runtime;
use url::Url;

use crate::{OpenError, StoreError};

const HOUR: i64 = 3_600_000_000_000;

/// Entries cover at most this many nanoseconds: who looks for what was there at some time must look this far back.
pub const MAX_SPAN: i64 = 300_000_000_000;

/// An hour, numbered from 1970.
pub type Hour = i64;

/// An entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Whose it is.
    pub org: String,
    /// The first moment it covers, in Unix nanoseconds; its hour is the partition.
    pub first: i64,
    /// The last moment it covers, at most [`MAX_SPAN`] later and in the same hour.
    pub last: i64,
    /// Tells entries of the same `first` apart: `[A-Za-z0-9._-]`, at most 128 bytes. With `org` and `first` the identity
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
#[derive(Debug, Clone)]
pub struct Index {
    backend: Arc<dyn Backend>,
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
}

impl Index {
    /// Opens `memory:`, `sqlite:///file` or `dynamodb://table?endpoint=…&region=…&create=true`. What is away at this
    /// moment is no error: calls fail until it is there.
    ///
    /// # Errors
    /// If the URL is wrong, or a file cannot be made.
    pub async fn open(url: &Url, _rt: &Runtime) -> Result<Self, OpenError> {
        match url.scheme() {
            "memory" => Ok(Index {
                backend: Arc::new(memory::Memory::default()),
            }),
            other => Err(OpenError::Url(format!(
                "{other}: is no index; sqlite:///file and dynamodb://table are"
            ))),
        }
    }

    /// Writes entries; those of the same identity are replaced. They are durable when this returns. Some may have been
    /// written when it fails; writing them again does no harm.
    ///
    /// # Errors
    /// As the store says.
    pub async fn put(&self, entries: &[IndexEntry]) -> Result<(), StoreError> {
        self.backend.put(entries).await
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
        let from_first = from.saturating_sub(MAX_SPAN);
        let mut entries = Vec::new();
        for hour in from_first.div_euclid(HOUR)..=until.saturating_sub(1).div_euclid(HOUR) {
            let found = self.backend.hour(org, hour, from_first, until).await?;
            entries.extend(found.into_iter().filter(|entry| entry.last >= from));
        }
        Ok(entries)
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
        self.backend.hours(before, most).await
    }

    /// Deletes an organisation's entries of an hour.
    ///
    /// # Errors
    /// As the store says; some may be deleted then, and calling again deletes the rest.
    pub async fn delete_hour(&self, org: &str, hour: Hour) -> Result<(), StoreError> {
        self.backend.delete_hour(org, hour).await
    }
}
