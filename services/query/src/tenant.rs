//! What query knows of one tenant: now, or at some moment.

mod feeding;
mod past;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use report::decode::Limits;
use report::live::{Live, LiveConfig};
use report::view::View;
use report::{Report, Symbols};
use runtime::Clock;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tonic::Status;

use crate::hub::Hubs;
use crate::metrics::Metrics;
use crate::moment::Shows;
use crate::post::Post;
use crate::recent::Recent;
use crate::renderers::Renderers;

/// The state of a tenant and what is rendered of it.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) org: String,
    pub(crate) hubs: Hubs,
    state: Mutex<State>,
    /// What came while `state` was busy, which it is for as long as something is rendered.
    inbox: Mutex<Inbox>,
    /// Whose turn it is to read, so that none of the renderers waits for another.
    turn: Mutex<()>,
    renderers: Renderers,
    /// Rises whenever there may be something new.
    arrived: watch::Sender<u64>,
    /// Rises when watchers shall see at once what is new.
    urgent: watch::Sender<u64>,
    /// How far each replica of collection has been followed.
    seen: watch::Sender<HashMap<String, u64>>,
    /// Whether each replica of collection answers, if that is known. Not in `state`, whose lock is held while it renders.
    collectors: Mutex<Vec<Option<bool>>>,
    /// Wakes feeds that wait before they try again.
    reconnect: Notify,
    last_read: Mutex<Instant>,
    shows: Shows,
    metrics: Metrics,
}

struct State {
    live: Live,
    view: Option<(View, Version)>,
    /// What is missing of a past moment, in words.
    missing: Vec<String>,
}

/// Reports that came.
#[derive(Debug, Default)]
struct Inbox {
    recent: Recent,
    posts: Vec<Post>,
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
    /// The tenant now, fed by so many replicas of collection.
    pub(crate) fn present(
        org: &str,
        clock: Clock,
        metrics: Metrics,
        renderers: Renderers,
        interval: Duration,
        collectors: usize,
    ) -> Self {
        Tenant {
            collectors: Mutex::new(vec![None; collectors]),
            ..Tenant::new(org, Shows::Present(clock), metrics, renderers, interval)
        }
    }

    fn new(
        org: &str,
        shows: Shows,
        metrics: Metrics,
        renderers: Renderers,
        interval: Duration,
    ) -> Self {
        Tenant {
            org: org.to_owned(),
            hubs: Hubs::new(interval),
            state: Mutex::new(State {
                live: Live::new(Limits::default(), LiveConfig::default()),
                view: None,
                missing: Vec::new(),
            }),
            inbox: Mutex::default(),
            turn: Mutex::default(),
            renderers,
            arrived: watch::Sender::new(0),
            urgent: watch::Sender::new(0),
            seen: watch::Sender::new(HashMap::new()),
            collectors: Mutex::default(),
            reconnect: Notify::new(),
            last_read: Mutex::new(Instant::now()),
            shows,
            metrics,
        }
    }

    /// The moment that is shown, in Unix nanoseconds.
    pub(crate) fn now(&self) -> i64 {
        self.shows.now()
    }

    /// Whether nothing will ever change.
    pub(crate) fn stands(&self) -> bool {
        matches!(self.shows, Shows::Past(_))
    }

    /// The state, with all that came so far.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state_as_it_is();
        state.take_in(&self.inbox);
        state
    }

    fn state_as_it_is(&self) -> MutexGuard<'_, State> {
        // A panic midway leaves the memoised view in doubt, and nothing else.
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = PoisonError::into_inner(poisoned);
            state.view = None;
            self.state.clear_poison();
            state
        })
    }

    /// Changes whenever there may be something new.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrived.subscribe()
    }

    /// Changes when what is new shall be seen at once.
    pub(crate) fn urgencies(&self) -> watch::Receiver<u64> {
        self.urgent.subscribe()
    }

    /// Reads the tenant as it shall be shown, on one of the renderers.
    pub(crate) async fn read<R, F>(self: &Arc<Self>, f: F) -> Result<R, Status>
    where
        R: Send + 'static,
        F: FnOnce(Reading<'_>) -> R + Send + 'static,
    {
        self.touch();
        let tenant = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let timer = tenant.metrics.render_seconds.start_timer();
            let missing = tenant.collectors_missing();
            let _turn = tenant.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let read = || tenant.lock().read(&tenant.shows, missing, f);
            let result = tenant.renderers.run(read);
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
    fn read<R>(
        &mut self,
        shows: &Shows,
        missing: Option<String>,
        f: impl FnOnce(Reading<'_>) -> R,
    ) -> R {
        // Under the lock, so that a played moment and its reports fit.
        let now = shows.now();
        let refreshed = self.live.refresh(now);
        let next_expiry = self.live.next_expiry();
        let dropped = self.live.dropped().iter();
        let dropped = dropped.map(|(kind, nodes)| {
            let facts = kind.facts();
            format!("{nodes} {} nodes too many are left out", facts.name)
        });
        let mut warnings: Vec<String> = dropped.collect();
        warnings.extend(missing);
        warnings.extend_from_slice(&self.missing);
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
