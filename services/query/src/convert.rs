//! What the engine renders, as messages.

use bytes::Bytes;
use prost::Message;
use proto::encoded::query::v1 as pb;
use report::Timestamp;
use report::catalogue::{OptionGroup, TopologyInfo};
use report::details::{ChildGroup, ConnectionTable, ControlInstance, Details};
use report::model::Sample;
use report::summary::{Column, MetadataRow, MetricRow, Summary, Table};
use report::time::UNIX_EPOCH;
use report::view::ProbeInfo;

/// How much of a node is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Detail {
    /// Everything.
    Full,
    /// Neither metadata nor tables.
    Map,
    /// No tables.
    Table,
}

impl From<pb::NodeView> for Detail {
    fn from(view: pb::NodeView) -> Self {
        match view {
            pb::NodeView::Unspecified => Detail::Full,
            pb::NodeView::Map => Detail::Map,
            pb::NodeView::Table => Detail::Table,
        }
    }
}

/// Text for protobuf, whose strings are UTF-8; bytes that are not become U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn encode_summary(summary: &Summary<'_>, detail: Detail) -> Bytes {
    self::summary(summary, detail).encode_to_vec().into()
}

pub(crate) fn summary(summary: &Summary<'_>, detail: Detail) -> pb::NodeSummary {
    let metadata = match detail {
        Detail::Map => Vec::new(),
        Detail::Full | Detail::Table => summary.metadata.iter().map(metadata_row).collect(),
    };
    let tables = match detail {
        Detail::Map | Detail::Table => Vec::new(),
        Detail::Full => summary.tables.iter().map(table).collect(),
    };
    let parents = summary.parents.iter().map(|parent| pb::Parent {
        id: text(parent.id),
        label: text(&parent.label),
        topology_id: parent.topology_id.to_owned(),
    });
    pb::NodeSummary {
        id: text(summary.id),
        label: text(&summary.label),
        label_minor: text(&summary.label_minor),
        rank: text(&summary.rank),
        shape: shape(summary.shape).into(),
        tag: text(summary.tag),
        stack: summary.stack,
        pseudo: summary.pseudo,
        metadata,
        parents: parents.collect(),
        metrics: summary.metrics.iter().map(metric).collect(),
        tables,
        adjacency: summary.adjacency.iter().map(|id| text(id)).collect(),
        stale: summary.stale,
    }
}

fn shape(name: &[u8]) -> pb::Shape {
    match name {
        b"circle" => pb::Shape::Circle,
        b"triangle" => pb::Shape::Triangle,
        b"dottedtriangle" => pb::Shape::DottedTriangle,
        b"square" => pb::Shape::Square,
        b"pentagon" => pb::Shape::Pentagon,
        b"hexagon" => pb::Shape::Hexagon,
        b"heptagon" => pb::Shape::Heptagon,
        b"octagon" => pb::Shape::Octagon,
        b"cloud" => pb::Shape::Cloud,
        b"cylinder" => pb::Shape::Cylinder,
        b"dottedcylinder" => pb::Shape::DottedCylinder,
        // Probes before 1.10 say `storagesheet`.
        b"sheet" | b"storagesheet" => pb::Shape::Sheet,
        _ => pb::Shape::Unspecified,
    }
}

fn metadata_row(row: &MetadataRow<'_>) -> pb::MetadataRow {
    pb::MetadataRow {
        id: text(row.id),
        label: text(row.label),
        value: text(&row.value),
        priority: row.priority,
        data_type: text(row.data_type),
        truncate: u32::try_from(row.truncate).unwrap_or(0),
    }
}

fn metric(row: &MetricRow<'_>) -> pb::Metric {
    pb::Metric {
        id: text(row.id),
        label: text(row.label),
        format: text(row.format),
        group: text(row.group),
        value: row.value,
        min: row.min,
        max: row.max,
        samples: row.samples.iter().map(sample).collect(),
        priority: row.priority,
        url: text(&row.url),
        value_empty: row.value_empty,
    }
}

fn sample(sample: &Sample) -> pb::Sample {
    pb::Sample {
        date: Some(timestamp(sample.date)),
        value: sample.value,
    }
}

pub(crate) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.seconds.saturating_sub(UNIX_EPOCH),
        nanos: i32::try_from(time.nanos).unwrap_or(0),
    }
}

fn table(table: &Table<'_>) -> pb::Table {
    let rows = table.rows.iter().map(|row| pb::TableRow {
        id: text(&row.id),
        entries: row
            .entries
            .iter()
            .map(|(column, cell)| (text(column), text(cell)))
            .collect(),
    });
    pb::Table {
        id: text(table.id),
        label: text(table.label),
        r#type: text(table.kind),
        columns: table.columns.iter().map(column).collect(),
        rows: rows.collect(),
        truncation_count: u32::try_from(table.truncation_count).unwrap_or(0),
    }
}

fn column(column: &Column<'_>) -> pb::Column {
    pb::Column {
        id: text(column.id),
        label: text(column.label),
        data_type: text(column.data_type),
        default_sort: column.default_sort,
    }
}

pub(crate) fn details(details: &Details<'_>) -> pb::NodeDetails {
    let mut controls: Vec<_> = details.controls.iter().map(control).collect();
    controls.sort_by(|a, b| (a.rank, &a.id).cmp(&(b.rank, &b.id)));
    pb::NodeDetails {
        summary: Some(summary(&details.summary, Detail::Full)),
        controls,
        children: details.children.iter().map(child_group).collect(),
        incoming: Some(connections(&details.incoming)),
        outgoing: Some(connections(&details.outgoing)),
    }
}

fn control(control: &ControlInstance<'_>) -> pb::ControlInstance {
    pb::ControlInstance {
        probe_id: text(control.probe_id),
        node_id: text(control.node_id),
        id: text(control.id),
        label: text(control.human),
        icon: text(control.icon),
        confirmation: text(control.confirmation),
        rank: i32::try_from(control.rank).unwrap_or(i32::MAX),
    }
}

fn child_group(group: &ChildGroup<'_>) -> pb::ChildGroup {
    let nodes = group.nodes.iter().map(|node| summary(node, Detail::Full));
    pb::ChildGroup {
        label: text(group.label),
        topology_id: group.topology_id.to_owned(),
        columns: group.columns.iter().map(column).collect(),
        nodes: nodes.collect(),
    }
}

fn connections(table: &ConnectionTable<'_>) -> pb::ConnectionTable {
    let rows = table.connections.iter().map(|row| pb::Connection {
        id: text(&row.id),
        node_id: text(row.node_id),
        label: text(&row.label),
        label_minor: text(&row.label_minor),
        metadata: row.metadata.iter().map(metadata_row).collect(),
    });
    pb::ConnectionTable {
        columns: table.columns.iter().map(column).collect(),
        connections: rows.collect(),
    }
}

/// The topologies in list order: each parent, then its variants.
pub(crate) fn topologies(infos: &[TopologyInfo<'_>]) -> Vec<pb::Topology> {
    let mut sorted: Vec<_> = infos.iter().collect();
    sorted.sort_by_key(|info| (info.rank, info.name));
    let mut out = Vec::new();
    for info in sorted {
        out.push(topology(info, ""));
        out.extend(info.sub_topologies.iter().map(|sub| topology(sub, info.id)));
    }
    out
}

fn topology(info: &TopologyInfo<'_>, parent: &str) -> pb::Topology {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    pb::Topology {
        id: info.id.to_owned(),
        name: info.name.to_owned(),
        rank: info.rank,
        parent_id: parent.to_owned(),
        hide_if_empty: info.hide_if_empty,
        option_groups: info.option_groups.iter().map(option_group).collect(),
        stats: Some(pb::TopologyStats {
            nodes: count(info.stats.nodes),
            real_nodes: count(info.stats.real_nodes),
            edges: count(info.stats.edges),
            filtered_nodes: count(info.stats.filtered_nodes),
        }),
    }
}

fn option_group(group: &OptionGroup<'_>) -> pb::OptionGroup {
    let options = group.options.iter().map(|choice| pb::Option {
        value: text(choice.value),
        label: text(choice.label),
    });
    pb::OptionGroup {
        id: group.id.to_owned(),
        default_value: group.default_value.to_owned(),
        options: options.collect(),
        multiple: group.multiple,
        none_label: group.none_label.to_owned(),
    }
}

pub(crate) fn probe(probe: &ProbeInfo<'_>) -> pb::Probe {
    pb::Probe {
        id: text(probe.id),
        hostname: text(probe.hostname),
        version: text(probe.version),
        last_seen: Some(timestamp(probe.last_seen)),
        stale: probe.stale,
    }
}
