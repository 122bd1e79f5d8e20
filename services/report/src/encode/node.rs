//! Reports, topologies and nodes.

use super::Censor;
use super::out::Out;
use crate::kind::DECLARED;
use crate::model::{Latest, Metric, Node, Report, Sets, Topology};
use crate::symbol::{Sym, Symbols};

const ENVIRONMENT: &[u8] = b"docker_env_";

/// Writes a report into a syntax.
pub(super) struct Encoder<'a, O> {
    pub(super) out: O,
    symbols: &'a Symbols,
    censor: Censor,
    /// Keys of facts that are command lines.
    commands: [Option<Sym>; 2],
}

impl<'a, O: Out> Encoder<'a, O> {
    pub(super) fn new(out: O, symbols: &'a Symbols, censor: Censor) -> Self {
        let commands = ["cmdline", "docker_container_command"];
        Encoder {
            out,
            symbols,
            censor,
            commands: commands.map(|key| symbols.find(key)),
        }
    }

    pub(super) fn report(&mut self, report: &Report) {
        let optional = [&report.dns, &report.misnamed_dns].map(|dns| usize::from(!dns.is_empty()));
        self.out.map(29 + optional[0] + optional[1]);
        self.out.key(b"TS");
        self.out.time(report.ts);
        for kind in DECLARED {
            self.out.key(kind.facts().report_key.as_bytes());
            match report.topologies.get(kind as usize) {
                Some(topology) => self.topology(topology),
                None => self.topology(&Topology::default()),
            }
        }
        for (name, dns) in [("DNS", &report.dns), ("nodes", &report.misnamed_dns)] {
            if !dns.is_empty() {
                self.out.key(name.as_bytes());
                self.map(dns, |(key, _)| *key, |w, (_, record)| w.dns(record));
            }
        }
        self.out.key(b"Sampling");
        self.out.map(2);
        self.out.key(b"Count");
        self.out.uint(report.sampling.count);
        self.out.key(b"Total");
        self.out.uint(report.sampling.total);
        self.out.end_map();
        self.out.key(b"Window");
        self.out.int(report.window);
        self.out.key(b"Shortcut");
        self.out.bool(report.shortcut);
        self.out.key(b"Plugins");
        self.plugins(&report.plugins);
        self.text(b"ID", report.id);
        self.out.end_map();
    }

    fn topology(&mut self, topology: &Topology) {
        let texts: [(&[u8], Sym); 4] = [
            (b"shape", topology.shape),
            (b"tag", topology.tag),
            (b"label", topology.label),
            (b"label_plural", topology.label_plural),
        ];
        let lists = [
            topology.nodes.is_empty(),
            topology.controls.is_empty(),
            topology.metadata_templates.is_empty(),
            topology.metric_templates.is_empty(),
            topology.table_templates.is_empty(),
        ];
        let members = texts.iter().filter(|t| !t.1.is_empty()).count()
            + lists.iter().filter(|empty| !**empty).count();
        self.out.map(members);
        for (key, value) in texts {
            self.text_if_any(key, value);
        }
        if !topology.nodes.is_empty() {
            self.out.key(b"nodes");
            self.map(&topology.nodes, |n| n.id, |w, n| w.node(n));
        }
        self.templates(topology);
        self.out.end_map();
    }

    fn node(&mut self, node: &Node) {
        let latest = self.shown(&node.latest);
        let optional = [
            node.has_id,
            !node.topology.is_empty(),
            !node.adjacency.is_empty(),
            !latest.is_empty(),
            !node.metrics.is_empty(),
        ];
        self.out
            .map(3 + optional.iter().filter(|there| **there).count());
        if node.has_id {
            self.text(b"id", node.id);
        }
        self.text_if_any(b"topology", node.topology);
        self.out.key(b"sets");
        self.sets(&node.sets);
        if !node.adjacency.is_empty() {
            self.out.key(b"adjacency");
            self.set(&node.adjacency);
        }
        if !latest.is_empty() {
            self.out.key(b"latest");
            self.latest(&latest);
        }
        if !node.metrics.is_empty() {
            self.out.key(b"metrics");
            self.map(
                &node.metrics,
                |(key, _)| *key,
                |w, (_, metric)| w.metric(metric),
            );
        }
        self.out.key(b"parents");
        self.sets(&node.parents);
        self.out.key(b"children");
        if node.children.is_empty() {
            self.out.nil();
        } else {
            let mut children: Vec<&Node> = node.children.iter().collect();
            children.sort_by_cached_key(|n| self.symbols.bytes(n.id));
            self.array(&children, |w, child| w.node(child));
        }
        self.out.end_map();
    }

    /// Facts in order of their keys, without those that are not to be shown.
    fn shown(&self, latest: &[Latest]) -> Vec<(&'a [u8], Latest)> {
        let mut shown: Vec<_> = latest
            .iter()
            .map(|e| (self.symbols.bytes(e.key), *e))
            .collect();
        if self.censor.environment {
            shown.retain(|(key, _)| !key.starts_with(ENVIRONMENT));
        }
        shown.sort_unstable_by_key(|(key, _)| *key);
        shown
    }

    fn latest(&mut self, latest: &[(&[u8], Latest)]) {
        self.out.map(latest.len());
        for (key, entry) in latest {
            self.out.key(key);
            self.out.map(2);
            self.out.key(b"timestamp");
            self.out.time(entry.timestamp);
            self.out.key(b"value");
            let mut value = self.symbols.bytes(entry.value);
            if self.censor.command_lines && self.commands.contains(&Some(entry.key)) {
                value = value.split(|b| *b == b' ').next().unwrap_or(value);
            }
            self.out.string(value);
            self.out.end_map();
        }
        self.out.end_map();
    }

    fn metric(&mut self, metric: &Metric) {
        let sampled = !metric.samples.is_empty();
        self.out.map(2 + usize::from(sampled));
        if sampled {
            self.out.key(b"samples");
            self.array(&metric.samples, |w, sample| {
                w.out.map(2);
                w.out.key(b"date");
                w.out.time(sample.date);
                w.out.key(b"value");
                w.out.float(sample.value);
                w.out.end_map();
            });
        }
        self.out.key(b"min");
        self.out.float(metric.min);
        self.out.key(b"max");
        self.out.float(metric.max);
        self.out.end_map();
    }

    fn sets(&mut self, sets: &Sets) {
        if sets.is_empty() {
            return self.out.nil();
        }
        self.map(sets, |(key, _)| *key, |w, (_, set)| w.set(set));
    }

    pub(super) fn set(&mut self, set: &[Sym]) {
        if set.is_empty() {
            return self.out.nil();
        }
        let mut strings: Vec<&[u8]> = set.iter().map(|&s| self.symbols.bytes(s)).collect();
        strings.sort_unstable();
        self.array(&strings, |w, string| w.out.string(string));
    }

    /// A map in order of its keys.
    pub(super) fn map<T>(
        &mut self,
        items: &[T],
        key_of: impl Fn(&T) -> Sym,
        mut write: impl FnMut(&mut Self, &T),
    ) {
        let mut sorted: Vec<(&[u8], &T)> = items
            .iter()
            .map(|item| (self.symbols.bytes(key_of(item)), item))
            .collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        self.out.map(sorted.len());
        for (key, item) in sorted {
            self.out.key(key);
            write(self, item);
        }
        self.out.end_map();
    }

    pub(super) fn array<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.out.array(items.len());
        for item in items {
            self.out.item();
            write(self, item);
        }
        self.out.end_array();
    }

    pub(super) fn text(&mut self, key: &[u8], value: Sym) {
        self.out.key(key);
        self.string(value);
    }

    pub(super) fn text_if_any(&mut self, key: &[u8], value: Sym) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    pub(super) fn bytes(&self, sym: Sym) -> &'a [u8] {
        self.symbols.bytes(sym)
    }

    pub(super) fn string(&mut self, value: Sym) {
        self.out.string(self.symbols.bytes(value));
    }
}
