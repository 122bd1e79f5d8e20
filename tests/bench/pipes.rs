//! Terminals: how fast bytes go through, how late key strokes come back, and what idle ones cost.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tests::fake_probe::{self, Socket};
use tests::http;
use tokio_tungstenite::tungstenite::Message;

use crate::free_port;
use crate::process::Server;

/// Sent through a pipe, in messages as large as probes send them.
const BYTES: usize = 200 << 20;
const MESSAGE: usize = 4 << 10;
/// Key strokes, and the pause after each: fast typing.
const KEYS: usize = 1000;
const PAUSE: Duration = Duration::from_millis(5);
/// Terminals that nobody types into: nearly as many as an organisation may have at a replica.
const IDLE: usize = 900;

/// What terminals cost on one server.
struct Costs {
    /// Towards the user, in bytes per second.
    throughput: f64,
    /// There and back, in milliseconds.
    p50: f64,
    p99: f64,
    /// Memory of one idle terminal, in bytes.
    idle: f64,
}

/// Measures Weft, and Scope's own app beside it.
pub(crate) async fn pipes() -> anyhow::Result<()> {
    let weft = measure("weft", &Server::weft(free_port()?)?).await?;
    let Some(app) = std::env::var_os("SCOPE_APP") else {
        println!("set SCOPE_APP to the path of Scope's app to see the ratios");
        return Ok(());
    };
    let scope = measure("scope", &Server::scope(&PathBuf::from(app), free_port()?)?).await?;
    println!(
        "weft / scope: throughput {:.2}, p50 {:.2}, p99 {:.2}, memory {:.2}",
        weft.throughput / scope.throughput,
        weft.p50 / scope.p50,
        weft.p99 / scope.p99,
        weft.idle / scope.idle
    );
    Ok(())
}

async fn measure(name: &str, server: &Server) -> anyhow::Result<Costs> {
    server.ready().await?;
    fake_probe::controls(
        &server.address,
        "p",
        |request| json!({ "pipe": request["ControlArgs"]["pipe"], "raw_tty": true }),
    )
    .await?;
    let throughput = throughput(server).await?;
    let (p50, p99) = keys(server).await?;
    let before = server.resident()?;
    let mut idle = Vec::new();
    for i in 0..IDLE {
        idle.push(open(server, &format!("pipe-idle-{i}")).await?);
    }
    let more = server.resident()?.saturating_sub(before);
    let costs = Costs {
        throughput,
        p50,
        p99,
        idle: more as f64 / IDLE as f64,
    };
    println!(
        "{name}: {:.1} MB/s to the user; a key stroke is back after {p50:.2} ms (p50), {p99:.2} ms (p99); {IDLE} idle \
         terminals take {:.1} kB each",
        throughput / 1e6,
        costs.idle / 1e3
    );
    Ok(costs)
}

/// A terminal's ends: the probe's and the user's.
async fn open(server: &Server, pipe: &str) -> anyhow::Result<(Socket, Socket)> {
    let body = json!({ "pipe": pipe }).to_string();
    let answer = http::post(&server.address, "/api/control/p/h/host_exec", &[], body).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    let refused = |status: u16| anyhow!("{pipe} was refused with {status}");
    let path = format!("/api/pipe/{pipe}");
    let headers = [("x-scope-probe-id", "p")];
    let probe = fake_probe::open(&server.address, &format!("{path}/probe"), &headers).await;
    let user = fake_probe::open(&server.address, &path, &[]).await;
    Ok((probe.map_err(refused)?, user.map_err(refused)?))
}

async fn throughput(server: &Server) -> anyhow::Result<f64> {
    let (mut probe, mut user) = open(server, "pipe-flood").await?;
    let started = Instant::now();
    let flood = tokio::spawn(async move {
        let message = bytes::Bytes::from(vec![b'x'; MESSAGE]);
        for _ in 0..BYTES / MESSAGE {
            probe.send(Message::Binary(message.clone())).await?;
        }
        // Kept open until all of it has come.
        Ok::<_, anyhow::Error>(probe)
    });
    let mut left = BYTES;
    while left > 0 {
        let next = user.next().await.context("the socket ended")??;
        left = left.saturating_sub(next.into_data().len());
    }
    let took = started.elapsed();
    flood.await??;
    Ok(BYTES as f64 / took.as_secs_f64())
}

/// The median and the 99th percentile, in milliseconds.
async fn keys(server: &Server) -> anyhow::Result<(f64, f64)> {
    let (mut probe, mut user) = open(server, "pipe-keys").await?;
    tokio::spawn(async move {
        while let Ok(bytes) = fake_probe::next(&mut probe).await {
            if probe.send(Message::binary(bytes)).await.is_err() {
                return;
            }
        }
    });
    let mut took = Vec::new();
    for _ in 0..KEYS {
        let started = Instant::now();
        user.send(Message::text("k")).await?;
        fake_probe::next(&mut user).await?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(PAUSE).await;
    }
    took.sort_by(f64::total_cmp);
    Ok((took[KEYS / 2], took[KEYS * 99 / 100]))
}
