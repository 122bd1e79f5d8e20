//! A tenant at a moment that has passed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use report::live::Live;

use super::Tenant;
use crate::history::Found;
use crate::metrics::Metrics;
use crate::moment::Shows;
use crate::post::Post;
use crate::renderers::Renderers;

impl Tenant {
    /// The tenant at a moment, of which these words are missing.
    pub(crate) fn past(
        org: &str,
        at: i64,
        live: Live,
        missing: Vec<String>,
        metrics: Metrics,
        renderers: Renderers,
    ) -> Self {
        let tenant = Tenant::new(org, Shows::Past(at), metrics, renderers, Duration::ZERO);
        {
            let mut state = tenant.lock();
            state.live = live;
            state.missing = missing;
        }
        tenant
    }

    /// The tenant from a moment on, which [`advance`](Tenant::advance) moves.
    pub(crate) fn played(
        org: &str,
        at: i64,
        found: Found,
        metrics: Metrics,
        renderers: Renderers,
        interval: Duration,
    ) -> Self {
        let shows = Shows::Played(AtomicI64::new(at));
        let tenant = Tenant::new(org, shows, metrics, renderers, interval);
        {
            let mut state = tenant.lock();
            found.posts.into_iter().for_each(|post| state.add(post));
            state.missing = found.missing;
        }
        tenant
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
}
