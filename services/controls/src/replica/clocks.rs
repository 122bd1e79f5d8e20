//! What another replica's clock shows, at least: enough to tell it a moment that is not too late, without any two clocks
//! being set to the same time.

use std::time::Duration;

use tokio::time::Instant;

/// Clocks of two machines go the same way but for less than a thousandth.
const DRIFT: u64 = 1000;

/// A clock was seen to show this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    shown_ms: u64,
    at: Instant,
}

impl Reading {
    /// Of a clock that showed this before the message with it came, that is, now.
    pub(crate) fn now(shown_ms: u64) -> Self {
        Reading {
            shown_ms,
            at: Instant::now(),
        }
    }

    /// What the clock shows at a moment, at least: what it showed and what has passed since. It shows more by as much as the
    /// message was under way.
    pub(crate) fn at_least(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.at);
        let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.shown_ms.saturating_add(since - since / DRIFT)
    }

    /// Whichever tells more: that of the message that was faster, unless it is old.
    pub(crate) fn or_better(self, other: Reading) -> Reading {
        let now = Instant::now();
        if other.at_least(now) >= self.at_least(now) {
            other
        } else {
            self
        }
    }
}

/// Waits that grow while something fails, each a little different, so that replicas do not come back all at once.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(crate) fn new() -> Self {
        Backoff(Self::FIRST)
    }

    /// Something worked.
    pub(crate) fn reset(&mut self) {
        self.0 = Self::FIRST;
    }

    /// How long to wait now: between half and all of it.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(Self::LONGEST);
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn moment_is_never_too_late_and_best_by_the_fastest_message() {
        // The other clock shows 5,000 ms now; its message takes 40 ms, then one takes 10 ms.
        let slow = 5000;
        tokio::time::advance(Duration::from_millis(40)).await;
        let slow = Reading::now(slow);
        let fast = 5040;
        tokio::time::advance(Duration::from_millis(10)).await;
        let best = slow.or_better(Reading::now(fast));
        // It shows 5,050 ms now.
        assert_eq!(slow.at_least(Instant::now()), 5010);
        assert_eq!(best.at_least(Instant::now()), 5040);
        assert_eq!(
            Reading::now(fast).or_better(slow).at_least(Instant::now()),
            5040
        );
        // It may go slower: in an hour by less than 3.6 s.
        let later = Instant::now() + Duration::from_secs(3600);
        assert_eq!(best.at_least(later), 5040 + 3_600_000 - 3600);
        // So that a slow message tells more by then.
        tokio::time::advance(Duration::from_secs(3600)).await;
        let newer = best.or_better(Reading::now(5050 + 3_600_000 - 1000));
        assert_eq!(newer.at_least(Instant::now()), 5050 + 3_600_000 - 1000);
    }

    #[test]
    fn waits_grow_and_differ() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..8).map(|_| backoff.next()).collect();
        assert!(
            waits[0] >= Backoff::FIRST / 2 && waits[0] <= Backoff::FIRST,
            "{waits:?}"
        );
        assert!(
            waits[7] >= Backoff::LONGEST / 2 && waits[7] <= Backoff::LONGEST,
            "{waits:?}"
        );
        backoff.reset();
        assert!(backoff.next() <= Backoff::FIRST);
    }
}
