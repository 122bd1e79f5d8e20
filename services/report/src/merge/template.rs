//! Merging how nodes are to be presented.

use super::list::{self, Keyed};
use crate::model::{
    Control, MetadataTemplate, MetricTemplate, Plugin, Report, TableColumn, TableTemplate, Topology,
};
use crate::symbol::{Sym, Symbols};

impl Keyed for Plugin {
    fn key(&self) -> Sym {
        self.id
    }
}

/// Everything of topologies but their nodes, added to a fresh one.
pub(super) fn presentation(into: &mut Topology, topologies: &[&Topology], symbols: &Symbols) {
    // What a kind's shape and nouns are is known, except for those that are never drawn.
    into.shape = known_or_largest(into.shape, topologies.iter().map(|t| t.shape), symbols);
    into.tag = known_or_largest(into.tag, topologies.iter().map(|t| t.tag), symbols);
    if into.label.is_empty() {
        let nouns = topologies.iter().map(|t| (t.label, t.label_plural));
        let nouns = nouns.filter(|n| !n.0.is_empty());
        let largest = nouns.max_by_key(|n| (symbols.bytes(n.0), symbols.bytes(n.1)));
        (into.label, into.label_plural) = largest.unwrap_or_default();
    }
    let lists = topologies.iter().map(|t| &t.controls);
    into.controls = list::by_key(lists, |run| greatest(run, |c| control_order(&c.1, symbols)));
    let lists = topologies.iter().map(|t| &t.metadata_templates);
    into.metadata_templates = list::by_key(lists, |run| {
        greatest(run, |t| metadata_order(&t.1, symbols))
    });
    let lists = topologies.iter().map(|t| &t.metric_templates);
    into.metric_templates =
        list::by_key(lists, |run| greatest(run, |t| metric_order(&t.1, symbols)));
    let lists = topologies.iter().map(|t| &t.table_templates);
    into.table_templates = list::by_key(lists, |run| table(run, symbols));
}

/// The plugins of all reports.
pub(super) fn plugins(reports: &[&Report], symbols: &Symbols) -> Vec<Plugin> {
    let lists = reports.iter().map(|r| &r.plugins);
    list::by_key(lists, |run| greatest(run, |p| plugin_order(p, symbols)))
}

fn known_or_largest(known: Sym, said: impl Iterator<Item = Sym>, symbols: &Symbols) -> Sym {
    if !known.is_empty() {
        return known;
    }
    said.reduce(|a, b| largest(a, b, symbols))
        .unwrap_or_default()
}

fn largest(a: Sym, b: Sym, symbols: &Symbols) -> Sym {
    if symbols.bytes(b) > symbols.bytes(a) {
        b
    } else {
        a
    }
}

fn greatest<T: Clone, K: Ord>(run: &[&T], order: impl Fn(&T) -> K) -> T {
    let best = run.iter().max_by_key(|item| order(item));
    best.map_or_else(|| run[0].clone(), |item| (*item).clone())
}

fn control_order<'a>(c: &Control, symbols: &'a Symbols) -> ([&'a [u8]; 5], i64) {
    let texts = [c.id, c.human, c.icon, c.confirmation, c.probe_id];
    (texts.map(|s| symbols.bytes(s)), c.rank)
}

fn metadata_order<'a>(t: &MetadataTemplate, symbols: &'a Symbols) -> (Ordered, [&'a [u8]; 4], i64) {
    let texts = [t.id, t.label, t.data_type, t.from];
    (
        Ordered(t.priority),
        texts.map(|s| symbols.bytes(s)),
        t.truncate,
    )
}

fn metric_order<'a>(t: &MetricTemplate, symbols: &'a Symbols) -> (Ordered, [&'a [u8]; 4]) {
    let texts = [t.id, t.label, t.format, t.group];
    (Ordered(t.priority), texts.map(|s| symbols.bytes(s)))
}

/// A plugin that fails somewhere is shown as failing.
fn plugin_order<'a>(p: &Plugin, symbols: &'a Symbols) -> (bool, [&'a [u8]; 5], Vec<&'a [u8]>) {
    let fails = symbols.bytes(p.status).starts_with(b"error");
    let texts = [p.id, p.label, p.description, p.api_version, p.status];
    let interfaces = p.interfaces.iter().map(|&s| symbols.bytes(s)).collect();
    (fails, texts.map(|s| symbols.bytes(s)), interfaces)
}

fn table(run: &[&(Sym, TableTemplate)], symbols: &Symbols) -> (Sym, TableTemplate) {
    let pick = |field: fn(&TableTemplate) -> Sym| {
        let values = run.iter().map(|t| field(&t.1));
        values
            .reduce(|a, b| largest(a, b, symbols))
            .unwrap_or_default()
    };
    let column = |c: &TableColumn| [c.id, c.label, c.data_type].map(|s| symbols.bytes(s));
    let columns = run.iter().map(|t| &t.1.columns);
    let columns = columns.max_by_key(|c| (c.len(), c.iter().map(column).collect::<Vec<_>>()));
    let row = |r: &(Sym, Sym)| (symbols.bytes(r.0), symbols.bytes(r.1));
    let rows = run.iter().map(|t| &t.1.fixed_rows);
    let rows = rows.max_by_key(|rows| {
        let mut sorted: Vec<_> = rows.iter().map(row).collect();
        sorted.sort_unstable();
        (sorted.len(), sorted)
    });
    let template = TableTemplate {
        id: pick(|t| t.id),
        label: pick(|t| t.label),
        prefix: pick(|t| t.prefix),
        kind: pick(|t| t.kind),
        columns: columns.cloned().unwrap_or_default(),
        fixed_rows: rows.cloned().unwrap_or_default(),
    };
    (run[0].0, template)
}

/// A number in its total order.
#[derive(PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
