//! Measures Weft with recorded reports of 50 hosts, and Scope's own app beside it if `SCOPE_APP` says where it is.
//!
//! For each of them: reports as fast as they are taken, then views while every host reports every 3 s. CPU time is that
//! of the server's process; that of a view is what is left when the reports' share is taken off.

mod controls;
mod edge;
mod hour;
mod load;
mod pipes;
mod process;
mod recovery;
mod table;
mod watchers;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use tests::http;
use tests::recorded::{Post, posts};

use crate::load::{Ingested, Viewed, ingest, views};
use crate::process::Server;

const VIEWS: [&str; 8] = [
    "/api/topology",
    "/api/topology/processes",
    "/api/topology/containers",
    "/api/topology/pods",
    "/api/topology/kube-controllers",
    "/api/topology/services",
    "/api/topology/hosts",
    "/api/topology/processes-by-name",
];

/// What one server did.
#[derive(Debug)]
struct Measured {
    name: &'static str,
    ingested: Ingested,
    viewed: Vec<Viewed>,
    /// Bytes, the most that was resident while views were asked for.
    peak: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let set = args.next().unwrap_or_else(|| "b02-k8s-50-hosts".to_owned());
    if set == "watchers" {
        return crowds("b02-k8s-50-hosts").await;
    }
    if set == "controls" {
        let probes = args.next().map_or(Ok(10_000), |n| n.parse())?;
        return controls::controls(probes).await;
    }
    if set == "edge" {
        return edge::edge(&posts(&unpack("b02-k8s-50-hosts")?)?).await;
    }
    if set == "pipes" {
        return pipes::pipes().await;
    }
    if set == "recovery" {
        let mebibytes = args.next().map_or(Ok(1000), |n| n.parse())?;
        return recovery::recovery(mebibytes).await;
    }
    if set == "soak" {
        let minutes = args.next().map_or(Ok(30), |n| n.parse())?;
        return soak("b02-k8s-50-hosts", minutes).await;
    }
    if set == "load" {
        let replay = hour::Replay {
            factor: args.next().map_or(Ok(1.0), |n| n.parse())?,
            minutes: args.next().map_or(Ok(5), |n| n.parse())?,
            watched: args.next().map_or(Ok(0), |n| n.parse())?,
        };
        return hour::replay(&posts(&unpack("b04-k8s-50-hosts-6-publishes")?)?, replay).await;
    }
    let gets: usize = args.next().map_or(Ok(20), |n| n.parse())?;
    let dir = unpack(&set)?;
    let posts = posts(&dir)?;
    let bytes: usize = posts.iter().map(|p| p.body.len()).sum();
    println!(
        "{set}: {} reports, {:.2} MB gzip",
        posts.len(),
        bytes as f64 / 1e6
    );

    let weft = measure("weft", &posts, gets, Server::weft).await?;
    table::print(&weft);
    if let Some(app) = std::env::var_os("SCOPE_APP") {
        let app = PathBuf::from(app);
        let scope = measure("scope", &posts, gets, |port| Server::scope(&app, port)).await?;
        table::print(&scope);
        table::print_ratios(&weft, &scope);
    } else {
        println!("set SCOPE_APP to the path of Scope's app to see the ratios");
    }
    Ok(())
}

async fn measure<F>(
    name: &'static str,
    posts: &[Post],
    gets: usize,
    start: F,
) -> anyhow::Result<Measured>
where
    F: Fn(u16) -> anyhow::Result<Server>,
{
    let server = start(free_port()?)?;
    server.ready().await?;
    let ingested = ingest(&server, posts, Duration::from_secs(15)).await?;
    drop(server);
    // Afresh, so that the peak is that of the steady load.
    let server = start(free_port()?)?;
    server.ready().await?;
    let viewed = views(&server, posts, gets, &VIEWS).await?;
    Ok(Measured {
        name,
        ingested,
        viewed,
        peak: server.peak()?,
    })
}

/// One watcher of the hosts, then a thousand.
async fn crowds(set: &str) -> anyhow::Result<()> {
    let posts = posts(&unpack(set)?)?;
    let mut cores = Vec::new();
    for watchers in [1, 1000] {
        let server = Server::weft(free_port()?)?;
        server.ready().await?;
        let crowd = watchers::watch(&server, &posts, "hosts", watchers).await?;
        let (median, most) = crowd.last_saw_ms;
        println!(
            "{:>5} watchers: {:.3} cores, {:.1} MB sent; a new host was seen by the last of them after {median:.0} ms \
             (median), {most:.0} ms (most)",
            crowd.watchers,
            crowd.cores,
            crowd.bytes as f64 / 1e6
        );
        cores.push(crowd.cores);
    }
    println!("ratio of cores: {:.2}", cores[1] / cores[0]);
    Ok(())
}

/// Replays a set for a long time with somebody watching; prints the memory every minute.
async fn soak(set: &str, minutes: u32) -> anyhow::Result<()> {
    let posts = posts(&unpack(set)?)?;
    let server = Server::weft(free_port()?)?;
    server.ready().await?;
    let posted = Cell::new(0);
    let asking = async {
        for minute in 1..=minutes {
            for _ in 0..30 {
                http::get(&server.address, "/api/topology").await?;
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            let (now, peak) = (server.resident()?, server.peak()?);
            println!(
                "{minute:>3} min: {} MB resident, {} MB at most",
                now / 1_000_000,
                peak / 1_000_000
            );
        }
        Ok(())
    };
    tokio::select! {
        () = load::feed_churning(&server.address, &posts, &posted) => anyhow::bail!("the server stopped taking reports"),
        done = asking => done,
    }
}

/// Unpacks a bench set into the target folder, once.
fn unpack(set: &str) -> anyhow::Result<PathBuf> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/bench/{set}.tar.xz"));
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-sets");
    let dir = to.join(set);
    if !dir.join("scenario.json").exists() {
        std::fs::create_dir_all(&to)?;
        let status = std::process::Command::new("tar")
            .arg("-xJf")
            .arg(&archive)
            .arg("-C")
            .arg(&to)
            .status()
            .context("tar and xz are needed")?;
        anyhow::ensure!(status.success(), "cannot unpack {}", archive.display());
        // They lie bare in the archive, which makes it smaller; probes send them in gzip.
        for file in std::fs::read_dir(dir.join("reports"))? {
            compress(&file?.path())?;
        }
    }
    Ok(dir)
}

fn compress(path: &Path) -> anyhow::Result<()> {
    let mut to = path.as_os_str().to_owned();
    to.push(".gz");
    let mut encoder = GzEncoder::new(std::fs::File::create(to)?, Compression::default());
    std::io::copy(&mut std::fs::File::open(path)?, &mut encoder)?;
    encoder.finish()?;
    std::fs::remove_file(path)?;
    Ok(())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}
