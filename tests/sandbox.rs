//! Weft, running.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use client::Channel;
use tempfile::TempDir;

use crate::Process;

/// How the services are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// One process; services call each other.
    Direct,
    /// One process; services talk HTTP/2 in memory.
    Http2,
    /// A process each.
    Processes,
}

/// A running Weft with nothing in it.
#[derive(Debug)]
pub struct Sandbox {
    /// `host:port` of the public port.
    pub address: String,
    /// `host:port` of the edge's private port.
    pub admin: String,
    processes: Vec<Process>,
    dir: TempDir,
}

impl Sandbox {
    /// Starts Weft in one process with these flags, without its probe.
    ///
    /// # Errors
    /// When the binary is missing or does not get ready.
    pub async fn start_with(flags: &[&str]) -> anyhow::Result<Sandbox> {
        let dir = TempDir::new()?;
        let admin = free_address()?;
        let mut processes = Vec::new();
        let address = up(&dir, &admin, "direct", flags, &mut processes).await?;
        Ok(Sandbox {
            address,
            admin,
            processes,
            dir,
        })
    }

    /// Starts Weft without its probe.
    ///
    /// # Errors
    /// When the binary is missing or does not get ready.
    pub async fn start(topology: Topology) -> anyhow::Result<Sandbox> {
        let dir = TempDir::new()?;
        let admin = free_address()?;
        let mut processes = Vec::new();
        let address = match topology {
            Topology::Direct => up(&dir, &admin, "direct", &[], &mut processes).await?,
            Topology::Http2 => up(&dir, &admin, "http2", &[], &mut processes).await?,
            Topology::Processes => one_each(&dir, &admin, &mut processes).await?,
        };
        Ok(Sandbox {
            address,
            admin,
            processes,
            dir,
        })
    }

    /// A channel to the public port.
    ///
    /// # Panics
    /// Never: the address is one.
    #[must_use]
    pub fn channel(&self) -> Channel {
        let uri = format!("http://{}", self.address).parse();
        Channel::connect(uri.expect("an address"))
    }

    /// The key that its services share.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("assertion.key")
    }

    /// Where its edge keeps what must survive a restart, and by default its reports.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process that owns the public port.
    #[must_use]
    pub fn edge_pid(&self) -> Option<u32> {
        self.processes.last().and_then(Process::pid)
    }

    /// Interrupts the process that owns the public port, as Ctrl-C does; its exit code.
    ///
    /// # Errors
    /// When it cannot be signalled or does not end within `patience`.
    pub async fn interrupt(mut self, patience: Duration) -> anyhow::Result<Option<i32>> {
        let edge = self.processes.pop().context("a process")?;
        edge.interrupt(patience).await
    }
}

async fn up(
    dir: &TempDir,
    admin: &str,
    wiring: &str,
    more: &[&str],
    processes: &mut Vec<Process>,
) -> anyhow::Result<String> {
    let data = dir.path().to_string_lossy().into_owned();
    let flags = [
        "up",
        "--no-probe",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        admin,
        "--data-dir",
        &data,
        "--wiring",
        wiring,
    ];
    let flags: Vec<&str> = flags.iter().chain(more).copied().collect();
    spawn(&flags, processes).await
}

async fn one_each(
    dir: &TempDir,
    admin: &str,
    processes: &mut Vec<Process>,
) -> anyhow::Result<String> {
    let data = dir.path().to_string_lossy().into_owned();
    let key = dir.path().join("assertion.key");
    let key = key.to_string_lossy().into_owned();
    let url = |address: &str| format!("http://{address}");
    let mut addresses = Vec::new();
    for service in ["users", "collection", "controls", "pipes"] {
        let flags = [service, "--listen", "127.0.0.1:0", "--key-file", &key];
        let mut flags = flags.to_vec();
        if service == "collection" {
            flags.extend(["--data-dir", &data]);
        }
        addresses.push(url(&spawn(&flags, processes).await?));
    }
    let [users, collection, controls, pipes] = &addresses[..] else {
        bail!("four services");
    };
    let flags = [
        "query",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        &data,
        "--key-file",
        &key,
        "--collection",
        collection,
    ];
    let query = url(&spawn(&flags, processes).await?);
    let flags = [
        "authfe",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        admin,
        "--data-dir",
        &data,
        "--key-file",
        &key,
        "--users",
        users,
        "--collection",
        collection,
        "--query",
        &query,
        "--controls",
        controls,
        "--pipes",
        pipes,
    ];
    spawn(&flags, processes).await
}

/// Starts the binary and waits until it is ready; where it listens.
async fn spawn(flags: &[&str], processes: &mut Vec<Process>) -> anyhow::Result<String> {
    let mut process = Process::spawn(flags, None, None)?;
    let address = process.ready().await?;
    processes.push(process);
    Ok(address)
}

/// An address that was free a moment ago.
fn free_address() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}
