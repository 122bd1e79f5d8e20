//! A moment that stays as it is.

use super::whole::Whole;
use super::{Live, Probe};

/// What is left of the probes when their posts are let go.
pub(super) struct Settled {
    pub(super) next_expiry: Option<i64>,
    /// Bytes of the merged report.
    pub(super) heap_bytes: usize,
}

impl Live {
    /// Lets go of everything but the merged report of the last [`refresh`](Live::refresh), which is what this shows from
    /// now on, whatever is pushed and whenever it is refreshed.
    pub fn settle(&mut self) {
        self.settled = Some(Settled {
            next_expiry: self.next_expiry(),
            heap_bytes: self.probes.values().map(Probe::merged_bytes).sum(),
        });
        self.probes.clear();
        self.gone.clear();
        self.whole = Whole::default();
        self.buffer = Vec::new();
    }
}
