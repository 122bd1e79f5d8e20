//! The reports of one organisation that a new subscriber needs.

use std::collections::VecDeque;
use std::sync::Arc;

use proto::collection::v1::StoredReport;
use tokio::sync::broadcast;

/// Reports that a subscriber may lag behind before it misses some.
const LAG: usize = 1024;

/// The last reports of an organisation, and its subscribers.
#[derive(Debug)]
pub(crate) struct Window {
    reports: VecDeque<(i64, Arc<StoredReport>)>,
    bytes: usize,
    sequence: u64,
    live: broadcast::Sender<Arc<StoredReport>>,
}

/// What a subscription starts with.
pub(crate) struct Opening {
    pub(crate) held: Vec<Arc<StoredReport>>,
    pub(crate) sequence: u64,
    pub(crate) live: broadcast::Receiver<Arc<StoredReport>>,
}

impl Window {
    pub(crate) fn new() -> Self {
        Window {
            reports: VecDeque::new(),
            bytes: 0,
            sequence: 0,
            live: broadcast::Sender::new(LAG),
        }
    }

    /// Numbers, keeps and announces a report received at this time (Unix nanoseconds).
    pub(crate) fn push(&mut self, received: i64, mut report: StoredReport) {
        self.sequence += 1;
        report.sequence = self.sequence;
        self.bytes += size(&report);
        let report = Arc::new(report);
        self.reports.push_back((received, Arc::clone(&report)));
        // Fails when nobody listens, which is fine.
        let _ = self.live.send(report);
    }

    /// Lets go of reports received before this time, and of the oldest ones while there are too many bytes.
    pub(crate) fn trim(&mut self, before: i64, max_bytes: usize) {
        while let Some((received, report)) = self.reports.front() {
            if *received >= before && self.bytes <= max_bytes {
                break;
            }
            self.bytes -= size(report);
            self.reports.pop_front();
        }
    }

    pub(crate) fn subscribe(&self) -> Opening {
        Opening {
            held: self.reports.iter().map(|(_, r)| Arc::clone(r)).collect(),
            sequence: self.sequence,
            live: self.live.subscribe(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.reports.is_empty() && self.live.receiver_count() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.reports.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn subscribers(&self) -> usize {
        self.live.receiver_count()
    }
}

fn size(report: &StoredReport) -> usize {
    report.report.as_ref().map_or(0, |r| r.body.len())
}

#[cfg(test)]
mod tests {
    use proto::collection::v1::RawReport;

    use super::*;

    fn report(bytes: usize) -> StoredReport {
        StoredReport {
            report: Some(RawReport {
                body: vec![0; bytes].into(),
                ..RawReport::default()
            }),
            ..StoredReport::default()
        }
    }

    #[test]
    fn old_reports_and_excess_bytes_go_oldest_first() {
        let mut window = Window::new();
        for received in 1..=5 {
            window.push(received, report(10));
        }
        window.trim(3, 1000);
        assert_eq!((window.len(), window.bytes()), (3, 30));
        window.trim(3, 15);
        assert_eq!((window.len(), window.bytes()), (1, 10));
        assert_eq!(window.subscribe().held[0].sequence, 5);
    }

    #[test]
    fn subscriber_gets_what_is_held_and_then_what_comes() {
        let mut window = Window::new();
        window.push(1, report(1));
        let mut opening = window.subscribe();
        window.push(2, report(1));
        assert_eq!((opening.held.len(), opening.sequence), (1, 1));
        assert_eq!(opening.live.try_recv().expect("announced").sequence, 2);
        assert!(opening.live.try_recv().is_err());
    }
}
