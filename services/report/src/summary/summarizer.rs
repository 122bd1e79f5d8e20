//! From nodes of renderings to summaries.

use hashbrown::HashMap;

use crate::kind::Kind;
use crate::options::Selection;
use crate::render::drawn::{Drawn, ReportNode, Source};
use crate::render::facts::Facts;
use crate::summary::{Parent, Summary, Templates, Text};
use crate::symbol::{Sym, Symbols};

/// Whether metrics carry their samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    Shown,
    Left,
}

/// Makes summaries. Everything it makes borrows from symbols and report only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summarizer<'a> {
    pub(crate) facts: Facts<'a>,
    pub(crate) templates: &'a Templates,
    pub(crate) symbols: &'a Symbols,
    pub(crate) hide_arguments: bool,
    pub(crate) hide_environment: bool,
    pub(crate) with_metadata: bool,
    pub(crate) with_tables: bool,
}

/// Names of parents that came up already; `None` for those that are never shown.
#[derive(Debug, Default)]
pub(crate) struct ParentLabels<'a> {
    known: HashMap<(Sym, Kind), Option<Text<'a>>>,
}

/// Parents in the order of display, and the topologies that they are shown in.
const PARENTS: [Kind; 13] = [
    Kind::Container,
    Kind::ContainerImage,
    Kind::Pod,
    Kind::Deployment,
    Kind::DaemonSet,
    Kind::StatefulSet,
    Kind::CronJob,
    Kind::Job,
    Kind::Service,
    Kind::EcsTask,
    Kind::EcsService,
    Kind::SwarmService,
    Kind::Host,
];

/// The topology that nodes of this kind are shown in.
pub(crate) fn shown_in(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Process => "processes",
        Kind::Container => "containers",
        Kind::ContainerImage => "containers-by-image",
        Kind::Pod
        | Kind::PersistentVolume
        | Kind::PersistentVolumeClaim
        | Kind::StorageClass
        | Kind::VolumeSnapshot
        | Kind::VolumeSnapshotData => "pods",
        Kind::Deployment | Kind::DaemonSet | Kind::StatefulSet | Kind::CronJob | Kind::Job => {
            "kube-controllers"
        }
        Kind::Service => "services",
        Kind::EcsTask => "ecs-tasks",
        Kind::EcsService => "ecs-services",
        Kind::SwarmService => "swarm-services",
        Kind::Host => "hosts",
        Kind::Endpoint | Kind::ReplicaSet | Kind::Namespace | Kind::Overlay => return None,
    })
}

impl<'a> Summarizer<'a> {
    pub(crate) fn new(
        facts: Facts<'a>,
        templates: &'a Templates,
        symbols: &'a Symbols,
        selection: &Selection,
    ) -> Self {
        Summarizer {
            facts,
            templates,
            symbols,
            hide_arguments: selection.hide_command_line_arguments,
            hide_environment: selection.hide_environment_variables,
            with_metadata: true,
            with_tables: true,
        }
    }

    pub(crate) fn bytes(self, sym: Sym) -> &'a [u8] {
        self.symbols.bytes(sym)
    }

    /// `None` if nodes of its topology are never shown.
    pub(crate) fn summary(
        self,
        node: &Drawn,
        samples: Samples,
        labels: &mut ParentLabels<'a>,
    ) -> Option<Summary<'a>> {
        let basic = self.basic(node)?;
        let ids = self.facts.arena.adjacency(node).iter();
        let mut adjacency: Vec<&[u8]> = ids.map(|&id| self.bytes(id)).collect();
        adjacency.sort_unstable();
        let mut summary = Summary {
            id: self.bytes(node.id),
            label: basic.label,
            label_minor: basic.label_minor,
            rank: basic.rank,
            shape: basic.shape,
            tag: basic.tag,
            stack: basic.stack,
            pseudo: basic.pseudo,
            parents: self.parents(node, labels),
            adjacency,
            stale: self.facts.is_stale(node),
            ..Summary::default()
        };
        if let Some(kind) = self.facts.keys.kind_of(node.topology)
            && !self.stands_for_its_like(node, kind)
        {
            let templates = self.templates.kind(kind);
            summary.metrics = self.metrics(node, templates, samples);
            if self.with_metadata {
                summary.metadata = self.metadata(node, templates);
            }
            if self.with_tables {
                summary.tables = self.tables(node, templates);
            }
        }
        Some(summary)
    }

    /// Whether it counts nodes of its own topology.
    fn stands_for_its_like(self, node: &Drawn, kind: Kind) -> bool {
        let counter = self.templates.kind(kind).counter;
        let count = self
            .facts
            .counter(self.symbols, node, node.topology, counter);
        count.is_some()
    }

    fn parents(self, node: &Drawn, labels: &mut ParentLabels<'a>) -> Vec<Parent<'a>> {
        if !self.facts.has_parents(node) {
            return Vec::new();
        }
        let mut parents = Vec::new();
        let present = self.facts.parent_kinds(node);
        for kind in PARENTS {
            if present & 1 << kind as u32 == 0 {
                continue;
            }
            let topology = self.facts.keys.kind(kind);
            let first = parents.len();
            for id in self.facts.parents(node, topology) {
                if id == node.id && topology == node.topology {
                    continue;
                }
                let label = labels.known.entry((id, kind)).or_insert_with(|| {
                    let basic = self.basic(&self.report_node(kind, id));
                    basic.map(|basic| basic.label)
                });
                let (Some(label), Some(topology_id)) = (label, shown_in(kind)) else {
                    continue;
                };
                parents.push(Parent {
                    id: self.bytes(id),
                    label: label.clone(),
                    topology_id,
                });
            }
            parents[first..].sort_unstable_by_key(|p| p.id);
        }
        parents.dedup_by(|a, b| a.id == b.id && a.topology_id == b.topology_id);
        parents
    }

    /// The node of the report with this id, or one that says nothing.
    fn report_node(self, kind: Kind, id: Sym) -> Drawn {
        let nodes = &self.facts.report.topology(kind).nodes;
        let found = nodes.binary_search_by_key(&id, |n| n.id).ok();
        let found = found.filter(|&i| !nodes[i].topology.is_empty());
        let reference = found.and_then(|i| ReportNode::new(kind, i));
        Drawn {
            id,
            topology: found.map_or(self.facts.keys.kind(kind), |i| nodes[i].topology),
            source: reference.map_or(Source::None, Source::Report),
            ..Drawn::default()
        }
    }
}
