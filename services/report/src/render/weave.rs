//! Peers of the Weave Net overlay.

use crate::kind::Kind;
use crate::render::context::{Mapping, Render};
use crate::render::drawn::{Drawn, Rendering};

impl Render<'_> {
    /// All Weave peers; those without a probe as pseudo nodes.
    pub(crate) fn weave(&mut self) -> Rendering {
        let mut peers = self.builder();
        self.select(&mut peers, Kind::Overlay, true);
        let peers = peers.finish(self);
        let mut builder = self.builder();
        let mut mapping = Mapping::default();
        for &index in &peers.nodes {
            let node: Drawn = *self.arena.node(index);
            if !self.symbols.bytes(node.id).starts_with(b"#docker_peer_") {
                let monitored = self.facts().latest(&node, self.keys.host_node_id).is_some();
                let output = if monitored {
                    builder.adopt(self, &node)
                } else {
                    let nick = self.facts().latest(&node, self.keys.weave_peer_nick_name);
                    let nick = self.symbols.bytes(nick.unwrap_or_default());
                    let id = [b"pseudo:unmanaged:", nick].concat();
                    let id = self.symbols.intern(id);
                    let output = builder.node(self, id, self.keys.pseudo);
                    builder.contain_deep(output, index);
                    output
                };
                mapping.add(output);
            }
            mapping.next();
        }
        self.connect(&mut builder, &peers, &mapping);
        builder.finish(self)
    }
}
