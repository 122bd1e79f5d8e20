//! The TCP sockets of a network namespace.
//!
//! Those of the probe's own namespace come from the kernel over netlink, which filters by state and costs a tenth of
//! parsing; those of others from `/proc/PID/net/tcp`, which needs no right to enter the namespace.

mod diag;

use std::io;
use std::net::{IpAddr, SocketAddr};

use procfs_core::net::{TcpNetEntries, TcpState};
use procfs_core::{ExplicitSystemInfo, FromReadSI as _, SystemInfo};

pub(crate) use self::diag::Diag;
use crate::proc::Proc;

/// Most bytes read of one table of sockets: a line is about 150, so this is some 400,000 sockets.
const MAX_TABLE: u64 = 64 << 20;

/// One socket, listening or connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) local: SocketAddr,
    /// Unspecified for a listening socket.
    pub(crate) remote: SocketAddr,
    /// Names the socket in `/proc/PID/fd`; 0 when no process has it any more.
    pub(crate) inode: u64,
    pub(crate) listening: bool,
}

impl Socket {
    fn new(local: SocketAddr, remote: SocketAddr, inode: u64, listening: bool) -> Self {
        Self {
            local: canonical(local),
            remote: canonical(remote),
            inode,
            listening,
        }
    }
}

/// IPv4 addresses in the clothes of IPv6 (`::ffff:a.b.c.d`, as dual-stack servers have) become plain.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether an address means the same thing to other machines, which link-local ones do not.
pub(crate) fn is_reportable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_unicast_link_local(),
    }
}

/// Reads the sockets of the namespace that the process `pid` is in.
pub(crate) fn of_process(proc: &mut Proc, pid: i32) -> io::Result<Vec<Socket>> {
    // Only the byte order is used by the parser.
    let system = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: 0,
        page_size: 0,
        is_little_endian: cfg!(target_endian = "little"),
    };
    let system: &SystemInfo = &system;
    let mut sockets = Vec::new();
    for table in ["tcp", "tcp6"] {
        let bytes = match proc.bytes(&format!("{pid}/net/{table}"), MAX_TABLE) {
            Ok(bytes) => bytes,
            // A kernel without IPv6 has no such file.
            Err(error) if error.kind() == io::ErrorKind::NotFound && table == "tcp6" => break,
            Err(error) => return Err(error),
        };
        let entries = TcpNetEntries::from_read(bytes, system)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        sockets.extend(entries.0.into_iter().filter_map(|entry| {
            let listening = match entry.state {
                TcpState::Listen => true,
                TcpState::Established => false,
                _ => return None,
            };
            Some(Socket::new(
                entry.local_address,
                entry.remote_address,
                entry.inode,
                listening,
            ))
        }));
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proc::tests::tree;

    #[test]
    fn tables_of_both_families_are_read() {
        let header = "  sl  local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n";
        let v4 = format!(
            "{header}   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 11 1\n   \
             1: 0200A8C0:A000 0100A8C0:01BB 01 00000000:00000000 00:00000000 00000000 0 0 12 1\n   \
             2: 0200A8C0:A001 0100A8C0:01BB 06 00000000:00000000 00:00000000 00000000 0 0 0 1\n"
        );
        let v6 = format!(
            "{header}   0: 0000000000000000FFFF00000200A8C0:0050 0000000000000000FFFF00000900A8C0:C000 01 \
             00000000:00000000 00:00000000 00000000 0 0 13 1\n"
        );
        let (_dir, mut proc) = tree(&[("7/net/tcp", &v4), ("7/net/tcp6", &v6)]);
        let sockets = of_process(&mut proc, 7).expect("two tables");
        let seen: Vec<_> = sockets
            .iter()
            .map(|s| {
                (
                    s.local.to_string(),
                    s.remote.to_string(),
                    s.inode,
                    s.listening,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("127.0.0.1:8080".into(), "0.0.0.0:0".into(), 11, true),
                (
                    "192.168.0.2:40960".into(),
                    "192.168.0.1:443".into(),
                    12,
                    false
                ),
                (
                    "192.168.0.2:80".into(),
                    "192.168.0.9:49152".into(),
                    13,
                    false
                ),
            ]
        );
    }

    #[test]
    fn kernel_without_ipv6_is_fine_and_garbage_is_an_error() {
        let (_dir, mut proc) = tree(&[
            ("7/net/tcp", "header\n"),
            ("8/net/tcp", "header\ngarbage\n"),
        ]);
        assert_eq!(of_process(&mut proc, 7).expect("an empty table"), []);
        assert!(of_process(&mut proc, 8).is_err());
    }

    #[test]
    fn netlink_sees_a_connection_of_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = listener.local_addr().expect("an address");
        let client = std::net::TcpStream::connect(server).expect("a connection");
        let mut diag = Diag::open().expect("netlink");
        let sockets = diag.sockets().expect("a dump");
        assert!(sockets.iter().any(|s| s.listening && s.local == server));
        let local = client.local_addr().expect("an address");
        assert!(
            sockets
                .iter()
                .any(|s| !s.listening && s.local == local && s.remote == server && s.inode > 0)
        );
    }
}
