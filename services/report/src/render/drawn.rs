//! Nodes of renderings.

use crate::kind::{KINDS, Kind};
use crate::symbol::Sym;

/// A part of one of the arena's pools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

/// Where a node's facts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// It has none: it was made up to stand for others.
    #[default]
    None,
    /// A node of the report.
    Report(ReportNode),
    /// A node that was put together from several, in the arena.
    Merged(u32),
}

/// A node of the report: its kind and its place in the topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportNode(u32);

const INDEX_BITS: u32 = 27;

impl ReportNode {
    /// `None` beyond 134 million nodes, which input limits rule out.
    pub(crate) fn new(kind: Kind, index: usize) -> Option<Self> {
        let index = u32::try_from(index).ok().filter(|i| i >> INDEX_BITS == 0)?;
        Some(ReportNode((kind as u32) << INDEX_BITS | index))
    }

    pub(crate) fn kind(self) -> Kind {
        KINDS[(self.0 >> INDEX_BITS) as usize]
    }

    pub(crate) fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

/// An index into the arena's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeIndex(pub(crate) u32);

/// What a node contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child {
    /// An endpoint of the report, by its place in the topology. Endpoints are never shown, but they carry connections.
    Endpoint(u32),
    /// A node.
    Node(NodeIndex),
    /// A node and all that it contains.
    Deep(NodeIndex),
}

/// A node of a rendering.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drawn {
    pub(crate) id: Sym,
    /// The wire name of a topology, `pseudo`, or `group:…`.
    pub(crate) topology: Sym,
    pub(crate) source: Source,
    /// Ids in the same rendering, unique, in no order that means anything.
    pub(crate) adjacency: Span,
    pub(crate) children: Span,
    /// How many children of which topology were added.
    pub(crate) counters: Span,
    /// The image whose facts are added to a container's: its place in the arena's images.
    pub(crate) image: Option<u32>,
    /// The node whose `host` parents are its own, too.
    pub(crate) hosts_of: Option<NodeIndex>,
    /// The node whose metrics are its own, too.
    pub(crate) metrics_of: Option<NodeIndex>,
}

/// Some nodes of the arena, with unique ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rendering {
    pub(crate) nodes: Vec<NodeIndex>,
    /// How many nodes filters took away on the way here.
    pub(crate) filtered: usize,
}
