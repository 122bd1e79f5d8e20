//! Merging reports.
//!
//! Order does not matter, nor does merging some of them first: wherever two reports disagree, one of the two values wins by
//! a total order (time, then the bytes of the value), never by its place.

mod list;
mod node;
mod nodes;
mod template;

pub(crate) use nodes::{Indexed, Nodes};

use crate::kind::KINDS;
use crate::model::{Report, Topology};
use crate::symbol::Symbols;
use crate::time::Timestamp;

/// Merges reports. Nodes that only one report mentions are shared with it. [Misnamed](Report::misnamed_dns) names are lost,
/// as in Scope, unless each report is [upgraded](crate::upgrade::upgrade) before.
pub fn merge<'a>(reports: impl Iterator<Item = &'a Report>, symbols: &mut Symbols) -> Report {
    let reports: Vec<&Report> = reports.collect();
    let mut merged = presentation(&reports, symbols);
    let mut nodes = Nodes::default();
    for kind in KINDS {
        let said = reports
            .iter()
            .filter_map(|r| Some((*r, r.topologies.get(kind as usize)?)));
        let topologies: Vec<(&Report, &Topology)> = said.collect();
        merged.topology_mut(kind).nodes = nodes.merge(kind, &topologies, symbols);
    }
    totals(&mut merged, &reports);
    merged
}

/// Everything but nodes and totals.
pub(crate) fn presentation(reports: &[&Report], symbols: &mut Symbols) -> Report {
    let mut merged = Report::fresh(symbols);
    for kind in KINDS {
        let said = reports.iter();
        let said: Vec<&Topology> = said
            .filter_map(|r| r.topologies.get(kind as usize))
            .collect();
        template::presentation(merged.topology_mut(kind), &said, symbols);
    }
    merged.dns = list::by_key(reports.iter().map(|r| &r.dns), list::dns);
    merged.plugins = template::plugins(reports, symbols);
    merged
}

/// Times and sums.
pub(crate) fn totals(merged: &mut Report, reports: &[&Report]) {
    let order = |ts: Timestamp| (ts.is_zero(), ts, ts.offset_minutes);
    let earliest = reports.iter().map(|r| r.ts).min_by_key(|ts| order(*ts));
    merged.ts = earliest.unwrap_or_default();
    merged.received = reports.iter().map(|r| r.received).max().unwrap_or_default();
    merged.ahead = reports.iter().any(|r| r.ahead);
    let add = |sum: i64, report: &&Report| sum.wrapping_add(report.window);
    merged.window = reports.iter().fold(0, add);
    let add = |sum: u64, n: u64| sum.wrapping_add(n);
    let sampled = || reports.iter().map(|r| r.sampling);
    merged.sampling.count = sampled().map(|s| s.count).fold(0, add);
    merged.sampling.total = sampled().map(|s| s.total).fold(0, add);
}
