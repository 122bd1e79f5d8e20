//! A report as bytes.

use std::collections::BTreeMap;

use rand::Rng as _;

use super::msgpack::Writer;
use super::templates::{Control, Metadata, MetricTemplate, TOPOLOGIES, Table, Topology};
use super::{Kind, Metric, Node, Nodes, Report, StringSet};

impl Report {
    /// The report in Scope's msgpack.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let nodes = self.endpoint.len() + self.process.len() + self.container.len();
        let mut writer = Writer::with_capacity(8 * 1024 + nodes * 512);
        let out = &mut writer;
        out.map(29 + usize::from(!self.dns.is_empty()));
        out.str("TS");
        match self.kind {
            Kind::Shortcut => out.zero_time(),
            Kind::Full | Kind::Delta => out.time(self.timestamp),
        }
        for topology in &TOPOLOGIES {
            out.str(topology.key);
            self.topology(out, topology);
        }
        if !self.dns.is_empty() {
            out.str("DNS");
            dns(out, &self.dns);
        }
        out.str("Sampling");
        out.map(2);
        out.str("Count");
        out.uint(0);
        out.str("Total");
        out.uint(0);
        out.str("Window");
        out.uint(u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX));
        out.str("Shortcut");
        out.bool(self.kind == Kind::Shortcut);
        out.str("Plugins");
        out.array(0);
        out.str("ID");
        out.str(&(rand::rng().random::<u64>() >> 1).to_string());
        writer.into_bytes()
    }

    fn topology(&self, out: &mut Writer, topology: &Topology) {
        const NONE: &Nodes = &Nodes::new();
        let nodes = match topology.key {
            "Endpoint" => &self.endpoint,
            "Process" => &self.process,
            "Container" => &self.container,
            "ContainerImage" => &self.container_image,
            "Host" => &self.host,
            "Overlay" => &self.overlay,
            _ => NONE,
        };
        let full = self.kind == Kind::Full;
        let looks: &[(&str, &str)] = &[
            ("shape", topology.shape),
            ("tag", topology.tag),
            ("label", topology.label),
            ("label_plural", topology.label_plural),
        ];
        let looks = if self.kind == Kind::Delta { &[] } else { looks };
        let controls =
            self.controls && self.kind != Kind::Shortcut && !topology.controls.is_empty();
        // Templates of a topology without nodes would only cost bytes.
        let templates = full && !nodes.is_empty();
        let metadata = templates && !topology.metadata.is_empty();
        let metrics = templates && !topology.metrics.is_empty();
        let tables = templates && !topology.tables.is_empty();
        out.map(
            looks.iter().filter(|(_, value)| !value.is_empty()).count()
                + [!nodes.is_empty(), controls, metadata, metrics, tables]
                    .map(usize::from)
                    .iter()
                    .sum::<usize>(),
        );
        for (key, value) in looks {
            text(out, key, value);
        }
        if !nodes.is_empty() {
            out.str("nodes");
            out.map(nodes.len());
            for (id, value) in nodes {
                out.str(id);
                node(out, id, value);
            }
        }
        if controls {
            keyed(out, "controls", topology.controls, |item| item.id, control);
        }
        if metadata {
            keyed(
                out,
                "metadata_templates",
                topology.metadata,
                |item| item.id,
                metadata_template,
            );
        }
        if metrics {
            keyed(
                out,
                "metric_templates",
                topology.metrics,
                |item| item.id,
                metric_template,
            );
        }
        if tables {
            keyed(
                out,
                "table_templates",
                topology.tables,
                |item| item.id,
                table_template,
            );
        }
    }
}

/// A pair, unless the value is blank.
fn text(out: &mut Writer, key: &str, value: &str) {
    if !value.is_empty() {
        out.str(key);
        out.str(value);
    }
}

fn keyed<T>(
    out: &mut Writer,
    name: &str,
    items: &[T],
    id: fn(&T) -> &str,
    write: fn(&mut Writer, &T),
) {
    out.str(name);
    out.map(items.len());
    for item in items {
        out.str(id(item));
        write(out, item);
    }
}

/// A node. One that only amends another (it has no topology) does not repeat its id either.
fn node(out: &mut Writer, id: &str, node: &Node) {
    let whole = !node.topology.is_empty();
    let optional = [
        !node.adjacency.is_empty(),
        !node.latest.is_empty(),
        !node.metrics.is_empty(),
    ];
    out.map(3 + if whole { 2 } else { 0 } + optional.map(usize::from).iter().sum::<usize>());
    if whole {
        out.str("id");
        out.str(id);
        out.str("topology");
        out.str(node.topology);
    }
    out.str("sets");
    sets(out, &node.sets);
    if !node.adjacency.is_empty() {
        out.str("adjacency");
        strings(out, &node.adjacency);
    }
    if !node.latest.is_empty() {
        out.str("latest");
        out.map(node.latest.len());
        for (key, latest) in &node.latest {
            out.str(key);
            out.map(2);
            out.str("timestamp");
            out.time(latest.timestamp);
            out.str("value");
            out.str(&latest.value);
        }
    }
    if !node.metrics.is_empty() {
        out.str("metrics");
        out.map(node.metrics.len());
        for (key, value) in &node.metrics {
            out.str(key);
            metric(out, value);
        }
    }
    out.str("parents");
    sets(out, &node.parents);
    out.str("children");
    out.nil();
}

fn sets(out: &mut Writer, sets: &BTreeMap<&'static str, StringSet>) {
    if sets.is_empty() {
        return out.nil();
    }
    out.map(sets.len());
    for (key, set) in sets {
        out.str(key);
        strings(out, set);
    }
}

fn strings(out: &mut Writer, set: &StringSet) {
    if set.is_empty() {
        return out.nil();
    }
    out.array(set.len());
    for value in set {
        out.str(value);
    }
}

fn metric(out: &mut Writer, metric: &Metric) {
    out.map(3);
    out.str("samples");
    out.array(metric.samples.len());
    for (date, value) in &metric.samples {
        out.map(2);
        out.str("date");
        out.time(*date);
        out.str("value");
        out.f64(*value);
    }
    out.str("min");
    out.f64(metric.min);
    out.str("max");
    out.f64(metric.max);
}

fn dns(out: &mut Writer, records: &BTreeMap<String, StringSet>) {
    out.map(records.len());
    for (address, names) in records {
        out.str(address);
        out.map(usize::from(!names.is_empty()));
        if !names.is_empty() {
            out.str("reverse");
            strings(out, names);
        }
    }
}

fn control(out: &mut Writer, control: &Control) {
    out.map(4);
    text(out, "id", control.id);
    text(out, "human", control.human);
    text(out, "icon", control.icon);
    out.str("rank");
    out.uint(control.rank);
}

fn metadata_template(out: &mut Writer, row: &Metadata) {
    out.map(4 + usize::from(!row.data_type.is_empty()) + usize::from(row.truncate > 0));
    text(out, "id", row.id);
    text(out, "label", row.label);
    if row.truncate > 0 {
        out.str("truncate");
        out.uint(row.truncate);
    }
    text(out, "dataType", row.data_type);
    out.str("priority");
    out.f64(row.priority);
    text(out, "from", row.from);
}

fn metric_template(out: &mut Writer, metric: &MetricTemplate) {
    out.map(3 + usize::from(!metric.format.is_empty()) + usize::from(!metric.group.is_empty()));
    text(out, "id", metric.id);
    text(out, "label", metric.label);
    text(out, "format", metric.format);
    text(out, "group", metric.group);
    out.str("priority");
    out.f64(metric.priority);
}

fn table_template(out: &mut Writer, table: &Table) {
    out.map(6);
    for (key, value) in [
        ("id", table.id),
        ("label", table.label),
        ("prefix", table.prefix),
        ("type", "property-list"),
    ] {
        out.str(key);
        out.str(value);
    }
    out.str("columns");
    out.nil();
    out.str("fixedRows");
    out.map(table.fixed_rows.len());
    for (key, label) in table.fixed_rows {
        out.str(key);
        out.str(label);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn node_is_the_reference_vector() {
        let mut value = Node::new("process");
        value.latest("k", SystemTime::UNIX_EPOCH + Duration::from_secs(1000), "A");
        let mut out = Writer::default();
        node(&mut out, "a;1", &value);
        let hex: String = out
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let expected = "86 a26964 a3613b31 a8746f706f6c6f6779 a770726f63657373 a473657473 c0 a66c6174657374 81 a16b 82 \
                        a974696d657374616d70 af010000000e7791fae8000000000000 a576616c7565 a141 a7706172656e7473 c0 \
                        a86368696c6472656e c0";
        assert_eq!(hex, expected.replace(' ', ""));
    }

    #[test]
    fn report_starts_as_scope_ones_do() {
        let mut report = Report::new(Kind::Full, SystemTime::UNIX_EPOCH);
        assert_eq!(report.encode()[..6], [0xde, 0, 29, 0xa2, b'T', b'S']);
        report.dns.insert("10.0.0.1".into(), StringSet::new());
        assert_eq!(report.encode()[..3], [0xde, 0, 30]);
    }

    #[test]
    fn every_topology_is_written_in_every_kind() {
        for kind in [Kind::Full, Kind::Delta, Kind::Shortcut] {
            let bytes = Report::new(kind, SystemTime::UNIX_EPOCH).encode();
            for topology in &TOPOLOGIES {
                let key = topology.key.as_bytes();
                assert!(
                    bytes.windows(key.len()).any(|window| window == key),
                    "{} in {kind:?}",
                    topology.key
                );
            }
        }
    }
}
