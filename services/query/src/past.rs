//! Past moments that were asked for lately.
//!
//! **Invariant:** a moment is loaded once, however many ask for it; who asks and goes away takes nothing from the others,
//! and a failure is told to those who wait and forgotten.

mod assemble;
mod flights;
mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use report::live::Live;
use runtime::Runtime;
use tokio::time::{Instant, timeout};
use tonic::Status;

use crate::Config;
use crate::history::{History, Search};
use crate::metrics::Metrics;
use crate::moment::SECOND;
use crate::renderers::Renderers;
use crate::tenant::Tenant;
use crate::turns::Turns;
use assemble::assemble;
use flights::Flights;
use shelf::Shelf;

/// Moments of one organisation that are loaded at once.
const LOADS_PER_ORG: usize = 2;
/// A report accepted this long ago is in a log or a store; a later one may still be on its way.
const SETTLED: i64 = 10 * SECOND;
/// How long a moment is kept that may be incomplete.
const UNSETTLED_FOR: Duration = Duration::from_secs(2);

/// About what is rendered of a node by those who look at it, in bytes.
const RENDERED: usize = 1024;

/// The past of all organisations.
#[derive(Debug, Clone)]
pub(crate) struct Past(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    history: History,
    rt: Runtime,
    metrics: Metrics,
    renderers: Renderers,
    shelf: Mutex<Shelf<Arc<Tenant>>>,
    flights: Arc<Flights<(String, i64), Arc<Tenant>>>,
    loads: Turns,
}

impl Past {
    pub(crate) fn new(
        config: Config,
        history: History,
        rt: &Runtime,
        metrics: Metrics,
        renderers: Renderers,
    ) -> Self {
        Past(Arc::new(Inner {
            shelf: Mutex::new(Shelf::new(config.past_bytes)),
            flights: Arc::default(),
            loads: Turns::new(config.past_loads, LOADS_PER_ORG),
            config,
            history,
            rt: rt.clone(),
            metrics,
            renderers,
        }))
    }

    /// The organisation as it was at this moment.
    pub(crate) async fn at(&self, org: &str, at: i64) -> Result<Arc<Tenant>, Status> {
        let inner = &self.0;
        if let Some(tenant) = inner.shelf().get(org, at) {
            inner.metrics.past_hits.inc();
            return Ok(tenant);
        }
        inner.metrics.past_misses.inc();
        let work = {
            let (inner, org) = (Arc::clone(inner), org.to_owned());
            async move {
                let patience = inner.config.past_timeout;
                let loaded = timeout(patience, inner.load(&org, at)).await;
                loaded.unwrap_or_else(|_| {
                    let seconds = patience.as_secs_f32();
                    Err(Status::deadline_exceeded(format!(
                        "loading this moment takes longer than {seconds} s; try again"
                    )))
                })
            }
        };
        let key = (org.to_owned(), at);
        let spawn =
            |flight: flights::Flight<_, _, _>| inner.rt.spawn("load a moment", flight.run());
        inner.flights.join(key, work, spawn).await
    }
}

impl Inner {
    fn shelf(&self) -> MutexGuard<'_, Shelf<Arc<Tenant>>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self, org: &str, at: i64) -> Result<Arc<Tenant>, Status> {
        let _turn = self.loads.wait(org).await;
        let timer = self.metrics.past_load_seconds.start_timer();
        let settled = at + SETTLED < self.rt.clock.unix_nanos();
        let mut search = Search::new(&self.history, org, at).await?;
        let live = loop {
            let posts = search.choose().await?;
            let assembled = assemble(&self.history.archive, &self.renderers, at, posts).await?;
            if assembled.damaged.is_empty() {
                break assembled.live;
            }
            search.without(assembled.damaged);
        };
        let missing = search.missing;
        let complete = missing.is_empty();
        let bytes = size(&live);
        let tenant = Arc::new(Tenant::past(
            org,
            at,
            live,
            missing,
            self.metrics.clone(),
            self.renderers.clone(),
        ));
        timer.observe_duration();
        let until = (!settled || !complete).then(|| Instant::now() + UNSETTLED_FOR);
        let mut shelf = self.shelf();
        shelf.put(org, at, Arc::clone(&tenant), bytes, until);
        let kept = i64::try_from(shelf.bytes()).unwrap_or(i64::MAX);
        self.metrics.past_bytes.set(kept);
        Ok(tenant)
    }
}

/// About how many bytes a moment takes, what is rendered of it included.
fn size(live: &Live) -> usize {
    let nodes: usize = live.report().topologies.iter().map(|t| t.nodes.len()).sum();
    live.heap_bytes() + nodes * RENDERED
}
