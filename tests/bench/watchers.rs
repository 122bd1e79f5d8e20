//! What many watchers of one topology cost, and how soon they see a change.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::Channel;
use prost::Message;
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use serde_json::json;
use tests::http;
use tests::recorded::Post;

use crate::load::{FILL, feed};
use crate::process::Server;

/// Watchers that share a connection.
const PER_CONNECTION: usize = 125;
/// How long each crowd is measured.
const TIME: Duration = Duration::from_secs(30);
/// Between two markers: hosts that appear for the first time.
const MARKER: Duration = Duration::from_secs(2);

/// What a crowd of watchers cost.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) watchers: usize,
    /// Cores of the server, reports included.
    pub(crate) cores: f64,
    /// Bytes of messages received, by all of them.
    pub(crate) bytes: u64,
    /// Milliseconds from the post of a new host until the last watcher saw it: median and most.
    pub(crate) last_saw_ms: (f64, f64),
}

#[derive(Debug, Default)]
struct Seen {
    /// How many have got everything that was there when they came.
    watching: usize,
    bytes: u64,
    /// By marker, the last time that a watcher saw it.
    last: HashMap<String, Instant>,
    /// By marker, how many have seen it.
    count: HashMap<String, usize>,
}

pub(crate) async fn watch(
    server: &Server,
    posts: &[Post],
    topology: &str,
    watchers: usize,
) -> anyhow::Result<Crowd> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let posted = Cell::new(0);
    let measuring = async {
        tokio::time::sleep(FILL).await;
        let mut channel = None;
        for i in 0..watchers {
            if i % PER_CONNECTION == 0 {
                channel = Some(Channel::connect(
                    format!("http://{}", server.address).parse()?,
                ));
            }
            if let Some(channel) = channel.clone() {
                tokio::spawn(one(channel, topology.to_owned(), Arc::clone(&seen)));
            }
        }
        while lock(&seen).watching < watchers {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (started, cpu) = (Instant::now(), server.cpu()?);
        let bytes = lock(&seen).bytes;
        let mut markers = Vec::new();
        while started.elapsed() < TIME {
            let name = format!("marker-{watchers}-{}", markers.len());
            markers.push((name.clone(), Instant::now()));
            mark(server, &name).await?;
            tokio::time::sleep(MARKER).await;
        }
        let cores = (server.cpu()? - cpu) / started.elapsed().as_secs_f64();
        let seen = lock(&seen);
        let mut delays = Vec::new();
        for (name, at) in markers {
            let all = seen.count.get(&name) == Some(&watchers);
            anyhow::ensure!(
                all,
                "{name} was seen by {:?} of {watchers}",
                seen.count.get(&name)
            );
            delays.push((seen.last[&name] - at).as_secs_f64() * 1000.0);
        }
        delays.sort_by(f64::total_cmp);
        Ok(Crowd {
            watchers,
            cores,
            bytes: seen.bytes - bytes,
            last_saw_ms: (delays[delays.len() / 2], delays[delays.len() - 1]),
        })
    };
    tokio::select! {
        () = feed(&server.address, posts, &posted) => anyhow::bail!("the server stopped taking reports"),
        crowd = measuring => crowd,
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn one(channel: Channel, topology: String, seen: Arc<Mutex<Seen>>) -> anyhow::Result<()> {
    let request = pb::WatchTopologyRequest {
        topology_id: topology,
        view: pb::NodeView::Map.into(),
        interval_ms: 500,
        ..pb::WatchTopologyRequest::default()
    };
    let mut client = QueryServiceClient::new(channel).max_decoding_message_size(usize::MAX);
    let mut stream = client.watch_topology(request).await?.into_inner();
    while let Some(change) = stream.message().await? {
        let now = Instant::now();
        let mut seen = lock(&seen);
        seen.watching += usize::from(change.reset);
        seen.bytes += change.encoded_len() as u64;
        for node in change
            .added
            .iter()
            .filter(|n| n.label.starts_with("marker-"))
        {
            *seen.count.entry(node.label.clone()).or_default() += 1;
            seen.last.insert(node.label.clone(), now);
        }
    }
    Ok(())
}

/// Reports a host that nobody has seen.
async fn mark(server: &Server, name: &str) -> anyhow::Result<()> {
    let id = format!("{name};<host>");
    let report = json!({"Host": {"nodes": {id: {"topology": "host"}}}});
    let headers = [
        ("content-type", "application/json"),
        ("x-scope-probe-id", name),
    ];
    http::post(&server.address, "/api/report", &headers, report.to_string()).await?;
    Ok(())
}
