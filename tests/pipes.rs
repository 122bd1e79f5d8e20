//! Three replicas of pipes that find each other in Consul, two edges, and a probe's answers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use client::Key;
use runtime::Runtime;
use serde_json::json;
use stores::Ends;
use tempfile::TempDir;
use url::Url;

use crate::fake_probe::{self, Socket};
use crate::{Fault, FaultProxy, Port, Process, Server, http};

/// How long a process may take to drain.
const DRAIN: Duration = Duration::from_secs(60);

/// A replica that can die and come back where it was.
#[derive(Debug)]
pub struct Replica {
    port: Port,
    /// How the other replicas reach it.
    pub bridge: FaultProxy,
    process: Option<Process>,
}

/// Replicas, edges and what they need.
#[derive(Debug)]
pub struct Fleet {
    /// Where ends are registered.
    pub consul: Server,
    /// Three.
    pub replicas: Vec<Replica>,
    /// `host:port` of two edges. The second one has a probe `p` that answers with the pipe that it is asked for, until
    /// that edge is restarted.
    pub edges: [String; 2],
    /// What Consul has.
    pub ends: Ends,
    flags: Vec<String>,
    fronts: [Front; 2],
    _others: Vec<Process>,
    _dir: TempDir,
}

/// An edge.
#[derive(Debug)]
struct Front {
    process: Option<Process>,
    flags: Vec<String>,
}

/// Which replicas the edges call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wiring {
    /// Each calls any of them.
    Any,
    /// The first one calls the first one, the second one the second one.
    Apart,
}

impl Replica {
    async fn new() -> anyhow::Result<Replica> {
        let port = Port::reserve()?;
        Ok(Replica {
            bridge: FaultProxy::start(&port.address()).await?,
            port,
            process: None,
        })
    }

    async fn start(&mut self, flags: &[String]) -> anyhow::Result<()> {
        let advertised = format!("http://{}", self.bridge.address());
        let own = [
            "pipes",
            "--listen",
            &self.port.address(),
            "--pipes-advertise",
            &advertised,
        ];
        let flags: Vec<&str> = own
            .into_iter()
            .chain(flags.iter().map(String::as_str))
            .collect();
        let mut process = Process::spawn(&flags, None, None)?;
        process.ready().await?;
        self.bridge.set(Fault::None).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it as nothing can prevent.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("it runs")?.kill().await?;
        // A proxy would go on accepting connections for the dead.
        self.bridge.set(Fault::Cut).await
    }

    /// Drains it, and waits until it has ended.
    ///
    /// # Errors
    /// When it does not run, or not end in time.
    pub async fn interrupt(&mut self, patience: Duration) -> anyhow::Result<()> {
        let process = self.process.take().context("it runs")?;
        let code = process.interrupt(patience).await?;
        ensure!(code == Some(0), "{code:?}");
        self.bridge.set(Fault::Cut).await
    }
}

/// What a service is started with.
fn flags_of(dir: &Path, service: &str, more: &[&str]) -> Vec<String> {
    let (key, data) = (dir.join("assertion.key"), dir.join(service));
    let (key, data) = (key.to_string_lossy(), data.to_string_lossy());
    let mut flags = vec![service, "--key-file", &*key];
    if ["users", "collection", "query", "authfe"].contains(&service) {
        flags.extend(["--data-dir", &*data]);
    }
    flags.extend(more);
    flags.into_iter().map(str::to_owned).collect()
}

/// Starts a process that listens here; where it does.
async fn listen(flags: &[String], at: &str) -> anyhow::Result<(Process, String)> {
    let flags = flags.iter().map(String::as_str);
    let flags: Vec<&str> = flags.chain(["--listen", at]).collect();
    let mut process = Process::spawn(&flags, None, None)?;
    let address = process.ready().await?;
    Ok((process, address))
}

/// Starts a service; where it is.
async fn start(dir: &Path, service: &str, more: &[&str]) -> anyhow::Result<(Process, String)> {
    listen(&flags_of(dir, service, more), "127.0.0.1:0").await
}

impl Fleet {
    /// Pipes are told these flags as well.
    ///
    /// # Errors
    /// When something does not get ready.
    pub async fn start(wiring: Wiring, more: &[&str]) -> anyhow::Result<Fleet> {
        let (consul, dir) = (Server::consul().await?, TempDir::new()?);
        let url = format!("{}/weft/pipes", consul.url());
        let key = dir.path().join("assertion.key");
        let key = key.to_string_lossy().into_owned();
        let users = start(dir.path(), "users", &[]).await?;
        let to_users = format!("--users=http://{}", users.1);
        let flags = ["--key-file", &key, "--pipes-ends", &url, &to_users];
        let flags = flags.iter().chain(more).map(|flag| (*flag).to_owned());
        let flags: Vec<String> = flags.collect();
        let mut replicas = Vec::new();
        for _ in 0..3 {
            let mut replica = Replica::new().await?;
            replica.start(&flags).await?;
            replicas.push(replica);
        }
        let at = |replica: &Replica| format!("--pipes=http://{}", replica.port.address());
        let pipes: Vec<String> = replicas.iter().map(at).collect();
        let pipes: Vec<&str> = pipes.iter().map(String::as_str).collect();
        let (peers, others) = behind(dir.path(), users, &pipes).await?;
        let (mut edges, mut fronts) = (Vec::new(), Vec::new());
        for i in 0..2 {
            let called = match wiring {
                Wiring::Any => &pipes[..],
                Wiring::Apart => &pipes[i..=i],
            };
            let peers = peers.iter().map(String::as_str);
            let more: Vec<&str> = peers.chain(called.iter().copied()).collect();
            let flags = flags_of(dir.path(), "authfe", &more);
            let (process, address) = listen(&flags, "127.0.0.1:0").await?;
            edges.push(address);
            let process = Some(process);
            fronts.push(Front { process, flags });
        }
        answer_with_pipes(&edges[1]).await?;
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        let two = || anyhow!("two edges");
        Ok(Fleet {
            ends: Ends::open(&Url::parse(&url)?, &rt).await?,
            consul,
            replicas,
            edges: edges.try_into().map_err(|_| two())?,
            flags,
            fronts: fronts.try_into().map_err(|_| two())?,
            _others: others,
            _dir: dir,
        })
    }

    /// Starts a replica again.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn restart(&mut self, replica: usize) -> anyhow::Result<()> {
        self.replicas[replica].start(&self.flags).await
    }

    /// Drains an edge and starts it again where it was.
    ///
    /// # Errors
    /// When it does not end in time, or does not get ready.
    pub async fn restart_edge(&mut self, edge: usize) -> anyhow::Result<()> {
        let front = &mut self.fronts[edge];
        let process = front.process.take().context("it runs")?;
        let code = process.interrupt(DRAIN).await?;
        ensure!(code == Some(0), "{code:?}");
        let (process, _) = listen(&front.flags, &self.edges[edge]).await?;
        front.process = Some(process);
        Ok(())
    }

    /// The processes that bytes pass through: replicas, then edges.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let replicas = self.replicas.iter().map(|replica| &replica.process);
        let edges = self.fronts.iter().map(|front| &front.process);
        let running = replicas.chain(edges).flatten();
        running.filter_map(Process::pid).collect()
    }

    /// Has a control answer with this pipe, as the first terminal of a host does.
    ///
    /// # Errors
    /// When it does not.
    pub async fn announce(&self, pipe: &str) -> anyhow::Result<()> {
        announce(&self.edges[0], pipe).await
    }

    /// A user's end at the first edge.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn user(&self, pipe: &str) -> anyhow::Result<Socket> {
        user(&self.edges[0], pipe).await
    }

    /// The probe's end at the second edge.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn probe(&self, pipe: &str) -> anyhow::Result<Socket> {
        probe(&self.edges[1], pipe).await
    }

    /// Which replica holds a pipe, if it is one that runs.
    ///
    /// # Errors
    /// When Consul does not tell, or knows no such pipe.
    pub async fn holder(&self, pipe: &str) -> anyhow::Result<Option<usize>> {
        let key = stores::PipeKey {
            org: "local".to_owned(),
            id: pipe.to_owned(),
        };
        let place = self.ends.get(&key).await?.context("a place")?.place;
        let address = self.ends.address(&place.replica).await?;
        let at = |replica: &Replica| Some(format!("http://{}", replica.bridge.address()));
        let mut replicas = self.replicas.iter();
        Ok(replicas.position(|replica| at(replica) == address))
    }
}

/// The user's end of a pipe at this edge.
///
/// # Errors
/// When it is refused.
pub async fn user(edge: &str, pipe: &str) -> anyhow::Result<Socket> {
    let opened = fake_probe::open(edge, &format!("/api/pipe/{pipe}"), &[]).await;
    opened.map_err(|status| anyhow!("{pipe}: the user's end was refused with {status}"))
}

/// The probe's end.
///
/// # Errors
/// When it is refused.
pub async fn probe(edge: &str, pipe: &str) -> anyhow::Result<Socket> {
    let headers = [("x-scope-probe-id", "p")];
    let path = format!("/api/pipe/{pipe}/probe");
    let opened = fake_probe::open(edge, &path, &headers).await;
    opened.map_err(|status| anyhow!("{pipe}: the probe's end was refused with {status}"))
}

/// Has a control of the probe `p` answer with this pipe.
///
/// # Errors
/// When it does not.
pub async fn announce(edge: &str, pipe: &str) -> anyhow::Result<()> {
    let body = json!({ "pipe": pipe }).to_string();
    let answer = http::post(edge, "/api/control/p/h/host_exec", &[], body).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    ensure!(answer.json()["pipe"] == pipe, "{}", answer.text());
    Ok(())
}

/// A probe `p` that answers with the pipe that it is asked for.
///
/// # Errors
/// When it cannot connect.
pub async fn answer_with_pipes(edge: &str) -> anyhow::Result<()> {
    fake_probe::controls(
        edge,
        "p",
        |request| json!({ "pipe": request["ControlArgs"]["pipe"], "raw_tty": true }),
    )
    .await
}

/// What edges call besides pipes: the flags that say where, and the processes.
async fn behind(
    dir: &Path,
    users: (Process, String),
    pipes: &[&str],
) -> anyhow::Result<(Vec<String>, Vec<Process>)> {
    let collection = start(dir, "collection", &[]).await?;
    let at = format!("http://{}", collection.1);
    let query = start(dir, "query", &["--collection", &at]).await?;
    let to_users = format!("--users=http://{}", users.1);
    let controls = start(dir, "controls", &[pipes, &[&to_users]].concat()).await?;
    let mut flags = vec!["--admin-listen=127.0.0.1:0".to_owned()];
    let mut processes = Vec::new();
    let names = ["users", "collection", "query", "controls"];
    for (name, (process, at)) in names.iter().zip([users, collection, query, controls]) {
        flags.push(format!("--{name}=http://{at}"));
        processes.push(process);
    }
    Ok((flags, processes))
}
