//! The public port among strangers.

mod check;
mod drain;
mod envoy;
mod events;
mod floods;
mod frames;
mod framing;
pub(crate) mod frontend;
mod limits;
mod proxies;
mod slow;
mod tls;

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tests::{Sandbox, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes raw bytes on a connection of their own; all that comes back until the server closes it.
async fn exchange(address: &str, bytes: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // A server that has seen enough may close before all is written.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

/// What comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A reset is an end too.
    let _ = read.context("the connection stays open")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// How many of something a metric of the edge counts.
async fn counted(weft: &Sandbox, metric: &str) -> anyhow::Result<u64> {
    let text = http::get(&weft.admin, "/metrics").await?.text();
    let line = text.lines().find_map(|line| line.strip_prefix(metric));
    Ok(line.map_or(Ok(0), |value| value.trim().parse())?)
}

/// Runs an attack while somebody else asks again and again, who must always be answered.
async fn while_others_ask<T>(
    weft: &Sandbox,
    what: &str,
    attack: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let (mut slowest, mut asked, started) = (Duration::ZERO, 0, Instant::now());
    let others = async {
        loop {
            let started = Instant::now();
            let answer = timeout(PATIENCE, http::get(&weft.address, "/api/topology")).await;
            let answer = answer.context("others are not answered")??;
            ensure!(answer.status == 200, "others get {}", answer.status);
            slowest = slowest.max(started.elapsed());
            asked += 1;
        }
    };
    let result: anyhow::Result<T> = tokio::select! {
        result = attack => result,
        failed = others => failed,
    };
    let result = result.with_context(|| what.to_owned())?;
    ensure!(
        asked > 0 || started.elapsed() < PATIENCE / 10,
        "{what}: nobody else was answered"
    );
    println!("{what}: {asked} requests of others, the slowest took {slowest:?}");
    Ok(result)
}
