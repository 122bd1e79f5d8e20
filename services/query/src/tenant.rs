//! What query knows of one tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::collection::v1::{Compression, RawReport, ReportFormat, StoredReport};
use report::decode::{self, Limits};
use report::live::{Live, LiveConfig};
use report::view::View;
use report::{Report, Symbols};
use runtime::Clock;
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::Status;

use crate::hub::Hubs;
use crate::metrics::Metrics;

/// The live state of a tenant and what is rendered of it.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) org: String,
    pub(crate) hubs: Hubs,
    state: Mutex<State>,
    /// Rises with every report that arrives.
    arrived: watch::Sender<u64>,
    /// How far each replica of collection has been followed.
    seen: watch::Sender<HashMap<String, u64>>,
    last_read: Mutex<Instant>,
    clock: Clock,
    metrics: Metrics,
}

struct State {
    live: Live,
    view: Option<(View, Version)>,
}

/// Names a state of the merged report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Version {
    pub(crate) generation: u64,
    epoch: u64,
}

/// A tenant's view, its strings and its report, for one reading.
pub(crate) struct Reading<'a> {
    pub(crate) view: &'a mut View,
    pub(crate) symbols: &'a mut Symbols,
    pub(crate) report: &'a Arc<Report>,
    pub(crate) version: Version,
    /// When something will have expired, in Unix nanoseconds.
    pub(crate) next_expiry: Option<i64>,
    pub(crate) now: i64,
    /// What is missing from the view, in words.
    pub(crate) warnings: Vec<String>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Tenant {
    pub(crate) fn new(org: &str, clock: Clock, metrics: Metrics, interval: Duration) -> Self {
        Tenant {
            org: org.to_owned(),
            hubs: Hubs::new(interval),
            state: Mutex::new(State {
                live: Live::new(Limits::default(), LiveConfig::default()),
                view: None,
            }),
            arrived: watch::Sender::new(0),
            seen: watch::Sender::new(HashMap::new()),
            last_read: Mutex::new(Instant::now()),
            clock,
            metrics,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic midway leaves the memoised view in doubt, and nothing else.
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = PoisonError::into_inner(poisoned);
            state.view = None;
            self.state.clear_poison();
            state
        })
    }

    /// Adds a report. Cheap: nothing is decoded before somebody reads.
    pub(crate) fn push(&self, stored: StoredReport) {
        let at = stored.received_at.unwrap_or_default();
        let received = at.seconds.saturating_mul(1_000_000_000) + i64::from(at.nanos);
        if let Some(report) = stored.report
            && let Some((format, compression)) = encoding(&report)
        {
            self.lock()
                .live
                .push(received, &report.probe_id, report.body, format, compression);
            self.arrived.send_modify(|n| *n += 1);
        }
        self.saw(stored.replica, stored.sequence);
    }

    /// Notes that this replica's reports up to this number are here.
    pub(crate) fn saw(&self, replica: String, sequence: u64) {
        self.seen.send_modify(|seen| {
            seen.insert(replica, sequence);
        });
    }

    /// Whether this replica's report of this number is here already.
    pub(crate) fn has_seen(&self, replica: &str, sequence: u64) -> bool {
        let seen = self.seen.borrow();
        seen.get(replica).is_some_and(|&last| last >= sequence)
    }

    /// Waits until this replica's reports up to this number are here.
    pub(crate) async fn wait_for(&self, replica: &str, sequence: u64) {
        let mut seen = self.seen.subscribe();
        // The sender lives as long as this tenant.
        let _ = seen
            .wait_for(|seen| seen.get(replica).is_some_and(|&s| s >= sequence))
            .await;
    }

    /// Changes with every report that arrives.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrived.subscribe()
    }

    /// Reads the tenant's present on a blocking thread.
    pub(crate) async fn read<R, F>(self: &Arc<Self>, f: F) -> Result<R, Status>
    where
        R: Send + 'static,
        F: FnOnce(Reading<'_>) -> R + Send + 'static,
    {
        self.touch();
        let tenant = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let timer = tenant.metrics.render_seconds.start_timer();
            let result = tenant.lock().read(tenant.clock.unix_nanos(), f);
            timer.observe_duration();
            result
        });
        read.await.map_err(|error| {
            tracing::error!(%error, "rendering panicked");
            Status::internal("internal error")
        })
    }

    /// Notes that somebody is interested.
    pub(crate) fn touch(&self) {
        let mut last = self
            .last_read
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Instant::now();
    }

    /// How long nobody has been.
    pub(crate) fn unread_for(&self) -> Duration {
        let last = self
            .last_read
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.elapsed()
    }
}

impl State {
    fn read<R>(&mut self, now: i64, f: impl FnOnce(Reading<'_>) -> R) -> R {
        let refreshed = self.live.refresh(now);
        let next_expiry = self.live.next_expiry();
        let dropped = self.live.dropped().iter();
        let warnings = dropped
            .map(|(kind, nodes)| {
                let facts = kind.facts();
                format!("{nodes} {} nodes too many are left out", facts.name)
            })
            .collect();
        let version = Version {
            generation: refreshed.generation,
            epoch: refreshed.epoch,
        };
        let (report, symbols, _) = self.live.parts();
        let (view, _) = match self.view.take() {
            Some(view) if view.1 == version => self.view.insert(view),
            _ => {
                let view = View::new(Arc::clone(report), symbols);
                self.view.insert((view, version))
            }
        };
        f(Reading {
            view,
            symbols,
            report,
            version,
            next_expiry,
            now,
            warnings,
        })
    }
}

fn encoding(report: &RawReport) -> Option<(decode::Format, decode::Compression)> {
    let format = match report.format() {
        ReportFormat::ScopeMsgpack => decode::Format::ScopeMsgpack,
        ReportFormat::ScopeJson => decode::Format::ScopeJson,
        ReportFormat::Unspecified => return None,
    };
    let compression = match report.compression() {
        Compression::None => decode::Compression::None,
        Compression::Gzip => decode::Compression::Gzip,
        Compression::Unspecified => return None,
    };
    Some((format, compression))
}
