//! Nodes as they are shown in lists: a name, the important facts, links and edges.

mod basic;
mod fingerprint;
mod rows;
mod summarizer;
mod table_keys;
mod tables;
mod templates;

use std::borrow::Cow;

use crate::model::Sample;

pub(crate) use summarizer::{ParentLabels, Samples, Summarizer, shown_in};
pub(crate) use templates::Templates;

/// A string of a report: bytes that may not be UTF-8.
pub type Text<'a> = Cow<'a, [u8]>;

/// A node as it appears in a topology.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary<'a> {
    /// Unique within the topology.
    pub id: &'a [u8],
    /// The name.
    pub label: Text<'a>,
    /// A second, smaller line; may be empty.
    pub label_minor: Text<'a>,
    /// Nodes of like rank belong together.
    pub rank: Text<'a>,
    /// `hexagon`, …
    pub shape: &'a [u8],
    /// A mark on the shape, or empty.
    pub tag: &'a [u8],
    /// It stands for several things.
    pub stack: bool,
    /// It stands for something that no probe reports.
    pub pseudo: bool,
    /// Facts, by ascending priority.
    pub metadata: Vec<MetadataRow<'a>>,
    /// What it belongs to.
    pub parents: Vec<Parent<'a>>,
    /// Measurements, by ascending priority.
    pub metrics: Vec<MetricRow<'a>>,
    /// Lists of facts, ordered by id.
    pub tables: Vec<Table<'a>>,
    /// The ids of nodes that it connects to, ordered.
    pub adjacency: Vec<&'a [u8]>,
    /// Only probes that are late have reported it.
    pub stale: bool,
}

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRow<'a> {
    /// `cmdline`, …
    pub id: &'a [u8],
    /// For display; empty in connections.
    pub label: &'a [u8],
    /// As text.
    pub value: Text<'a>,
    /// Rows below 10 are the important ones; 0 if unknown.
    pub priority: f64,
    /// Empty for text, else `number`, `ip`, `datetime` or `duration`.
    pub data_type: &'a [u8],
    /// Show this many characters only; 0 for all.
    pub truncate: i64,
}

/// Something that a node belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent<'a> {
    /// The parent's id.
    pub id: &'a [u8],
    /// The parent's name.
    pub label: Text<'a>,
    /// The topology it is shown in.
    pub topology_id: &'static str,
}

/// A measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow<'a> {
    /// `docker_cpu_total_usage`, …
    pub id: &'a [u8],
    /// For display.
    pub label: &'a [u8],
    /// `percent`, `filesize`, `integer`, or empty.
    pub format: &'a [u8],
    /// Metrics of one group share a scale; may be empty.
    pub group: &'a [u8],
    /// The newest sample, cut to two decimals; 0 if there is none.
    pub value: f64,
    /// There is no value, only a link.
    pub value_empty: bool,
    /// Rows below 10 are the important ones.
    pub priority: f64,
    /// Ascending by time; empty in lists.
    pub samples: Cow<'a, [Sample]>,
    /// The smallest value of the scale.
    pub min: f64,
    /// The largest value of the scale.
    pub max: f64,
    /// A link to a graph of it, or empty.
    pub url: Text<'a>,
}

/// A list of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<'a> {
    /// Its key.
    pub id: &'a [u8],
    /// For display.
    pub label: &'a [u8],
    /// `property-list` or `multicolumn-table`.
    pub kind: &'a [u8],
    /// Of a multi-column table.
    pub columns: Vec<Column<'a>>,
    /// Ordered by id.
    pub rows: Vec<Row<'a>>,
    /// How many rows the probe left out.
    pub truncation_count: i64,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// The key of its cells.
    pub id: &'a [u8],
    /// For display.
    pub label: &'a [u8],
    /// As in [`MetadataRow`].
    pub data_type: &'a [u8],
    /// Sort by it at first.
    pub default_sort: bool,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// Unique within the table.
    pub id: Text<'a>,
    /// Cells by column id, ordered.
    pub entries: Vec<(&'a [u8], &'a [u8])>,
}
