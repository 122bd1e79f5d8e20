//! The strings that rendering looks for, as symbols.

use crate::kind::{KINDS, Kind};
use crate::symbol::{Sym, Symbols};

/// Symbols of well-known strings.
#[derive(Debug)]
#[allow(clippy::missing_docs_in_private_items)]
pub(crate) struct Keys {
    kinds: [Sym; KINDS.len()],
    /// Kinds by the symbol of their name, as far as those go.
    by_symbol: Vec<Option<Kind>>,
    pub(crate) pseudo: Sym,
    pub(crate) group_process_name: Sym,
    pub(crate) group_container_hostname: Sym,
    pub(crate) in_internet: Sym,
    pub(crate) out_internet: Sym,

    pub(crate) active_controls: Sym,
    pub(crate) conn_count: Sym,
    pub(crate) control_probe_id: Sym,
    pub(crate) copy_of: Sym,
    pub(crate) does_not_make_connections: Sym,
    pub(crate) host_node_id: Sym,
    pub(crate) name: Sym,
    pub(crate) pid: Sym,
    pub(crate) cmdline: Sym,

    pub(crate) host_name: Sym,
    pub(crate) scope_version: Sym,
    pub(crate) local_networks: Sym,

    pub(crate) container_id: Sym,
    pub(crate) container_name: Sym,
    pub(crate) container_command: Sym,
    pub(crate) container_hostname: Sym,
    pub(crate) container_state: Sym,
    pub(crate) container_ips_with_scopes: Sym,
    pub(crate) container_ports: Sym,
    pub(crate) is_in_host_network: Sym,
    pub(crate) image_id: Sym,
    pub(crate) image_name: Sym,
    pub(crate) image_tag: Sym,
    pub(crate) image_size: Sym,
    pub(crate) image_virtual_size: Sym,
    pub(crate) image_role: Sym,
    pub(crate) label_role: Sym,
    pub(crate) label_kubernetes_type: Sym,
    pub(crate) label_pod_name: Sym,
    pub(crate) label_pod_namespace: Sym,
    pub(crate) label_stack_namespace: Sym,
    pub(crate) label_ecs_container_name: Sym,
    pub(crate) label_kubernetes_container_name: Sym,
    pub(crate) env_marathon_app_id: Sym,
    pub(crate) service_name: Sym,
    pub(crate) stack_namespace: Sym,

    pub(crate) kubernetes_name: Sym,
    pub(crate) kubernetes_namespace: Sym,
    pub(crate) kubernetes_ip: Sym,
    pub(crate) kubernetes_state: Sym,
    pub(crate) kubernetes_is_in_host_network: Sym,
    pub(crate) kubernetes_volume_claim: Sym,
    pub(crate) kubernetes_volume_name: Sym,
    pub(crate) kubernetes_storage_class_name: Sym,
    pub(crate) kubernetes_snapshot_data: Sym,

    pub(crate) ecs_task_family: Sym,
    pub(crate) weave_peer_nick_name: Sym,
}

impl Keys {
    pub(crate) fn new(symbols: &mut Symbols) -> Self {
        let mut key = |name: &str| symbols.intern(name);
        let kinds = KINDS.map(|kind| key(kind.facts().name));
        Keys {
            by_symbol: by_symbol(&kinds),
            kinds,
            pseudo: key("pseudo"),
            group_process_name: key("group:process:name"),
            group_container_hostname: key("group:container:docker_container_hostname"),
            in_internet: key("in-theinternet"),
            out_internet: key("out-theinternet"),

            active_controls: key("active_controls"),
            conn_count: key("conn_count"),
            control_probe_id: key("control_probe_id"),
            copy_of: key("copy_of"),
            does_not_make_connections: key("does_not_make_connections"),
            host_node_id: key("host_node_id"),
            name: key("name"),
            pid: key("pid"),
            cmdline: key("cmdline"),

            host_name: key("host_name"),
            scope_version: key("host_scope_version"),
            local_networks: key("local_networks"),

            container_id: key("docker_container_id"),
            container_name: key("docker_container_name"),
            container_command: key("docker_container_command"),
            container_hostname: key("docker_container_hostname"),
            container_state: key("docker_container_state"),
            container_ips_with_scopes: key("docker_container_ips_with_scopes"),
            container_ports: key("docker_container_ports"),
            is_in_host_network: key("docker_is_in_host_network"),
            image_id: key("docker_image_id"),
            image_name: key("docker_image_name"),
            image_tag: key("docker_image_tag"),
            image_size: key("docker_image_size"),
            image_virtual_size: key("docker_image_virtual_size"),
            image_role: key("docker_image_label_works.weave.role"),
            label_role: key("docker_label_works.weave.role"),
            label_kubernetes_type: key("docker_label_io.kubernetes.docker.type"),
            label_pod_name: key("docker_label_io.kubernetes.pod.name"),
            label_pod_namespace: key("docker_label_io.kubernetes.pod.namespace"),
            label_stack_namespace: key("docker_label_com.docker.stack.namespace"),
            label_ecs_container_name: key("docker_label_com.amazonaws.ecs.container-name"),
            label_kubernetes_container_name: key("docker_label_io.kubernetes.container.name"),
            env_marathon_app_id: key("docker_env_MARATHON_APP_ID"),
            service_name: key("service_name"),
            stack_namespace: key("stack_namespace"),

            kubernetes_name: key("kubernetes_name"),
            kubernetes_namespace: key("kubernetes_namespace"),
            kubernetes_ip: key("kubernetes_ip"),
            kubernetes_state: key("kubernetes_state"),
            kubernetes_is_in_host_network: key("kubernetes_is_in_host_network"),
            kubernetes_volume_claim: key("kubernetes_volume_claim"),
            kubernetes_volume_name: key("kubernetes_volume_name"),
            kubernetes_storage_class_name: key("kubernetes_storage_class_name"),
            // Misspelt by the probes, so part of the format.
            kubernetes_snapshot_data: key("kuberneets_snapshot_data"),

            ecs_task_family: key("ecs_task_family"),
            weave_peer_nick_name: key("weave_peer_nick_name"),
        }
    }

    /// The wire name of a kind.
    pub(crate) fn kind(&self, kind: Kind) -> Sym {
        self.kinds[kind as usize]
    }

    /// Facts that containers have from their images.
    pub(crate) fn of_images(&self) -> [Sym; 5] {
        [
            self.image_name,
            self.image_tag,
            self.image_size,
            self.image_virtual_size,
            self.image_role,
        ]
    }

    /// The kind with this wire name.
    pub(crate) fn kind_of(&self, topology: Sym) -> Option<Kind> {
        *self.by_symbol.get(topology.index())?
    }
}

fn by_symbol(kinds: &[Sym]) -> Vec<Option<Kind>> {
    let len = kinds.iter().map(|k| k.index() + 1).max().unwrap_or(0);
    let mut by_symbol = vec![None; len];
    for (&symbol, &kind) in kinds.iter().zip(&KINDS) {
        by_symbol[symbol.index()] = Some(kind);
    }
    by_symbol
}
