//! Kubernetes storage: claims, volumes, classes, snapshots.

use hashbrown::HashMap;

use crate::kind::Kind;
use crate::render::builder::Builder;
use crate::render::context::Render;
use crate::render::drawn::{Drawn, NodeIndex};
use crate::symbol::Sym;

/// Nodes by a fact, or by two.
type ByFact = HashMap<(Sym, Sym), Vec<NodeIndex>>;

impl Render<'_> {
    /// Adds claims with their volumes, pods with their claims, storage classes with the claims on them, volumes with their
    /// snapshots, and snapshots with their data.
    pub(crate) fn add_volumes(&mut self, builder: &mut Builder) {
        let keys = self.keys;
        let (name, volume) = (keys.kubernetes_name, keys.kubernetes_volume_name);

        let volumes = self.by_fact(Kind::PersistentVolume, name, None);
        self.link(builder, Kind::PersistentVolumeClaim, volume, &volumes);

        let claims = self.by_fact(
            Kind::PersistentVolumeClaim,
            name,
            Some(keys.kubernetes_namespace),
        );
        self.link_pods(builder, &claims);

        let class = keys.kubernetes_storage_class_name;
        let claims = self.by_fact(Kind::PersistentVolumeClaim, class, None);
        self.link(builder, Kind::StorageClass, name, &claims);

        let snapshots = self.by_fact(Kind::VolumeSnapshot, volume, None);
        self.link(builder, Kind::PersistentVolume, name, &snapshots);

        if self.has_any(Kind::VolumeSnapshot) {
            let data = self.by_fact(Kind::VolumeSnapshotData, name, None);
            self.select(builder, Kind::VolumeSnapshotData, true);
            let key = keys.kubernetes_snapshot_data;
            self.link(builder, Kind::VolumeSnapshot, key, &data);
        }
    }

    /// The nodes of a topology by one or two facts; a missing fact counts as empty.
    fn by_fact(&mut self, kind: Kind, first: Sym, second: Option<Sym>) -> ByFact {
        let nodes: Vec<Drawn> = self.report_nodes(kind).collect();
        let mut by_fact = ByFact::new();
        for node in nodes {
            let key = (
                self.fact(&node, first),
                second.map_or(Sym::EMPTY, |key| self.fact(&node, key)),
            );
            by_fact.entry(key).or_default().push(self.arena.push(node));
        }
        by_fact
    }

    fn fact(&self, node: &Drawn, key: Sym) -> Sym {
        self.facts().latest(node, key).unwrap_or_default()
    }

    /// Adds all nodes of a topology, each connected to and containing the others that its fact names.
    fn link(&mut self, builder: &mut Builder, kind: Kind, key: Sym, others: &ByFact) {
        self.select(builder, kind, true);
        let nodes: Vec<Drawn> = self.report_nodes(kind).collect();
        for node in nodes {
            let fact = self.fact(&node, key);
            let output = builder.node(self, node.id, node.topology);
            for &other in others.get(&(fact, Sym::EMPTY)).into_iter().flatten() {
                if builder.is_full() {
                    return;
                }
                builder.contain(output, other);
                builder.edge(output, self.arena.node(other).id);
            }
        }
    }

    /// Adds the pods that claim volumes, each with the first claim of every name.
    fn link_pods(&mut self, builder: &mut Builder, claims: &ByFact) {
        let pods: Vec<Drawn> = self.report_nodes(Kind::Pod).collect();
        for pod in pods {
            let names = self.facts().latest(&pod, self.keys.kubernetes_volume_claim);
            let Some(names) = names else {
                continue;
            };
            let namespace = self.fact(&pod, self.keys.kubernetes_namespace);
            let output = builder.adopt(self, &pod);
            for name in self.symbols.bytes(names).split(|&b| b == b';') {
                let Some(name) = self.symbols.find(name) else {
                    continue;
                };
                if let Some(&claim) = claims.get(&(name, namespace)).and_then(|c| c.first()) {
                    builder.contain(output, claim);
                    builder.edge(output, self.arena.node(claim).id);
                }
            }
        }
    }
}
