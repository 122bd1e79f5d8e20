//! Weft, running.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use client::Channel;
use tempfile::TempDir;

use crate::{Port, Process};

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
    /// `host:port` of the private port of users.
    pub users: String,
    processes: Vec<Process>,
    /// How the edge was started, if it is a process of its own.
    edge: Vec<String>,
    _ports: Ports,
    dir: TempDir,
}

/// Ports that are known before anything listens on them, or are listened on again.
#[derive(Debug)]
struct Ports {
    admin: Port,
    users: Port,
}

impl Ports {
    fn reserve() -> anyhow::Result<Ports> {
        Ok(Ports {
            admin: Port::reserve()?,
            users: Port::reserve()?,
        })
    }
}

impl Sandbox {
    /// Starts Weft in one process with these flags, without its probe.
    ///
    /// # Errors
    /// When the binary is missing or does not get ready.
    pub async fn start_with(flags: &[&str]) -> anyhow::Result<Sandbox> {
        let dir = TempDir::new()?;
        let ports = Ports::reserve()?;
        let admin = ports.admin.address();
        let mut processes = Vec::new();
        let address = up(&dir, &admin, "direct", flags, &mut processes).await?;
        Ok(Sandbox {
            address,
            users: admin.clone(),
            admin,
            edge: Vec::new(),
            processes,
            _ports: ports,
            dir,
        })
    }

    /// Starts Weft in one process, believing nobody without a credential and logging all it can into its data directory.
    ///
    /// # Errors
    /// When the binary is missing or does not get ready.
    pub async fn talkative() -> anyhow::Result<Sandbox> {
        let dir = TempDir::new()?;
        let ports = Ports::reserve()?;
        let admin = ports.admin.address();
        let flags = up_flags(&dir, &admin, "http2");
        let more = ["--demand-credentials", "--log", "trace"].map(str::to_owned);
        let flags: Vec<String> = flags.into_iter().chain(more).collect();
        let log = dir.path().join("log.txt");
        let mut process = Process::spawn(&flags, None, Some(&log))?;
        let address = process.ready().await?;
        Ok(Sandbox {
            address,
            users: admin.clone(),
            admin,
            edge: Vec::new(),
            processes: vec![process],
            _ports: ports,
            dir,
        })
    }

    /// Starts Weft without its probe.
    ///
    /// # Errors
    /// When the binary is missing or does not get ready.
    pub async fn start(topology: Topology) -> anyhow::Result<Sandbox> {
        Sandbox::with(topology, &[], &[]).await
    }

    /// Starts Weft without its probe so that it believes nobody without a credential. Users are in this store, or by
    /// default in a file.
    ///
    /// # Errors
    /// When the binary is missing or does not get ready.
    pub async fn strict(topology: Topology, users_store: Option<&str>) -> anyhow::Result<Sandbox> {
        let store = users_store.map_or_else(Vec::new, |url| vec!["--users-store", url]);
        Sandbox::with(topology, &store, &["--demand-credentials"]).await
    }

    /// Starts a process for each service without a probe, users and the edge with these flags as well.
    ///
    /// # Errors
    /// When the binary is missing or does not get ready.
    pub async fn apart(users: &[&str], edge: &[&str]) -> anyhow::Result<Sandbox> {
        Sandbox::with(Topology::Processes, users, edge).await
    }

    async fn with(topology: Topology, users: &[&str], edge: &[&str]) -> anyhow::Result<Sandbox> {
        let dir = TempDir::new()?;
        let ports = Ports::reserve()?;
        let admin = ports.admin.address();
        let mut processes = Vec::new();
        let both: Vec<&str> = users.iter().chain(edge).copied().collect();
        let (mut private, mut started) = (admin.clone(), Vec::new());
        let address = match topology {
            Topology::Direct => up(&dir, &admin, "direct", &both, &mut processes).await?,
            Topology::Http2 => up(&dir, &admin, "http2", &both, &mut processes).await?,
            Topology::Processes => {
                let all = one_each(&dir, &ports, users, edge, &mut processes).await?;
                (private, started) = (all.users, all.edge_flags);
                all.address
            }
        };
        Ok(Sandbox {
            address,
            admin,
            users: private,
            edge: started,
            processes,
            _ports: ports,
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

    /// Starts another edge like the first, in [`Topology::Processes`]; where it listens.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn another_edge(&mut self) -> anyhow::Result<String> {
        let free = "127.0.0.1:0".to_owned();
        let flags = self.edge.iter();
        let flags: Vec<_> = flags
            .map(|flag| if *flag == self.admin { &free } else { flag })
            .collect();
        let mut process = Process::spawn(&flags, None, None)?;
        let address = process.ready().await?;
        self.processes.insert(1, process);
        Ok(address)
    }

    /// Starts another replica of query on this port, in [`Topology::Processes`]. It lives no longer than what is answered.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn another_query(&self, port: &Port) -> anyhow::Result<Process> {
        let collection = self.edge.iter().skip_while(|flag| *flag != "--collection");
        let collection = collection.take(2).map(String::as_str);
        let (listen, key) = (port.address(), self.key_file());
        let (data, key) = (self.dir.path().to_string_lossy(), key.to_string_lossy());
        let own = ["query", "--listen", &listen, "--data-dir", &data];
        let own = own.into_iter().chain(["--key-file", &key]);
        let flags: Vec<&str> = own.chain(collection).collect();
        let mut process = Process::spawn(&flags, None, None)?;
        process.ready().await?;
        Ok(process)
    }

    /// Kills the process of users, in [`Topology::Processes`].
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill_users(&mut self) -> anyhow::Result<()> {
        self.processes.remove(0).kill().await
    }

    /// Starts users again where it was, on the store in its data directory.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn restart_users(&mut self) -> anyhow::Result<()> {
        let key = self.key_file();
        let (key, data) = (key.to_string_lossy(), self.dir.path().to_string_lossy());
        let flags = ["users", "--listen", &self.users, "--data-dir", &data];
        let flags = [&flags[..], &["--key-file", &key]].concat();
        let mut process = Process::spawn(&flags, None, None)?;
        process.ready().await?;
        self.processes.insert(0, process);
        Ok(())
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
    let flags = up_flags(dir, admin, wiring);
    let flags = flags.iter().map(String::as_str);
    let flags: Vec<&str> = flags.chain(more.iter().copied()).collect();
    spawn(&flags, processes).await
}

fn up_flags(dir: &TempDir, admin: &str, wiring: &str) -> Vec<String> {
    let data = dir.path().to_string_lossy();
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
    flags.map(str::to_owned).to_vec()
}

/// What came of starting a process for each service.
struct All {
    address: String,
    users: String,
    edge_flags: Vec<String>,
}

async fn one_each(
    dir: &TempDir,
    ports: &Ports,
    users_flags: &[&str],
    edge_flags: &[&str],
    processes: &mut Vec<Process>,
) -> anyhow::Result<All> {
    let data = dir.path().to_string_lossy().into_owned();
    let key = dir.path().join("assertion.key");
    let key = key.to_string_lossy().into_owned();
    let url = |address: &str| format!("http://{address}");
    let (admin, users) = (ports.admin.address(), ports.users.address());
    let mut addresses = Vec::<String>::new();
    for service in ["users", "collection", "pipes", "controls"] {
        let listen = match service {
            "users" => users.as_str(),
            _ => "127.0.0.1:0",
        };
        let flags = [service, "--listen", listen, "--key-file", &key];
        let mut flags = flags.to_vec();
        if ["collection", "users"].contains(&service) {
            flags.extend(["--data-dir", &data]);
        }
        if service == "users" {
            flags.extend(users_flags);
        }
        if let ("pipes" | "controls", Some(users)) = (service, addresses.first()) {
            flags.extend(["--users", users]);
        }
        if let ("controls", Some(pipes)) = (service, addresses.last()) {
            flags.extend(["--pipes", pipes]);
        }
        let address = url(&spawn(&flags, processes).await?);
        addresses.push(address);
    }
    let [users, collection, pipes, controls] = &addresses[..] else {
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
        &admin,
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
    let flags: Vec<&str> = flags.iter().chain(edge_flags).copied().collect();
    Ok(All {
        address: spawn(&flags, processes).await?,
        users: users.trim_start_matches("http://").to_owned(),
        edge_flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
    })
}

/// Starts the binary and waits until it is ready; where it listens.
async fn spawn(flags: &[&str], processes: &mut Vec<Process>) -> anyhow::Result<String> {
    let mut process = Process::spawn(flags, None, None)?;
    let address = process.ready().await?;
    processes.push(process);
    Ok(address)
}
