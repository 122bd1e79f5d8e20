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
mod part;
mod probe;
mod rename;
mod settled;
mod sweep;
mod whole;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::decode::{Compression, Format, Limits};
use crate::model::Report;
use crate::symbol::Symbols;
use crate::upgrade::upgrade;
pub use config::LiveConfig;
pub use crowd::Dropped;
pub use part::Part;
use probe::{Post, Probe, Tools};
use settled::Settled;
use whole::{Change, Merged, Whole};

/// Inflated reports are rarely larger, and every tenant has such a buffer.
const KEPT_BUFFER: usize = 2 << 20;

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
    whole: Whole,
    /// What probes reported that fell silent since the last merge.
    gone: Vec<Merged>,
    /// Bytes of strings that were needed when that was last found out.
    needed: usize,
    buffer: Vec<u8>,
    /// What is left to say of the probes after [`Live::settle`].
    settled: Option<Settled>,
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
            whole: Whole::default(),
            gone: Vec::new(),
            needed: 0,
            buffer: Vec::new(),
            settled: None,
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
        if self.settled.is_some() {
            return;
        }
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
        if let Some(settled) = &self.settled {
            return settled.next_expiry.is_some();
        }
        self.expire(now);
        !self.probes.is_empty()
    }

    /// Brings the merged report up to date.
    pub fn refresh(&mut self, now: i64) -> Refreshed {
        if self.settled.is_none() && self.merge(now) && self.is_littered() {
            self.renew();
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
        match &self.settled {
            Some(settled) => settled.next_expiry,
            None => self.probes.values().map(Probe::next_change).min(),
        }
    }

    /// What was left out of the merged report because a topology is too large.
    #[must_use]
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// About how much memory all of it takes, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let probes: usize = match &self.settled {
            Some(settled) => settled.heap_bytes,
            None => self.probes.values().map(Probe::heap_bytes).sum(),
        };
        let report: usize = self
            .report
            .topologies
            .iter()
            .map(|t| 8 * t.nodes.len())
            .sum();
        probes + report + self.symbols.heap_bytes() + self.buffer.capacity()
    }

    fn expire(&mut self, now: i64) {
        let gone = self
            .probes
            .extract_if(.., |_, probe| probe.is_gone(now, &self.config));
        self.gone.extend(gone.map(|(_, probe)| probe.into_merged()));
    }

    /// Merges what changed, if anything did.
    fn merge(&mut self, now: i64) -> bool {
        self.expire(now);
        let nothing = Merged::default();
        let gone = std::mem::take(&mut self.gone);
        let mut before = Vec::new();
        let mut tools = Tools {
            limits: &self.limits,
            symbols: &mut self.symbols,
            buffer: &mut self.buffer,
            recall: None,
        };
        for (id, probe) in &mut self.probes {
            let old = probe.refresh(now, &self.config, &mut tools);
            before.extend(old.map(|old| (id.clone(), old)));
        }
        if gone.is_empty() && before.is_empty() {
            return false;
        }
        if self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
        let all: Vec<&Merged> = self.probes.values().map(Probe::merged).collect();
        let after = |id| self.probes.get(id).map_or(&nothing, Probe::merged);
        let went = gone.iter().map(|before| (before, &nothing));
        let changed = before.iter().map(|(id, before)| (before, after(id)));
        let changes: Vec<Change> = went
            .chain(changed)
            .map(|(before, after)| Change { before, after })
            .collect();
        self.whole.update(&all, &changes, &mut self.symbols);
        self.publish();
        true
    }

    fn publish(&mut self) {
        let mut report = self.whole.report().clone();
        let received = report.received;
        upgrade(&mut report, &mut self.symbols, received);
        let most = self.config.max_nodes_per_topology;
        self.dropped = crowd::thin(&mut report, most, &self.symbols);
        self.report = Arc::new(report);
        self.refreshed.generation += 1;
    }

    /// Whether most symbols are of reports that have gone. What is still needed is only counted when it can have become
    /// less than half.
    fn is_littered(&mut self) -> bool {
        let used = self.symbols.used_bytes();
        let littered = |needed: usize| used > 2 * needed + self.config.litter_bytes;
        if !littered(self.needed) {
            return false;
        }
        let reports = self.probes.values().flat_map(Probe::reports);
        self.needed = sweep::needed(reports.chain([&*self.report]), &self.symbols);
        littered(self.needed)
    }

    /// Starts with new symbols.
    fn renew(&mut self) {
        self.symbols = Symbols::new();
        self.whole = Whole::default();
        for probe in self.probes.values_mut() {
            probe.undecode();
        }
        self.refreshed.epoch += 1;
    }
}
