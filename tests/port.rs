//! A port that a test owns, so that a server can die on it and come back.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use anyhow::Context;

/// Below the range from which the kernel takes ports for outgoing connections and for port 0.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A TCP port of 127.0.0.1 that no other test uses while this lives, whether something listens on it or not.
#[derive(Debug)]
pub struct Port {
    number: u16,
    // The UDP port of the same number is the lock: exclusive between processes, and gone with its holder.
    _lock: UdpSocket,
}

impl Port {
    /// Reserves a port on which nothing listens.
    ///
    /// # Errors
    /// When all are taken.
    pub fn reserve() -> anyhow::Result<Port> {
        let first = rand::random_range(PORTS);
        let mut candidates = (first..PORTS.end).chain(PORTS.start..first);
        candidates
            .find_map(|number| {
                let lock = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                Some(Port {
                    number,
                    _lock: lock,
                })
            })
            .context("no port is free")
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
