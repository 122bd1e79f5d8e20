//! How often something may happen, for each of many keys, in bounded memory.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;

/// Keys remembered at once. When there are more, those that ask least are forgotten, so the ones that matter stay.
const KEYS: u64 = 100_000;

/// So many events in a time, all at once or spread, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Events; 0 for no bound.
    pub(crate) events: u32,
    pub(crate) per: Duration,
}

/// A rate for each key: a leaky bucket that holds `events` and leaks them evenly within `per` (GCRA).
#[derive(Debug, Clone)]
pub(crate) struct Rates<K: Hash + Eq + Send + Sync + 'static> {
    /// When a key's bucket will be empty, in nanoseconds after `start`.
    empty_at: Cache<K, Arc<AtomicU64>>,
    start: Instant,
    /// Nanoseconds of one event, and of a full bucket.
    event: u64,
    full: u64,
}

impl<K: Hash + Eq + Send + Sync + 'static> Rates<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 4);
        let event = nanos(rate.per).checked_div(u64::from(rate.events));
        Rates {
            // A bucket that nobody asked for in this time is empty.
            empty_at: Cache::builder()
                .max_capacity(KEYS)
                .time_to_idle(rate.per)
                .build(),
            start: Instant::now(),
            event: event.unwrap_or(0),
            full: nanos(rate.per),
        }
    }

    /// Notes an event, unless it is one too many.
    ///
    /// # Errors
    /// How long to wait for the next one, if it is.
    pub(crate) fn note(&self, key: K) -> Result<(), Duration> {
        let Some(bucket) = self.bucket(key) else {
            return Ok(());
        };
        let now = self.now();
        let mut empty_at = bucket.load(Ordering::Relaxed);
        loop {
            let next = empty_at.max(now) + self.event;
            let over = (next - now).saturating_sub(self.full);
            if over > 0 {
                return Err(Duration::from_nanos(over));
            }
            let swapped =
                bucket.compare_exchange_weak(empty_at, next, Ordering::Relaxed, Ordering::Relaxed);
            match swapped {
                Ok(_) => return Ok(()),
                Err(other) => empty_at = other,
            }
        }
    }

    /// Whether the next event would be one too many; how long until it is not.
    pub(crate) fn full(&self, key: K) -> Result<(), Duration> {
        let Some(bucket) = self.bucket(key) else {
            return Ok(());
        };
        let now = self.now();
        let next = bucket.load(Ordering::Relaxed).max(now) + self.event;
        match (next - now).saturating_sub(self.full) {
            0 => Ok(()),
            over => Err(Duration::from_nanos(over)),
        }
    }

    fn bucket(&self, key: K) -> Option<Arc<AtomicU64>> {
        (self.event > 0).then(|| self.empty_at.get_with(key, Arc::default))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(events: u32, seconds: u64) -> Rates<u32> {
        Rates::new(Rate {
            events,
            per: Duration::from_secs(seconds),
        })
    }

    fn noted(rates: &Rates<u32>, key: u32, tries: u32) -> u32 {
        (0..tries).map(|_| u32::from(rates.note(key).is_ok())).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn bucket_fills_and_leaks_evenly() {
        let rates = rates(20, 10);
        assert_eq!(noted(&rates, 1, 100), 20);
        assert_eq!(noted(&rates, 2, 100), 20, "keys do not share");
        let wait = rates.note(1).expect_err("full");
        assert_eq!(wait, Duration::from_millis(500));
        assert_eq!(rates.full(1), Err(wait));
        tokio::time::advance(wait).await;
        assert_eq!(rates.full(1), Ok(()));
        assert_eq!(noted(&rates, 1, 100), 1);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(noted(&rates, 1, 100), 10);
        tokio::time::advance(Duration::from_secs(1000)).await;
        assert_eq!(noted(&rates, 1, 100), 20, "no more is saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_no_bound() {
        assert_eq!(noted(&rates(0, 10), 1, 1000), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn floods_of_keys_do_not_free_a_busy_one() {
        let rates = rates(50, 60);
        assert_eq!(noted(&rates, 0, 100), 50);
        for key in 1..u32::try_from(KEYS + KEYS / 10).expect("small") {
            let _ = rates.note(key);
            if key % 1000 == 0 {
                assert_eq!(noted(&rates, 0, 1), 0, "forgotten after {key} others");
            }
        }
        rates.empty_at.run_pending_tasks();
        assert!(rates.empty_at.entry_count() <= KEYS);
    }
}
