//! One tenant's live state: what its probes posted lately, merged when somebody looks.
//!
//! ```text
//! push ─▶ Probe: posts, compressed ──decode──▶ reports ──merge──▶ one report per probe ──merge──▶ the tenant's report
//!                                    (once each)        (if its posts changed)          (if any did)
//! ```
//!
//! **Invariant:** everything here was decoded with the current [`Symbols`]; when those are renewed, all of it is decoded
//! again and the epoch changes.

mod config;
mod crowd;
mod probe;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::decode::{Compression, Format, Limits};
use crate::merge::merge;
use crate::model::Report;
use crate::symbol::Symbols;
use crate::time::Timestamp;
use crate::upgrade::upgrade;
pub use config::LiveConfig;
pub use crowd::Dropped;
use probe::{Post, Probe};

/// What [`Live::refresh`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refreshed {
    /// Changes only if the merged report changed.
    pub generation: u64,
    /// Changes when the symbols were renewed: nothing that holds symbols of before means anything now.
    pub epoch: u64,
}

/// One tenant's live state.
pub struct Live {
    limits: Limits,
    config: LiveConfig,
    symbols: Symbols,
    probes: BTreeMap<Box<str>, Probe>,
    report: Arc<Report>,
    dropped: Dropped,
    refreshed: Refreshed,
    /// Whether the set of probes changed since the last merge.
    gone: bool,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("probes", &self.probes.len())
            .field("refreshed", &self.refreshed)
            .finish_non_exhaustive()
    }
}

impl Live {
    /// Nothing yet.
    #[must_use]
    pub fn new(limits: Limits, config: LiveConfig) -> Self {
        let mut symbols = Symbols::new();
        let report = Arc::new(Report::fresh(&mut symbols));
        Live {
            limits,
            config,
            symbols,
            probes: BTreeMap::new(),
            report,
            dropped: Dropped::default(),
            refreshed: Refreshed {
                generation: 0,
                epoch: 0,
            },
            gone: false,
        }
    }

    /// Adds what a probe posted. The body is kept as it is until somebody looks; one that turns out not to be a report is
    /// ignored then, so [`check`](crate::decode::check) it first.
    pub fn push(
        &mut self,
        received_unix_nanos: i64,
        probe_id: &str,
        body: Bytes,
        format: Format,
        compression: Compression,
    ) {
        let post = Post::new(received_unix_nanos, body, format, compression);
        if let Some(probe) = self.probes.get_mut(probe_id) {
            probe.push(post);
            probe.forget(received_unix_nanos, &self.config);
            return;
        }
        let mut probe = Probe::new(!probe_id.is_empty());
        probe.push(post);
        self.probes.insert(probe_id.into(), probe);
        // Tenants that nobody looks at must not keep what their probes of long ago posted.
        self.expire(received_unix_nanos);
    }

    /// Whether there is anything to show.
    pub fn has_reports(&mut self, now: i64) -> bool {
        self.expire(now);
        !self.probes.is_empty()
    }

    /// Brings the merged report up to date.
    pub fn refresh(&mut self, now: i64) -> Refreshed {
        self.expire(now);
        let mut changed = std::mem::take(&mut self.gone);
        for probe in self.probes.values_mut() {
            changed |= probe.refresh(now, &self.config, &self.limits, &mut self.symbols);
        }
        if changed {
            self.merge(now);
        }
        self.refreshed
    }

    /// The merged report as of the last [`refresh`](Live::refresh).
    #[must_use]
    pub fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// The strings of the merged report.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The strings of the merged report, to add to.
    pub fn symbols_mut(&mut self) -> &mut Symbols {
        &mut self.symbols
    }

    /// The merged report, its strings, and which they are, at once.
    pub fn parts(&mut self) -> (&Arc<Report>, &mut Symbols, Refreshed) {
        (&self.report, &mut self.symbols, self.refreshed)
    }

    /// When the merged report changes if nothing is posted, after a refresh.
    #[must_use]
    pub fn next_expiry(&self) -> Option<i64> {
        self.probes.values().map(Probe::next_change).min()
    }

    /// What was left out of the merged report because a topology is too large.
    #[must_use]
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// About how much memory all of it takes, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let probes: usize = self.probes.values().map(Probe::heap_bytes).sum();
        let report: usize = self
            .report
            .topologies
            .iter()
            .map(|t| 8 * t.nodes.len())
            .sum();
        probes + report + self.symbols.heap_bytes()
    }

    fn expire(&mut self, now: i64) {
        let before = self.probes.len();
        self.probes
            .retain(|_, probe| !probe.is_gone(now, &self.config));
        self.gone |= self.probes.len() != before;
    }

    fn merge(&mut self, now: i64) {
        let reports = self.probes.values().filter_map(Probe::merged);
        let mut report = merge(reports, &mut self.symbols);
        upgrade(
            &mut report,
            &mut self.symbols,
            Timestamp::from_unix_nanos(now),
        );
        self.dropped = crowd::thin(
            &mut report,
            self.config.max_nodes_per_topology,
            &self.symbols,
        );
        self.report = Arc::new(report);
        self.refreshed.generation += 1;
    }
}
