//! How the topologies look and what of their nodes is shown: the constants that travel in full reports.

/// One of the topologies of the format.
#[derive(Debug)]
pub(super) struct Topology {
    /// Its key in the report.
    pub(super) key: &'static str,
    pub(super) shape: &'static str,
    pub(super) tag: &'static str,
    pub(super) label: &'static str,
    pub(super) label_plural: &'static str,
    pub(super) controls: &'static [Control],
    pub(super) metadata: &'static [Metadata],
    pub(super) metrics: &'static [MetricTemplate],
    pub(super) tables: &'static [Table],
}

/// A control that nodes of a topology can name as active.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) id: &'static str,
    pub(super) human: &'static str,
    pub(super) icon: &'static str,
    pub(super) rank: u64,
}

/// A row of metadata.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) priority: f64,
    pub(super) data_type: &'static str,
    pub(super) from: &'static str,
    pub(super) truncate: u64,
}

/// A metric.
#[derive(Debug)]
pub(super) struct MetricTemplate {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) format: &'static str,
    pub(super) group: &'static str,
    pub(super) priority: f64,
}

/// A property list: the latest values under a prefix, or some fixed ones.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) prefix: &'static str,
    pub(super) fixed_rows: &'static [(&'static str, &'static str)],
}

const fn plain(
    key: &'static str,
    shape: &'static str,
    label: &'static str,
    label_plural: &'static str,
) -> Topology {
    Topology {
        key,
        shape,
        tag: "",
        label,
        label_plural,
        controls: &[],
        metadata: &[],
        metrics: &[],
        tables: &[],
    }
}

const fn camera(key: &'static str, shape: &'static str, label: &'static str) -> Topology {
    Topology {
        tag: "camera",
        ..plain(key, shape, label, label)
    }
}

const fn row(id: &'static str, label: &'static str, priority: f64) -> Metadata {
    Metadata {
        id,
        label,
        priority,
        data_type: "",
        from: "latest",
        truncate: 0,
    }
}

const fn typed(
    id: &'static str,
    label: &'static str,
    priority: f64,
    data_type: &'static str,
) -> Metadata {
    Metadata {
        data_type,
        ..row(id, label, priority)
    }
}

const fn set(id: &'static str, label: &'static str, priority: f64) -> Metadata {
    Metadata {
        from: "sets",
        ..row(id, label, priority)
    }
}

const fn metric(
    id: &'static str,
    label: &'static str,
    format: &'static str,
    priority: f64,
) -> MetricTemplate {
    MetricTemplate {
        id,
        label,
        format,
        group: "",
        priority,
    }
}

const fn control(id: &'static str, human: &'static str, icon: &'static str, rank: u64) -> Control {
    Control {
        id,
        human,
        icon,
        rank,
    }
}

const fn table(id: &'static str, label: &'static str) -> Table {
    Table {
        id,
        label,
        prefix: id,
        fixed_rows: &[],
    }
}

/// All topologies of the format, in its order.
pub(super) const TOPOLOGIES: [Topology; 23] = [
    plain("Endpoint", "", "", ""),
    PROCESS,
    CONTAINER,
    plain("Pod", "heptagon", "pod", "pods"),
    plain("Service", "heptagon", "service", "services"),
    plain("Deployment", "heptagon", "deployment", "deployments"),
    plain("ReplicaSet", "triangle", "replica set", "replica sets"),
    plain("DaemonSet", "pentagon", "daemonset", "daemonsets"),
    plain("StatefulSet", "octagon", "stateful set", "stateful sets"),
    plain("CronJob", "triangle", "cron job", "cron jobs"),
    plain("Namespace", "", "", ""),
    CONTAINER_IMAGE,
    HOST,
    plain("ECSTask", "heptagon", "task", "tasks"),
    plain("ECSService", "heptagon", "service", "services"),
    plain("SwarmService", "heptagon", "service", "services"),
    plain("Overlay", "circle", "peer", "peers"),
    plain(
        "PersistentVolume",
        "cylinder",
        "persistent volume",
        "persistent volumes",
    ),
    plain(
        "PersistentVolumeClaim",
        "dottedcylinder",
        "persistent volume claim",
        "persistent volume claims",
    ),
    plain("StorageClass", "sheet", "storage class", "storage classes"),
    Topology {
        label_plural: "volume snapshots",
        ..camera("VolumeSnapshot", "dottedcylinder", "volume snapshot")
    },
    camera("VolumeSnapshotData", "cylinder", "volume snapshot data"),
    plain("Job", "dottedtriangle", "job", "jobs"),
];

const PROCESS: Topology = Topology {
    metadata: &[
        typed("pid", "PID", 1.0, "number"),
        row("cmdline", "Command", 2.0),
        typed("ppid", "Parent PID", 3.0, "number"),
        typed("threads", "# Threads", 4.0, "number"),
    ],
    metrics: &[
        metric("process_cpu_usage_percent", "CPU", "percent", 1.0),
        metric("process_memory_usage_bytes", "Memory", "filesize", 2.0),
        metric("open_files_count", "Open files", "integer", 3.0),
    ],
    ..plain("Process", "square", "process", "processes")
};

const HOST: Topology = Topology {
    controls: &[control("host_exec", "Exec shell", "fa fa-terminal", 0)],
    metadata: &[
        row("kernel_version", "Kernel version", 1.0),
        typed("uptime", "Uptime", 2.0, "duration"),
        row("host_name", "Hostname", 11.0),
        row("os", "OS", 12.0),
        set("local_networks", "Local networks", 13.0),
        row("host_scope_version", "Scope version", 14.0),
    ],
    metrics: &[
        metric("host_cpu_usage_percent", "CPU", "percent", 1.0),
        metric("host_mem_usage_bytes", "Memory", "filesize", 2.0),
        MetricTemplate {
            id: "load1",
            label: "Load (1m)",
            format: "",
            group: "load",
            priority: 11.0,
        },
    ],
    ..plain("Host", "circle", "host", "hosts")
};

const CONTAINER: Topology = Topology {
    controls: &[
        control("docker_attach_container", "Attach", "fa fa-desktop", 1),
        control("docker_exec_container", "Exec shell", "fa fa-terminal", 2),
        control("docker_start_container", "Start", "fa fa-play", 3),
        control("docker_restart_container", "Restart", "fa fa-redo", 4),
        control("docker_pause_container", "Pause", "fa fa-pause", 5),
        control("docker_unpause_container", "Unpause", "fa fa-play", 6),
        control("docker_stop_container", "Stop", "fa fa-stop", 7),
        control("docker_remove_container", "Remove", "far fa-trash-alt", 8),
    ],
    metadata: &[
        row("docker_image_tag", "Image tag", 1.0),
        row("docker_image_name", "Image name", 2.0),
        row("docker_container_command", "Command", 3.0),
        row("docker_container_state_human", "State", 4.0),
        typed("docker_container_uptime", "Uptime", 5.0, "duration"),
        row("docker_container_restart_count", "Restart #", 6.0),
        set("docker_container_networks", "Networks", 7.0),
        set("docker_container_ips", "IPs", 8.0),
        set("docker_container_ports", "Ports", 9.0),
        typed("docker_container_created", "Created", 10.0, "datetime"),
        Metadata {
            truncate: 12,
            ..row("docker_container_id", "ID", 11.0)
        },
    ],
    metrics: &[
        metric("docker_cpu_total_usage", "CPU", "percent", 1.0),
        metric("docker_memory_usage", "Memory", "filesize", 2.0),
    ],
    tables: &[
        Table {
            id: "image_table",
            label: "Image",
            prefix: "",
            // The leading blanks sort these rows before the others.
            fixed_rows: &[
                ("docker_image_id", " ID"),
                ("docker_image_name", " Name"),
                ("docker_image_tag", " Tag"),
                ("docker_image_size", "Size"),
                ("docker_image_virtual_size", "Virtual size"),
            ],
        },
        table("docker_label_", "Docker labels"),
        table("docker_env_", "Environment variables"),
    ],
    ..plain("Container", "hexagon", "container", "containers")
};

const CONTAINER_IMAGE: Topology = Topology {
    metadata: &[Metadata {
        from: "counters",
        ..typed("container", "# Containers", 2.0, "number")
    }],
    tables: &[table("docker_image_label_", "Docker labels")],
    ..plain("ContainerImage", "hexagon", "image", "images")
};
