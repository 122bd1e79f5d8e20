//! Looks at this machine, and makes reports of what was seen.

use std::time::{Duration, SystemTime};

use rustix::system::uname;
use rustix::time::{ClockId, clock_gettime};

use crate::config::Config;
use crate::connections::Connections;
use crate::docker::Docker;
use crate::error::Error;
use crate::host::{self, Host, Networks};
use crate::proc::Proc;
use crate::process::Processes;
use crate::report::{Kind, Node, Report, StringSet, host_node_id};

/// The share of a processor that looking may take; beyond, looks become more seldom.
const MAX_SHARE: f64 = 0.01;

/// Everything the probe knows about this machine.
#[derive(Debug)]
pub(crate) struct Spy {
    host_name: String,
    host_node_id: String,
    probe_id: String,
    version: String,
    kernel: String,
    controls: bool,
    ipv6: bool,
    proc: Proc,
    host: Host,
    processes: Processes,
    connections: Connections,
    docker: Option<Docker>,
    first_look: Option<SystemTime>,
    reported: SystemTime,
}

impl Spy {
    pub(crate) fn new(
        config: &Config,
        probe_id: &str,
        docker: Option<Docker>,
    ) -> Result<Self, Error> {
        let proc = Proc::new(&config.proc_root);
        proc.pids().map_err(|source| Error::Proc {
            path: config.proc_root.clone(),
            source,
        })?;
        let host_name = config.host();
        let system = uname();
        let kernel = format!(
            "{} {}",
            system.release().to_string_lossy(),
            system.version().to_string_lossy()
        );
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        // Its own namespace is always told by the probe's own procfs.
        let own_namespace = Proc::new("/proc").network_namespace("self");
        Ok(Self {
            host_node_id: host_node_id(&host_name),
            probe_id: probe_id.to_owned(),
            version: config.version.clone(),
            kernel: kernel.trim().to_owned(),
            controls: config.controls,
            ipv6: config.ipv6,
            proc,
            host: Host::default(),
            processes: Processes::new(rustix::param::page_size(), processors, config.arguments),
            connections: Connections::new(&host_name, config.ipv6, own_namespace),
            docker,
            first_look: None,
            reported: SystemTime::now(),
            host_name,
        })
    }

    /// Looks once; returns how long not to look again.
    pub(crate) fn look(&mut self) -> Duration {
        let start = processor_time();
        let now = SystemTime::now();
        self.first_look.get_or_insert(now);
        let ticks = self.host.look(&mut self.proc, now);
        self.processes.look(&mut self.proc, now, ticks);
        self.connections.look(&mut self.proc, &self.processes);
        processor_time().saturating_sub(start).div_f64(MAX_SHARE)
    }

    /// Everything seen since the last report; none when nobody looked.
    pub(crate) fn report(&mut self) -> Option<Report> {
        let timestamp = self.first_look.take()?;
        let now = SystemTime::now();
        let networks = Networks::read(self.ipv6);
        let mut report = Report::new(Kind::Full, timestamp);
        report.controls = self.controls;
        report.window = now.duration_since(self.reported).unwrap_or_default();
        self.reported = now;
        report
            .host
            .insert(self.host_node_id.clone(), self.host_node(now, &networks));
        report.process = self
            .processes
            .report(now, &self.host_name, &self.host_node_id);
        report.endpoint = self
            .connections
            .report(now, &self.host_node_id, |ip| networks.is_on_bridge(ip));
        if let Some(docker) = &self.docker {
            docker.report(&mut report, &self.processes, &networks, now);
        }
        let addresses = report.endpoint.keys().filter_map(|id| id.split(';').nth(1));
        report.dns = addresses
            .map(|address| (address.to_owned(), StringSet::new()))
            .collect();
        Some(report)
    }

    fn host_node(&mut self, now: SystemTime, networks: &Networks) -> Node {
        let mut node = Node::new("host");
        node.latest("ts", now, humantime::format_rfc3339_nanos(now).to_string());
        node.latest("host_name", now, self.host_name.clone());
        node.latest("os", now, std::env::consts::OS);
        node.latest("kernel_version", now, self.kernel.clone());
        node.latest("host_scope_version", now, self.version.clone());
        node.latest("control_probe_id", now, self.probe_id.clone());
        if let Some(uptime) = host::uptime(&mut self.proc) {
            node.latest("uptime", now, uptime.to_string());
        }
        if self.controls {
            node.latest("active_controls", now, "host_exec");
        }
        node.on_host(now, &self.host_node_id);
        let cidrs = networks.cidrs();
        if !cidrs.is_empty() {
            node.sets.insert("local_networks", cidrs);
        }
        self.host.report(&mut node);
        node
    }
}

/// What this thread has used of a processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_reported() {
        let config = Config {
            hostname: Some("h".into()),
            ..Config::new("http://app")
        };
        let mut spy = Spy::new(&config, "abc", None).expect("a spy");
        assert!(spy.report().is_none());
        spy.look();
        let report = spy.report().expect("a report");
        let host = &report.host["h;<host>"];
        assert_eq!(host.latest["active_controls"].value, "host_exec");
        assert_eq!(host.latest["control_probe_id"].value, "abc");
        assert!(host.metrics.contains_key("host_mem_usage_bytes"));
        let own = &report.process[&format!("h;{}", std::process::id())];
        assert_eq!(own.topology, "process");
        assert!(own.parents["host"].contains("h;<host>"));
    }

    #[test]
    fn root_without_processes_is_an_error() {
        let config = Config {
            proc_root: "/nonexistent".into(),
            ..Config::new("http://app")
        };
        assert!(matches!(
            Spy::new(&config, "abc", None),
            Err(Error::Proc { .. })
        ));
    }
}
