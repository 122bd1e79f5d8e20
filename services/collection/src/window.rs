//! What is in the log of one organisation: who has it, and who wants to hear of it.

use std::collections::VecDeque;
use std::sync::Arc;

use proto::collection::v1 as pb;
use proto::storage::v1::ReportHeader;
use tokio::sync::broadcast;

use crate::log::Place;

/// Reports that a subscriber may lag behind before it misses some.
const LAG: usize = 1024;

/// A report in the log.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) header: ReportHeader,
    pub(crate) compression: pb::Compression,
    pub(crate) place: Place,
    pub(crate) sequence: u64,
}

/// The logged reports of an organisation, and its subscribers.
#[derive(Debug)]
pub(crate) struct Window {
    reports: VecDeque<Arc<Logged>>,
    sequence: u64,
    live: broadcast::Sender<Arc<Logged>>,
}

/// What a subscription starts with.
pub(crate) struct Opening {
    pub(crate) held: Vec<Arc<Logged>>,
    pub(crate) sequence: u64,
    pub(crate) live: broadcast::Receiver<Arc<Logged>>,
}

impl Logged {
    pub(crate) fn received(&self) -> i64 {
        self.header.received_unix_nanos
    }

    fn bytes(&self) -> usize {
        self.place.bytes as usize
    }
}

impl Window {
    /// One whose reports are numbered from the one after this.
    pub(crate) fn new(sequence: u64) -> Self {
        Window {
            reports: VecDeque::new(),
            sequence,
            live: broadcast::Sender::new(LAG),
        }
    }

    /// Numbers, notes and announces a report; its number.
    pub(crate) fn push(
        &mut self,
        header: ReportHeader,
        compression: pb::Compression,
        place: Place,
    ) -> u64 {
        self.sequence += 1;
        let report = Arc::new(Logged {
            header,
            compression,
            place,
            sequence: self.sequence,
        });
        self.reports.push_back(Arc::clone(&report));
        // Fails when nobody listens, which is fine.
        let _ = self.live.send(report);
        self.sequence
    }

    /// Lets go of stored reports that were accepted before this time (Unix nanoseconds).
    pub(crate) fn trim(&mut self, before: i64) {
        let gone =
            |report: &&Arc<Logged>| report.received() < before && report.place.segment.is_stored();
        while self.reports.front().as_ref().is_some_and(gone) {
            self.reports.pop_front();
        }
    }

    /// What is there from this time on, and what comes.
    pub(crate) fn subscribe(&self, from: i64) -> Opening {
        Opening {
            held: self.between(from, i64::MAX),
            sequence: self.sequence,
            live: self.live.subscribe(),
        }
    }

    /// The logged reports of `from..until`.
    pub(crate) fn between(&self, from: i64, until: i64) -> Vec<Arc<Logged>> {
        let within = |report: &&Arc<Logged>| (from..until).contains(&report.received());
        self.reports.iter().filter(within).cloned().collect()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.reports.is_empty() && self.live.receiver_count() == 0
    }

    /// Reports and their bytes since this time.
    pub(crate) fn since(&self, from: i64) -> (u64, u64) {
        let recent = self.reports.iter().rev();
        let recent = recent.take_while(|report| report.received() >= from);
        recent.fold((0, 0), |(n, bytes), r| (n + 1, bytes + r.bytes() as u64))
    }

    /// When the oldest report was accepted that the stores do not have.
    pub(crate) fn oldest_waiting(&self) -> Option<i64> {
        let mut waiting = self.reports.iter().filter(|r| !r.place.segment.is_stored());
        waiting.next().map(|report| report.received())
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn subscribers(&self) -> usize {
        self.live.receiver_count()
    }
}
