//! What can be done to a node.

use crate::details::{ControlInstance, Detailer};
use crate::render::drawn::Drawn;

impl<'a> Detailer<'a> {
    pub(crate) fn controls(self, node: &Drawn) -> Vec<ControlInstance<'a>> {
        let s = self.summarizer;
        let keys = s.facts.keys;
        let Some((_, topology)) = s.facts.topology(node.topology) else {
            return Vec::new();
        };
        let node = topology.node(node.id).filter(|n| !n.topology.is_empty());
        let Some((node, probe)) = node.and_then(|n| Some((n, n.latest(keys.control_probe_id)?)))
        else {
            return Vec::new();
        };
        let active = node.latest(keys.active_controls).unwrap_or_default();
        let active = s.bytes(active).split(|&b| b == b';');
        let known = active.filter_map(|id| {
            let id = s.symbols.find(id)?;
            let i = topology.controls.binary_search_by_key(&id, |c| c.0).ok()?;
            Some(&topology.controls[i].1)
        });
        let mut controls: Vec<ControlInstance<'a>> = known
            .map(|control| ControlInstance {
                probe_id: s.bytes(if control.probe_id.is_empty() {
                    probe
                } else {
                    control.probe_id
                }),
                node_id: s.bytes(node.id),
                id: s.bytes(control.id),
                human: s.bytes(control.human),
                icon: s.bytes(control.icon),
                confirmation: s.bytes(control.confirmation),
                rank: control.rank,
            })
            .collect();
        controls.sort_by_key(|c| (c.rank, c.id));
        controls
    }
}
