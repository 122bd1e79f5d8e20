//! Merging reports.
//!
//! Order does not matter, nor does merging some of them first: wherever two reports disagree, one of the two values wins by
//! a total order (time, then the bytes of the value), never by its place.

mod list;
mod node;
mod template;

use std::sync::Arc;

use crate::kind::{KINDS, Kind};
use crate::model::{Node, Report, Topology};
use crate::symbol::{Sym, Symbols};
use crate::time::Timestamp;

/// Merges reports. Nodes that only one report mentions are shared with it.
pub fn merge<'a>(reports: impl Iterator<Item = &'a Report>, symbols: &mut Symbols) -> Report {
    let reports: Vec<&Report> = reports.collect();
    let mut merged = Report::fresh(symbols);
    let mut scratch = Scratch::default();
    for kind in KINDS {
        let topologies: Vec<&Topology> = reports
            .iter()
            .filter_map(|r| r.topologies.get(kind as usize))
            .collect();
        let into = merged.topology_mut(kind);
        template::presentation(into, &topologies, symbols);
        into.nodes = nodes(kind, &topologies, &mut scratch, symbols);
    }
    let dns: Vec<_> = reports.iter().map(|r| &r.dns).collect();
    merged.dns = list::by_key(&dns, list::dns);
    let misnamed: Vec<_> = reports.iter().map(|r| &r.misnamed_dns).collect();
    merged.misnamed_dns = list::by_key(&misnamed, list::dns);
    merged.plugins = template::plugins(&reports, symbols);
    for report in reports {
        totals(&mut merged, report);
    }
    merged
}

fn totals(merged: &mut Report, report: &Report) {
    let order = |ts: Timestamp| (ts.is_zero(), ts, ts.offset_minutes);
    if order(report.ts) < order(merged.ts) {
        merged.ts = report.ts;
    }
    merged.window = merged.window.wrapping_add(report.window);
    let (sum, sampling) = (&mut merged.sampling, report.sampling);
    sum.count = sum.count.wrapping_add(sampling.count);
    sum.total = sum.total.wrapping_add(sampling.total);
}

/// Where ids have been seen, by number; all zero between uses.
#[derive(Default)]
struct Scratch {
    /// One more than the index in the result.
    slots: Vec<u32>,
}

fn nodes(
    kind: Kind,
    topologies: &[&Topology],
    scratch: &mut Scratch,
    symbols: &mut Symbols,
) -> Vec<Arc<Node>> {
    let mut filled = topologies.iter().filter(|t| !t.nodes.is_empty());
    let (first, second) = (filled.next(), filled.next());
    let (Some(first), Some(_)) = (first, second) else {
        return first.map_or_else(Vec::new, |t| t.nodes.clone());
    };
    scratch
        .slots
        .resize(symbols.len().max(scratch.slots.len()), 0);
    let slots = &mut scratch.slots;
    let total = topologies.iter().map(|t| t.nodes.len()).sum();
    let mut seen: Vec<&Arc<Node>> = Vec::with_capacity(total);
    // Id and place in `seen`, so that sorting touches no node.
    let mut order: Vec<(Sym, u32)> = Vec::with_capacity(first.nodes.len());
    let mut again: Vec<(u32, &Arc<Node>)> = Vec::new();
    for node in topologies.iter().flat_map(|t| &t.nodes) {
        let slot = &mut slots[node.id.index()];
        if *slot > 0 {
            again.push((*slot - 1, node));
        } else {
            order.push((node.id, seen.len() as u32));
            seen.push(node);
            *slot = seen.len() as u32;
        }
    }
    for (id, _) in &order {
        slots[id.index()] = 0;
    }
    order.sort_unstable();
    again.sort_by_key(|(slot, _)| *slot);
    if again.is_empty() {
        return order
            .iter()
            .map(|&(_, i)| Arc::clone(seen[i as usize]))
            .collect();
    }
    let mut runs: Vec<Option<Arc<Node>>> = vec![None; seen.len()];
    let mut group = Vec::new();
    for run in again.chunk_by(|a, b| a.0 == b.0) {
        let slot = run[0].0 as usize;
        group.clear();
        group.push(seen[slot].as_ref());
        group.extend(run.iter().map(|(_, node)| node.as_ref()));
        runs[slot] = Some(Arc::new(node::merge(kind, &group, symbols)));
    }
    let place = |&(_, i): &(Sym, u32)| {
        runs[i as usize]
            .take()
            .unwrap_or_else(|| Arc::clone(seen[i as usize]))
    };
    order.iter().map(place).collect()
}
