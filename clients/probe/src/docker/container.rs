//! One container.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bollard::models::{ContainerInspectResponse, ContainerState};

use super::bounds::{bounded, truncate};
use super::image::{bare_id, split_tag};
use super::ports::published;
use super::stats::Usage;
use super::{Settings, human, is_public};
use crate::host::Networks;
use crate::report::{Metric, Node, StringSet, image_node_id};

/// What Docker says about a container.
#[derive(Clone, Debug)]
pub(super) struct Container {
    id: String,
    inspected: ContainerInspectResponse,
    pub(super) usage: Usage,
}

impl Container {
    /// `previous` is what was known before, whose samples are kept.
    pub(super) fn new(inspected: ContainerInspectResponse, previous: Option<Self>) -> Option<Self> {
        let id = inspected.id.clone().filter(|id| !id.is_empty())?;
        let usage = previous
            .map(|container| container.usage)
            .unwrap_or_default();
        Some(Self {
            id,
            inspected,
            usage,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Its first process, while it runs.
    pub(super) fn pid(&self) -> Option<i32> {
        self.state_field(|state| state.pid)
            .and_then(|pid| i32::try_from(pid).ok())
            .filter(|pid| *pid > 0)
    }

    pub(super) fn image_id(&self) -> Option<&str> {
        self.inspected
            .image
            .as_deref()
            .map(bare_id)
            .filter(|id| !id.is_empty())
    }

    /// The name of the image that it was made from, without tag.
    pub(super) fn image_name(&self) -> Option<&str> {
        let reference = self.inspected.config.as_ref()?.image.as_deref()?;
        Some(split_tag(reference).0).filter(|name| !name.is_empty())
    }

    pub(super) fn has_terminal(&self) -> bool {
        self.inspected.config.as_ref().and_then(|config| config.tty) == Some(true)
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state(), "running" | "paused" | "restarting")
    }

    /// Gives back samples that were taken for a report which does not count.
    pub(super) fn take_back(&mut self, metrics: BTreeMap<&'static str, Metric>) {
        for (name, metric) in metrics {
            let own = if name == "docker_cpu_total_usage" {
                &mut self.usage.cpu
            } else {
                &mut self.usage.memory
            };
            own.samples.splice(0..0, metric.samples);
        }
    }

    fn state_field<T>(&self, field: impl Fn(&ContainerState) -> Option<T>) -> Option<T> {
        self.inspected.state.as_ref().and_then(field)
    }

    /// In the words that apps filter by.
    fn state(&self) -> &'static str {
        let is = |field: fn(&ContainerState) -> Option<bool>| self.state_field(field) == Some(true);
        let started = self
            .state_field(|state| state.started_at.clone())
            .and_then(|at| parse_time(&at));
        if is(|state| state.running) {
            match () {
                () if is(|state| state.paused) => "paused",
                () if is(|state| state.restarting) => "restarting",
                () => "running",
            }
        } else if is(|state| state.dead) {
            "dead"
        } else if started.is_none() {
            "created"
        } else {
            "exited"
        }
    }

    fn state_human(&self, now: SystemTime) -> String {
        let since = |field: fn(&ContainerState) -> Option<String>| {
            let at = self.state_field(field).and_then(|at| parse_time(&at));
            human::duration(at.map_or(0, |at| age(at, now).as_secs()))
        };
        let code = self.state_field(|state| state.exit_code).unwrap_or(0);
        let up = || since(|state| state.started_at.clone());
        let ago = || since(|state| state.finished_at.clone());
        match self.state() {
            "paused" => format!("Up {} (Paused)", up()),
            "restarting" => format!("Restarting ({code}) {} ago", ago()),
            "running" => format!("Up {}", up()),
            "dead" => "Dead".to_owned(),
            "created" => "Created".to_owned(),
            _ => format!("Exited ({code}) {} ago", ago()),
        }
    }

    pub(super) fn node(
        &mut self,
        settings: &Settings,
        networks: &Networks,
        now: SystemTime,
    ) -> Node {
        let mut node = Node::new("container");
        self.identity(&mut node, settings, now);
        let state = self.state();
        node.latest("docker_container_state", now, state);
        node.latest("docker_container_state_human", now, self.state_human(now));
        node.latest("control_probe_id", now, settings.probe_id.clone());
        if settings.controls {
            node.latest("active_controls", now, controls(state));
        }
        if self.is_running() {
            self.running(&mut node, now);
            self.addresses(&mut node, settings, networks, now);
        }
        node.metric("docker_cpu_total_usage", self.usage.cpu.drain(Some(100.0)));
        node.metric(
            "docker_memory_usage",
            self.usage.memory.drain(Some(self.usage.memory_limit)),
        );
        node
    }

    /// What does not change while the container exists.
    fn identity(&self, node: &mut Node, settings: &Settings, now: SystemTime) {
        node.latest("docker_container_id", now, self.id.clone());
        if let Some(name) = &self.inspected.name {
            node.latest(
                "docker_container_name",
                now,
                name.trim_start_matches('/').to_owned(),
            );
        }
        if let Some(created) = &self.inspected.created {
            node.latest("docker_container_created", now, created.clone());
        }
        node.latest(
            "docker_container_command",
            now,
            self.command(settings.arguments),
        );
        if let Some(image) = self.image_id() {
            node.latest("docker_image_id", now, image.to_owned());
            node.parent("container_image", image_node_id(image));
        }
        let Some(config) = &self.inspected.config else {
            return;
        };
        if let Some(hostname) = config.hostname.as_ref().filter(|name| !name.is_empty()) {
            node.latest("docker_container_hostname", now, hostname.clone());
        }
        for (label, value) in bounded(config.labels.clone().unwrap_or_default()) {
            node.latest(format!("docker_label_{label}"), now, value);
        }
        if settings.environment {
            let pairs = config
                .env
                .iter()
                .flatten()
                .filter_map(|pair| pair.split_once('='));
            let pairs = pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            for (name, value) in bounded(pairs) {
                node.latest(format!("docker_env_{name}"), now, value);
            }
        }
    }

    fn command(&self, arguments: bool) -> String {
        let path = self.inspected.path.iter();
        let rest = self.inspected.args.iter().flatten().filter(|_| arguments);
        let mut command = path
            .chain(rest)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ");
        truncate(&mut command);
        command
    }

    fn running(&self, node: &mut Node, now: SystemTime) {
        let started = self
            .state_field(|state| state.started_at.clone())
            .and_then(|at| parse_time(&at));
        let uptime = started.map_or(0, |at| age(at, now).as_secs());
        node.latest("docker_container_uptime", now, uptime.to_string());
        let restarts = self.inspected.restart_count.unwrap_or(0);
        node.latest("docker_container_restart_count", now, restarts.to_string());
        if let Some(mode) = self.network_mode() {
            node.latest("docker_container_network_mode", now, mode.to_owned());
        }
    }

    fn network_mode(&self) -> Option<&str> {
        self.inspected
            .host_config
            .as_ref()?
            .network_mode
            .as_deref()
            .filter(|mode| !mode.is_empty())
    }

    /// Where it can be reached: by its own addresses, or the host's when it shares those.
    fn addresses(
        &self,
        node: &mut Node,
        settings: &Settings,
        networks: &Networks,
        now: SystemTime,
    ) {
        let own = self.inspected.network_settings.as_ref();
        let endpoints = own.and_then(|own| own.networks.as_ref());
        let mut ips: Vec<IpAddr> = endpoints
            .iter()
            .flat_map(|endpoints| endpoints.values())
            .flat_map(|endpoint| [&endpoint.ip_address, &endpoint.global_ipv6_address])
            .filter_map(|ip| ip.as_deref()?.parse().ok())
            .collect();
        if self.network_mode() == Some("host") {
            node.latest("docker_is_in_host_network", now, "true");
            ips.extend(networks.addresses());
        } else {
            let names: StringSet = endpoints
                .iter()
                .flat_map(|endpoints| endpoints.keys().cloned())
                .collect();
            insert(node, "docker_container_networks", names);
        }
        let scope = |ip: &IpAddr| {
            if is_public(*ip, networks) {
                ""
            } else {
                settings.host.as_str()
            }
        };
        insert(
            node,
            "docker_container_ips_with_scopes",
            ips.iter().map(|ip| format!("{};{ip}", scope(ip))).collect(),
        );
        insert(
            node,
            "docker_container_ips",
            ips.iter().map(IpAddr::to_string).collect(),
        );
        let ports = own.and_then(|own| own.ports.as_ref()).into_iter().flatten();
        let ports = ports.flat_map(|(port, bindings)| {
            published(port, bindings.as_deref().unwrap_or_default(), networks)
        });
        insert(node, "docker_container_ports", ports.collect());
    }
}

fn insert(node: &mut Node, key: &'static str, set: StringSet) {
    if !set.is_empty() {
        node.sets.insert(key, set);
    }
}

/// The controls that make sense in a state.
fn controls(state: &str) -> &'static str {
    match state {
        "paused" => "docker_unpause_container",
        "running" => {
            "docker_restart_container;docker_stop_container;docker_pause_container;docker_attach_container;\
             docker_exec_container"
        }
        _ => "docker_start_container;docker_remove_container",
    }
}

/// Docker writes year 1 for what has not happened.
fn parse_time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text)
        .ok()
        .filter(|time| *time > SystemTime::UNIX_EPOCH)
}

fn age(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: ContainerState) -> Container {
        let inspected = ContainerInspectResponse {
            id: Some("c1".into()),
            state: Some(state),
            ..ContainerInspectResponse::default()
        };
        Container::new(inspected, None).expect("a container")
    }

    #[track_caller]
    fn check_state(state: ContainerState, expected: &str, human: &str) {
        let container = container(state);
        let now = humantime::parse_rfc3339("2026-01-01T01:00:00Z").expect("a time");
        assert_eq!(
            (container.state(), container.state_human(now).as_str()),
            (expected, human)
        );
    }

    #[test]
    fn states_are_those_that_apps_filter_by() {
        let base = ContainerState {
            started_at: Some("2026-01-01T00:00:00.5Z".into()),
            finished_at: Some("2026-01-01T00:30:00Z".into()),
            exit_code: Some(3),
            ..ContainerState::default()
        };
        let running = ContainerState {
            running: Some(true),
            ..base.clone()
        };
        check_state(running.clone(), "running", "Up 59 minutes");
        check_state(
            ContainerState {
                paused: Some(true),
                ..running.clone()
            },
            "paused",
            "Up 59 minutes (Paused)",
        );
        check_state(
            ContainerState {
                restarting: Some(true),
                ..running
            },
            "restarting",
            "Restarting (3) 30 minutes ago",
        );
        check_state(base.clone(), "exited", "Exited (3) 30 minutes ago");
        check_state(
            ContainerState {
                dead: Some(true),
                ..base
            },
            "dead",
            "Dead",
        );
        let never = ContainerState {
            started_at: Some("0001-01-01T00:00:00Z".into()),
            ..ContainerState::default()
        };
        check_state(never, "created", "Created");
    }
}
