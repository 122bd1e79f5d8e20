//! What nodes say.

use std::borrow::Cow;

use crate::kind::Kind;
use crate::model::{Metric, Node, Report, Topology};
use crate::render::arena::Arena;
use crate::render::drawn::{Drawn, Source};
use crate::render::keys::Keys;
use crate::render::merged::merge_metrics;
use crate::render::node_id;
use crate::symbol::{Sym, Symbols};

/// Reads nodes of renderings: their own facts and those they have from others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) report: &'a Report,
    pub(crate) arena: &'a Arena,
    pub(crate) keys: &'a Keys,
}

impl<'a> Facts<'a> {
    /// The node with this one's own facts, if it has any.
    pub(crate) fn source(self, node: &Drawn) -> Option<&'a Node> {
        match node.source {
            Source::None => None,
            Source::Report(reference) => {
                let nodes = &self.report.topology(reference.kind()).nodes;
                Some(&nodes[reference.index()])
            }
            Source::Merged(i) => Some(&self.arena.merged[i as usize]),
        }
    }

    pub(crate) fn latest(self, node: &Drawn, key: Sym) -> Option<Sym> {
        if let Some(image) = node.image {
            let facts = &self.arena.images[image as usize].latest;
            if let Some(&(_, value)) = facts.iter().find(|f| f.0 == key) {
                return Some(value);
            }
        }
        self.source(node)?.latest(key)
    }

    /// All facts, in no order that means anything.
    pub(crate) fn each_latest(self, node: &Drawn, mut f: impl FnMut(Sym, Sym)) {
        let image: &[(Sym, Sym)] = match node.image {
            Some(image) => &self.arena.images[image as usize].latest,
            None => &[],
        };
        for &(key, value) in image {
            f(key, value);
        }
        for entry in self.source(node).map_or(&[][..], |n| &n.latest) {
            if !image.iter().any(|i| i.0 == entry.key) {
                f(entry.key, entry.value);
            }
        }
    }

    /// Whether the node has this set, and the set.
    pub(crate) fn set(self, node: &Drawn, key: Sym) -> Option<&'a [Sym]> {
        let sets = &self.source(node)?.sets;
        let i = sets.binary_search_by_key(&key, |s| s.0).ok()?;
        Some(&sets[i].1)
    }

    /// The ids of the node's parents in this topology; only `host` parents can come twice.
    pub(crate) fn parents(
        self,
        node: &Drawn,
        topology: Sym,
    ) -> impl Iterator<Item = Sym> + use<'a> {
        let image = node
            .image
            .filter(|_| topology == self.keys.kind(Kind::ContainerImage));
        let (own, replaced): (&'a [Sym], Option<Sym>) = match image {
            Some(image) => (&[], Some(self.arena.images[image as usize].parent)),
            None => (self.source(node).map_or(&[], |n| n.parents(topology)), None),
        };
        let others: &'a [Sym] = match node.hosts_of {
            Some(other) if topology == self.keys.kind(Kind::Host) => {
                let other = self.source(self.arena.node(other));
                other.map_or(&[], |n| n.parents(topology))
            }
            _ => &[],
        };
        own.iter().chain(others).copied().chain(replaced)
    }

    /// The kinds of which the node may have parents, as bits.
    pub(crate) fn parent_kinds(self, node: &Drawn) -> u32 {
        let bit = |kind: Kind| 1 << kind as u32;
        let image = node.image.map_or(0, |_| bit(Kind::ContainerImage));
        let host = node.hosts_of.map_or(0, |_| bit(Kind::Host));
        let own = self.source(node).map_or(&[][..], |n| &n.parents);
        own.iter().fold(image | host, |bits, (topology, _)| {
            bits | self.keys.kind_of(*topology).map_or(0, bit)
        })
    }

    pub(crate) fn has_parents(self, node: &Drawn) -> bool {
        node.image.is_some()
            || node.hosts_of.is_some()
            || self.source(node).is_some_and(|n| !n.parents.is_empty())
    }

    /// How many children of a topology were counted; `wire_key` is what the count is called among facts.
    pub(crate) fn counter(
        self,
        symbols: &Symbols,
        node: &Drawn,
        topology: Sym,
        wire_key: Option<Sym>,
    ) -> Option<i64> {
        let counters = self.arena.counters(node);
        let counted = counters.iter().find(|c| c.0 == topology).map(|c| c.1);
        let reported = wire_key.and_then(|key| self.source(node)?.latest(key));
        if counted.is_none() && reported.is_none() {
            return None;
        }
        let reported = reported.and_then(|value| symbols.str(value)?.parse::<i64>().ok());
        Some(i64::from(counted.unwrap_or(0)).saturating_add(reported.unwrap_or(0)))
    }

    pub(crate) fn metric(self, node: &Drawn, id: Sym) -> Option<Cow<'a, Metric>> {
        let own = self.source(node).and_then(|n| {
            let i = n.metrics.binary_search_by_key(&id, |m| m.0).ok()?;
            Some(&n.metrics[i].1)
        });
        // Nodes only take metrics from nodes that were there before, so this ends.
        let other = node
            .metrics_of
            .and_then(|other| self.metric(self.arena.node(other), id));
        match (own, other) {
            (Some(own), Some(other)) => Some(Cow::Owned(merge_metrics(own, &other))),
            (Some(own), None) => Some(Cow::Borrowed(own)),
            (None, other) => other,
        }
    }

    pub(crate) fn is_stale(self, node: &Drawn) -> bool {
        self.source(node).is_some_and(|n| n.stale)
    }

    /// The report's topology with this wire name.
    pub(crate) fn topology(self, name: Sym) -> Option<(Kind, &'a Topology)> {
        let kind = self.keys.kind_of(name)?;
        Some((kind, self.report.topology(kind)))
    }

    /// The host's name from `host_node_id`; empty if there is none.
    pub(crate) fn host_name<'s>(self, symbols: &'s Symbols, node: &Drawn) -> &'s [u8] {
        self.latest(node, self.keys.host_node_id)
            .and_then(|id| node_id::tagged(symbols.bytes(id), "host"))
            .unwrap_or_default()
    }

    /// Whether it contains a node of this topology.
    pub(crate) fn contains(self, node: &Drawn, topology: Sym) -> bool {
        let mut children = self.arena.direct_children(node);
        children.any(|i| self.arena.node(i).topology == topology)
    }
}
