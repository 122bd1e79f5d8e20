//! Merging what several reports say about a node.

use std::cmp::Ordering;

use super::list::{self, Keyed};
use crate::kind::Kind;
use crate::model::{Latest, Metric, Node, Report, Sample};
use crate::symbol::{Sym, Symbols};
use crate::time::Timestamp;

impl Keyed for Latest {
    fn key(&self) -> Sym {
        self.key
    }
}

impl Keyed for Node {
    fn key(&self) -> Sym {
        self.id
    }
}

/// What one report says about a node.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) report: &'a Report,
    pub(super) node: &'a Node,
}

/// Several reports' nodes of one id, as one.
pub(super) fn merge(kind: Kind, said: &[Said], symbols: &mut Symbols) -> Node {
    // Only hosts are controlled by several probes at once: that of the node and that of the cluster.
    let controls = match kind {
        Kind::Host => active_controls(said, symbols),
        _ => None,
    };
    let symbols: &Symbols = symbols;
    let nodes = || said.iter().map(|s| s.node);
    let mut merged = Node {
        id: said[0].node.id,
        // Two topologies for one id are a sender's error; the choice only has to be always the same.
        topology: largest(nodes().map(|n| n.topology), symbols),
        has_id: nodes().any(|n| n.has_id),
        sets: list::sets(nodes().map(|n| &n.sets)),
        adjacency: list::union(nodes().map(|n| &n.adjacency)),
        latest: latest(said, symbols),
        metrics: list::by_key(nodes().map(|n| &n.metrics), |run| (run[0].0, metric(run))),
        parents: list::sets(nodes().map(|n| &n.parents)),
        children: list::by_key(nodes().map(|n| &n.children), |run| child(run, symbols)),
        stale: nodes().all(|n| n.stale),
    };
    if let Some(entry) = controls
        && let Ok(i) = merged.latest.binary_search_by_key(&entry.key, |e| e.key)
    {
        merged.latest[i] = entry;
    }
    merged
}

fn largest(mut all: impl Iterator<Item = Sym>, symbols: &Symbols) -> Sym {
    let first = all.next().unwrap_or_default();
    all.fold(first, |a, b| {
        match a != b && symbols.bytes(b) > symbols.bytes(a) {
            true => b,
            false => a,
        }
    })
}

/// Children are never hosts, so nothing has to be interned for them.
fn child(run: &[&Node], symbols: &Symbols) -> Node {
    let nodes = || run.iter().copied();
    Node {
        id: run[0].id,
        topology: largest(nodes().map(|n| n.topology), symbols),
        has_id: nodes().any(|n| n.has_id),
        sets: list::sets(nodes().map(|n| &n.sets)),
        adjacency: list::union(nodes().map(|n| &n.adjacency)),
        latest: list::by_key(nodes().map(|n| &n.latest), |run| newest(run, symbols)),
        metrics: list::by_key(nodes().map(|n| &n.metrics), |run| (run[0].0, metric(run))),
        parents: list::sets(nodes().map(|n| &n.parents)),
        children: list::by_key(nodes().map(|n| &n.children), |run| child(run, symbols)),
        stale: nodes().all(|n| n.stale),
    }
}

fn latest(said: &[Said], symbols: &Symbols) -> Vec<Latest> {
    if said.iter().any(|s| s.report.ahead) {
        return believable(said, symbols);
    }
    let lists = said.iter().map(|s| &s.node.latest);
    list::by_key(lists, |run| newest(run, symbols))
}

fn newest(run: &[&Latest], symbols: &Symbols) -> Latest {
    let newest = run
        .iter()
        .max_by(|a, b| by_age((a.timestamp, a), (b.timestamp, b), symbols));
    newest.map_or(*run[0], |e| **e)
}

fn by_age(a: (Timestamp, &Latest), b: (Timestamp, &Latest), symbols: &Symbols) -> Ordering {
    a.0.cmp(&b.0).then_with(|| {
        // The same moment in two zones: only the zone is left to tell them apart.
        let zone = |e: &Latest| (e.timestamp, e.timestamp.offset_minutes);
        let value = |e: &Latest| symbols.bytes(e.value);
        match a.1.value == b.1.value {
            true => zone(a.1).cmp(&zone(b.1)),
            false => value(a.1).cmp(value(b.1)),
        }
    })
}

/// As [`latest`], but a fact from the future counts as from when it was received, lest it win forever.
fn believable(said: &[Said], symbols: &Symbols) -> Vec<Latest> {
    let mut all: Vec<(Timestamp, &Latest)> = Vec::new();
    for said in said {
        all.extend(said.node.latest.iter().map(|e| (when(e, said.report), e)));
    }
    all.sort_by(|a, b| a.1.key.cmp(&b.1.key).then_with(|| by_age(*b, *a, symbols)));
    all.dedup_by_key(|(_, e)| e.key);
    all.into_iter().map(|(_, e)| *e).collect()
}

fn when(entry: &Latest, report: &Report) -> Timestamp {
    match entry.timestamp > report.received.latest_believable() {
        true => report.received,
        false => entry.timestamp,
    }
}

/// The ids that any of the nodes has, if they differ.
fn active_controls(said: &[Said], symbols: &mut Symbols) -> Option<Latest> {
    let key = symbols.find("active_controls")?;
    let entries = said
        .iter()
        .filter_map(|s| Some((s.report, s.node.latest_entry(key)?)));
    let age = |(r, e): &(&Report, &Latest)| (when(e, r), e.timestamp, e.timestamp.offset_minutes);
    let (_, newest) = entries.clone().max_by_key(age)?;
    if entries.clone().all(|(_, e)| e.value == newest.value) {
        return None;
    }
    let mut ids: Vec<&[u8]> = Vec::new();
    for (_, entry) in entries {
        ids.extend(symbols.bytes(entry.value).split(|&b| b == b';'));
    }
    ids.retain(|id| !id.is_empty());
    ids.sort_unstable();
    ids.dedup();
    let ids = ids.join(&b';');
    Some(Latest {
        value: symbols.intern(&ids),
        ..*newest
    })
}

fn metric(run: &[&(Sym, Metric)]) -> Metric {
    // Without samples, a metric only counts if no other has any.
    let sampled = run.iter().any(|m| !m.1.samples.is_empty());
    let counted = || {
        run.iter()
            .map(|m| &m.1)
            .filter(|m| sampled != m.samples.is_empty())
    };
    let mut samples: Vec<Sample> = Vec::with_capacity(counted().map(|m| m.samples.len()).sum());
    for metric in counted() {
        samples.extend_from_slice(&metric.samples);
    }
    if !samples.is_sorted_by(|a, b| a.date < b.date) {
        samples.sort_by(by_date_and_value);
        samples.dedup_by(|later, earlier| later.date == earlier.date);
    }
    Metric {
        samples,
        min: counted()
            .map(|m| m.min)
            .reduce(|a, b| pick(a, b, Ordering::Less))
            .unwrap_or(0.0),
        max: counted()
            .map(|m| m.max)
            .reduce(|a, b| pick(a, b, Ordering::Greater))
            .unwrap_or(0.0),
    }
}

fn by_date_and_value(a: &Sample, b: &Sample) -> Ordering {
    let zones = || b.date.offset_minutes.cmp(&a.date.offset_minutes);
    a.date
        .cmp(&b.date)
        .then_with(|| b.value.total_cmp(&a.value))
        .then_with(zones)
}

/// The smaller or the larger; not a number is neither.
fn pick(a: f64, b: f64, side: Ordering) -> f64 {
    if a.is_nan() || (b.total_cmp(&a) == side && !b.is_nan()) {
        b
    } else {
        a
    }
}
