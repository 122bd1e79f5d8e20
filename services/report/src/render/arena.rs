//! All nodes of all renderings of one report.

use crate::model::Node;
use crate::render::drawn::{Child, Drawn, NodeIndex, Span};
use crate::symbol::Sym;

/// What an image adds to the containers that run it.
#[derive(Debug)]
pub(crate) struct Image {
    /// Facts that replace the container's own.
    pub(crate) latest: Vec<(Sym, Sym)>,
    /// Replaces the container's `container_image` parents.
    pub(crate) parent: Sym,
}

/// Nodes of renderings and the lists that they point into. Only ever grows.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    pub(crate) nodes: Vec<Drawn>,
    pub(crate) adjacency: Vec<Sym>,
    pub(crate) children: Vec<Child>,
    pub(crate) counters: Vec<(Sym, u32)>,
    pub(crate) images: Vec<Image>,
    pub(crate) merged: Vec<Node>,
}

impl Arena {
    pub(crate) fn push(&mut self, node: Drawn) -> NodeIndex {
        let index = NodeIndex(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        index
    }

    pub(crate) fn node(&self, index: NodeIndex) -> &Drawn {
        &self.nodes[index.0 as usize]
    }

    pub(crate) fn node_mut(&mut self, index: NodeIndex) -> &mut Drawn {
        &mut self.nodes[index.0 as usize]
    }

    pub(crate) fn adjacency(&self, node: &Drawn) -> &[Sym] {
        &self.adjacency[node.adjacency.range()]
    }

    pub(crate) fn children(&self, node: &Drawn) -> &[Child] {
        &self.children[node.children.range()]
    }

    pub(crate) fn counters(&self, node: &Drawn) -> &[(Sym, u32)] {
        &self.counters[node.counters.range()]
    }

    /// The nodes that were put into this one itself.
    pub(crate) fn direct_children(&self, node: &Drawn) -> impl Iterator<Item = NodeIndex> {
        let children = self.children(node).iter();
        children.filter_map(|&child| match child {
            Child::Endpoint(_) => None,
            Child::Node(index) | Child::Deep(index) => Some(index),
        })
    }

    /// Calls `f` with everything that the node contains, at any depth. A child may come more than once.
    pub(crate) fn each_child(&self, node: &Drawn, f: &mut impl FnMut(Child)) {
        for &child in self.children(node) {
            if let Child::Deep(index) = child {
                self.each_child(self.node(index), f);
                f(Child::Node(index));
            } else {
                f(child);
            }
        }
    }

    /// The end of a pool as a span's start.
    pub(crate) fn mark<T>(pool: &[T]) -> u32 {
        u32::try_from(pool.len()).unwrap_or(u32::MAX)
    }

    /// Everything in the pool since `start`.
    pub(crate) fn span_since<T>(pool: &[T], start: u32) -> Span {
        Span {
            start,
            len: Self::mark(pool) - start,
        }
    }
}
