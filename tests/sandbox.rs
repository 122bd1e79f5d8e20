//! Weft, running.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use client::Channel;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a process may take to say that it is ready, on a machine that is busy building.
const READY: Duration = Duration::from_secs(60);

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
    processes: Vec<Child>,
    dir: TempDir,
}

impl Sandbox {
    /// Starts Weft without its probe.
    ///
    /// # Errors
    /// When the binary is missing or does not get ready.
    pub async fn start(topology: Topology) -> anyhow::Result<Sandbox> {
        let dir = TempDir::new()?;
        let admin = free_address()?;
        let mut processes = Vec::new();
        let address = match topology {
            Topology::Direct => up(&dir, &admin, "direct", &mut processes).await?,
            Topology::Http2 => up(&dir, &admin, "http2", &mut processes).await?,
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

    /// The process that owns the public port.
    #[must_use]
    pub fn edge_pid(&self) -> Option<u32> {
        self.processes.last().and_then(Child::id)
    }

    /// Interrupts the process that owns the public port, as Ctrl-C does; its exit code.
    ///
    /// # Errors
    /// When it cannot be signalled or does not end within `patience`.
    pub async fn interrupt(mut self, patience: Duration) -> anyhow::Result<Option<i32>> {
        let mut edge = self.processes.pop().context("a process")?;
        let pid = edge.id().context("a running process")?;
        let pid = pid.to_string();
        Command::new("kill").args(["-INT", &pid]).status().await?;
        let status = timeout(patience, edge.wait()).await;
        Ok(status.context("it did not end in time")??.code())
    }
}

/// Where the binary is: beside the test binary's folder, or where `WEFT_BIN` says.
///
/// # Errors
/// When there is none.
pub fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("WEFT_BIN") {
        return Ok(path.into());
    }
    let deps = std::env::current_exe()?;
    let target = deps.parent().and_then(Path::parent);
    let path = target.context("a target folder")?.join("weft");
    if !path.exists() {
        bail!(
            "{} is missing: run `cargo build -p weft` first",
            path.display()
        );
    }
    Ok(path)
}

async fn up(
    dir: &TempDir,
    admin: &str,
    wiring: &str,
    processes: &mut Vec<Child>,
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
    spawn(&flags, processes).await
}

async fn one_each(
    dir: &TempDir,
    admin: &str,
    processes: &mut Vec<Child>,
) -> anyhow::Result<String> {
    let data = dir.path().to_string_lossy().into_owned();
    let key = dir.path().join("assertion.key");
    let key = key.to_string_lossy().into_owned();
    let url = |address: &str| format!("http://{address}");
    let mut addresses = Vec::new();
    for service in ["users", "collection", "controls", "pipes"] {
        let flags = [service, "--listen", "127.0.0.1:0", "--key-file", &key];
        addresses.push(url(&spawn(&flags, processes).await?));
    }
    let [users, collection, controls, pipes] = &addresses[..] else {
        bail!("four services");
    };
    let flags = [
        "query",
        "--listen",
        "127.0.0.1:0",
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

/// Starts the binary and waits for the line that says where it listens.
async fn spawn(flags: &[&str], processes: &mut Vec<Child>) -> anyhow::Result<String> {
    let mut child = Command::new(binary()?)
        .args(flags)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().context("standard output")?;
    processes.push(child);
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(READY, lines.next_line()).await;
    let line = line.with_context(|| format!("weft {} did not get ready", flags[0]))??;
    let line = line.with_context(|| format!("weft {} ended at once", flags[0]))?;
    let (_, rest) = line.split_once("http://").context("an address")?;
    let address = rest.split([' ', '/']).next().unwrap_or(rest);
    Ok(address.to_owned())
}

/// An address that was free a moment ago.
fn free_address() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}
