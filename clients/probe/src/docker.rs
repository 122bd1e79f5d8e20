//! Containers, as Docker tells them: all of them once, and then each one that an event is about.

mod bounds;
mod container;
mod control;
mod human;
mod image;
mod ports;
mod stats;
mod watch;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) use self::control::DockerControls;
use crate::config::{Config, Containers};
use crate::host::Networks;
use crate::process::Processes;
use crate::report::{Kind, Node, Nodes, Report, container_node_id, image_node_id, process_node_id};
use container::Container;
use image::Image;

/// Where Docker usually is.
const SOCKET: &str = "/var/run/docker.sock";
/// Seconds that Docker may take to answer.
const TIMEOUT: u64 = 30;
/// Containers that are reported, at most.
const MAX_CONTAINERS: usize = 5_000;

/// What is known about the containers of this machine; shared by those who learn it and those who report it.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    client: bollard::Docker,
    shared: Arc<Mutex<State>>,
    settings: Arc<Settings>,
}

/// What does not change.
#[derive(Debug)]
struct Settings {
    host: String,
    host_node_id: String,
    probe_id: String,
    controls: bool,
    environment: bool,
    arguments: bool,
    proc_root: PathBuf,
    interval: std::time::Duration,
}

#[derive(Debug, Default)]
struct State {
    containers: HashMap<String, Container>,
    images: HashMap<String, Image>,
    /// The networks that Docker made, as CIDRs.
    networks: BTreeSet<String>,
    /// When all of it was last asked for; none while there is no connection.
    refreshed: Option<Instant>,
}

impl Docker {
    /// A client of the engine that the configuration names, if there is one.
    pub(crate) fn open(config: &Config, probe_id: &str) -> Option<Self> {
        let path = match &config.containers {
            Containers::Off => return None,
            Containers::Auto => usual_socket()?,
            Containers::Docker(path) => path.clone(),
        };
        let path = path.to_str()?;
        let client =
            bollard::Docker::connect_with_unix(path, TIMEOUT, bollard::API_DEFAULT_VERSION)
                .inspect_err(|error| tracing::warn!(%error, path, "cannot use the Docker socket"))
                .ok()?;
        let host = config.host();
        let settings = Settings {
            host_node_id: crate::report::host_node_id(&host),
            host,
            probe_id: probe_id.to_owned(),
            controls: config.controls,
            environment: config.environment,
            arguments: config.arguments,
            proc_root: config.proc_root.clone(),
            interval: config.publish_interval,
        };
        Some(Self {
            client,
            shared: Arc::default(),
            settings: Arc::new(settings),
        })
    }

    /// Follows the engine, for ever; the ids of containers that changed go to `changes`.
    pub(crate) async fn watch(self, changes: mpsc::Sender<String>) {
        let stats = self.clone();
        tokio::select! {
            () = watch::run(self, changes) => {}
            () = stats::run(stats) => {}
        }
    }

    /// Adds containers and their images to a report, and says which processes are in which container.
    pub(crate) fn report(
        &self,
        report: &mut Report,
        processes: &Processes,
        networks: &Networks,
        now: SystemTime,
    ) {
        let mut state = self.state();
        let State {
            containers,
            images,
            networks: subnets,
            ..
        } = &mut *state;
        let by_pid = containers
            .values()
            .filter_map(|c| Some((c.pid()?, c.id())))
            .collect();
        self.tag(&mut report.process, &by_pid, containers, processes, now);
        let mut used = BTreeSet::new();
        for container in containers.values_mut() {
            let node = self.container_node(container, networks, now);
            if let Some(image) = container.image_id() {
                used.insert(image.to_owned());
            }
            report
                .container
                .insert(container_node_id(container.id()), node);
        }
        for id in used {
            let mut node = images
                .get(&id)
                .map_or_else(|| Image::unknown(&id), |image| image.node(&id, now));
            node.on_host(now, &self.settings.host_node_id);
            report.container_image.insert(image_node_id(&id), node);
        }
        if !subnets.is_empty() {
            let mut node = Node::new("overlay");
            node.sets.insert("local_networks", subnets.clone());
            report
                .overlay
                .insert(format!("#docker_peer_{}", self.settings.host), node);
        }
    }

    /// A report of one container that changed, or is gone.
    pub(crate) fn shortcut(&self, id: &str) -> Report {
        let now = SystemTime::now();
        let mut report = Report::new(Kind::Shortcut, now);
        let mut state = self.state();
        let node = match state.containers.get_mut(id) {
            Some(container) => {
                let mut node = self.container_node(container, &Networks::read(false), now);
                // The samples belong to the next regular report.
                container.take_back(std::mem::take(&mut node.metrics));
                node
            }
            None => {
                let mut node = Node::new("container");
                node.latest("docker_container_id", now, id.to_owned());
                node.latest("docker_container_state", now, "deleted");
                node.on_host(now, &self.settings.host_node_id);
                node
            }
        };
        report.container.insert(container_node_id(id), node);
        report
    }

    fn container_node(
        &self,
        container: &mut Container,
        networks: &Networks,
        now: SystemTime,
    ) -> Node {
        let mut node = container.node(&self.settings, networks, now);
        node.on_host(now, &self.settings.host_node_id);
        node
    }

    /// Gives processes their containers: that of which they or an ancestor are the first process, or else that which
    /// their control groups name.
    fn tag(
        &self,
        nodes: &mut Nodes,
        by_pid: &HashMap<i32, &str>,
        containers: &HashMap<String, Container>,
        processes: &Processes,
        now: SystemTime,
    ) {
        for (pid, process) in processes.iter() {
            let ancestors = std::iter::successors(Some(pid), |pid| {
                processes.get(*pid).map(|process| process.ppid)
            });
            // The bound is for loops, which reused pids can make.
            let by_tree = ancestors.take(64).find_map(|pid| by_pid.get(&pid).copied());
            let by_group = || {
                process
                    .container
                    .as_deref()
                    .filter(|id| containers.contains_key(*id))
            };
            let Some(id) = by_tree.or_else(by_group) else {
                continue;
            };
            let (Some(container), Some(node)) = (
                containers.get(id),
                nodes.get_mut(&process_node_id(&self.settings.host, pid)),
            ) else {
                continue;
            };
            node.latest("docker_container_id", now, id.to_owned());
            node.parent("container", container_node_id(id));
            if let Some(image) = container.image_name() {
                node.parent("container_image", image_node_id(image));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half done that matters here.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The socket that other clients of Docker would use, if it is there.
fn usual_socket() -> Option<PathBuf> {
    let named = std::env::var("DOCKER_HOST").ok();
    let named = named
        .as_deref()
        .and_then(|host| host.strip_prefix("unix://"));
    let path = PathBuf::from(named.unwrap_or(SOCKET));
    path.exists().then_some(path)
}

/// Whether an address of this machine is one that others reach it under.
fn is_public(ip: IpAddr, networks: &Networks) -> bool {
    !ip.is_loopback() && !networks.is_on_bridge(ip)
}
