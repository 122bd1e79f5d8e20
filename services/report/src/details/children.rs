//! What a node contains.

use crate::details::{ChildGroup, Detailer};
use crate::kind::{KINDS, Kind};
use crate::render::drawn::{Child, Drawn, NodeIndex};
use crate::summary::{Column, ParentLabels, Samples, Summary, shown_in};

/// How the children of one kind are presented: the label and columns (id, label, type).
struct GroupSpec {
    kind: Kind,
    label: &'static str,
    columns: &'static [(&'static str, &'static str, &'static str)],
}

const GROUPS: [GroupSpec; 10] = [
    GroupSpec {
        kind: Kind::Pod,
        label: "Pods",
        columns: &[
            ("kubernetes_state", "State", ""),
            ("container", "# Containers", "number"),
            ("kubernetes_ip", "IP", "ip"),
        ],
    },
    GroupSpec {
        kind: Kind::EcsTask,
        label: "Tasks",
        columns: &[("ecs_created_at", "Created At", "datetime")],
    },
    GroupSpec {
        kind: Kind::Container,
        label: "Containers",
        columns: &[
            ("docker_cpu_total_usage", "CPU", "number"),
            ("docker_memory_usage", "Memory", "number"),
        ],
    },
    GroupSpec {
        kind: Kind::Process,
        label: "Processes",
        columns: &[
            ("pid", "PID", "number"),
            ("process_cpu_usage_percent", "CPU", "number"),
            ("process_memory_usage_bytes", "Memory", "number"),
        ],
    },
    plain(Kind::ContainerImage, "Container images"),
    plain(Kind::PersistentVolume, "Persistent Volumes"),
    plain(Kind::PersistentVolumeClaim, "Persistent Volume Claims"),
    plain(Kind::StorageClass, "Storage Classes"),
    plain(Kind::VolumeSnapshot, "Volume Snapshots"),
    plain(Kind::VolumeSnapshotData, "Volume Snapshot Data"),
];

const fn plain(kind: Kind, label: &'static str) -> GroupSpec {
    GroupSpec {
        kind,
        label,
        columns: &[],
    }
}

impl<'a> Detailer<'a> {
    pub(crate) fn children(
        self,
        node: &Drawn,
        labels: &mut ParentLabels<'a>,
    ) -> Vec<ChildGroup<'a>> {
        let s = self.summarizer;
        let mut by_kind: Vec<Vec<NodeIndex>> = vec![Vec::new(); KINDS.len()];
        s.facts.arena.each_child(node, &mut |child| {
            let Child::Node(index) = child else { return };
            let child = s.facts.arena.node(index);
            if child.id == node.id {
                return;
            }
            if let Some(kind) = s.facts.keys.kind_of(child.topology) {
                by_kind[kind as usize].push(index);
            }
        });
        let known = GROUPS.iter().filter_map(|spec| {
            let nodes = self.summaries(&mut by_kind[spec.kind as usize], labels);
            self.group(spec.kind, spec.label.as_bytes(), spec.columns, nodes)
        });
        let mut groups: Vec<ChildGroup<'a>> = known.collect();
        for kind in KINDS {
            let label = s.bytes(s.templates.kind(kind).label_plural);
            let nodes = self.summaries(&mut by_kind[kind as usize], labels);
            groups.extend(self.group(kind, label, &[], nodes));
        }
        groups
    }

    fn group(
        self,
        kind: Kind,
        label: &'a [u8],
        columns: &[(&'static str, &'static str, &'static str)],
        nodes: Vec<Summary<'a>>,
    ) -> Option<ChildGroup<'a>> {
        let topology_id = shown_in(kind).filter(|_| !nodes.is_empty())?;
        let columns = columns.iter().map(|&(id, label, data_type)| Column {
            id: id.as_bytes(),
            label: label.as_bytes(),
            data_type: data_type.as_bytes(),
            default_sort: false,
        });
        Some(ChildGroup {
            label,
            topology_id,
            columns: columns.collect(),
            nodes,
        })
    }

    /// Takes the nodes and summarises each id once; of several nodes with one id the last.
    fn summaries(
        self,
        nodes: &mut Vec<NodeIndex>,
        labels: &mut ParentLabels<'a>,
    ) -> Vec<Summary<'a>> {
        let s = self.summarizer;
        let mut nodes = std::mem::take(nodes);
        nodes.reverse();
        nodes.sort_by_key(|&i| s.bytes(s.facts.arena.node(i).id));
        nodes.dedup_by_key(|i| s.facts.arena.node(*i).id);
        let nodes = nodes.into_iter();
        nodes
            .filter_map(|i| s.summary(s.facts.arena.node(i), Samples::Left, labels))
            .collect()
    }
}
