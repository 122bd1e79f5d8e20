//! The kinds of node that a report has, in the order in which everything walks them.

/// A topology of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    Endpoint,
    Process,
    Container,
    ContainerImage,
    Pod,
    Service,
    Deployment,
    ReplicaSet,
    DaemonSet,
    StatefulSet,
    CronJob,
    Namespace,
    Host,
    Overlay,
    EcsTask,
    EcsService,
    SwarmService,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeSnapshot,
    VolumeSnapshotData,
    Job,
}

/// All kinds, each at the index of its number.
pub const KINDS: [Kind; 23] = [
    Kind::Endpoint,
    Kind::Process,
    Kind::Container,
    Kind::ContainerImage,
    Kind::Pod,
    Kind::Service,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::DaemonSet,
    Kind::StatefulSet,
    Kind::CronJob,
    Kind::Namespace,
    Kind::Host,
    Kind::Overlay,
    Kind::EcsTask,
    Kind::EcsService,
    Kind::SwarmService,
    Kind::PersistentVolume,
    Kind::PersistentVolumeClaim,
    Kind::StorageClass,
    Kind::VolumeSnapshot,
    Kind::VolumeSnapshotData,
    Kind::Job,
];

/// Scope's order of declaration, which is that of the array form.
pub(crate) const DECLARED: [Kind; 23] = [
    Kind::Endpoint,
    Kind::Process,
    Kind::Container,
    Kind::Pod,
    Kind::Service,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::DaemonSet,
    Kind::StatefulSet,
    Kind::CronJob,
    Kind::Namespace,
    Kind::ContainerImage,
    Kind::Host,
    Kind::EcsTask,
    Kind::EcsService,
    Kind::SwarmService,
    Kind::Overlay,
    Kind::PersistentVolume,
    Kind::PersistentVolumeClaim,
    Kind::StorageClass,
    Kind::VolumeSnapshot,
    Kind::VolumeSnapshotData,
    Kind::Job,
];

/// What is fixed about a kind: names on the wire and what an empty report says of it.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The value of a node's `topology` and the keys of `parents`.
    pub name: &'static str,
    /// The member of a report.
    pub report_key: &'static str,
    /// The default shape; empty for kinds that are never drawn.
    pub shape: &'static str,
    /// The default tag.
    pub tag: &'static str,
    /// The default singular noun.
    pub label: &'static str,
    /// The default plural noun.
    pub label_plural: &'static str,
}

impl Kind {
    /// What is fixed about this kind.
    #[must_use]
    pub const fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// The kind with this wire name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Kind> {
        let i = FACTS.iter().position(|f| f.name.as_bytes() == name)?;
        Some(KINDS[i])
    }

    /// The kind that is this member of a report.
    #[must_use]
    pub fn from_report_key(key: &[u8]) -> Option<Kind> {
        let i = FACTS.iter().position(|f| f.report_key.as_bytes() == key)?;
        Some(KINDS[i])
    }
}

const fn facts(
    name: &'static str,
    report_key: &'static str,
    shape: &'static str,
    tag: &'static str,
    nouns: (&'static str, &'static str),
) -> Facts {
    Facts {
        name,
        report_key,
        shape,
        tag,
        label: nouns.0,
        label_plural: nouns.1,
    }
}

const FACTS: [Facts; 23] = [
    facts("endpoint", "Endpoint", "", "", ("", "")),
    facts("process", "Process", "square", "", ("process", "processes")),
    facts(
        "container",
        "Container",
        "hexagon",
        "",
        ("container", "containers"),
    ),
    facts(
        "container_image",
        "ContainerImage",
        "hexagon",
        "",
        ("image", "images"),
    ),
    facts("pod", "Pod", "heptagon", "", ("pod", "pods")),
    facts(
        "service",
        "Service",
        "heptagon",
        "",
        ("service", "services"),
    ),
    facts(
        "deployment",
        "Deployment",
        "heptagon",
        "",
        ("deployment", "deployments"),
    ),
    facts(
        "replica_set",
        "ReplicaSet",
        "triangle",
        "",
        ("replica set", "replica sets"),
    ),
    facts(
        "daemon_set",
        "DaemonSet",
        "pentagon",
        "",
        ("daemonset", "daemonsets"),
    ),
    facts(
        "stateful_set",
        "StatefulSet",
        "octagon",
        "",
        ("stateful set", "stateful sets"),
    ),
    facts(
        "cron_job",
        "CronJob",
        "triangle",
        "",
        ("cron job", "cron jobs"),
    ),
    facts("namespace", "Namespace", "", "", ("", "")),
    facts("host", "Host", "circle", "", ("host", "hosts")),
    facts("overlay", "Overlay", "circle", "", ("peer", "peers")),
    facts("ecs_task", "ECSTask", "heptagon", "", ("task", "tasks")),
    facts(
        "ecs_service",
        "ECSService",
        "heptagon",
        "",
        ("service", "services"),
    ),
    facts(
        "swarm_service",
        "SwarmService",
        "heptagon",
        "",
        ("service", "services"),
    ),
    facts(
        "persistent_volume",
        "PersistentVolume",
        "cylinder",
        "",
        ("persistent volume", "persistent volumes"),
    ),
    facts(
        "persistent_volume_claim",
        "PersistentVolumeClaim",
        "dottedcylinder",
        "",
        ("persistent volume claim", "persistent volume claims"),
    ),
    facts(
        "storage_class",
        "StorageClass",
        "sheet",
        "",
        ("storage class", "storage classes"),
    ),
    facts(
        "volume_snapshot",
        "VolumeSnapshot",
        "dottedcylinder",
        "camera",
        ("volume snapshot", "volume snapshots"),
    ),
    facts(
        "volume_snapshot_data",
        "VolumeSnapshotData",
        "cylinder",
        "camera",
        ("volume snapshot data", "volume snapshot data"),
    ),
    facts("job", "Job", "dottedtriangle", "", ("job", "jobs")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_facts_have_one_order() {
        for (i, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, i);
            assert_eq!(Kind::from_name(kind.facts().name.as_bytes()), Some(kind));
            assert_eq!(
                Kind::from_report_key(kind.facts().report_key.as_bytes()),
                Some(kind)
            );
        }
    }
}
