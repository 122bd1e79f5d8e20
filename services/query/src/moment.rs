//! Moments from outside, and the moment that a tenant shows.

use std::sync::atomic::{AtomicI64, Ordering};

use prost_types::Timestamp;
use runtime::Clock;
use tonic::Status;

pub(crate) const SECOND: i64 = 1_000_000_000;

/// Bounds of how many seconds of history pass per second.
const SPEEDS: (f64, f64) = (0.1, 600.0);

/// Which moment a tenant shows.
#[derive(Debug)]
pub(crate) enum Shows {
    /// The present.
    Present(Clock),
    /// One that stays.
    Past(i64),
    /// One that somebody moves.
    Played(AtomicI64),
}

impl Shows {
    /// The moment in Unix nanoseconds.
    pub(crate) fn now(&self) -> i64 {
        match self {
            Shows::Present(clock) => clock.unix_nanos(),
            Shows::Past(at) => *at,
            Shows::Played(at) => at.load(Ordering::Acquire),
        }
    }
}

/// Unix nanoseconds; what is beyond them is their bound.
pub(crate) fn nanos(at: Timestamp) -> i64 {
    at.seconds
        .saturating_mul(SECOND)
        .saturating_add(i64::from(at.nanos))
}

pub(crate) fn timestamp(nanos: i64) -> Timestamp {
    Timestamp {
        seconds: nanos.div_euclid(SECOND),
        nanos: i32::try_from(nanos.rem_euclid(SECOND)).unwrap_or(0),
    }
}

/// A moment as somebody asks for it: none is now. One to come turns out to be now when it is looked for.
pub(crate) fn wanted(at: Option<Timestamp>) -> Result<Option<i64>, Status> {
    let Some(at) = at else { return Ok(None) };
    let in_range = at.seconds >= 0 && at.seconds < i64::MAX / SECOND;
    if in_range && (0..1_000_000_000).contains(&at.nanos) {
        return Ok(Some(nanos(at)));
    }
    Err(Status::invalid_argument(
        "the moment must be one between 1970 and 2262",
    ))
}

/// A speed as somebody asks for it.
pub(crate) fn speed(speed: f64, default: f64) -> Result<f64, Status> {
    if speed == 0.0 {
        return Ok(default);
    }
    if (SPEEDS.0..=SPEEDS.1).contains(&speed) {
        return Ok(speed);
    }
    Err(Status::invalid_argument(format!(
        "the speed must be {} to {} seconds per second",
        SPEEDS.0, SPEEDS.1
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_checked() {
        let check = |seconds, nanos, expected: Option<i64>| {
            let at = wanted(Some(Timestamp { seconds, nanos })).ok().flatten();
            assert_eq!(at, expected, "{seconds}.{nanos}");
        };
        check(1, 5, Some(SECOND + 5));
        check(-1, 0, None);
        check(i64::MAX, 0, None);
        check(1, -1, None);
        assert!(matches!(wanted(None), Ok(None)));
        assert_eq!(nanos(timestamp(-1)), -1);
    }

    #[test]
    fn speeds_are_checked() {
        let check = |wanted, expected: Option<f64>| assert_eq!(speed(wanted, 1.0).ok(), expected);
        check(0.0, Some(1.0));
        check(600.0, Some(600.0));
        check(0.05, None);
        check(-1.0, None);
        check(f64::NAN, None);
    }
}
