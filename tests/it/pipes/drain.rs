//! A shell on a probe's host, while everything that it goes through is drained and started again.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::SinkExt;
use serde_json::Value;
use tests::collection::until;
use tests::fake_probe::{self, Socket};
use tests::pipes::{Fleet, Wiring, user};
use tests::{binary, http};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{PATIENCE, QUICK, close, until_forgotten};

/// How long one waits for a shell that may not have been heard, before one types again.
const AGAIN: Duration = Duration::from_secs(3);

fn is_scopes() -> bool {
    std::env::var_os("SCOPE_PROBE").is_some()
}

/// Weft's own probe, or Scope's if `SCOPE_PROBE` says where that is.
fn probe(edge: &str) -> anyhow::Result<Child> {
    let mut command = match std::env::var_os("SCOPE_PROBE") {
        None => {
            let mut command = Command::new(binary()?);
            command.args(["probe", &format!("http://{edge}")]);
            command
        }
        Some(scope) => {
            let mut command = Command::new(scope);
            command.args(["--mode=probe", "--probe-only", "--weave=false"]);
            command.args(["--probe.docker=false", "--probe.kubernetes=false"]);
            command.args(["--probe.conntrack=false", "--probe.ebpf.connections=false"]);
            command.arg(edge);
            command
        }
    };
    command.stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().context("the probe cannot be run")
}

fn encoded(id: &str) -> String {
    id.replace(';', "%3B")
        .replace('<', "%3C")
        .replace('>', "%3E")
}

/// The path of the control that opens a shell on the only host, once that is seen.
async fn shell_control(edge: &str) -> anyhow::Result<String> {
    let mut found = None;
    until("the host has a shell", PATIENCE, async || {
        let hosts = http::get(edge, "/api/topology/hosts").await?;
        if hosts.status != 200 {
            return Ok(false);
        }
        let hosts = hosts.json();
        let ids = hosts["nodes"].as_object().context("nodes")?.keys();
        for id in ids.filter(|id| id.ends_with(";<host>")) {
            let path = format!("/api/topology/hosts/{}", encoded(id));
            let details = http::get(edge, &path).await?.json();
            let controls = details["node"]["controls"].as_array();
            found = controls.into_iter().flatten().find_map(path_of);
        }
        Ok(found.is_some())
    })
    .await?;
    found.context("a control")
}

fn path_of(control: &Value) -> Option<String> {
    let (probe, node) = (control["probeId"].as_str()?, control["nodeId"].as_str()?);
    let is_shell = control["id"] == "host_exec";
    is_shell.then(|| format!("/api/control/{probe}/{}/host_exec", encoded(node)))
}

struct Shell {
    user: Socket,
    asked: u32,
}

impl Shell {
    /// The shell's process, by what it says itself; how long it took to.
    ///
    /// Scope's probe loses what a shell says first after a reconnect: it gives it to the connection that has ended. So it
    /// is asked again.
    async fn pid(&mut self) -> anyhow::Result<(u32, Duration)> {
        let started = Instant::now();
        let answered = async {
            loop {
                let wait = if is_scopes() { AGAIN } else { PATIENCE };
                match timeout(wait, self.ask()).await {
                    Err(_) if is_scopes() => println!("no answer; asked again"),
                    answered => break answered.context("no answer")?,
                }
            }
        };
        let pid = timeout(PATIENCE, answered).await??;
        Ok((pid, started.elapsed()))
    }

    async fn ask(&mut self) -> anyhow::Result<u32> {
        self.asked += 1;
        let tag = format!("shell{}=", self.asked);
        self.user
            .send(Message::text(format!("echo {tag}$$.\n")))
            .await?;
        let mut heard = String::new();
        loop {
            // What was typed is heard as well.
            let answers = heard.split(&tag).skip(1);
            let pid = answers.filter_map(|rest| rest.split_once('.')?.0.parse().ok());
            if let Some(pid) = pid.last() {
                return Ok(pid);
            }
            let next = fake_probe::next(&mut self.user).await?;
            heard.push_str(&String::from_utf8_lossy(&next));
        }
    }
}

#[tokio::test]
async fn shell_outlives_a_drain_of_everything_it_goes_through() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(Wiring::Any, &QUICK).await?;
    let _probe = probe(&fleet.edges[1])?;
    let control = shell_control(&fleet.edges[0]).await?;
    let opened = http::post(&fleet.edges[0], &control, &[], "").await?;
    ensure!(opened.status == 200, "{}", opened.text());
    let pipe = opened.json()["pipe"].as_str().context("a pipe")?.to_owned();
    let mut shell = Shell {
        user: user(&fleet.edges[0], &pipe).await?,
        asked: 0,
    };
    let (pid, took) = shell.pid().await?;
    println!("the shell is process {pid}; it answered after {took:.2?}");
    for round in 0..3 {
        let holder = fleet.holder(&pipe).await?.context("a holder")?;
        fleet.replicas[holder].interrupt(PATIENCE).await?;
        fleet.restart(holder).await?;
        let (same, took) = shell.pid().await?;
        ensure!(same == pid, "round {round}: {same} instead of {pid}");
        println!("its replica was drained: it answered after {took:.2?}");
        fleet.restart_edge(1).await?;
        let (same, took) = shell.pid().await?;
        ensure!(same == pid, "round {round}: {same} instead of {pid}");
        println!("the probe's edge was restarted: it answered after {took:.2?}");
    }
    close(&fleet, &pipe).await?;
    let process = format!("/proc/{pid}");
    until("the shell has ended", PATIENCE, async || {
        Ok(!Path::new(&process).exists())
    })
    .await?;
    until_forgotten(&fleet).await
}
