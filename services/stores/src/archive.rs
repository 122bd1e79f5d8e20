//! Reports in objects: how they are written, and how they are found again.
//!
//! ```text
//! object   block · block · block …                     of several organisations, found through the index alone
//! block    header: whose, which reports · frame · frame …      one organisation, 15 seconds
//! frame    text · places · moments · numbers                   reports of some probes, compressed together
//! ```
//!
//! **Invariant:** every byte of a block is covered by a checksum; a block that fails it is left out and told, and nothing
//! else is.

mod block;
mod columns;
mod frame;
mod object;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use moka::future::Cache;
use prost::Message;
use proto::storage::v1 as pb;

use crate::{Index, IndexEntry, Objects, StoreError};
pub use block::{ArchivedReport, Damage};
pub use object::{Object, ObjectWriter, SLICE};

/// Blocks that are fetched or taken apart at once, for one question.
const AT_ONCE: usize = 8;
/// Compressed blocks that are kept for the next question, in bytes: a moment next to this one needs the same.
const KEPT_BYTES: u64 = 128 << 20;

/// Reports in objects, found through the index.
#[derive(Debug, Clone)]
pub struct Archive {
    objects: Objects,
    index: Index,
    blocks: Cache<(String, u64), Bytes>,
}

/// What there is of some time.
#[derive(Debug, Default)]
pub struct Found {
    /// The reports, by time and name, each once.
    pub reports: Vec<ArchivedReport>,
    /// What should be there and is not, in words.
    pub damaged: Vec<String>,
}

/// The report's name for ever: 32 hexadecimal digits.
#[must_use]
pub fn report_name(header: &pb::ReportHeader) -> String {
    format!("{:016x}{:016x}", header.writer, header.number)
}

impl Archive {
    /// Reads and writes these stores.
    #[must_use]
    pub fn new(objects: Objects, index: Index) -> Self {
        let weight = |(key, _): &(String, u64), block: &Bytes| {
            u32::try_from(key.len() + block.len()).unwrap_or(u32::MAX)
        };
        let blocks = Cache::builder().max_capacity(KEPT_BYTES).weigher(weight);
        Archive {
            objects,
            index,
            blocks: blocks.build(),
        }
    }

    /// Where the objects are.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What finds them.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Writes an object, and then what makes it found.
    ///
    /// # Errors
    /// As the stores say. Writing it again does no harm.
    pub async fn put(&self, object: &Object) -> Result<(), StoreError> {
        self.objects.put(&object.key, object.body.clone()).await?;
        self.index.put(&object.entries).await
    }

    /// The rows of the index that touch `from..until` (Unix nanoseconds), by time.
    ///
    /// # Errors
    /// As the index says.
    pub async fn rows(
        &self,
        org: &str,
        from: i64,
        until: i64,
    ) -> Result<Vec<pb::IndexRow>, StoreError> {
        let entries = self.index.query(org, from, until).await?;
        Ok(entries.iter().filter_map(row).collect())
    }

    /// The reports accepted in `from..until` (Unix nanoseconds), by time and name.
    ///
    /// # Errors
    /// If a store is away. Damage is no error: what is damaged is left out and told.
    pub async fn reports(&self, org: &str, from: i64, until: i64) -> Result<Found, StoreError> {
        let rows = self.rows(org, from, until).await?;
        let touching =
            |block: &pb::BlockRef| block.last_unix_nanos >= from && block.first_unix_nanos < until;
        let wanted = rows.iter().flat_map(|row| {
            let blocks = row.blocks.iter().filter(|block| touching(block));
            blocks.map(|block| (row.object.clone(), block.offset, block.bytes))
        });
        let org: Arc<str> = org.into();
        let reads = wanted.map(|(object, offset, bytes)| {
            let org = Arc::clone(&org);
            async move { self.block(org, object, offset, bytes, from..until).await }
        });
        let reads: Vec<_> = reads.collect();
        let read: Vec<_> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let mut found = Found::default();
        for block in read {
            match block {
                Ok(reports) => found.reports.extend(reports),
                Err(words) => found.damaged.push(words),
            }
        }
        let name =
            |header: &pb::ReportHeader| (header.received_unix_nanos, header.writer, header.number);
        found.reports.sort_by_key(|report| name(&report.header));
        found.reports.dedup_by_key(|report| name(&report.header));
        Ok(found)
    }

    /// The reports of a block, or what is wrong with it.
    async fn block(
        &self,
        org: Arc<str>,
        object: String,
        offset: u64,
        bytes: u64,
        time: std::ops::Range<i64>,
    ) -> Result<Result<Vec<ArchivedReport>, String>, StoreError> {
        let fetch = async { self.objects.get(&object, offset..offset + bytes).await };
        let fetched = self.blocks.try_get_with((object.clone(), offset), fetch);
        let block = match fetched.await.map_err(Arc::unwrap_or_clone) {
            Ok(block) => block,
            Err(StoreError::NotFound(_)) => {
                tracing::error!(object, offset, "a block is missing");
                return Ok(Err(format!("a block of {} is missing", said(&time))));
            }
            Err(error) => return Err(error),
        };
        let (from, until) = (time.start, time.end);
        let read = tokio::task::spawn_blocking(move || block::read(&block, &org, from, until));
        let damage = match read.await {
            Ok(Ok(reports)) => return Ok(Ok(reports)),
            Ok(Err(damage)) => damage.to_string(),
            Err(panic) => panic.to_string(),
        };
        tracing::error!(object, offset, damage, "a block is damaged");
        self.blocks.invalidate(&(object, offset)).await;
        Ok(Err(format!("a block of {} is damaged", said(&time))))
    }
}

fn row(entry: &IndexEntry) -> Option<pb::IndexRow> {
    let row = pb::IndexRow::decode(entry.payload.clone());
    row.inspect_err(|error| tracing::error!(%error, entry.name, "a row of the index is damaged"))
        .ok()
}

/// A stretch of time in words.
fn said(time: &std::ops::Range<i64>) -> String {
    let seconds = time.end.saturating_sub(time.start) / 1_000_000_000;
    format!(
        "the {seconds} s up to {} s after 1970",
        time.end / 1_000_000_000
    )
}

#[cfg(test)]
mod tests {
    use client::Key;
    use runtime::Runtime;
    use url::Url;

    use super::*;

    const HOUR: i64 = 3_600_000_000_000;
    const SECOND: i64 = 1_000_000_000;

    async fn archive() -> Archive {
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        let memory = Url::parse("memory:").expect("a URL");
        let objects = Objects::open(&memory, &rt).await.expect("memory");
        let index = Index::open(&memory, &rt).await.expect("memory");
        Archive::new(objects, index)
    }

    fn header(number: u64, at: i64, probe: &str) -> pb::ReportHeader {
        pb::ReportHeader {
            writer: 1,
            number,
            received_unix_nanos: at,
            probe_id: probe.to_owned(),
            ..pb::ReportHeader::default()
        }
    }

    /// An object with two organisations, reports every second for a minute around an hour's end.
    fn object() -> Object {
        let mut writer = ObjectWriter::new().expect("zstd");
        for org in ["a", "b"] {
            for second in 0..60 {
                let at = 100 * HOUR + (second - 30) * SECOND;
                let body = format!("{org} says {second}");
                let header = header(second as u64, at, "p");
                writer.push(org, header, body.as_bytes()).expect("zstd");
            }
        }
        writer.finish("reports/", "one").expect("zstd")
    }

    #[tokio::test]
    async fn reports_are_found_by_organisation_and_time() {
        let archive = archive().await;
        archive.put(&object()).await.expect("kept");
        // Writing it again changes nothing.
        archive.put(&object()).await.expect("kept");
        let from = 100 * HOUR - 5 * SECOND;
        let found = archive.reports("b", from, from + 10 * SECOND).await;
        let found = found.expect("found");
        assert!(found.damaged.is_empty(), "{:?}", found.damaged);
        let bodies: Vec<_> = found.reports.iter().map(|r| r.body.clone()).collect();
        let expected: Vec<_> = (25..35).map(|s| format!("b says {s}")).collect();
        assert_eq!(bodies, expected);
        let rows = archive.rows("a", 0, 200 * HOUR).await.expect("rows");
        let seconds = rows.iter().flat_map(|row| &row.blocks);
        let counted: u32 = seconds.flat_map(|b| &b.reports_per_second).sum();
        assert_eq!((rows.len(), counted), (2, 60));
    }

    #[tokio::test]
    async fn damaged_block_costs_itself_alone() {
        let archive = archive().await;
        let mut object = object();
        let entry = row(&object.entries[0]).expect("a row");
        let first = &entry.blocks[0];
        let mut body = object.body.to_vec();
        body[first.offset as usize + 40] ^= 4;
        object.body = body.into();
        archive.put(&object).await.expect("kept");
        let found = archive.reports("a", 0, 200 * HOUR).await.expect("found");
        assert_eq!(found.damaged.len(), 1);
        assert_eq!(found.reports.len(), 60 - 15);
        let others = archive.reports("b", 0, 200 * HOUR).await.expect("found");
        assert_eq!((others.damaged.len(), others.reports.len()), (0, 60));
    }

    #[tokio::test]
    async fn missing_object_is_told() {
        let archive = archive().await;
        let object = object();
        archive.put(&object).await.expect("kept");
        archive.objects().delete(&[object.key]).await.expect("gone");
        let found = archive.reports("a", 0, 200 * HOUR).await.expect("found");
        assert_eq!((found.damaged.len(), found.reports.len()), (4, 0));
    }
}
