//! Hosts.

use crate::kind::Kind;
use crate::render::builder::Builder;
use crate::render::context::{Mapping, Render};
use crate::render::drawn::Rendering;
use crate::render::stages::Stage;
use crate::symbol::Sym;

impl Render<'_> {
    /// All hosts, with everything that is on them.
    pub(crate) fn hosts(&mut self) -> Rendering {
        let parts = [
            (self.stage(Stage::Processes), true),
            (self.stage(Stage::Containers), true),
            // What is shown as one image runs on several hosts, so its connections are nobody's in particular.
            (self.stage(Stage::ContainersByImage), false),
            (self.stage(Stage::Pods), true),
        ];
        let endpoints = self.endpoints();
        let list = endpoints.list.iter();
        let hosts: Vec<Sym> = list.map(|e| e.host.unwrap_or(Sym::EMPTY)).collect();
        let mut builder = self.builder();
        self.map_endpoints(&mut builder, Kind::Host, &hosts);
        for (part, connected) in parts {
            self.put_on_hosts(&mut builder, &part, connected);
        }
        builder.finish(self)
    }

    fn put_on_hosts(&mut self, builder: &mut Builder, part: &Rendering, connected: bool) {
        let host = self.keys.kind(Kind::Host);
        let image = self.keys.kind(Kind::ContainerImage);
        let mut mapping = Mapping::default();
        let mut hosts: Vec<Sym> = Vec::new();
        for &index in &part.nodes {
            let node = *self.arena.node(index);
            if node.topology != self.keys.pseudo {
                hosts.clear();
                hosts.extend(self.facts().parents(&node, host));
                hosts.sort_unstable();
                hosts.dedup();
                for &id in &hosts {
                    let output = builder.node(self, id, host);
                    builder.contain(output, index);
                    builder.count(output, node.topology);
                    if connected && node.topology != image {
                        mapping.add(output);
                    }
                }
            }
            mapping.next();
        }
        self.connect(builder, part, &mapping);
    }
}
