//! Connections: who talks to whom, as endpoints of which the connecting one points to the other.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use crate::owners::Owners;
use crate::proc::Proc;
use crate::process::Processes;
use crate::report::{Node, Nodes};
use crate::sockets::{self, Diag, Socket};

/// Most connections kept between two reports; a machine with more is reported in part.
const MAX_CONNECTIONS: usize = 50_000;
/// Where the ports begin that Linux gives to connecting sockets.
const FIRST_EPHEMERAL_PORT: u16 = 32_768;

/// The connections of this machine.
#[derive(Debug)]
pub(crate) struct Connections {
    host: String,
    ipv6: bool,
    diag: Option<Diag>,
    /// The namespace that `diag` is for.
    own_namespace: Option<u64>,
    owners: Owners,
    /// Of each socket, whether it was accepted; kept as long as the socket, because a listener may go before it.
    accepted: HashMap<(u64, u64), bool>,
    /// What was seen since the last report.
    seen: HashMap<Connection, Pids>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Connection {
    namespace: u64,
    client: SocketAddr,
    server: SocketAddr,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pids {
    client: Option<i32>,
    server: Option<i32>,
}

impl Connections {
    /// `own_namespace` is the one that the probe itself is in, if sockets may be asked for over netlink.
    pub(crate) fn new(host: &str, ipv6: bool, own_namespace: Option<u64>) -> Self {
        let diag = own_namespace.and_then(|_| {
            Diag::open()
                .inspect_err(
                    |error| tracing::info!(%error, "no socket diagnostics; reading /proc/net"),
                )
                .ok()
        });
        Self {
            host: host.to_owned(),
            ipv6,
            diag,
            own_namespace,
            owners: Owners::default(),
            accepted: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Looks at all sockets of all network namespaces that have a process.
    pub(crate) fn look(&mut self, proc: &mut Proc, processes: &Processes) {
        let mut namespaces: HashMap<u64, i32> = HashMap::new();
        for (pid, process) in processes.iter() {
            if let Some(namespace) = process.namespace {
                let representative = namespaces.entry(namespace).or_insert(pid);
                *representative = (*representative).min(pid);
            }
        }
        let mut all = Vec::new();
        for (namespace, pid) in namespaces {
            let sockets = self.sockets(proc, namespace, pid);
            all.push((namespace, sockets));
        }
        let established = |sockets: &[Socket]| {
            sockets
                .iter()
                .filter(|s| !s.listening && s.inode > 0)
                .map(|s| s.inode)
                .collect::<Vec<_>>()
        };
        let inodes: HashSet<u64> = all
            .iter()
            .flat_map(|(_, sockets)| established(sockets))
            .collect();
        self.owners.look(proc, processes, &inodes);
        self.accepted.retain(|(_, inode), _| inodes.contains(inode));
        for (namespace, sockets) in all {
            self.record(namespace, &sockets);
        }
    }

    fn sockets(&mut self, proc: &mut Proc, namespace: u64, pid: i32) -> Vec<Socket> {
        if self.own_namespace == Some(namespace)
            && let Some(diag) = &mut self.diag
        {
            match diag.sockets() {
                Ok(sockets) => return sockets,
                Err(error) => {
                    tracing::warn!(%error, "socket diagnostics failed; reading /proc/net from now on");
                    self.diag = None;
                }
            }
        }
        sockets::of_process(proc, pid)
            .inspect_err(
                |error| tracing::debug!(%error, pid, "cannot read the sockets of a namespace"),
            )
            .unwrap_or_default()
    }

    fn record(&mut self, namespace: u64, sockets: &[Socket]) {
        let listening: HashSet<SocketAddr> = sockets
            .iter()
            .filter(|s| s.listening)
            .map(|s| s.local)
            .collect();
        for socket in sockets.iter().filter(|socket| !socket.listening) {
            let (local, remote) = (socket.local, socket.remote);
            if !sockets::is_reportable(local.ip())
                || !sockets::is_reportable(remote.ip())
                || (!self.ipv6 && local.is_ipv6())
            {
                continue;
            }
            let accepted = || is_accepted(&listening, local, remote);
            let accepted = match socket.inode {
                0 => accepted(),
                inode => *self
                    .accepted
                    .entry((namespace, inode))
                    .or_insert_with(accepted),
            };
            let (client, server) = if accepted {
                (remote, local)
            } else {
                (local, remote)
            };
            let connection = Connection {
                namespace,
                client,
                server,
            };
            if self.seen.len() >= MAX_CONNECTIONS && !self.seen.contains_key(&connection) {
                continue;
            }
            let pids = self.seen.entry(connection).or_default();
            let side = if accepted {
                &mut pids.server
            } else {
                &mut pids.client
            };
            *side = self.owners.pid(socket.inode).or(*side);
        }
    }

    /// Takes the endpoints of all connections seen since the last report. `bridges` are the addresses of networks
    /// that exist on this machine only, under the same numbers as on others.
    pub(crate) fn report(
        &mut self,
        now: SystemTime,
        host_node_id: &str,
        is_local: impl Fn(IpAddr) -> bool,
    ) -> Nodes {
        let mut nodes = Nodes::new();
        for (connection, pids) in self.seen.drain() {
            let id = |address: SocketAddr| {
                endpoint_id(&self.host, connection.namespace, address, &is_local)
            };
            let server = id(connection.server);
            let client = nodes
                .entry(id(connection.client))
                .or_insert_with(|| Node::new("endpoint"));
            own(client, pids.client, now, host_node_id);
            client.adjacency.insert(server.clone());
            own(
                nodes.entry(server).or_insert_with(|| Node::new("endpoint")),
                pids.server,
                now,
                host_node_id,
            );
        }
        nodes
    }
}

/// Whether the local end of a connection was accepted rather than connected.
fn is_accepted(listening: &HashSet<SocketAddr>, local: SocketAddr, remote: SocketAddr) -> bool {
    let listens = |address: SocketAddr| {
        let port = address.port();
        let any_v4 = SocketAddr::from(([0; 4], port));
        let any_v6 = SocketAddr::from(([0_u16; 8], port));
        listening.contains(&address) || listening.contains(&any_v4) || listening.contains(&any_v6)
    };
    if listens(local) {
        // Both ends may listen (a server that connects from its own port): then the lower port was there first.
        return !(remote.ip() == local.ip() && listens(remote) && remote.port() < local.port());
    }
    // The listener may be gone already.
    let is_ephemeral = |address: SocketAddr| address.port() >= FIRST_EPHEMERAL_PORT;
    !is_ephemeral(local) && is_ephemeral(remote)
}

fn own(node: &mut Node, pid: Option<i32>, now: SystemTime, host_node_id: &str) {
    if let Some(pid) = pid {
        node.latest("pid", now, pid.to_string());
        node.latest("host_node_id", now, host_node_id.to_owned());
    }
}

/// `<scope>;<address>;<port>`: addresses that others have too are scoped by the host, loopback by its namespace as well.
fn endpoint_id(
    host: &str,
    namespace: u64,
    address: SocketAddr,
    is_local: impl Fn(IpAddr) -> bool,
) -> String {
    let (ip, port) = (address.ip(), address.port());
    if is_local(ip) {
        format!("{host};{ip};{port}")
    } else if ip.is_loopback() {
        format!("{host}-{namespace};{ip};{port}")
    } else {
        format!(";{ip};{port}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::proc::tests::{stat, tree};

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[track_caller]
    fn check_accepted(listening: &[&str], local: &str, remote: &str, expected: bool) {
        let listening = listening.iter().map(|text| address(text)).collect();
        assert_eq!(
            is_accepted(&listening, address(local), address(remote)),
            expected
        );
    }

    #[test]
    fn direction_follows_the_listener() {
        check_accepted(&["0.0.0.0:80"], "10.0.0.1:80", "10.0.0.2:40000", true);
        check_accepted(&["[::]:80"], "10.0.0.1:80", "10.0.0.2:40000", true);
        check_accepted(&["0.0.0.0:80"], "10.0.0.1:40000", "10.0.0.2:80", false);
        check_accepted(
            &["127.0.0.1:45000"],
            "127.0.0.1:45000",
            "127.0.0.1:33000",
            true,
        );
        check_accepted(&[], "10.0.0.1:80", "10.0.0.2:40000", true);
        check_accepted(&[], "10.0.0.1:40000", "10.0.0.2:50000", false);
    }

    #[test]
    fn scope_is_the_host_where_addresses_repeat() {
        let id = |ip: &str| {
            endpoint_id("h", 42, address(ip), |ip| {
                ip == IpAddr::from([172, 17, 0, 2])
            })
        };
        assert_eq!(id("10.0.0.1:80"), ";10.0.0.1;80");
        assert_eq!(id("127.0.0.1:80"), "h-42;127.0.0.1;80");
        assert_eq!(id("172.17.0.2:80"), "h;172.17.0.2;80");
        assert_eq!(id("[2001:db8::1]:80"), ";2001:db8::1;80");
    }

    #[test]
    fn both_ends_of_a_loopback_connection_are_joined_to_their_processes() {
        let table = "header\n\
            0: 0100007F:1538 00000000:0000 0A 0:0 0:0 0 0 0 50 1\n\
            1: 0100007F:1538 0100007F:C000 01 0:0 0:0 0 0 0 51 1\n\
            2: 0100007F:C000 0100007F:1538 01 0:0 0:0 0 0 0 52 1\n";
        let (_dir, mut proc) = tree(&[
            ("7/stat", &stat(7, "db", 1, 0)),
            ("7/cmdline", "db"),
            ("7/ns/net", "-> net:[42]"),
            ("7/net/tcp", table),
            ("7/fd/3", "-> socket:[51]"),
            ("8/stat", &stat(8, "api", 1, 0)),
            ("8/cmdline", "api"),
            ("8/ns/net", "-> net:[42]"),
            ("8/fd/3", "-> socket:[52]"),
        ]);
        let mut processes = Processes::new(4096, 1, true);
        processes.look(&mut proc, UNIX_EPOCH, 0);
        let mut connections = Connections::new("h", true, None);
        connections.look(&mut proc, &processes);
        let nodes = connections.report(UNIX_EPOCH, "h;<host>", |_| false);
        assert_eq!(nodes.len(), 2);
        let (client, server) = (
            &nodes["h-42;127.0.0.1;49152"],
            &nodes["h-42;127.0.0.1;5432"],
        );
        assert_eq!(client.latest["pid"].value, "8");
        assert_eq!(
            client.adjacency.iter().collect::<Vec<_>>(),
            ["h-42;127.0.0.1;5432"]
        );
        assert_eq!(server.latest["pid"].value, "7");
        assert_eq!(server.latest["host_node_id"].value, "h;<host>");
        assert!(server.adjacency.is_empty() && server.parents.is_empty());
        assert!(
            connections
                .report(UNIX_EPOCH, "h;<host>", |_| false)
                .is_empty()
        );
    }
}
