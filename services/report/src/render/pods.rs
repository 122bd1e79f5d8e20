//! Pods.

use crate::kind::Kind;
use crate::render::context::Render;
use crate::render::drawn::{Drawn, Rendering};
use crate::render::image_name;
use crate::render::stages::Stage;
use crate::symbol::Sym;

/// A cluster has at least one of these.
const KUBERNETES: [Kind; 10] = [
    Kind::Pod,
    Kind::Service,
    Kind::Deployment,
    Kind::DaemonSet,
    Kind::StatefulSet,
    Kind::CronJob,
    Kind::PersistentVolume,
    Kind::PersistentVolumeClaim,
    Kind::StorageClass,
    Kind::Job,
];

impl Render<'_> {
    /// Whether there is a cluster at all.
    pub(crate) fn has_kubernetes(&self) -> bool {
        KUBERNETES.iter().any(|&kind| self.has_any(kind))
    }

    /// All pods, with the connections of their containers and of their addresses, and the volumes they use.
    pub(crate) fn pods(&mut self) -> Rendering {
        if !self.has_kubernetes() {
            return Rendering::default();
        }
        let running = self.stage(Stage::RunningContainers);
        let (key, pseudo) = (self.keys.image_name, self.keys.pseudo);
        let paused = self.pause_images(&running);
        let containers = self.filter(&running, |facts, node| {
            node.topology == pseudo
                || facts
                    .latest(node, key)
                    .is_none_or(|name| !paused.contains(&name))
        });
        let pods = self.map_to_parents(&containers, &[Kind::Pod], true);
        self.place_on_hosts(&pods);
        self.show_single_metrics(&pods, self.keys.kind(Kind::Container));

        let joined = self.join_addresses(Kind::Pod, Self::pod_address);
        let mut builder = self.builder();
        self.map_endpoints(&mut builder, Kind::Pod, &joined);
        self.adopt_all(&mut builder, &pods);
        self.add_volumes(&mut builder);
        let all = builder.finish(self);

        let gone = ["deleted", "Failed"].map(|state| self.symbols.intern(state));
        let state = self.keys.kubernetes_state;
        self.filter(&all, |facts, node| {
            node.topology == pseudo || facts.latest(node, state).is_none_or(|s| !gone.contains(&s))
        })
    }

    /// The names of pause images among the images of these containers.
    fn pause_images(&mut self, containers: &Rendering) -> Vec<Sym> {
        let mut names = Vec::new();
        self.scratches.seen.clear(self.symbols.len());
        for &index in &containers.nodes {
            let node = *self.arena.node(index);
            let Some(name) = self.facts().latest(&node, self.keys.image_name) else {
                continue;
            };
            if self.scratches.seen.add(name) && image_name::is_pause(self.symbols.bytes(name)) {
                names.push(name);
            }
        }
        names
    }

    /// Probes do not say which host a pod is on, but its containers know.
    fn place_on_hosts(&mut self, pods: &Rendering) {
        let (pod, host) = (self.keys.kind(Kind::Pod), self.keys.kind(Kind::Host));
        for &index in &pods.nodes {
            let facts = self.facts();
            let node = facts.arena.node(index);
            if node.topology != pod {
                continue;
            }
            let mut children = facts.arena.direct_children(node);
            let found = children.find(|&i| {
                let child = facts.arena.node(i);
                facts.parents(child, host).next().is_some()
            });
            drop(children);
            self.arena.node_mut(index).hosts_of = found;
        }
    }

    fn pod_address(&self, node: &Drawn, found: &mut dyn FnMut(&[u8])) {
        let (facts, keys) = (self.facts(), self.keys);
        if facts
            .latest(node, keys.kubernetes_is_in_host_network)
            .is_some()
        {
            return;
        }
        match facts.latest(node, keys.kubernetes_ip) {
            Some(ip) if !ip.is_empty() => found(&[b";", self.symbols.bytes(ip), b";"].concat()),
            _ => {}
        }
    }
}
