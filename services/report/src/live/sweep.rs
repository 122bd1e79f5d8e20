//! Which strings are still needed.

use crate::model::{Metric, Node, Report, Sets, Topology};
use crate::symbol::{Sym, Symbols};

/// Bytes that the strings of these reports take.
pub(super) fn needed<'a>(reports: impl Iterator<Item = &'a Report>, symbols: &Symbols) -> usize {
    let mut sweep = Sweep {
        symbols,
        seen: vec![false; symbols.len()],
        bytes: 0,
    };
    for report in reports {
        sweep.report(report);
    }
    sweep.bytes
}

struct Sweep<'a> {
    symbols: &'a Symbols,
    seen: Vec<bool>,
    bytes: usize,
}

impl Sweep<'_> {
    fn see(&mut self, sym: Sym) {
        if !std::mem::replace(&mut self.seen[sym.index()], true) {
            self.bytes += Symbols::cost(self.symbols.bytes(sym));
        }
    }

    fn all(&mut self, syms: &[Sym]) {
        for sym in syms {
            self.see(*sym);
        }
    }

    fn sets(&mut self, sets: &Sets) {
        for (key, set) in sets {
            self.see(*key);
            self.all(set);
        }
    }

    fn report(&mut self, report: &Report) {
        for topology in &report.topologies {
            self.topology(topology);
        }
        for (key, record) in report.dns.iter().chain(&report.misnamed_dns) {
            self.see(*key);
            self.all(&record.forward);
            self.all(&record.reverse);
        }
        self.see(report.id);
    }

    /// Templates and controls are the same few strings all the time.
    fn topology(&mut self, topology: &Topology) {
        for node in &topology.nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        self.all(&[node.id, node.topology]);
        self.all(&node.adjacency);
        self.sets(&node.sets);
        self.sets(&node.parents);
        for entry in &node.latest {
            self.all(&[entry.key, entry.value]);
        }
        for (key, Metric { .. }) in &node.metrics {
            self.see(*key);
        }
        for child in &node.children {
            self.node(child);
        }
    }
}
