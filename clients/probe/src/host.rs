//! The host: what it is called, runs, and how busy it is.

use std::net::IpAddr;
use std::time::SystemTime;

use procfs_core::{FromRead as _, LoadAverage, Meminfo, Uptime};

use crate::proc::Proc;
use crate::report::{Metric, Node, StringSet};

/// The name of Docker's own network, whose addresses repeat on every machine.
const DOCKER_BRIDGE: &str = "docker0";

/// Usage of the host since the last report.
#[derive(Debug, Default)]
pub(crate) struct Host {
    ticks: Ticks,
    cpu: Metric,
    memory: Metric,
    memory_total: f64,
    load: Metric,
}

/// Time that all processors spent since boot.
#[derive(Clone, Copy, Debug, Default)]
struct Ticks {
    total: u64,
    idle: u64,
}

impl Host {
    /// Looks at the host; returns how many ticks its processors spent since the last look, 0 for the first one.
    pub(crate) fn look(&mut self, proc: &mut Proc, now: SystemTime) -> u64 {
        if let Ok(Ok(load)) = proc.bytes("loadavg", 4096).map(LoadAverage::from_read) {
            // The kernel gives two decimals; as f32 they have grown more.
            self.load
                .push(now, (f64::from(load.one) * 100.0).round() / 100.0);
        }
        if let Ok(Ok(memory)) = proc.bytes("meminfo", 1 << 16).map(Meminfo::from_read) {
            let free = memory
                .mem_available
                .unwrap_or(memory.mem_free + memory.buffers + memory.cached);
            self.memory_total = memory.mem_total as f64;
            self.memory
                .push(now, memory.mem_total.saturating_sub(free) as f64);
        }
        // The line wanted is the first; the rest grows with the number of interrupts.
        let Ok(ticks) = proc.bytes("stat", 1024).map(Ticks::parse) else {
            return 0;
        };
        let total = ticks.total.saturating_sub(self.ticks.total);
        let idle = ticks.idle.saturating_sub(self.ticks.idle);
        let first = self.ticks.total == 0;
        self.ticks = ticks;
        if first || total == 0 {
            return 0;
        }
        self.cpu.push(
            now,
            100.0 * total.saturating_sub(idle) as f64 / total as f64,
        );
        total
    }

    /// Adds what was measured since the last report.
    pub(crate) fn report(&mut self, node: &mut Node) {
        node.metric("host_cpu_usage_percent", self.cpu.drain(Some(100.0)));
        node.metric(
            "host_mem_usage_bytes",
            self.memory.drain(Some(self.memory_total)),
        );
        node.metric("load1", self.load.drain(None));
    }
}

impl Ticks {
    /// Reads the first line of `/proc/stat`: `cpu user nice system idle iowait irq softirq steal guest guest_nice`.
    fn parse(stat: &[u8]) -> Self {
        let line = stat.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let text = std::str::from_utf8(line).unwrap_or_default();
        // Guests' time is in the user's already.
        let ticks: Vec<u64> = text
            .split_ascii_whitespace()
            .skip(1)
            .take(8)
            .filter_map(|n| n.parse().ok())
            .collect();
        let idle = ticks.iter().skip(3).take(2).sum();
        Self {
            total: ticks.iter().sum(),
            idle,
        }
    }
}

/// Seconds since the machine started.
pub(crate) fn uptime(proc: &mut Proc) -> Option<u64> {
    let uptime = Uptime::from_read(proc.bytes("uptime", 4096).ok()?).ok()?;
    Some(uptime.uptime as u64)
}

/// The networks that this machine is on.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    interfaces: Vec<Interface>,
}

#[derive(Debug)]
struct Interface {
    ip: IpAddr,
    prefix: u8,
    is_bridge: bool,
}

impl Networks {
    /// Asks the system; without an answer there are none.
    pub(crate) fn read(ipv6: bool) -> Self {
        let interfaces = if_addrs::get_if_addrs()
            .inspect_err(|error| tracing::debug!(%error, "cannot list the network interfaces"))
            .unwrap_or_default();
        let interfaces = interfaces.into_iter().filter_map(|interface| {
            let (ip, prefix) = match &interface.addr {
                if_addrs::IfAddr::V4(addr) => (IpAddr::V4(addr.ip), addr.prefixlen),
                if_addrs::IfAddr::V6(addr) => (IpAddr::V6(addr.ip), addr.prefixlen),
            };
            let wanted = !interface.addr.is_link_local() && (ipv6 || ip.is_ipv4());
            wanted.then(|| Interface {
                ip,
                prefix,
                is_bridge: interface.name == DOCKER_BRIDGE,
            })
        });
        Self {
            interfaces: interfaces.collect(),
        }
    }

    /// Each one as address and length of its prefix.
    pub(crate) fn cidrs(&self) -> StringSet {
        self.interfaces
            .iter()
            .map(|interface| format!("{}/{}", interface.ip, interface.prefix))
            .collect()
    }

    /// The addresses of this machine.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces.iter().map(|interface| interface.ip)
    }

    /// Whether an address is on Docker's bridge, and so means something on this machine only.
    pub(crate) fn is_on_bridge(&self, ip: IpAddr) -> bool {
        self.interfaces
            .iter()
            .any(|interface| interface.is_bridge && interface.contains(ip))
    }
}

impl Interface {
    fn contains(&self, ip: IpAddr) -> bool {
        let shared = |width: u32, a: u128, b: u128| {
            let host_bits = width.saturating_sub(u32::from(self.prefix));
            a.checked_shr(host_bits) == b.checked_shr(host_bits)
        };
        match (self.ip, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => shared(32, a.to_bits().into(), b.to_bits().into()),
            (IpAddr::V6(a), IpAddr::V6(b)) => shared(128, a.to_bits(), b.to_bits()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::proc::tests::tree;

    #[test]
    fn usage_is_measured_between_looks() {
        let (dir, mut proc) = tree(&[
            ("stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1\n"),
            (
                "meminfo",
                "MemTotal: 1000 kB\nMemFree: 1 kB\nBuffers: 1 kB\nCached: 1 kB\nMemAvailable: 400 kB\n",
            ),
            ("loadavg", "0.31 0.20 0.10 1/100 42\n"),
            ("uptime", "3683.25 100.00\n"),
        ]);
        let mut host = Host::default();
        assert_eq!(host.look(&mut proc, UNIX_EPOCH), 0);
        std::fs::write(
            dir.path().join("stat"),
            "cpu  130 0 120 740 110 0 0 0 0 0\n",
        )
        .expect("written");
        assert_eq!(host.look(&mut proc, UNIX_EPOCH), 100);
        let mut node = Node::new("host");
        host.report(&mut node);
        let cpu = &node.metrics["host_cpu_usage_percent"];
        assert_eq!(
            (cpu.samples.as_slice(), cpu.max),
            ([(UNIX_EPOCH, 50.0)].as_slice(), 100.0)
        );
        let load = &node.metrics["load1"];
        assert_eq!((load.max, load.samples.len()), (0.31, 2));
        assert_eq!(uptime(&mut proc), Some(3683));
    }

    #[test]
    fn bridge_has_its_own_addresses() {
        let networks = Networks {
            interfaces: vec![
                Interface {
                    ip: IpAddr::from([172, 17, 0, 1]),
                    prefix: 16,
                    is_bridge: true,
                },
                Interface {
                    ip: IpAddr::from([10, 0, 1, 10]),
                    prefix: 24,
                    is_bridge: false,
                },
            ],
        };
        assert!(networks.is_on_bridge(IpAddr::from([172, 17, 9, 9])));
        assert!(!networks.is_on_bridge(IpAddr::from([172, 18, 0, 1])));
        assert!(!networks.is_on_bridge(IpAddr::from([10, 0, 1, 11])));
        assert_eq!(
            networks.cidrs().into_iter().collect::<Vec<_>>(),
            ["10.0.1.10/24", "172.17.0.1/16"]
        );
    }
}
