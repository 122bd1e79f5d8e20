//! Too many nodes of a kind.

use crate::kind::Kind;
use crate::model::Report;
use crate::symbol::Symbols;

/// How many nodes were left out, by kind; only kinds of which some were.
pub type Dropped = Vec<(Kind, usize)>;

/// Leaves so many nodes of each kind, times the number of hosts: those that are shown before those that only deltas have
/// mentioned, and then by id, so that every replica leaves the same ones.
pub(super) fn thin(report: &mut Report, most: usize, symbols: &Symbols) -> Dropped {
    let hosts = report.topology(Kind::Host).nodes.len().max(1);
    let most = match most {
        0 => usize::MAX,
        _ => most.saturating_mul(hosts),
    };
    let mut dropped = Vec::new();
    for kind in crate::kind::KINDS {
        let nodes = &mut report.topology_mut(kind).nodes;
        if nodes.len() <= most {
            continue;
        }
        dropped.push((kind, nodes.len() - most));
        nodes.sort_by_cached_key(|n| (n.topology.is_empty(), symbols.bytes(n.id)));
        nodes.truncate(most);
        nodes.sort_unstable_by_key(|n| n.id);
    }
    dropped
}
