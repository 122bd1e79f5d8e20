//! What all probes of a tenant report together, kept up to date.
//!
//! When one of many probes posts, most nodes stay as they are. Only those that its old and its new report do not have in
//! common are merged again.

use std::sync::Arc;

use crate::kind::{KINDS, Kind};
use crate::merge::{Indexed, Nodes, merge, presentation, totals};
use crate::model::{Node, Report, Topology};
use crate::symbol::{Sym, Symbols};

/// A report and the ids of its nodes.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) report: Report,
    /// By kind, in the order of the nodes.
    ids: Vec<Vec<Sym>>,
}

impl Merged {
    pub(super) fn new(report: Report) -> Self {
        let ids = |t: &Topology| t.nodes.iter().map(|n| n.id).collect();
        Merged {
            ids: report.topologies.iter().map(ids).collect(),
            report,
        }
    }

    fn indexed(&self, kind: Kind) -> Indexed<'_> {
        let i = kind as usize;
        Indexed {
            report: &self.report,
            ids: self.ids.get(i).map_or(&[], |ids| ids),
            nodes: self.report.topologies.get(i).map_or(&[], |t| &t.nodes),
        }
    }
}

/// A probe's report before and after; an empty one if there was or is none.
pub(super) struct Change<'a> {
    pub(super) before: &'a Merged,
    pub(super) after: &'a Merged,
}

/// What all probes report together.
#[derive(Default)]
pub(super) struct Whole {
    merged: Merged,
    nodes: Nodes,
}

impl Whole {
    pub(super) fn report(&self) -> &Report {
        &self.merged.report
    }

    /// Merges all reports.
    pub(super) fn build(&mut self, probes: &[&Merged], symbols: &mut Symbols) {
        self.merged = Merged::new(merge(probes.iter().map(|p| &p.report), symbols));
    }

    /// Merges what changed.
    pub(super) fn update(&mut self, probes: &[&Merged], changes: &[Change], symbols: &mut Symbols) {
        let many = changes.len() * 2 > probes.len();
        if many || self.merged.ids.is_empty() {
            return self.build(probes, symbols);
        }
        let reports: Vec<&Report> = probes.iter().map(|p| &p.report).collect();
        if changes
            .iter()
            .any(|c| !presented_alike(&c.before.report, &c.after.report))
        {
            let nodes = |t: &mut Topology| std::mem::take(&mut t.nodes);
            let nodes: Vec<_> = self
                .merged
                .report
                .topologies
                .iter_mut()
                .map(nodes)
                .collect();
            self.merged.report = presentation(&reports, symbols);
            for (topology, nodes) in self.merged.report.topologies.iter_mut().zip(nodes) {
                topology.nodes = nodes;
            }
        }
        totals(&mut self.merged.report, &reports);
        for kind in KINDS {
            let changed = changed(kind, changes);
            if !changed.is_empty() {
                let said = probes.iter().map(|p| p.indexed(kind));
                let nodes = self.nodes.merge_some(kind, &changed, said, symbols);
                self.put(kind, &changed, nodes);
            }
        }
    }

    /// Replaces, adds and removes nodes.
    fn put(&mut self, kind: Kind, ids: &[Sym], nodes: Vec<Option<Arc<Node>>>) {
        let old_ids = &mut self.merged.ids[kind as usize];
        let old_nodes = &mut self.merged.report.topology_mut(kind).nodes;
        let mut differ = Vec::new();
        for (id, node) in ids.iter().zip(nodes) {
            match (old_ids.binary_search(id), node) {
                (Ok(i), Some(node)) => old_nodes[i] = node,
                (Err(_), None) => {}
                (_, node) => differ.push((*id, node)),
            }
        }
        if differ.is_empty() {
            return;
        }
        let mut new_ids = Vec::with_capacity(old_ids.len() + differ.len());
        let mut new_nodes = Vec::with_capacity(old_nodes.len() + differ.len());
        let mut differ = differ.into_iter().peekable();
        for (id, node) in old_ids.drain(..).zip(old_nodes.drain(..)) {
            while let Some((new, added)) = differ.next_if(|(new, _)| *new < id) {
                new_ids.push(new);
                new_nodes.extend(added);
            }
            if differ.next_if(|(removed, _)| *removed == id).is_none() {
                new_ids.push(id);
                new_nodes.push(node);
            }
        }
        for (new, added) in differ {
            new_ids.push(new);
            new_nodes.extend(added);
        }
        (*old_ids, *old_nodes) = (new_ids, new_nodes);
    }
}

/// The ids of nodes that are not the same before and after, sorted.
fn changed(kind: Kind, changes: &[Change]) -> Vec<Sym> {
    let mut ids = Vec::new();
    for change in changes {
        let (before, after) = (change.before.indexed(kind), change.after.indexed(kind));
        if before.report.ahead || after.report.ahead {
            // Which facts of a wrong clock count depends on when the probe was last heard of.
            ids.extend(before.ids.iter().chain(after.ids));
            continue;
        }
        let mut old = before.ids.iter().zip(before.nodes).peekable();
        for (id, node) in after.ids.iter().zip(after.nodes) {
            while let Some((gone, _)) = old.next_if(|(gone, _)| *gone < id) {
                ids.push(*gone);
            }
            let same = old.next_if(|(old, _)| *old == id);
            if !same.is_some_and(|(_, old)| Arc::ptr_eq(old, node)) {
                ids.push(*id);
            }
        }
        ids.extend(old.map(|(gone, _)| *gone));
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether two reports differ in nodes and totals only.
fn presented_alike(a: &Report, b: &Report) -> bool {
    let alike = |(a, b): (&Topology, &Topology)| {
        (a.shape, a.tag, a.label, a.label_plural) == (b.shape, b.tag, b.label, b.label_plural)
            && a.controls == b.controls
            && a.metadata_templates == b.metadata_templates
            && a.metric_templates == b.metric_templates
            && a.table_templates == b.table_templates
    };
    a.topologies.len() == b.topologies.len()
        && a.topologies.iter().zip(&b.topologies).all(alike)
        && a.dns == b.dns
        && a.plugins == b.plugins
}
