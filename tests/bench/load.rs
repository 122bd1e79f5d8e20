//! What a server is made to do.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use tests::http;
use tests::recorded::Post;

use crate::process::Server;

/// Senders at once.
const CONNECTIONS: usize = 4;
/// In this time every host reports once.
const CYCLE: Duration = Duration::from_secs(3);
/// Reports are shown for 15 s; after this the window is full.
pub(crate) const FILL: Duration = Duration::from_secs(16);
/// Between two requests for views.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Ingested {
    pub(crate) per_second: f64,
    /// Milliseconds of CPU per report, as fast as they are taken.
    pub(crate) cpu_ms: f64,
}

#[derive(Debug)]
pub(crate) struct Viewed {
    pub(crate) path: &'static str,
    pub(crate) p50_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) bytes: usize,
}

async fn post(address: &str, post: &Post) -> anyhow::Result<()> {
    let headers: Vec<_> = post
        .headers
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let answer = http::post(address, "/api/report", &headers, post.body.clone()).await?;
    ensure!(answer.status == 200, "{}", answer.text());
    Ok(())
}

pub(crate) async fn ingest(
    server: &Server,
    posts: &[Post],
    time: Duration,
) -> anyhow::Result<Ingested> {
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let next = Cell::new(0);
    let sender = async || -> anyhow::Result<()> {
        while started.elapsed() < time {
            let i = next.replace(next.get() + 1);
            post(&server.address, &posts[i % posts.len()]).await?;
        }
        Ok(())
    };
    let senders = (0..CONNECTIONS).map(|_| sender());
    futures_util::future::try_join_all(senders).await?;
    let n = next.get() as f64;
    Ok(Ingested {
        per_second: n / started.elapsed().as_secs_f64(),
        cpu_ms: 1000.0 * (server.cpu()? - cpu) / n,
    })
}

/// Asks for each view this often while reports keep arriving.
pub(crate) async fn views(
    server: &Server,
    posts: &[Post],
    gets: usize,
    paths: &[&'static str],
) -> anyhow::Result<Vec<Viewed>> {
    let posted = Cell::new(0usize);
    let asking = async {
        let cpu = server.cpu()?;
        tokio::time::sleep(FILL).await;
        let per_post = (server.cpu()? - cpu) / posted.get().max(1) as f64;
        println!(
            "  feeding alone: {:.2} ms CPU per report",
            1000.0 * per_post
        );
        let first = view(server, paths[0], 1, per_post, &posted).await?;
        println!(
            "  the very first view, for which all reports are decoded: {:.0} ms, {:.0} ms CPU",
            first.p50_ms, first.cpu_ms
        );
        let mut viewed = Vec::new();
        for path in paths {
            viewed.push(view(server, path, gets, per_post, &posted).await?);
        }
        Ok(viewed)
    };
    tokio::select! {
        () = feed(&server.address, posts, &posted) => anyhow::bail!("the server stopped taking reports"),
        viewed = asking => viewed,
    }
}

/// As [`feed`], and with every report a probe that reports once, with names that never come again.
pub(crate) async fn feed_churning(address: &str, posts: &[Post], posted: &Cell<usize>) {
    let churn = async {
        for i in 0.. {
            let nodes: serde_json::Map<_, _> = (0..200)
                .map(|n| (format!("h;{i}-{n}"), json!({"topology": "process"})))
                .collect();
            let report = json!({"Process": {"nodes": nodes}}).to_string();
            let headers = [
                ("content-type", "application/json"),
                ("x-scope-probe-id", "churn"),
            ];
            if http::post(address, "/api/report", &headers, report)
                .await
                .is_err()
            {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = feed(address, posts, posted) => {}
        () = churn => {}
    }
}

/// Every host reports once per cycle, until the server takes no more.
pub(crate) async fn feed(address: &str, posts: &[Post], posted: &Cell<usize>) {
    let started = Instant::now();
    let gap = CYCLE / u32::try_from(posts.len()).unwrap_or(1);
    loop {
        let i = posted.get();
        if post(address, &posts[i % posts.len()]).await.is_err() {
            return;
        }
        posted.set(i + 1);
        let due = started + gap * u32::try_from(i + 1).unwrap_or(u32::MAX);
        tokio::time::sleep_until(due.into()).await;
    }
}

async fn view(
    server: &Server,
    path: &'static str,
    gets: usize,
    per_post: f64,
    posted: &Cell<usize>,
) -> anyhow::Result<Viewed> {
    let (cpu, posts) = (server.cpu()?, posted.get());
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..gets {
        let started = Instant::now();
        let answer = http::get(&server.address, path).await?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        ensure!(answer.status == 200, "{path}: {}", answer.text());
        bytes = answer.body.len();
        tokio::time::sleep(PAUSE).await;
    }
    let cpu = server.cpu()? - cpu - per_post * (posted.get() - posts) as f64;
    times.sort_by(f64::total_cmp);
    Ok(Viewed {
        path,
        p50_ms: times[times.len() / 2],
        max_ms: times[times.len() - 1],
        cpu_ms: 1000.0 * cpu / gets as f64,
        bytes,
    })
}
