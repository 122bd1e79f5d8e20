//! Merging the nodes of a kind.

use std::sync::Arc;

use super::node::{self, Said};
use crate::kind::Kind;
use crate::model::{Node, Report, Topology};
use crate::symbol::{Sym, Symbols};

/// Merges lists of nodes, one kind after the other.
#[derive(Default)]
pub(crate) struct Nodes {
    /// One more than a place in a list, by id; all zero between uses.
    slots: Vec<u32>,
}

/// What a report says about nodes, with their ids at hand: looking into each node costs a cache miss.
#[derive(Clone, Copy)]
pub(crate) struct Indexed<'a> {
    pub(crate) report: &'a Report,
    pub(crate) ids: &'a [Sym],
    pub(crate) nodes: &'a [Arc<Node>],
}

impl Nodes {
    /// The union of nodes by id. Those that only one report mentions are shared with it.
    pub(super) fn merge(
        &mut self,
        kind: Kind,
        topologies: &[(&Report, &Topology)],
        symbols: &mut Symbols,
    ) -> Vec<Arc<Node>> {
        let mut filled = topologies.iter().filter(|(_, t)| !t.nodes.is_empty());
        let (first, second) = (filled.next(), filled.next());
        let (Some((_, first)), Some(_)) = (first, second) else {
            return first.map_or_else(Vec::new, |(_, t)| t.nodes.clone());
        };
        let total = topologies.iter().map(|(_, t)| t.nodes.len()).sum();
        self.reserve(symbols);
        let mut seen: Vec<(&Report, &Arc<Node>)> = Vec::with_capacity(total);
        // Id and place in `seen`, so that sorting touches no node.
        let mut order: Vec<(Sym, u32)> = Vec::with_capacity(first.nodes.len());
        let mut again: Vec<(u32, Said)> = Vec::new();
        for &(report, topology) in topologies {
            for node in &topology.nodes {
                let slot = &mut self.slots[node.id.index()];
                if *slot > 0 {
                    again.push((*slot - 1, Said { report, node }));
                } else {
                    order.push((node.id, seen.len() as u32));
                    seen.push((report, node));
                    *slot = seen.len() as u32;
                }
            }
        }
        for (id, _) in &order {
            self.slots[id.index()] = 0;
        }
        order.sort_unstable();
        again.sort_by_key(|(slot, _)| *slot);
        let mut merged: Vec<Option<Arc<Node>>> = Vec::new();
        merged.resize(if again.is_empty() { 0 } else { seen.len() }, None);
        let mut group = Vec::new();
        for run in again.chunk_by(|a, b| a.0 == b.0) {
            let slot = run[0].0 as usize;
            let (report, node) = seen[slot];
            group.clear();
            group.push(Said { report, node });
            group.extend(run.iter().map(|(_, said)| *said));
            merged[slot] = Some(Arc::new(node::merge(kind, &group, symbols)));
        }
        let place = |&(_, i): &(Sym, u32)| {
            let merged = merged.get_mut(i as usize).and_then(Option::take);
            merged.unwrap_or_else(|| Arc::clone(seen[i as usize].1))
        };
        order.iter().map(place).collect()
    }

    /// As [`merge`](Nodes::merge), but of these ids only (sorted, unique): for each, the node if any report has it.
    pub(crate) fn merge_some<'a>(
        &mut self,
        kind: Kind,
        ids: &[Sym],
        topologies: impl Iterator<Item = Indexed<'a>>,
        symbols: &mut Symbols,
    ) -> Vec<Option<Arc<Node>>> {
        self.reserve(symbols);
        for (slot, id) in (1..).zip(ids) {
            self.slots[id.index()] = slot;
        }
        let mut all: Vec<(u32, &Report, &Arc<Node>)> = Vec::with_capacity(ids.len());
        for said in topologies {
            for (id, node) in said.ids.iter().zip(said.nodes) {
                let slot = self.slots[id.index()];
                if slot > 0 {
                    all.push((slot - 1, said.report, node));
                }
            }
        }
        for id in ids {
            self.slots[id.index()] = 0;
        }
        all.sort_by_key(|(slot, _, _)| *slot);
        let mut merged = vec![None; ids.len()];
        let mut group = Vec::new();
        for run in all.chunk_by(|a, b| a.0 == b.0) {
            merged[run[0].0 as usize] = Some(match run {
                [(_, _, only)] => Arc::clone(only),
                _ => {
                    group.clear();
                    group.extend(run.iter().map(|&(_, report, node)| Said { report, node }));
                    Arc::new(node::merge(kind, &group, symbols))
                }
            });
        }
        merged
    }

    fn reserve(&mut self, symbols: &Symbols) {
        let slots = symbols.len().max(self.slots.len());
        self.slots.resize(slots, 0);
    }
}
