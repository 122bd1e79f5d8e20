//! Which nodes an option lets pass.

use crate::kind::Kind;
use crate::render::drawn::Drawn;
use crate::render::facts::Facts;
use crate::render::image_name;
use crate::render::keys::Keys;
use crate::symbol::{Sym, Symbols};

/// What a node must be to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Filter {
    /// Connected to a node other than itself.
    Connected,
    /// Part of what keeps applications running.
    System,
    /// Not [`Filter::System`].
    Application,
    /// Not [`Filter::Running`].
    Stopped,
    /// Not a container, or one that runs.
    Running,
    /// Real, or on the Internet.
    NotPseudo,
    /// Not a volume, a claim or a storage class.
    NotStorage,
    /// Not a snapshot.
    NotSnapshot,
    /// In this Kubernetes namespace or Swarm stack.
    InNamespace(Sym),
}

impl Filter {
    /// Whether pseudo nodes need to pass, too.
    pub(crate) fn applies_to_pseudo(self) -> bool {
        self == Filter::NotPseudo
    }
}

/// States in which a container counts as running.
#[derive(Debug)]
pub(crate) struct RunningStates {
    key: Sym,
    /// The last one is how CRI says it.
    states: [Sym; 4],
}

impl RunningStates {
    pub(crate) fn new(keys: &Keys, symbols: &mut Symbols) -> Self {
        let states = ["running", "restarting", "paused", "CONTAINER_RUNNING"];
        RunningStates {
            key: keys.container_state,
            states: states.map(|state| symbols.intern(state)),
        }
    }

    /// Whether the node is no container or a running one.
    pub(crate) fn is_running(&self, facts: Facts<'_>, node: &Drawn) -> bool {
        let state = facts.latest(node, self.key);
        state.is_none_or(|state| self.states.contains(&state))
    }
}

/// What filters look for.
#[derive(Debug)]
pub(crate) struct Predicates<'a> {
    pub(crate) symbols: &'a Symbols,
    pub(crate) running: RunningStates,
}

impl Predicates<'_> {
    /// Whether the node passes; [`Filter::Connected`] is for the caller to know.
    pub(crate) fn passes(&self, facts: Facts<'_>, node: &Drawn, filter: Filter) -> bool {
        let keys = facts.keys;
        let is = |kind| node.topology == keys.kind(kind);
        match filter {
            Filter::Connected => true,
            Filter::System => !self.is_application(facts, node),
            Filter::Application => self.is_application(facts, node),
            Filter::Stopped => !self.running.is_running(facts, node),
            Filter::Running => self.running.is_running(facts, node),
            Filter::NotPseudo => self.is_not_pseudo(keys, node),
            Filter::NotStorage => {
                !is(Kind::PersistentVolume)
                    && !is(Kind::PersistentVolumeClaim)
                    && !is(Kind::StorageClass)
            }
            Filter::NotSnapshot => !is(Kind::VolumeSnapshot) && !is(Kind::VolumeSnapshotData),
            Filter::InNamespace(namespace) => self.is_in_namespace(facts, node, namespace),
        }
    }

    fn is_not_pseudo(&self, keys: &Keys, node: &Drawn) -> bool {
        node.topology != keys.pseudo
            || node.id == keys.in_internet
            || node.id == keys.out_internet
            || self.symbols.bytes(node.id).starts_with(b"service-")
    }

    fn is_application(&self, facts: Facts<'_>, node: &Drawn) -> bool {
        let keys = facts.keys;
        let fact = |key| {
            self.symbols
                .bytes(facts.latest(node, key).unwrap_or_default())
        };
        let image = fact(keys.image_name).split(|&b| b == b':').next();
        let image = image.unwrap_or_default();
        !is_system_container(fact(keys.container_name))
            && !is_system_image(image)
            && !image_name::is_pause(image)
            && fact(keys.label_kubernetes_type) != b"podsandbox"
            && fact(keys.label_role) != b"system"
            && fact(keys.image_role) != b"system"
            && fact(keys.label_pod_namespace) != b"kube-system"
            && !fact(keys.label_pod_name).starts_with(b"kube-system/")
    }

    /// Groups of containers are where their containers are.
    fn is_in_namespace(&self, facts: Facts<'_>, node: &Drawn, namespace: Sym) -> bool {
        let keys = facts.keys;
        let container = keys.kind(Kind::Container);
        let is_group = node.topology == keys.group_container_hostname
            || node.topology == keys.kind(Kind::ContainerImage);
        if !is_group {
            return self.namespace(facts, node, namespace) == namespace;
        }
        facts.arena.direct_children(node).any(|i| {
            let child = facts.arena.node(i);
            child.topology == container && self.namespace(facts, child, namespace) == namespace
        })
    }

    /// The node's namespace; what is in none is in the one that Swarm calls `No stack`.
    fn namespace(&self, facts: Facts<'_>, node: &Drawn, wanted: Sym) -> Sym {
        let keys = facts.keys;
        let namespace = [
            keys.kubernetes_namespace,
            keys.label_pod_namespace,
            keys.stack_namespace,
            keys.label_stack_namespace,
        ]
        .into_iter()
        .find_map(|key| facts.latest(node, key))
        .unwrap_or_default();
        if namespace.is_empty() && self.symbols.bytes(wanted) == b"No stack" {
            return wanted;
        }
        namespace
    }
}

fn is_system_container(name: &[u8]) -> bool {
    matches!(
        name,
        b"weavescope" | b"weavedns" | b"weave" | b"weaveproxy" | b"weaveexec" | b"ecs-agent"
    )
}

fn is_system_image(name: &[u8]) -> bool {
    matches!(
        name,
        b"swarm"
            | b"weaveworks/scope"
            | b"weaveworks/weavedns"
            | b"weaveworks/weave"
            | b"weaveworks/weaveproxy"
            | b"weaveworks/weaveexec"
            | b"amazon/amazon-ecs-agent"
            | b"openshift/origin-pod"
            | b"docker.io/openshift/origin-pod"
    )
}
