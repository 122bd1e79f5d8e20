//! Containers and what stands for several of them.

use hashbrown::HashMap;

use crate::kind::Kind;
use crate::render::arena::{Arena, Image};
use crate::render::context::{Mapping, Render};
use crate::render::drawn::{Drawn, NodeIndex, Rendering};
use crate::render::filter;
use crate::render::ids::Ids;
use crate::render::image_name;
use crate::render::networks::parse_ip;
use crate::render::node_id;
use crate::render::stages::Stage;
use crate::symbol::Sym;

impl Render<'_> {
    /// All containers with the connections of their processes, and those of their addresses that no process is known for.
    pub(crate) fn containers(&mut self) -> Rendering {
        let processes = self.stage(Stage::Processes);
        let joined = self.join_addresses(Kind::Container, Self::container_addresses);
        let mut builder = self.builder();
        let mut mapping = Mapping::default();
        let container = self.keys.kind(Kind::Container);
        let mut ids = Ids::default();
        for &index in &processes.nodes {
            let node = *self.arena.node(index);
            let output = if node.topology == self.keys.pseudo {
                builder.adopt(self, &node)
            } else {
                let (id, topology) = match self.facts().latest(&node, self.keys.container_id) {
                    Some(name) => (ids.tagged(self.symbols, name, "container"), container),
                    None => (ids.uncontained(self.symbols, node.id), self.keys.pseudo),
                };
                let output = builder.node(self, id, topology);
                builder.contain_deep(output, index);
                output
            };
            mapping.add(output);
            mapping.next();
        }
        self.connect(&mut builder, &processes, &mapping);
        self.map_endpoints(&mut builder, Kind::Container, &joined);
        let all = builder.finish(self);
        let deleted = self.symbols.intern("deleted");
        let (state, pseudo) = (self.keys.container_state, self.keys.pseudo);
        self.filter(&all, |facts, node| {
            node.topology == pseudo || facts.latest(node, state) != Some(deleted)
        })
    }

    /// For each endpoint the only node of this topology that has its address, or the empty string. `addresses` lists a node's
    /// addresses, in the form `<scope>;<address>;` or with a port.
    pub(crate) fn join_addresses(
        &mut self,
        kind: Kind,
        addresses: impl Fn(&Self, &Drawn, &mut dyn FnMut(&[u8])),
    ) -> Vec<Sym> {
        let endpoints = self.endpoints();
        // An address that several nodes claim says nothing, hence `Some(EMPTY)`.
        let mut by_address: Vec<Option<Sym>> = vec![None; endpoints.addresses()];
        let mut by_endpoint: Vec<(Sym, Sym)> = Vec::new();
        for node in self.report_nodes(kind) {
            addresses(self, &node, &mut |key| {
                if let Some(i) = endpoints.find_address(self.symbols, key) {
                    let claim = &mut by_address[i as usize];
                    *claim = Some(if claim.is_none() { node.id } else { Sym::EMPTY });
                } else if let Some(endpoint) = self.symbols.find(key) {
                    by_endpoint.push((endpoint, node.id));
                }
            });
        }
        by_endpoint.sort_unstable();
        let claimant = |endpoint: Sym| {
            let i = by_endpoint.partition_point(|c| c.0 < endpoint);
            match &by_endpoint[i..] {
                [(e, _), (f, _), ..] if *e == endpoint && *f == endpoint => Sym::EMPTY,
                [(e, node), ..] if *e == endpoint => *node,
                _ => Sym::EMPTY,
            }
        };
        let list = endpoints.list.iter();
        list.map(|endpoint| match endpoint.address {
            None => Sym::EMPTY,
            Some(i) => by_address[i as usize].unwrap_or_else(|| claimant(endpoint.id)),
        })
        .collect()
    }

    fn container_addresses(&self, node: &Drawn, found: &mut dyn FnMut(&[u8])) {
        let (facts, keys) = (self.facts(), self.keys);
        let silent = [keys.does_not_make_connections, keys.is_in_host_network];
        if silent.iter().any(|&key| facts.latest(node, key).is_some()) {
            return;
        }
        for &address in facts
            .set(node, keys.container_ips_with_scopes)
            .unwrap_or(&[])
        {
            let id = self.symbols.bytes(address);
            let Some((_, address)) = node_id::split(id) else {
                continue;
            };
            // Every network namespace has the loopback addresses.
            if !parse_ip(address).is_some_and(|ip| ip.is_loopback()) {
                found(&[id, b";"].concat());
            }
        }
        for &ports in facts.set(node, keys.container_ports).unwrap_or(&[]) {
            if let Some((address, port)) = published_port(self.symbols.bytes(ports)) {
                found(&[b";", address, b";", port].concat());
            }
        }
    }

    /// Containers with their images' names.
    pub(crate) fn named_containers(&mut self) -> Rendering {
        let containers = self.stage(Stage::Containers);
        let seen = &mut self.scratches.inputs;
        seen.clear(self.symbols.len());
        let mut nodes = Vec::with_capacity(containers.nodes.len());
        for &index in &containers.nodes {
            let node = *self.arena.node(index);
            let image = match self.facts().latest(&node, self.keys.image_id) {
                Some(id) => self.image(id),
                None => None,
            };
            nodes.push(match image {
                Some(_) => self.arena.push(Drawn { image, ..node }),
                None => index,
            });
        }
        Rendering {
            nodes,
            filtered: containers.filtered,
        }
    }

    /// What the image with this id adds to containers; its place in the arena.
    fn image(&mut self, id: Sym) -> Option<u32> {
        const UNKNOWN: u32 = u32::MAX;
        if let Some(known) = self.scratches.inputs.get(id) {
            return (known != UNKNOWN).then_some(known);
        }
        let place = self.new_image(id);
        self.scratches.inputs.insert(id, place.unwrap_or(UNKNOWN));
        place
    }

    fn new_image(&mut self, id: Sym) -> Option<u32> {
        let node = node_id::make(self.symbols.bytes(id), "container_image");
        let node = self.symbols.find(node)?;
        let image = self.report.topology(Kind::ContainerImage).node(node)?;
        let name = image.latest(self.keys.image_name);
        let name = name.filter(|_| !image.topology.is_empty())?;
        let facts = self.keys.of_images().into_iter();
        let latest = facts
            .filter_map(|key| Some((key, image.latest(key)?)))
            .collect();
        let parent = self.named_image(name);
        let place = Arena::mark(&self.arena.images);
        self.arena.images.push(Image { latest, parent });
        Some(place)
    }

    /// The id of the node that stands for all versions of an image.
    fn named_image(&mut self, name: Sym) -> Sym {
        let name = image_name::without_tag(self.symbols.bytes(name));
        let id = node_id::make(name, "container_image");
        self.symbols.intern(id)
    }

    /// Containers by the host name they see.
    pub(crate) fn containers_by_hostname(&mut self) -> Rendering {
        let containers = self.stage(Stage::NamedContainers);
        let (name, topology) = (
            self.keys.container_hostname,
            self.keys.group_container_hostname,
        );
        let groups = self.group(&containers, topology, |facts, node| {
            facts.latest(node, name)
        });
        self.with_containers(&groups)
    }

    /// Containers by the name of their image.
    pub(crate) fn containers_by_image(&mut self) -> Rendering {
        let by_id = self.containers_by_image_id();
        let mut builder = self.builder();
        let mut mapping = Mapping::default();
        for &index in &by_id.nodes {
            let node = *self.arena.node(index);
            if node.topology == self.keys.pseudo {
                mapping.add(builder.adopt(self, &node));
            } else if let Some(name) = self.facts().latest(&node, self.keys.image_name) {
                let id = self.named_image(name);
                mapping.add(builder.adopt_as(self, &node, id));
            }
            mapping.next();
        }
        self.connect(&mut builder, &by_id, &mapping);
        let by_name = builder.finish(self);
        self.with_containers(&by_name)
    }

    fn containers_by_image_id(&mut self) -> Rendering {
        let containers = self.stage(Stage::NamedContainers);
        let mut ids = Ids::default();
        let mut images: HashMap<Sym, Sym> = HashMap::with_capacity(containers.nodes.len());
        for &index in &containers.nodes {
            let node = *self.arena.node(index);
            if let Some(id) = self.facts().latest(&node, self.keys.image_id) {
                images.insert(node.id, ids.tagged(self.symbols, id, "container_image"));
            }
        }
        let mut builder = self.builder();
        self.select(&mut builder, Kind::ContainerImage, false);
        let topology = self.keys.kind(Kind::ContainerImage);
        self.group_into(&mut builder, &containers, topology, |_, node| {
            images.get(&node.id).copied()
        });
        builder.finish(self)
    }

    fn with_containers(&mut self, groups: &Rendering) -> Rendering {
        let (container, pseudo) = (self.keys.kind(Kind::Container), self.keys.pseudo);
        self.filter(groups, |facts, node| {
            node.topology == pseudo || facts.contains(node, container)
        })
    }

    /// Named containers that run something.
    pub(crate) fn running_containers(&mut self) -> Rendering {
        let containers = self.stage(Stage::NamedContainers);
        let states = filter::RunningStates::new(self.keys, self.symbols);
        let pseudo = self.keys.pseudo;
        self.filter(&containers, |facts, node| {
            node.topology == pseudo || states.is_running(facts, node)
        })
    }

    /// Lets nodes have the metrics of their only child of this topology.
    pub(crate) fn show_single_metrics(&mut self, rendering: &Rendering, topology: Sym) {
        let key = self.keys.does_not_make_connections;
        for &index in &rendering.nodes {
            let facts = self.facts();
            let node = facts.arena.node(index);
            if node.topology == self.keys.pseudo {
                continue;
            }
            let mut only: Option<NodeIndex> = None;
            let mut several = false;
            for i in facts.arena.direct_children(node) {
                let child = facts.arena.node(i);
                if child.topology == topology && facts.latest(child, key).is_none() {
                    several |= only.is_some_and(|o| facts.arena.node(o).id != child.id);
                    only = Some(i);
                }
            }
            if !several {
                self.arena.node_mut(index).metrics_of = only;
            }
        }
    }
}

/// The host's address and port in `<IPv4 address>:<port>-><port>/tcp`, anywhere in the text.
fn published_port(text: &[u8]) -> Option<(&[u8], &[u8])> {
    (0..text.len()).find_map(|start| {
        let rest = &text[start..];
        let mut end = 0;
        for octet in 0..4 {
            if octet > 0 {
                end += usize::from(rest.get(end) == Some(&b'.'));
                if rest.get(end.wrapping_sub(1)) != Some(&b'.') {
                    return None;
                }
            }
            let digits = digits(&rest[end..]);
            if digits == 0 || digits > 3 {
                return None;
            }
            end += digits;
        }
        let address = &rest[..end];
        let rest = rest[end..].strip_prefix(b":")?;
        let port = &rest[..digits(rest)];
        let rest = rest[port.len()..].strip_prefix(b"->")?;
        let inner = digits(rest);
        let matches = !port.is_empty() && inner > 0 && rest[inner..].starts_with(b"/tcp");
        matches.then_some((address, port))
    })
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_are_ipv4_and_tcp() {
        let check = |text: &str, want: Option<(&str, &str)>| {
            let want = want.map(|(a, p)| (a.as_bytes(), p.as_bytes()));
            assert_eq!(published_port(text.as_bytes()), want, "{text}");
        };
        check("0.0.0.0:8080->80/tcp", Some(("0.0.0.0", "8080")));
        check("10.0.0.1:53->53/udp", None);
        check("80/tcp", None);
        check(":::8080->80/tcp", None);
        check("x 1.2.3.4:5->6/tcp", Some(("1.2.3.4", "5")));
        check("1.2.3:5->6/tcp", None);
        check("1.2.3.4:->6/tcp", None);
        check("", None);
    }
}
