//! Wall time that follows Tokio's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The date at the start plus what Tokio's clock says has passed, so that tests which pause time pause this too.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: SystemTime,
    origin: Instant,
}

impl Clock {
    /// Starts at the system's date.
    #[must_use]
    pub fn system() -> Self {
        Clock {
            started: SystemTime::now(),
            origin: Instant::now(),
        }
    }

    /// The date now. Never goes backwards.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.started + self.origin.elapsed()
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub fn unix_nanos(&self) -> i64 {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    /// Since the process started.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.origin.elapsed()
    }
}
