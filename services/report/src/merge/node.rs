//! Merging what several reports say about a node.

use std::cmp::Ordering;

use super::list::{self, Keyed};
use crate::kind::Kind;
use crate::model::{Latest, Metric, Node, Sample};
use crate::symbol::{Sym, Symbols};

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

/// Several reports' nodes of one id, as one.
pub(super) fn merge(kind: Kind, nodes: &[&Node], symbols: &mut Symbols) -> Node {
    // Only hosts are controlled by several probes at once: that of the node and that of the cluster.
    let controls = match kind {
        Kind::Host => active_controls(nodes, symbols),
        _ => None,
    };
    let symbols: &Symbols = symbols;
    let largest = |a: Sym, b: Sym| {
        if symbols.bytes(b) > symbols.bytes(a) {
            b
        } else {
            a
        }
    };
    // Two topologies for one id are a sender's error; the choice only has to be always the same.
    let topology = nodes.iter().map(|n| n.topology).reduce(largest);
    let latest: Vec<_> = nodes.iter().map(|n| &n.latest).collect();
    let sets: Vec<_> = nodes.iter().map(|n| &n.sets).collect();
    let parents: Vec<_> = nodes.iter().map(|n| &n.parents).collect();
    let metrics: Vec<_> = nodes.iter().map(|n| &n.metrics).collect();
    let children: Vec<_> = nodes.iter().map(|n| &n.children).collect();
    let mut merged = Node {
        id: nodes[0].id,
        topology: topology.unwrap_or_default(),
        has_id: nodes.iter().any(|n| n.has_id),
        sets: list::sets(&sets),
        adjacency: list::union(nodes.iter().map(|n| &n.adjacency)),
        latest: list::by_key(&latest, |run| newest(run, symbols)),
        metrics: list::by_key(&metrics, |run| (run[0].0, metric(run))),
        parents: list::sets(&parents),
        children: Vec::new(),
        stale: nodes.iter().all(|n| n.stale),
    };
    if let Some(entry) = controls
        && let Ok(i) = merged.latest.binary_search_by_key(&entry.key, |e| e.key)
    {
        merged.latest[i] = entry;
    }
    if children.iter().any(|c| !c.is_empty()) {
        merged.children = list::by_key(&children, |run| child(run, symbols));
    }
    merged
}

/// Children are never hosts, so nothing has to be interned for them.
fn child(run: &[&Node], symbols: &Symbols) -> Node {
    let mut best = run[0].clone();
    for other in &run[1..] {
        let latest = [&best.latest, &other.latest];
        best = Node {
            topology: if symbols.bytes(other.topology) > symbols.bytes(best.topology) {
                other.topology
            } else {
                best.topology
            },
            has_id: best.has_id || other.has_id,
            latest: list::by_key(&latest, |run| newest(run, symbols)),
            sets: list::sets(&[&best.sets, &other.sets]),
            parents: list::sets(&[&best.parents, &other.parents]),
            adjacency: list::union([&best.adjacency, &other.adjacency].into_iter()),
            metrics: list::by_key(&[&best.metrics, &other.metrics], |run| {
                (run[0].0, metric(run))
            }),
            children: list::by_key(&[&best.children, &other.children], |run| {
                child(run, symbols)
            }),
            stale: best.stale && other.stale,
            id: best.id,
        };
    }
    best
}

fn newest(run: &[&Latest], symbols: &Symbols) -> Latest {
    let later = |a: &&&Latest, b: &&&Latest| {
        a.timestamp.cmp(&b.timestamp).then_with(|| {
            if a.value == b.value {
                // The same moment in two zones: only the zone is left to tell them apart.
                return a.timestamp.offset_minutes.cmp(&b.timestamp.offset_minutes);
            }
            symbols.bytes(a.value).cmp(symbols.bytes(b.value))
        })
    };
    run.iter().max_by(later).map_or(*run[0], |e| **e)
}

/// The ids that any of the nodes has, if they differ.
fn active_controls(nodes: &[&Node], symbols: &mut Symbols) -> Option<Latest> {
    let key = symbols.find("active_controls")?;
    let entries = nodes.iter().filter_map(|n| n.latest_entry(key));
    let newest = entries
        .clone()
        .max_by_key(|e| (e.timestamp, e.timestamp.offset_minutes))?;
    if entries.clone().all(|e| e.value == newest.value) {
        return None;
    }
    let mut ids: Vec<&[u8]> = Vec::new();
    for entry in entries {
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
