//! The report: what the probe saw, in the shape the Scope wire format gives it.
//!
//! Only what a probe on a host fills is modelled; the other topologies of the format are written as empty.

mod delta;
mod encode;
mod msgpack;
mod templates;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

/// Most samples kept for one metric between two publishes; older ones go first.
pub(crate) const MAX_SAMPLES: usize = 20;

/// A set of strings, in the byte order that the format asks for.
pub(crate) type StringSet = BTreeSet<String>;

/// What a report is relative to, which decides what of it goes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything, with templates.
    Full,
    /// What changed since the last full report.
    Delta,
    /// A few nodes, sent because something just happened.
    Shortcut,
}

/// One report.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) kind: Kind,
    pub(crate) timestamp: SystemTime,
    pub(crate) window: Duration,
    /// Whether the topologies list the controls that their nodes name.
    pub(crate) controls: bool,
    /// Names known for the addresses of `endpoint`; an address without one has an empty set.
    pub(crate) dns: BTreeMap<String, StringSet>,
    pub(crate) endpoint: Nodes,
    pub(crate) process: Nodes,
    pub(crate) container: Nodes,
    pub(crate) container_image: Nodes,
    pub(crate) host: Nodes,
    pub(crate) overlay: Nodes,
}

/// The nodes of one topology by id.
pub(crate) type Nodes = BTreeMap<String, Node>;

impl Report {
    pub(crate) fn new(kind: Kind, timestamp: SystemTime) -> Self {
        Self {
            kind,
            timestamp,
            window: Duration::ZERO,
            controls: true,
            dns: BTreeMap::new(),
            endpoint: Nodes::new(),
            process: Nodes::new(),
            container: Nodes::new(),
            container_image: Nodes::new(),
            host: Nodes::new(),
            overlay: Nodes::new(),
        }
    }
}

/// One thing that was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    /// The name of its topology; blank in a delta that only amends a node.
    pub(crate) topology: &'static str,
    pub(crate) sets: BTreeMap<&'static str, StringSet>,
    pub(crate) adjacency: StringSet,
    pub(crate) latest: BTreeMap<Cow<'static, str>, Latest>,
    pub(crate) metrics: BTreeMap<&'static str, Metric>,
    pub(crate) parents: BTreeMap<&'static str, StringSet>,
}

/// A value and when it was true.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Latest {
    pub(crate) timestamp: SystemTime,
    pub(crate) value: Cow<'static, str>,
}

/// Samples of a number, ascending in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metric {
    pub(crate) samples: Vec<(SystemTime, f64)>,
    pub(crate) min: f64,
    /// A capacity where there is one, else the largest sample.
    pub(crate) max: f64,
}

impl Node {
    pub(crate) fn new(topology: &'static str) -> Self {
        Self {
            topology,
            ..Self::default()
        }
    }

    /// Sets a latest value.
    pub(crate) fn latest(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        timestamp: SystemTime,
        value: impl Into<Cow<'static, str>>,
    ) {
        self.latest.insert(
            key.into(),
            Latest {
                timestamp,
                value: value.into(),
            },
        );
    }

    /// Adds a parent of another topology.
    pub(crate) fn parent(&mut self, topology: &'static str, id: impl Into<String>) {
        self.parents.entry(topology).or_default().insert(id.into());
    }

    /// Sets a metric, unless it has no samples.
    pub(crate) fn metric(&mut self, name: &'static str, metric: Metric) {
        if !metric.samples.is_empty() {
            self.metrics.insert(name, metric);
        }
    }

    /// Marks the node as seen by, and living on, the host `host_node_id`.
    pub(crate) fn on_host(&mut self, timestamp: SystemTime, host_node_id: &str) {
        self.latest("host_node_id", timestamp, host_node_id.to_owned());
        self.parent("host", host_node_id);
    }
}

impl Metric {
    /// Adds a sample; when there are too many, the oldest one is dropped.
    pub(crate) fn push(&mut self, timestamp: SystemTime, value: f64) {
        if !value.is_finite() {
            return;
        }
        if self.samples.len() >= MAX_SAMPLES {
            self.samples.remove(0);
        }
        self.samples.push((timestamp, value));
    }

    /// Takes the samples, with `max` as the capacity, or the largest sample without one.
    pub(crate) fn drain(&mut self, max: Option<f64>) -> Self {
        let samples = std::mem::take(&mut self.samples);
        let values = || samples.iter().map(|(_, value)| *value);
        let min = values().fold(f64::INFINITY, f64::min);
        let max = max.unwrap_or_else(|| values().fold(f64::NEG_INFINITY, f64::max));
        Self { samples, min, max }
    }
}

/// The id of a host's node.
pub(crate) fn host_node_id(host: &str) -> String {
    format!("{host};<host>")
}

/// The id of a process's node.
pub(crate) fn process_node_id(host: &str, pid: i32) -> String {
    format!("{host};{pid}")
}

/// The id of a container's node.
pub(crate) fn container_node_id(container: &str) -> String {
    format!("{container};<container>")
}

/// The id of a container image's node, by the image's id or by its name.
pub(crate) fn image_node_id(image: &str) -> String {
    format!("{image};<container_image>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_keeps_the_newest_samples_and_its_capacity() {
        let mut metric = Metric::default();
        let start = SystemTime::UNIX_EPOCH;
        for second in 0..MAX_SAMPLES as u64 + 5 {
            metric.push(start + Duration::from_secs(second), second as f64);
        }
        metric.push(start, f64::NAN);
        let taken = metric.drain(Some(200.0));
        assert_eq!(taken.samples.len(), MAX_SAMPLES);
        assert_eq!((taken.min, taken.max), (5.0, 200.0));
        assert!(metric.samples.is_empty());
    }
}
