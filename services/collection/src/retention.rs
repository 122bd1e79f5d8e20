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
