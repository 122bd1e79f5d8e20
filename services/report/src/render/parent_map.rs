//! Nodes by what they belong to: pods of containers, controllers of pods, tasks, services.

use crate::kind::Kind;
use crate::render::builder::Builder;
use crate::render::context::{Mapping, Render};
use crate::render::drawn::Rendering;
use crate::render::stages::Stage;
use crate::symbol::Sym;

/// Kinds that group pods.
const CONTROLLERS: [Kind; 5] = [
    Kind::Deployment,
    Kind::DaemonSet,
    Kind::StatefulSet,
    Kind::CronJob,
    Kind::Job,
];

impl Render<'_> {
    /// Puts every node into its parents of these kinds. Nodes without any are dropped, or go to a pseudo node for what is
    /// unmanaged on their host.
    pub(crate) fn map_to_parents(
        &mut self,
        input: &Rendering,
        kinds: &[Kind],
        keep_unmanaged: bool,
    ) -> Rendering {
        let mut builder = self.builder();
        let mut mapping = Mapping::default();
        let mut parents: Vec<(Sym, Sym)> = Vec::new();
        for &index in &input.nodes {
            let node = *self.arena.node(index);
            let uncontained = match keep_unmanaged {
                true => self
                    .symbols
                    .bytes(node.id)
                    .strip_prefix(b"pseudo:uncontained:"),
                false => None,
            };
            parents.clear();
            if let Some(host) = uncontained {
                let id = [b"pseudo:unmanaged:", host].concat();
                parents.push((self.symbols.intern(id), self.keys.pseudo));
            } else if node.topology == self.keys.pseudo {
                mapping.add(builder.adopt(self, &node));
            } else {
                for &kind in kinds {
                    let topology = self.keys.kind(kind);
                    let ids = self.facts().parents(&node, topology);
                    parents.extend(ids.map(|id| (id, topology)));
                }
                if parents.is_empty() && keep_unmanaged {
                    let host = self.facts().host_name(self.symbols, &node);
                    let id = [b"pseudo:unmanaged:", host].concat();
                    parents.push((self.symbols.intern(id), self.keys.pseudo));
                }
            }
            for &(id, topology) in &parents {
                let output = builder.node(self, id, topology);
                builder.contain_deep(output, index);
                builder.count(output, node.topology);
                mapping.add(output);
            }
            mapping.next();
        }
        self.connect(&mut builder, input, &mapping);
        builder.finish(self)
    }

    /// All nodes of these kinds together with what `input`'s nodes say of them.
    fn with_parents(
        &mut self,
        input: &Rendering,
        child: Kind,
        kinds: &[Kind],
        keep_unmanaged: bool,
    ) -> Rendering {
        let mapped = self.map_to_parents(input, kinds, keep_unmanaged);
        self.show_single_metrics(&mapped, self.keys.kind(child));
        let mut builder = self.builder();
        for &kind in kinds {
            self.select(&mut builder, kind, true);
        }
        self.adopt_all(&mut builder, &mapped);
        builder.finish(self)
    }

    /// Adds all nodes of a rendering and their edges.
    pub(crate) fn adopt_all(&mut self, builder: &mut Builder, rendering: &Rendering) {
        for &index in &rendering.nodes {
            let node = *self.arena.node(index);
            builder.adopt_with_edges(self, &node);
        }
    }

    /// Deployments and other controllers of pods.
    pub(crate) fn kube_controllers(&mut self) -> Rendering {
        if !self.has_kubernetes() {
            return Rendering::default();
        }
        let pods = self.stage(Stage::Pods);
        self.with_parents(&pods, Kind::Pod, &CONTROLLERS, true)
    }

    /// Kubernetes services.
    pub(crate) fn services(&mut self) -> Rendering {
        if !self.has_kubernetes() {
            return Rendering::default();
        }
        let pods = self.stage(Stage::Pods);
        self.with_parents(&pods, Kind::Pod, &[Kind::Service], false)
    }

    /// Tasks of Amazon's ECS.
    pub(crate) fn ecs_tasks(&mut self) -> Rendering {
        if !self.has_any(Kind::EcsTask) && !self.has_any(Kind::EcsService) {
            return Rendering::default();
        }
        let containers = self.stage(Stage::RunningContainers);
        self.with_parents(&containers, Kind::Container, &[Kind::EcsTask], true)
    }

    /// Services of Amazon's ECS.
    pub(crate) fn ecs_services(&mut self) -> Rendering {
        let tasks = self.stage(Stage::EcsTasks);
        if tasks.nodes.is_empty() && !self.has_any(Kind::EcsService) {
            return Rendering::default();
        }
        self.with_parents(&tasks, Kind::EcsTask, &[Kind::EcsService], false)
    }

    /// Services of Docker Swarm.
    pub(crate) fn swarm_services(&mut self) -> Rendering {
        if !self.has_any(Kind::SwarmService) {
            return Rendering::default();
        }
        let containers = self.stage(Stage::RunningContainers);
        self.with_parents(&containers, Kind::Container, &[Kind::SwarmService], true)
    }
}
