//! Merging reports.
//!
//! Order does not matter, nor does merging some of them first: wherever two reports disagree, one of the two values wins by
//! a total order (time, then the bytes of the value), never by its place.

mod list;
mod node;
mod nodes;
mod template;

use crate::kind::KINDS;
use crate::model::{Report, Topology};
use crate::symbol::Symbols;
use crate::time::Timestamp;
use nodes::Nodes;

/// Merges reports. Nodes that only one report mentions are shared with it. [Misnamed](Report::misnamed_dns) names are lost,
/// as in Scope, unless each report is [upgraded](crate::upgrade::upgrade) before.
pub fn merge<'a>(reports: impl Iterator<Item = &'a Report>, symbols: &mut Symbols) -> Report {
    let reports: Vec<&Report> = reports.collect();
    let mut merged = Report::fresh(symbols);
    let mut nodes = Nodes::default();
    for kind in KINDS {
        let said = reports
            .iter()
            .filter_map(|r| Some((*r, r.topologies.get(kind as usize)?)));
        let topologies: Vec<(&Report, &Topology)> = said.collect();
        let into = merged.topology_mut(kind);
        let presented: Vec<&Topology> = topologies.iter().map(|(_, t)| *t).collect();
        template::presentation(into, &presented, symbols);
        into.nodes = nodes.merge(kind, &topologies, symbols);
    }
    let dns: Vec<_> = reports.iter().map(|r| &r.dns).collect();
    merged.dns = list::by_key(&dns, list::dns);
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
    merged.received = merged.received.max(report.received);
    merged.ahead |= report.ahead;
    let (sum, sampling) = (&mut merged.sampling, report.sampling);
    sum.count = sum.count.wrapping_add(sampling.count);
    sum.total = sum.total.wrapping_add(sampling.total);
}
