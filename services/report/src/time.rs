//! Moments as probes send them.

/// Seconds from 0001-01-01T00:00:00Z to the Unix epoch.
pub const UNIX_EPOCH: i64 = 62_135_596_800;

/// A moment with the zone it was written in. The default is the zero time, 0001-01-01T00:00:00Z.
///
/// Comparing compares the moment, never the zone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timestamp {
    /// Since 0001-01-01T00:00:00Z.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    #[must_use]
    pub fn from_unix_nanos(nanos: i64) -> Self {
        Timestamp {
            seconds: nanos.div_euclid(1_000_000_000) + UNIX_EPOCH,
            nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
            offset_minutes: 0,
        }
    }

    /// Nanoseconds since the Unix epoch, or the nearest that an `i64` can hold (years 1677 to 2262).
    #[must_use]
    pub fn unix_nanos(self) -> i64 {
        let nanos = i128::from(self.seconds - UNIX_EPOCH) * 1_000_000_000 + i128::from(self.nanos);
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether this is the zero time.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.seconds == 0 && self.nanos == 0
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        (self.seconds, self.nanos) == (other.seconds, other.nanos)
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.seconds, self.nanos).cmp(&(other.seconds, other.nanos))
    }
}
