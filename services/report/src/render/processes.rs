//! Processes and what stands for several of them.

use hashbrown::HashMap;

use crate::kind::Kind;
use crate::render::builder::Builder;
use crate::render::context::{Mapping, Render};
use crate::render::drawn::{Drawn, Rendering};
use crate::render::endpoints::Endpoints;
use crate::render::facts::Facts;
use crate::render::node_id;
use crate::render::stages::Stage;
use crate::symbol::Sym;

const NONE: u32 = u32::MAX;

impl Render<'_> {
    /// All processes with the connections of their endpoints.
    pub(crate) fn processes(&mut self) -> Rendering {
        if !self.has_any(Kind::Process) {
            return Rendering::default();
        }
        let endpoints = self.endpoints();
        let mut known = HashMap::new();
        let processes: Vec<Sym> = (0..endpoints.list.len())
            .map(|i| self.process_of(&endpoints, i, &mut known))
            .collect();
        let mut builder = self.builder();
        self.map_endpoints(&mut builder, Kind::Process, &processes);
        builder.finish(self)
    }

    /// Puts all nodes of a topology into the builder, and each endpoint into the node it belongs to: into a pseudo node if it
    /// is elsewhere, else into the node of that topology that `nodes` names for it, if any. Then connects them.
    pub(crate) fn map_endpoints(&mut self, builder: &mut Builder, kind: Kind, nodes: &[Sym]) {
        self.select(builder, kind, false);
        let endpoints = self.endpoints();
        let (topology, pseudo) = (self.keys.kind(kind), self.keys.pseudo);
        let mut outputs = vec![NONE; nodes.len()];
        for (i, endpoint) in endpoints.list.iter().enumerate() {
            if !endpoint.shown {
                continue;
            }
            let elsewhere = match endpoint.host {
                None => endpoints.pseudo(self.keys, endpoint),
                Some(_) => None,
            };
            let output = match elsewhere {
                Some(id) => builder.node(self, id, pseudo),
                None if nodes[i].is_empty() => continue,
                None => builder.node(self, nodes[i], topology),
            };
            builder.contain_endpoint(output, u32::try_from(i).unwrap_or(NONE));
            outputs[i] = output;
        }
        for (i, &from) in outputs.iter().enumerate() {
            if from == NONE {
                continue;
            }
            for &target in endpoints.targets(i) {
                let to = outputs[target as usize];
                if to != NONE {
                    builder.edge(from, builder.id(to));
                }
            }
        }
    }

    /// The id of the process that an endpoint certainly belongs to, or the empty string. `known` has ids by host and pid.
    fn process_of(
        &mut self,
        endpoints: &Endpoints,
        i: usize,
        known: &mut HashMap<(Sym, Sym), Sym>,
    ) -> Sym {
        let endpoint = &endpoints.list[i];
        let (Some(host), Some(pid)) = (endpoint.host, endpoint.pid) else {
            return Sym::EMPTY;
        };
        if !endpoint.shown || self.has_several_peers(endpoints, i) {
            return Sym::EMPTY;
        }
        let new = || match node_id::tagged(self.symbols.bytes(host), "host") {
            None | Some([]) => Sym::EMPTY,
            Some(name) => {
                let id = [name, b";", self.symbols.bytes(pid)].concat();
                self.symbols.intern(id)
            }
        };
        *known.entry((host, pid)).or_insert_with(new)
    }

    /// Whether an endpoint connects to several others that are not the same in truth. Its address may have been used again by
    /// another process then, so its connections cannot be attributed.
    fn has_several_peers(&self, endpoints: &Endpoints, i: usize) -> bool {
        if !endpoints.list[i].connects_often {
            return false;
        }
        let nodes = &self.report.topology(Kind::Endpoint).nodes;
        let mut peers = nodes[i].adjacency.iter().map(|&target| {
            let place = nodes.binary_search_by_key(&target, |n| n.id);
            let copy_of = place.ok().and_then(|j| {
                let peer = &endpoints.list[j];
                peer.copy_of.filter(|_| peer.shown)
            });
            copy_of.unwrap_or(target)
        });
        let first = peers.next();
        peers.any(|peer| Some(peer) != first)
    }

    /// Processes by their name.
    pub(crate) fn processes_by_name(&mut self) -> Rendering {
        let processes = self.stage(Stage::Processes);
        let (name, topology) = (self.keys.name, self.keys.group_process_name);
        self.group(&processes, topology, |facts, node| facts.latest(node, name))
    }

    /// Puts every node into a group with the id that `key` gives; nodes without are dropped, pseudo nodes stay.
    pub(crate) fn group(
        &mut self,
        input: &Rendering,
        topology: Sym,
        key: impl Fn(Facts<'_>, &Drawn) -> Option<Sym>,
    ) -> Rendering {
        let mut builder = self.builder();
        self.group_into(&mut builder, input, topology, key);
        builder.finish(self)
    }

    /// [`Render::group`] into what is already there.
    pub(crate) fn group_into(
        &mut self,
        builder: &mut Builder,
        input: &Rendering,
        topology: Sym,
        key: impl Fn(Facts<'_>, &Drawn) -> Option<Sym>,
    ) {
        let mut mapping = Mapping::default();
        for &index in &input.nodes {
            let node = *self.arena.node(index);
            if node.topology == self.keys.pseudo {
                mapping.add(builder.adopt(self, &node));
            } else if let Some(id) = key(self.facts(), &node) {
                let output = builder.node(self, id, topology);
                builder.contain_deep(output, index);
                builder.count(output, node.topology);
                mapping.add(output);
            }
            mapping.next();
        }
        self.connect(builder, input, &mapping);
    }
}
