//! A report: what one probe sent, or what many reports say together.
//!
//! **Invariant:** every list keyed by a [`Sym`] is sorted by that number and has no duplicates, so that two of them merge
//! in one pass. What is shown to people is sorted by the strings, when it is written.

use std::sync::Arc;

use crate::kind::{KINDS, Kind};
use crate::symbol::{Sym, Symbols};
use crate::time::Timestamp;

/// A report.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// When it was generated; of several, the earliest.
    pub ts: Timestamp,
    /// One per [`Kind`], in that order.
    pub topologies: Vec<Topology>,
    /// By textual IP address.
    pub dns: Vec<(Sym, DnsRecord)>,
    /// `DNS` under the name `nodes`, as release 1.11.6 sent it by accident.
    pub misnamed_dns: Vec<(Sym, DnsRecord)>,
    /// Packets seen and sampled; always 0 from current probes.
    pub sampling: Sampling,
    /// Nanoseconds that the report covers.
    pub window: i64,
    /// Sent at once because of an event, and only about what changed.
    pub shortcut: bool,
    /// The probe's plugins, by id.
    pub plugins: Vec<Plugin>,
    /// Chosen by the sender; means nothing to us.
    pub id: Sym,
    /// When we received it; of several, the last. Never on the wire.
    pub received: Timestamp,
    /// Some facts claim to be from long after that: the sender's clock is wrong. Never on the wire.
    pub ahead: bool,
}

impl Report {
    /// What a report is before anything is said: shapes and nouns, no nodes.
    #[must_use]
    pub fn fresh(symbols: &mut Symbols) -> Self {
        let topology = |kind: Kind| {
            let facts = kind.facts();
            Topology {
                shape: symbols.intern(facts.shape),
                tag: symbols.intern(facts.tag),
                label: symbols.intern(facts.label),
                label_plural: symbols.intern(facts.label_plural),
                ..Topology::default()
            }
        };
        Report {
            topologies: KINDS.into_iter().map(topology).collect(),
            ..Report::default()
        }
    }

    /// The topology of this kind.
    #[must_use]
    pub fn topology(&self, kind: Kind) -> &Topology {
        &self.topologies[kind as usize]
    }

    /// The topology of this kind, to change.
    pub fn topology_mut(&mut self, kind: Kind) -> &mut Topology {
        &mut self.topologies[kind as usize]
    }

    /// All topologies with their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &Topology)> {
        KINDS.iter().copied().zip(&self.topologies)
    }
}

/// Nodes of one kind and how to present them.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// `hexagon`, …; empty in deltas.
    pub shape: Sym,
    /// `camera`, or empty.
    pub tag: Sym,
    /// `container`; empty in deltas.
    pub label: Sym,
    /// `containers`.
    pub label_plural: Sym,
    /// By [`Node::id`].
    pub nodes: Vec<Arc<Node>>,
    /// What can be done to its nodes, by id.
    pub controls: Vec<(Sym, Control)>,
    /// How to present facts, by id.
    pub metadata_templates: Vec<(Sym, MetadataTemplate)>,
    /// How to present metrics, by id.
    pub metric_templates: Vec<(Sym, MetricTemplate)>,
    /// How to present lists of facts, by id.
    pub table_templates: Vec<(Sym, TableTemplate)>,
}

impl Topology {
    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: Sym) -> Option<&Arc<Node>> {
        let i = self.nodes.binary_search_by_key(&id, |n| n.id).ok()?;
        Some(&self.nodes[i])
    }
}

/// Strings by key, each list sorted by number.
pub type Sets = Vec<(Sym, Vec<Sym>)>;

/// Something that a probe reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// Its key in the topology. (The wire's own `id` member is redundant and dropped.)
    pub id: Sym,
    /// The wire name of its topology. Empty while only deltas have mentioned the node: not to be shown yet.
    pub topology: Sym,
    /// The wire had an `id` member; kept to write the raw report as it came.
    pub has_id: bool,
    /// Facts that are sets.
    pub sets: Sets,
    /// Ids of nodes of the same topology that it connects to.
    pub adjacency: Vec<Sym>,
    /// Facts, by key.
    pub latest: Vec<Latest>,
    /// Measurements, by id.
    pub metrics: Vec<(Sym, Metric)>,
    /// Ids of what it belongs to, by topology name.
    pub parents: Sets,
    /// Never sent by probes; decoded because the format has them.
    pub children: Vec<Node>,
    /// Only probes that are late have reported it. Never on the wire.
    pub stale: bool,
}

impl Node {
    /// The fact with this key.
    #[must_use]
    pub fn latest(&self, key: Sym) -> Option<Sym> {
        self.latest_entry(key).map(|e| e.value)
    }

    /// The fact with this key, and when it was true.
    #[must_use]
    pub fn latest_entry(&self, key: Sym) -> Option<&Latest> {
        let i = self.latest.binary_search_by_key(&key, |e| e.key).ok()?;
        Some(&self.latest[i])
    }

    /// The set with this key; empty if there is none.
    #[must_use]
    pub fn set(&self, key: Sym) -> &[Sym] {
        lookup(&self.sets, key)
    }

    /// Its parents in the topology of this wire name.
    #[must_use]
    pub fn parents(&self, topology: Sym) -> &[Sym] {
        lookup(&self.parents, topology)
    }
}

fn lookup(sets: &Sets, key: Sym) -> &[Sym] {
    match sets.binary_search_by_key(&key, |s| s.0) {
        Ok(i) => &sets[i].1,
        Err(_) => &[],
    }
}

/// A fact: the newest value wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest {
    /// `docker_container_name`, …
    pub key: Sym,
    /// Always a string.
    pub value: Sym,
    /// When it was true.
    pub timestamp: Timestamp,
}

/// Measurements of one thing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metric {
    /// Ascending by time, unless a single sender did not send them so.
    pub samples: Vec<Sample>,
    /// The smallest value of the scale.
    pub min: f64,
    /// The largest value of the scale, often a capacity.
    pub max: f64,
}

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When.
    pub date: Timestamp,
    /// What.
    pub value: f64,
}

/// The names of an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsRecord {
    /// Seen in DNS answers.
    pub forward: Vec<Sym>,
    /// From reverse look-ups.
    pub reverse: Vec<Sym>,
}

/// Packets seen and sampled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sampling {
    /// Packets sampled.
    pub count: u64,
    /// Packets seen.
    pub total: u64,
}

/// A plugin of a probe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plugin {
    /// Unique within a probe.
    pub id: Sym,
    /// For display.
    pub label: Sym,
    /// For display.
    pub description: Sym,
    /// `reporter`, `controller`.
    pub interfaces: Vec<Sym>,
    /// Of the plugin protocol.
    pub api_version: Sym,
    /// `ok` or `error: …`.
    pub status: Sym,
}

/// Something that can be done to a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// `docker_stop_container`, …
    pub id: Sym,
    /// For display.
    pub human: Sym,
    /// Font Awesome class names.
    pub icon: Sym,
    /// The question to ask first, or empty.
    pub confirmation: Sym,
    /// Its place among the others.
    pub rank: i64,
    /// Overrides the node's probe, or empty.
    pub probe_id: Sym,
}

/// How to present a fact.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetadataTemplate {
    /// The fact's key.
    pub id: Sym,
    /// For display.
    pub label: Sym,
    /// Show this many characters only; 0 for all.
    pub truncate: i64,
    /// Empty, `number`, `ip`, `datetime` or `duration`.
    pub data_type: Sym,
    /// Small numbers first.
    pub priority: f64,
    /// `latest`, `sets`, `counters`, or empty for the first that has it.
    pub from: Sym,
}

/// How to present a metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricTemplate {
    /// The metric's key.
    pub id: Sym,
    /// For display.
    pub label: Sym,
    /// Empty, `filesize`, `integer` or `percent`.
    pub format: Sym,
    /// Metrics of one group share a scale.
    pub group: Sym,
    /// Small numbers first.
    pub priority: f64,
}

/// How to present a list of facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableTemplate {
    /// The table's key.
    pub id: Sym,
    /// For display.
    pub label: Sym,
    /// Facts whose key begins so are rows.
    pub prefix: Sym,
    /// `property-list`, `multicolumn-table`, or empty for the former.
    pub kind: Sym,
    /// In order of display.
    pub columns: Vec<TableColumn>,
    /// Row labels by the fact's key.
    pub fixed_rows: Vec<(Sym, Sym)>,
}

/// A column of a multi-column table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableColumn {
    /// The key of its cells.
    pub id: Sym,
    /// For display.
    pub label: Sym,
    /// As in [`MetadataTemplate`].
    pub data_type: Sym,
}
