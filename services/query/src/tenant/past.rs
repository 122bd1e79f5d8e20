//! A tenant at a moment that has passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tonic::Status;

use super::Tenant;
use crate::history::Found;
use crate::metrics::Metrics;
use crate::moment::Shows;
use crate::post::Post;

/// About what is rendered of a node by those who look at it, in bytes.
const RENDERED: usize = 1024;

impl Tenant {
    /// The tenant at a moment.
    pub(crate) fn past(org: &str, at: i64, found: Found, metrics: Metrics) -> Self {
        let tenant = Tenant::new(org, Shows::Past(at), metrics, Duration::ZERO);
        tenant.fill(found);
        tenant
    }

    /// The tenant from a moment on, which [`advance`](Tenant::advance) moves.
    pub(crate) fn played(
        org: &str,
        at: i64,
        found: Found,
        metrics: Metrics,
        interval: Duration,
    ) -> Self {
        let shows = Shows::Played(AtomicI64::new(at));
        let tenant = Tenant::new(org, shows, metrics, interval);
        tenant.fill(found);
        tenant
    }

    fn fill(&self, found: Found) {
        let mut state = self.lock();
        found.posts.into_iter().for_each(|post| state.add(post));
        state.missing = found.missing;
    }

    /// Moves a played tenant on: these reports came, all until this moment.
    pub(crate) fn advance(&self, to: i64, posts: Vec<Post>, missing: Vec<String>) {
        let Shows::Played(at) = &self.shows else {
            return;
        };
        {
            let mut state = self.lock();
            posts.into_iter().for_each(|post| state.add(post));
            state.missing = missing;
            at.store(to, Ordering::Release);
        }
        self.arrived.send_modify(|n| *n += 1);
    }

    /// Merges what a past moment shows and lets go of all else; about how many bytes are left, rendered ones included.
    pub(crate) async fn settle(self: &Arc<Self>) -> Result<usize, Status> {
        let tenant = Arc::clone(self);
        let settled = tokio::task::spawn_blocking(move || {
            let mut state = tenant.lock();
            let at = tenant.now();
            state.live.refresh(at);
            state.live.settle();
            let topologies = &state.live.report().topologies;
            let nodes: usize = topologies.iter().map(|t| t.nodes.len()).sum();
            state.live.heap_bytes() + nodes * RENDERED
        });
        settled.await.map_err(|error| {
            tracing::error!(%error, "merging panicked");
            Status::internal("internal error")
        })
    }
}
