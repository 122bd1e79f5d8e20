//! How long to wait after failures.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);

/// Delays of 1 s, 2 s, 4 s, … 60 s, each shortened at random by up to a fifth so that probes do not come in step.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The delay after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(10)).min(LAST);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(1.0 - rand::random::<f64>() / 5.0)
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        for full in [1, 2, 4, 8, 16, 32, 60, 60] {
            let delay = backoff.next().as_secs_f64();
            assert!(
                delay <= f64::from(full) && delay >= f64::from(full) * 0.8,
                "{delay} of {full}"
            );
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
