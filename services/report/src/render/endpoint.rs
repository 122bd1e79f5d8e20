//! One endpoint of a report.

use crate::model::Node;
use crate::render::keys::Keys;
use crate::symbol::Sym;

/// What rendering wants to know of an endpoint.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Endpoint {
    pub(crate) id: Sym,
    /// The host node that observed it; known together with the process only.
    pub(crate) host: Option<Sym>,
    pub(crate) pid: Option<Sym>,
    /// The endpoint that this one is another address of.
    pub(crate) copy_of: Option<Sym>,
    /// The number of its scope and address; `None` if its id is malformed.
    pub(crate) address: Option<u32>,
    /// It has outgoing connections.
    pub(crate) connects: bool,
    /// It has several.
    pub(crate) connects_often: bool,
    /// False while only deltas have mentioned it.
    pub(crate) shown: bool,
}

impl Endpoint {
    pub(crate) fn new(node: &Node, keys: &Keys) -> Self {
        let mut endpoint = Endpoint {
            id: node.id,
            connects: !node.adjacency.is_empty(),
            connects_often: node.adjacency.len() > 1,
            shown: !node.topology.is_empty(),
            ..Endpoint::default()
        };
        for fact in &node.latest {
            if fact.key == keys.host_node_id {
                endpoint.host = Some(fact.value);
            } else if fact.key == keys.pid {
                endpoint.pid = Some(fact.value);
            } else if fact.key == keys.copy_of {
                endpoint.copy_of = Some(fact.value);
            }
        }
        endpoint
    }
}
