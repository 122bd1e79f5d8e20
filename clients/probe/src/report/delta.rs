//! Deltas: what of a report the last full one does not say already.

use super::{Kind, Node, Nodes, Report};

impl Report {
    /// Makes this a delta to `base`, the last full report that the app took.
    pub(crate) fn subtract(mut self, base: &Report) -> Report {
        self.kind = Kind::Delta;
        subtract(&mut self.endpoint, &base.endpoint);
        subtract(&mut self.process, &base.process);
        subtract(&mut self.container, &base.container);
        subtract(&mut self.container_image, &base.container_image);
        subtract(&mut self.host, &base.host);
        subtract(&mut self.overlay, &base.overlay);
        self
    }
}

fn subtract(nodes: &mut Nodes, base: &Nodes) {
    nodes.retain(|id, node| base.get(id).is_none_or(|base| amends(node, base)));
}

/// Reduces `node` to what differs from `base`; false when nothing does.
fn amends(node: &mut Node, base: &Node) -> bool {
    if node.topology != base.topology {
        return true;
    }
    node.topology = "";
    let same_latest = node.latest.len() == base.latest.len()
        && node
            .latest
            .iter()
            .zip(&base.latest)
            .all(|((k, v), (bk, bv))| k == bk && v.value == bv.value);
    if same_latest {
        node.latest.clear();
    }
    if node.sets == base.sets {
        node.sets.clear();
    }
    if node.parents == base.parents {
        node.parents.clear();
    }
    if node.adjacency == base.adjacency {
        node.adjacency.clear();
    }
    !(node.latest.is_empty()
        && node.sets.is_empty()
        && node.parents.is_empty()
        && node.adjacency.is_empty()
        && node.metrics.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::report::Metric;

    fn process(seconds: u64, name: &'static str) -> Node {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut node = Node::new("process");
        node.latest("name", now, name);
        node.on_host(now, "h;<host>");
        let mut metric = Metric::default();
        metric.push(now, seconds as f64);
        node.metric("process_cpu_usage_percent", metric.drain(None));
        node
    }

    fn report(seconds: u64) -> Report {
        let mut report = Report::new(
            Kind::Full,
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        );
        report
            .process
            .insert("h;1".into(), process(seconds, "init"));
        report
            .endpoint
            .insert(";10.0.0.1;80".into(), Node::new("endpoint"));
        report
    }

    #[test]
    fn unchanged_node_keeps_only_its_metrics() {
        let delta = report(2).subtract(&report(1));
        assert_eq!(delta.kind, Kind::Delta);
        let node = &delta.process["h;1"];
        assert_eq!(node.topology, "");
        assert!(node.latest.is_empty() && node.parents.is_empty());
        assert_eq!(node.metrics.len(), 1);
    }

    #[test]
    fn unchanged_node_without_metrics_vanishes() {
        assert!(report(2).subtract(&report(1)).endpoint.is_empty());
    }

    #[test]
    fn changed_part_is_sent_whole() {
        let mut next = report(2);
        next.process.insert("h;1".into(), process(2, "systemd"));
        next.endpoint
            .get_mut(";10.0.0.1;80")
            .expect("was inserted")
            .adjacency
            .insert(";10.0.0.2;443".into());
        let delta = next.subtract(&report(1));
        let node = &delta.process["h;1"];
        assert_eq!(
            (node.topology, node.latest.len(), node.parents.len()),
            ("", 2, 0)
        );
        let endpoint = &delta.endpoint[";10.0.0.1;80"];
        assert_eq!((endpoint.topology, endpoint.adjacency.len()), ("", 1));
    }

    #[test]
    fn new_node_is_sent_whole() {
        let mut next = report(2);
        next.process.insert("h;2".into(), process(2, "bash"));
        let delta = next.subtract(&report(1));
        assert_eq!(delta.process["h;2"], process(2, "bash"));
    }
}
