//! How long reports are kept, and letting go of those that are older.
//!
//! An object's key says the hour after which it goes, because it may hold several organisations' reports. The rows of the
//! index go first, so that nothing points to what is gone.

use std::collections::HashMap;
use std::time::Duration;

use runtime::Clock;
use stores::StoreError;
use stores::archive::Archive;

const HOUR: i64 = 3_600_000_000_000;
/// How often it is looked for what has expired.
const SWEEP: Duration = Duration::from_secs(600);
/// Hours of organisations that one sweep looks at, at most.
const HOURS: usize = 100_000;
/// Where objects are.
const PREFIX: &str = "reports/v1/";

/// How long reports are kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Of organisations that are not named. 7 days by default.
    pub default: Duration,
    /// Of organisations that are.
    pub of: HashMap<String, Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            default: Duration::from_secs(7 * 24 * 3600),
            of: HashMap::new(),
        }
    }
}

impl Retention {
    fn hours(&self, org: &str) -> i64 {
        let kept = self.of.get(org).unwrap_or(&self.default);
        i64::try_from(kept.as_secs().div_ceil(3600)).unwrap_or(i64::MAX / HOUR / 2)
    }

    fn shortest(&self) -> i64 {
        let named = self.of.keys().map(|org| self.hours(org));
        named.chain([self.hours("")]).min().unwrap_or_default()
    }

    /// The last hour, from 1970, in which a report of this organisation and time (Unix nanoseconds) is kept.
    pub(crate) fn expiry(&self, org: &str, received: i64) -> i64 {
        received.div_euclid(HOUR).saturating_add(self.hours(org))
    }

    /// What the keys of objects begin with that go after this hour.
    pub(crate) fn prefix(expiry: i64) -> String {
        // Fixed width, so that keys sort by time.
        format!("{PREFIX}{expiry:010}/")
    }

    /// Lets go of what has expired, now and then, for ever.
    pub(crate) async fn sweep(self, archive: Archive, clock: Clock) {
        loop {
            // Replicas need not all do it at once.
            tokio::time::sleep(SWEEP.mul_f64(rand::random_range(0.5..1.0))).await;
            match self.sweep_once(&archive, clock.unix_nanos()).await {
                Ok((0, 0)) => {}
                Ok((hours, objects)) => tracing::info!(hours, objects, "let go of old reports"),
                Err(error) => tracing::warn!(%error, "cannot let go of old reports; trying later"),
            }
        }
    }

    /// Lets go of what has expired: how many hours of organisations, and how many objects.
    pub(crate) async fn sweep_once(
        &self,
        archive: &Archive,
        now: i64,
    ) -> Result<(usize, usize), StoreError> {
        let hour = now.div_euclid(HOUR);
        let before = hour.saturating_sub(self.shortest());
        let mut hours = 0;
        for (of, org) in archive.index().hours(before, HOURS).await? {
            if of.saturating_add(self.hours(&org)) < hour {
                archive.index().delete_hour(&org, of).await?;
                hours += 1;
            }
        }
        let mut objects = 0;
        loop {
            let page = archive.objects().list(PREFIX, "").await?;
            let keys = page.into_iter().map(|object| object.key);
            // An hour more, for those who found it in the index just before.
            let expired: Vec<String> = keys
                .take_while(|key| expiry_in(key).is_some_and(|expiry| expiry + 1 < hour))
                .collect();
            if expired.is_empty() {
                return Ok((hours, objects));
            }
            archive.objects().delete(&expired).await?;
            objects += expired.len();
        }
    }
}

fn expiry_in(key: &str) -> Option<i64> {
    let (expiry, _) = key.strip_prefix(PREFIX)?.split_once('/')?;
    expiry.parse().ok()
}

#[cfg(test)]
mod tests {
    use client::Key;
    use prost::Message;
    use proto::storage::v1::{IndexRow, ReportHeader};
    use runtime::Runtime;
    use stores::archive::ObjectWriter;
    use stores::{Index, Objects};
    use url::Url;

    use super::*;

    const FIRST: i64 = 500_000;
    const DAY: i64 = 24;

    async fn archive() -> Archive {
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        let memory = Url::parse("memory:").expect("a URL");
        let objects = Objects::open(&memory, &rt).await.expect("memory");
        let index = Index::open(&memory, &rt).await.expect("memory");
        Archive::new(objects, index)
    }

    /// A report of each organisation in this hour, stored as [`crate::flush`] does: what expires together in one object.
    async fn store(retention: &Retention, archive: &Archive, hour: i64) {
        let received = hour * HOUR + HOUR / 2;
        let mut by_expiry: Vec<_> = ["day", "hours", "week"]
            .map(|org| (retention.expiry(org, received), org))
            .into();
        by_expiry.sort_unstable();
        for together in by_expiry.chunk_by(|a, b| a.0 == b.0) {
            let mut writer = ObjectWriter::new().expect("zstd");
            for (_, org) in together {
                let header = ReportHeader {
                    writer: 1,
                    number: hour as u64,
                    received_unix_nanos: received,
                    ..ReportHeader::default()
                };
                writer.push(org, header, b"\x80").expect("zstd");
            }
            let prefix = Retention::prefix(together[0].0);
            let object = writer.finish(&prefix, &format!("{hour}"));
            archive.put(&object.expect("zstd")).await.expect("kept");
        }
    }

    /// The hours that the index has of this organisation. Fails if one of their objects is gone.
    async fn hours(archive: &Archive, org: &str) -> Vec<i64> {
        let (from, until) = ((FIRST - DAY) * HOUR, (FIRST + 10 * DAY) * HOUR);
        let entries = archive.index().query(org, from, until).await;
        let mut hours = Vec::new();
        for entry in entries.expect("memory") {
            let row = IndexRow::decode(entry.payload.clone()).expect("a row");
            let there = archive.objects().get(&row.object, 0..1).await;
            assert!(there.is_ok(), "{org} is shown what is gone: {row:?}");
            hours.push(entry.hour());
        }
        hours
    }

    #[tokio::test]
    async fn each_organisation_loses_what_it_no_longer_pays_for() {
        let retention = Retention {
            default: Duration::from_secs(7 * 24 * 3600),
            of: [("hours", 3), ("day", DAY)]
                .map(|(org, hours)| (org.to_owned(), Duration::from_secs(hours as u64 * 3600)))
                .into(),
        };
        let archive = archive().await;
        for hour in FIRST..FIRST + DAY {
            store(&retention, &archive, hour).await;
        }
        let kept = [("hours", 3), ("day", DAY), ("week", 7 * DAY)];
        for hour in FIRST + DAY..FIRST + 9 * DAY {
            let swept = retention.sweep_once(&archive, hour * HOUR + 1).await;
            swept.expect("memory");
            for (org, hours_kept) in kept {
                let expected: Vec<i64> = (FIRST.max(hour - hours_kept)..FIRST + DAY).collect();
                let there = hours(&archive, org).await;
                assert_eq!(there, expected, "{org} {} hours later", hour - FIRST);
            }
        }
        let left = archive.objects().list("", "").await.expect("memory");
        assert!(left.is_empty(), "{left:?}");
        let done = retention.sweep_once(&archive, (FIRST + 9 * DAY) * HOUR);
        assert_eq!(done.await.expect("memory"), (0, 0));
    }

    #[tokio::test]
    async fn objects_go_after_their_rows_and_not_before() {
        let retention = Retention {
            default: Duration::from_secs(2 * 3600),
            of: HashMap::new(),
        };
        let archive = archive().await;
        store(&retention, &archive, FIRST).await;
        let mut swept = Vec::new();
        for hour in FIRST..FIRST + 6 {
            let now = hour * HOUR;
            swept.push(retention.sweep_once(&archive, now).await.expect("memory"));
        }
        // Three organisations' rows in the third hour after; their object an hour later.
        assert_eq!(swept, [(0, 0), (0, 0), (0, 0), (3, 0), (0, 1), (0, 0)]);
    }
}
