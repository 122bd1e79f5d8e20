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
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use moka::future::Cache;
use prost::Message;
use proto::storage::v1 as pb;

use crate::{Index, IndexEntry, Objects, StoreError};
use block::Origin;
pub use block::{ArchivedReport, Damage, FrameRead, Located};
pub use frame::FrameReader;
pub use object::{Object, ObjectWriter, SLICE};

/// Blocks that are fetched at once, for one question.
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
#[derive(Debug)]
pub struct Found<T = ArchivedReport> {
    /// The reports, by time and name, each once.
    pub reports: Vec<T>,
    /// What should be there and is not, in words.
    pub damaged: Vec<String>,
}

/// The report's name for ever: 32 hexadecimal digits.
#[must_use]
pub fn report_name(header: &pb::ReportHeader) -> String {
    format!("{:016x}{:016x}", header.writer, header.number)
}

/// The log that the reports of an object were first written to; none if its key does not say.
#[must_use]
pub fn log_of(object: &str) -> Option<u64> {
    let name = object.rsplit('/').next()?;
    let (log, _) = name.split_once('-')?;
    let log = (log.len() == 16).then_some(log)?;
    u64::from_str_radix(log, 16).ok()
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
        let located = self.locate(org, &rows, from, until).await?;
        let mut damaged = located.damaged;
        let bodies = self.read(&located.reports).await;
        let mut reports = Vec::with_capacity(located.reports.len());
        for (located, body) in located.reports.into_iter().zip(bodies) {
            match body {
                Ok(body) => reports.push(ArchivedReport {
                    header: located.header,
                    body,
                }),
                Err(words) if damaged.contains(&words) => {}
                Err(words) => damaged.push(words),
            }
        }
        Ok(Found { reports, damaged })
    }

    /// As [`reports`](Archive::reports), by rows that touch this time, and without the bodies: those are what costs.
    ///
    /// # Errors
    /// If a store is away.
    pub async fn locate(
        &self,
        org: &str,
        rows: &[pb::IndexRow],
        from: i64,
        until: i64,
    ) -> Result<Found<Located>, StoreError> {
        let touching =
            |block: &pb::BlockRef| block.last_unix_nanos >= from && block.first_unix_nanos < until;
        let wanted = rows.iter().flat_map(|row| {
            let blocks = row.blocks.iter().filter(|block| touching(block));
            blocks.map(|block| (row.object.clone(), block.clone()))
        });
        let reads: Vec<_> = wanted
            .map(|(object, place)| self.open(org, object, place))
            .collect();
        let opened: Vec<_> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let mut found = Found {
            reports: Vec::new(),
            damaged: Vec::new(),
        };
        for block in opened {
            match block {
                Ok(reports) => found.reports.extend(reports),
                Err(words) => found.damaged.push(words),
            }
        }
        let within = |at: i64| (from..until).contains(&at);
        found
            .reports
            .retain(|report| within(report.header.received_unix_nanos));
        let name =
            |header: &pb::ReportHeader| (header.received_unix_nanos, header.writer, header.number);
        found.reports.sort_by_key(|report| name(&report.header));
        found.reports.dedup_by_key(|report| name(&report.header));
        Ok(found)
    }

    /// The bodies of reports, in their order; for those that are damaged, what is, in words.
    pub async fn read(&self, reports: &[Located]) -> Vec<Result<Bytes, String>> {
        let reads = FrameRead::of(reports).into_iter().map(|read| async {
            let read = Arc::new(read);
            let work = Arc::clone(&read);
            let bodies = tokio::task::spawn_blocking(move || bodies(&work)).await;
            let damage = match bodies {
                Ok(Ok(bodies)) => return (read, Ok(bodies)),
                Ok(Err(damage)) => damage.to_string(),
                Err(panic) => panic.to_string(),
            };
            let words = self.damaged(&read.origin, &damage).await;
            (read, Err(words))
        });
        let reads: Vec<_> = reads.collect();
        // It is work for processors.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut reads = stream::iter(reads).buffer_unordered(threads);
        let mut all = vec![Err(String::new()); reports.len()];
        while let Some((read, bodies)) = reads.next().await {
            match bodies {
                Ok(bodies) => bodies.into_iter().for_each(|(at, body)| all[at] = Ok(body)),
                Err(words) => read
                    .asked()
                    .iter()
                    .for_each(|at| all[*at] = Err(words.clone())),
            }
        }
        all
    }

    /// Says that a read found damage: in the log, and to the caller in words.
    pub async fn tell(&self, read: &FrameRead, damage: Damage) -> String {
        self.damaged(&read.origin, &damage.to_string()).await
    }

    /// What a block says of its reports, or what is wrong with it.
    async fn open(
        &self,
        org: &str,
        object: String,
        place: pb::BlockRef,
    ) -> Result<Result<Vec<Located>, String>, StoreError> {
        let origin = Arc::new(Origin { object, place });
        let Origin { object, place } = &*origin;
        let range = place.offset..place.offset + place.bytes;
        let fetch = async { self.objects.get(object, range).await };
        let key = (object.clone(), place.offset);
        let stored = self.blocks.try_get_with(key, fetch).await;
        let stored = match stored.map_err(Arc::unwrap_or_clone) {
            Ok(stored) => stored,
            Err(StoreError::NotFound(_)) => {
                tracing::error!(object, offset = place.offset, "a block is missing");
                return Ok(Err(format!("a block of {} is missing", said(place))));
            }
            Err(error) => return Err(error),
        };
        match block::open(&stored, org, &origin) {
            Ok(reports) => Ok(Ok(reports)),
            Err(damage) => Ok(Err(self.damaged(&origin, &damage.to_string()).await)),
        }
    }

    /// Tells of damage to the log, and the caller in words.
    async fn damaged(&self, origin: &Origin, damage: &str) -> String {
        let Origin { object, place } = origin;
        tracing::error!(object, offset = place.offset, damage, "a block is damaged");
        self.blocks
            .invalidate(&(object.clone(), place.offset))
            .await;
        format!("a block of {} is damaged", said(place))
    }
}

/// The bodies of a frame, with their places in the list that was asked for.
fn bodies(read: &FrameRead) -> Result<Vec<(usize, Bytes)>, Damage> {
    let mut reader = FrameReader::default();
    let mut bodies = Vec::with_capacity(read.asked().len());
    read.read(&mut reader, |at, body| {
        bodies.push((at, Bytes::copy_from_slice(body)))
    })?;
    Ok(bodies)
}

fn row(entry: &IndexEntry) -> Option<pb::IndexRow> {
    let row = pb::IndexRow::decode(entry.payload.clone());
    row.inspect_err(|error| tracing::error!(%error, entry.name, "a row of the index is damaged"))
        .ok()
}

/// The time of a block in words, to the second.
fn said(place: &pb::BlockRef) -> String {
    let seconds = |nanos: i64| {
        let since = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since)
    };
    format!(
        "{} to {}",
        seconds(place.first_unix_nanos),
        seconds(place.last_unix_nanos)
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

    #[test]
    fn key_says_whose_log_it_was() {
        let key = "reports/v1/0000494400/00c0ffee00c0ffee-12-0003-deadbeef.weft";
        assert_eq!(log_of(key), Some(0x00c0_ffee_00c0_ffee));
        assert_eq!(log_of("reports/one-deadbeef.weft"), None);
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
