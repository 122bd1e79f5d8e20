//! How long a past moment takes, on a directory of recorded reports: `cargo bench -p query --bench past -- DIR`.
//!
//! The numbers that matter: `next moment, 3 s on` is what a step of scrubbing costs, `bytes kept` how many moments fit into
//! `Config::past_bytes`.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use client::{Channel, Key};
use proto::collection::v1::ReportFormat;
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::storage::v1::ReportHeader;
use proto::tenant::v1::Permission;
use report::decode::{Compression, Format, Limits, check, inflate};
use runtime::Runtime;
use stores::archive::{Archive, ObjectWriter, SLICE};
use stores::{Index, Objects, Shortcuts};
use url::Url;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SECOND: i64 = 1_000_000_000;
/// The recorded reports are told over and over for this long, one publish every 3 s.
const TOLD: i64 = 180;
const MOMENTS: i64 = 30;

struct Bench {
    rt: Runtime,
    query: QueryServiceClient<Channel>,
    /// The last moment of which there are reports, in seconds.
    end: i64,
}

#[tokio::main]
async fn main() {
    let Some(dir) = std::env::args().skip(1).find(|a| !a.starts_with('-')) else {
        println!("no directory of recorded reports given");
        return;
    };
    let bench = Bench::new(Path::new(&dir)).await;
    bench.look("first moment", "hosts", bench.end - 100).await;
    for topology in ["hosts", "processes", "containers"] {
        bench
            .look("the same, again", topology, bench.end - 100)
            .await;
    }
    let mut cold = Vec::new();
    let used = cpu();
    for n in 1..=MOMENTS {
        let began = Instant::now();
        bench.nodes("hosts", bench.end - 100 + 3 * n).await;
        cold.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let used = cpu_since(used) * 1e3 / MOMENTS as f64;
    cold.sort_by(f64::total_cmp);
    println!(
        "{:<28} {:>9.1} ms median, {:.1} most, {used:.1} ms of CPU",
        "other moments",
        cold[cold.len() / 2],
        cold[cold.len() - 1],
    );
    println!(
        "{:<28} {:>9.0} kB",
        "bytes kept, each",
        bench.gauge("weft_query_past_bytes") / 1e3 / (MOMENTS + 1) as f64
    );
    println!("{:<28} {:>9.0} MB", "resident", resident() as f64 / 1e6);
    bench.play().await;
}

impl Bench {
    async fn new(dir: &Path) -> Bench {
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        let memory = Url::parse("memory:").unwrap();
        let archive = Archive::new(
            Objects::open(&memory, &rt).await.unwrap(),
            Index::open(&memory, &rt).await.unwrap(),
        );
        let end = rt.clock.unix_nanos() / SECOND - 60;
        fill(&archive, &read(dir), end).await;
        let peers = query::Peers {
            collection: Vec::new(),
            archive,
            shortcuts: Shortcuts::open(&memory, &rt).await.unwrap(),
        };
        let (query, _) = query::start(query::Config::default(), peers, &rt).unwrap();
        let query = QueryServiceClient::new(runtime::local(query, &rt));
        Bench { rt, query, end }
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let request = tonic::Request::new(message);
        client::authorise(request, &self.rt.key, "org", "bench", &[Permission::View])
    }

    fn selection(&self, seconds: i64) -> Option<pb::Selection> {
        let at = prost_types::Timestamp { seconds, nanos: 0 };
        Some(pb::Selection {
            at: Some(at),
            ..pb::Selection::default()
        })
    }

    async fn nodes(&self, topology: &str, at: i64) -> usize {
        let request = self.request(pb::GetTopologyRequest {
            topology_id: topology.to_owned(),
            selection: self.selection(at),
            view: 0,
        });
        let answer = self.query.clone().max_decoding_message_size(usize::MAX);
        let answer = { answer }.get_topology(request).await.unwrap().into_inner();
        assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
        answer.nodes.len()
    }

    async fn look(&self, what: &str, topology: &str, at: i64) {
        let began = Instant::now();
        let nodes = self.nodes(topology, at).await;
        let took = began.elapsed().as_secs_f64() * 1e3;
        println!("{what:<28} {took:>9.1} ms ({nodes} {topology})");
    }

    /// Plays at ten times the speed for three seconds.
    async fn play(&self) {
        let request = self.request(pb::WatchTopologyRequest {
            topology_id: "processes".to_owned(),
            selection: self.selection(self.end - 100),
            speed: 10.0,
            ..pb::WatchTopologyRequest::default()
        });
        let client = self.query.clone().max_decoding_message_size(usize::MAX);
        let mut watch = { client }
            .watch_topology(request)
            .await
            .unwrap()
            .into_inner();
        let (began, cpu) = (Instant::now(), cpu());
        let mut shown = 0;
        let mut last = 0;
        while began.elapsed() < Duration::from_secs(3) {
            let change = watch.message().await.unwrap().unwrap();
            last = change.at.unwrap().seconds;
            shown += 1;
        }
        println!(
            "played 10 times as fast: {} s of history in 3 s, {shown} messages, {:.1} s of CPU",
            last - (self.end - 100),
            cpu_since(cpu)
        );
    }

    fn gauge(&self, name: &str) -> f64 {
        let families = self.rt.registry.gather();
        let family = families.iter().find(|f| f.name() == name);
        family.map_or(0.0, |f| f.get_metric()[0].get_gauge().get_value())
    }
}

struct Post {
    header: ReportHeader,
    body: Vec<u8>,
}

/// Stores the posts, one publish of every probe every 3 s, until the end.
async fn fill(archive: &Archive, posts: &[Post], end: i64) {
    let probes: Vec<&str> = posts.iter().map(|p| &*p.header.probe_id).collect();
    let probes: std::collections::BTreeSet<&str> = probes.into_iter().collect();
    let of = |probe| -> Vec<&Post> {
        posts
            .iter()
            .filter(|p| p.header.probe_id == probe)
            .collect()
    };
    let of: Vec<Vec<&Post>> = probes.iter().map(|probe| of(*probe)).collect();
    let mut told: Vec<(i64, &Post)> = Vec::new();
    for (i, posts) in of.iter().enumerate() {
        for n in 0..TOLD / 3 {
            let at = (end - TOLD + 3 * n) * SECOND + i as i64 * 40_000_000;
            told.push((at, posts[n as usize % posts.len()]));
        }
    }
    // As collection writes them: slice by slice, probe by probe.
    told.sort_by_key(|(at, post)| (at.div_euclid(SLICE), &post.header.probe_id, *at));
    for (part, told) in told.chunks(told.len() / 3).enumerate() {
        let mut writer = ObjectWriter::new().unwrap();
        for (n, (at, post)) in told.iter().enumerate() {
            let header = ReportHeader {
                writer: part as u64 + 1,
                number: n as u64 + 1,
                received_unix_nanos: *at,
                ..post.header.clone()
            };
            writer.push("org", header, &post.body).unwrap();
        }
        let object = writer.finish("reports/", &part.to_string()).unwrap();
        println!("{} reports in {} bytes", told.len(), object.body.len());
        archive.put(&object).await.unwrap();
    }
}

fn read(dir: &Path) -> Vec<Post> {
    let scenario = std::fs::read(dir.join("scenario.json")).unwrap();
    let scenario: serde_json::Value = serde_json::from_slice(&scenario).unwrap();
    let limits = Limits::default();
    let post = |post: &serde_json::Value| {
        let name = post["file"].as_str().unwrap();
        let paths = [name.to_owned(), format!("{name}.gz")].map(|name| dir.join(name));
        let sent = paths.iter().find_map(|p| std::fs::read(p).ok()).unwrap();
        let compression = match sent.starts_with(&[0x1f, 0x8b]) {
            true => Compression::Gzip,
            false => Compression::None,
        };
        let body = inflate(&sent, compression, &limits).unwrap().to_vec();
        let checked = check(&body, Format::ScopeMsgpack, &limits).unwrap();
        let probe = post["headers"]["X-Scope-Probe-Id"].as_str().unwrap_or("");
        let header = ReportHeader {
            probe_id: probe.to_owned(),
            format: ReportFormat::ScopeMsgpack.into(),
            full: checked.full,
            shortcut: checked.shortcut,
            ..ReportHeader::default()
        };
        Post { header, body }
    };
    scenario["posts"]
        .as_array()
        .unwrap()
        .iter()
        .map(post)
        .collect()
}

/// Clock ticks of this process, where the system says it so.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split(' ').collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok());
    ticks(12).unwrap_or(0) + ticks(13).unwrap_or(0)
}

/// Seconds of CPU since then.
fn cpu_since(before: u64) -> f64 {
    (cpu() - before) as f64 / 100.0
}

/// Resident memory in bytes, where the system says it so.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
