//! The windows of all organisations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::collection::v1::Compression;
use proto::storage::v1::{LogRecord, ReportHeader};

use crate::log::{Place, Segment};
use crate::window::{Logged, Opening, Window};

/// The windows of all organisations, and the segments that their reports are in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Windows(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    windows: HashMap<String, Window>,
    /// The last numbers of organisations whose windows were let go: whoever follows one must never meet a number again.
    sequences: HashMap<String, u64>,
    /// Segments of which reports may be wanted, with the time of the last one.
    segments: Vec<(Arc<Segment>, i64)>,
}

impl Inner {
    /// The organisation's window, which is made if there is none.
    fn window(&mut self, org: &str) -> &mut Window {
        let sequences = &mut self.sequences;
        let window = self.windows.entry(org.to_owned());
        window.or_insert_with(|| Window::new(sequences.remove(org).unwrap_or(0)))
    }
}

impl Windows {
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        // Nothing that holds the lock leaves a window half changed.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes what was found in the log.
    pub(crate) fn recover(&self, mut reports: Vec<(LogRecord, Place)>) {
        let received = |record: &LogRecord| record.report.as_ref().map(|r| r.received_unix_nanos);
        reports.sort_by_key(|(record, _)| received(record));
        for (record, place) in reports {
            let compression = record.compression();
            if let Some(header) = record.report {
                self.push(&record.org_id, header, compression, place);
            }
        }
    }

    /// Notes and announces a logged report; its number.
    pub(crate) fn push(
        &self,
        org: &str,
        header: ReportHeader,
        compression: Compression,
        place: Place,
    ) -> u64 {
        let received = header.received_unix_nanos;
        self.with(|inner| {
            match inner.segments.last_mut() {
                Some((segment, last)) if Arc::ptr_eq(segment, &place.segment) => {
                    *last = received.max(*last);
                }
                _ => inner.segments.push((Arc::clone(&place.segment), received)),
            }
            inner.window(org).push(header, compression, place)
        })
    }

    /// Lets go of stored reports accepted before this time; the segments that nobody needs any more.
    pub(crate) fn trim(&self, before: i64) -> Vec<Arc<Segment>> {
        self.with(|inner| {
            let sequences = &mut inner.sequences;
            inner.windows.retain(|org, window| {
                window.trim(before);
                let idle = window.is_idle();
                if idle && window.sequence() > 0 {
                    sequences.insert(org.clone(), window.sequence());
                }
                !idle
            });
            let gone = inner
                .segments
                .extract_if(.., |(segment, last)| segment.is_stored() && *last < before);
            let mut gone: Vec<_> = gone.map(|(segment, _)| segment).collect();
            // A segment that was written to again after another one stands here twice.
            gone.retain(|s| !inner.segments.iter().any(|(kept, _)| Arc::ptr_eq(kept, s)));
            gone.dedup_by(|a, b| Arc::ptr_eq(a, b));
            gone
        })
    }

    pub(crate) fn subscribe(&self, org: &str, from: i64) -> Opening {
        self.with(|inner| inner.window(org).subscribe(from))
    }

    pub(crate) fn between(&self, org: &str, from: i64, until: i64) -> Vec<Arc<Logged>> {
        self.with(|inner| {
            let window = inner.windows.get(org);
            window.map_or_else(Vec::new, |w| w.between(from, until))
        })
    }

    /// Looks at an organisation's window, if it has one.
    pub(crate) fn look<R>(&self, org: &str, f: impl FnOnce(&Window) -> R) -> Option<R> {
        self.with(|inner| inner.windows.get(org).map(f))
    }

    /// The number of an organisation's last report; 0 if there was none.
    pub(crate) fn sequence(&self, org: &str) -> u64 {
        self.with(|inner| match inner.windows.get(org) {
            Some(window) => window.sequence(),
            None => inner.sequences.get(org).copied().unwrap_or(0),
        })
    }

    /// When the oldest report was accepted that the stores do not have.
    pub(crate) fn oldest_waiting(&self) -> Option<i64> {
        self.with(|inner| {
            let fronts = inner.windows.values().filter_map(Window::oldest_waiting);
            fronts.min()
        })
    }
}
