//! Three replicas of pipes that find each other in Consul, two edges, and a probe's answers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use client::Key;
use runtime::Runtime;
use serde_json::json;
use stores::Ends;
use tempfile::TempDir;
use tests::fake_probe::{self, Socket};
use tests::{Fault, FaultProxy, Port, Process, Server, http};
use url::Url;

/// A replica that can die and come back where it was.
pub(crate) struct Replica {
    port: Port,
    /// How the other replicas reach it.
    pub(crate) bridge: FaultProxy,
    process: Option<Process>,
}

pub(crate) struct Fleet {
    pub(crate) consul: Server,
    pub(crate) replicas: Vec<Replica>,
    /// `host:port` of two edges.
    pub(crate) edges: [String; 2],
    /// What Consul has.
    pub(crate) ends: Ends,
    flags: Vec<String>,
    _others: Vec<Process>,
    _dir: TempDir,
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

    pub(crate) async fn start(&mut self, flags: &[String]) -> anyhow::Result<()> {
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

    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("it runs")?.kill().await?;
        // A proxy would go on accepting connections for the dead.
        self.bridge.set(Fault::Cut).await
    }

    pub(crate) async fn interrupt(&mut self, patience: Duration) -> anyhow::Result<()> {
        let process = self.process.take().context("it runs")?;
        let code = process.interrupt(patience).await?;
        ensure!(code == Some(0), "{code:?}");
        self.bridge.set(Fault::Cut).await
    }
}

/// Starts a service; where it is.
async fn start(dir: &Path, service: &str, more: &[&str]) -> anyhow::Result<(Process, String)> {
    let (key, data) = (dir.join("assertion.key"), dir.join(service));
    let (key, data) = (key.to_string_lossy(), data.to_string_lossy());
    let mut flags = vec![service, "--listen", "127.0.0.1:0", "--key-file", &*key];
    if ["users", "collection", "query", "authfe"].contains(&service) {
        flags.extend(["--data-dir", &*data]);
    }
    flags.extend(more);
    let mut process = Process::spawn(&flags, None, None)?;
    let address = process.ready().await?;
    Ok((process, address))
}

impl Fleet {
    /// Pipes are told these flags as well.
    pub(crate) async fn start(more: &[&str]) -> anyhow::Result<Fleet> {
        let (consul, dir) = (Server::consul().await?, TempDir::new()?);
        let url = format!("{}/weft/pipes", consul.url());
        let key = dir
            .path()
            .join("assertion.key")
            .to_string_lossy()
            .into_owned();
        let users = start(dir.path(), "users", &[]).await?;
        let users_at = format!("http://{}", users.1);
        let flags = [
            "--key-file",
            &key,
            "--pipes-ends",
            &url,
            "--users",
            &users_at,
        ];
        let flags = flags.iter().chain(more).map(|flag| (*flag).to_owned());
        let flags: Vec<String> = flags.collect();
        let mut replicas = Vec::new();
        for _ in 0..3 {
            let mut replica = Replica::new().await?;
            replica.start(&flags).await?;
            replicas.push(replica);
        }
        let pipes: Vec<String> = replicas
            .iter()
            .map(|replica| format!("--pipes=http://{}", replica.port.address()))
            .collect();
        let pipes: Vec<&str> = pipes.iter().map(String::as_str).collect();
        let (edges, others) = front(dir.path(), users, &pipes).await?;
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        Ok(Fleet {
            ends: Ends::open(&Url::parse(&url)?, &rt).await?,
            consul,
            replicas,
            edges,
            flags,
            _others: others,
            _dir: dir,
        })
    }

    /// Starts a replica again.
    pub(crate) async fn restart(&mut self, replica: usize) -> anyhow::Result<()> {
        self.replicas[replica].start(&self.flags).await
    }

    /// Has a control answer with this pipe, as the first terminal of a host does.
    pub(crate) async fn announce(&self, pipe: &str) -> anyhow::Result<()> {
        announce(&self.edges[0], pipe).await
    }

    /// A user's end at the first edge.
    pub(crate) async fn user(&self, pipe: &str) -> anyhow::Result<Socket> {
        let opened = fake_probe::open(&self.edges[0], &format!("/api/pipe/{pipe}"), &[]).await;
        opened.map_err(|status| anyhow!("{pipe}: the user's end was refused with {status}"))
    }

    /// The probe's end at the second edge.
    pub(crate) async fn probe(&self, pipe: &str) -> anyhow::Result<Socket> {
        let headers = [("x-scope-probe-id", "p")];
        let path = format!("/api/pipe/{pipe}/probe");
        let opened = fake_probe::open(&self.edges[1], &path, &headers).await;
        opened.map_err(|status| anyhow!("{pipe}: the probe's end was refused with {status}"))
    }

    /// Which replica holds a pipe, if it is one that runs.
    pub(crate) async fn holder(&self, pipe: &str) -> anyhow::Result<Option<usize>> {
        let key = stores::PipeKey {
            org: "local".to_owned(),
            id: pipe.to_owned(),
        };
        let place = self.ends.get(&key).await?.context("a place")?.place;
        let address = self.ends.address(&place.replica).await?;
        Ok(self
            .replicas
            .iter()
            .position(|replica| Some(format!("http://{}", replica.bridge.address())) == address))
    }
}

/// Has a control answer with this pipe.
pub(crate) async fn announce(edge: &str, pipe: &str) -> anyhow::Result<()> {
    let body = json!({ "pipe": pipe }).to_string();
    let answer = http::post(edge, "/api/control/p/h/host_exec", &[], body).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    ensure!(answer.json()["pipe"] == pipe, "{}", answer.text());
    Ok(())
}

/// A probe `p` that answers with the pipe that it is asked for.
pub(crate) async fn answer_with_pipes(edge: &str) -> anyhow::Result<()> {
    fake_probe::controls(
        edge,
        "p",
        |request| json!({ "pipe": request["ControlArgs"]["pipe"], "raw_tty": true }),
    )
    .await
}

/// Two edges, and what they call besides pipes.
async fn front(
    dir: &Path,
    users: (Process, String),
    pipes: &[&str],
) -> anyhow::Result<([String; 2], Vec<Process>)> {
    let url = |address: &str| format!("http://{address}");
    let collection = start(dir, "collection", &[]).await?;
    let at = url(&collection.1);
    let query = start(dir, "query", &["--collection", &at]).await?;
    let to_users = format!("--users={}", url(&users.1));
    let controls = start(dir, "controls", &[pipes, &[&to_users]].concat()).await?;
    let [users_at, query_at, controls_at] = [&users, &query, &controls].map(|(_, at)| url(at));
    let peers = [
        "--users",
        &users_at,
        "--collection",
        &at,
        "--query",
        &query_at,
    ];
    let more = ["--controls", &controls_at, "--admin-listen", "127.0.0.1:0"];
    let flags = [&peers, &more[..], pipes].concat();
    let one = start(dir, "authfe", &flags).await?;
    let other = start(dir, "authfe", &flags).await?;
    answer_with_pipes(&other.1).await?;
    let edges = [one.1, other.1];
    Ok((
        edges,
        vec![users.0, collection.0, query.0, controls.0, one.0, other.0],
    ))
}
