//! How long ingesting takes, on a directory of recorded reports: `cargo bench -p report --bench ingest -- DIR`.
//!
//! The numbers that matter: `inflate` + `check` is what a post costs, `refresh, one report` is what a watched tenant costs
//! per post.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use report::decode::{Compression, Format, Limits, check, decode, inflate};
use report::live::{Live, LiveConfig};
use report::{Symbols, encode, merge};

const SECOND: i64 = 1_000_000_000;

struct Post {
    probe: String,
    body: Bytes,
}

fn main() {
    let Some(dir) = std::env::args().skip(1).find(|a| !a.starts_with('-')) else {
        println!("no directory of recorded reports given");
        return;
    };
    let posts = read(Path::new(&dir));
    // First, so that the memory it takes is not what others left.
    live(&posts);
    let limits = Limits::default();
    let n = posts.len() as u32;
    let gz = Compression::Gzip;
    let inflated: Vec<_> = posts
        .iter()
        .map(|p| inflate(&p.body, gz, &limits).unwrap())
        .collect();
    let bytes: usize = inflated.iter().map(|b| b.len()).sum();
    println!(
        "{n} reports, {bytes} bytes, {} on average",
        bytes / n as usize
    );
    each("inflate", n, || {
        for post in &posts {
            inflate(&post.body, gz, &limits).unwrap();
        }
    });
    each("check", n, || {
        for body in &inflated {
            check(body, Format::ScopeMsgpack, &limits).unwrap();
        }
    });
    each("decode, new symbols each", n, || {
        for body in &inflated {
            decode(body, Format::ScopeMsgpack, &limits, 0, &mut Symbols::new()).unwrap();
        }
    });
    let mut symbols = Symbols::new();
    let mut reports = Vec::new();
    each("decode, known symbols", n, || {
        reports.clear();
        let decode = |body| decode(body, Format::ScopeMsgpack, &limits, 0, &mut symbols).unwrap();
        reports.extend(inflated.iter().map(|b| &b[..]).map(decode));
    });
    println!("{} symbols, {} bytes", symbols.len(), symbols.heap_bytes());
    each("merge all", 1, || {
        merge::merge(reports.iter(), &mut symbols);
    });
}

fn live(posts: &[Post]) {
    let before = resident();
    let mut live = Live::new(Limits::default(), LiveConfig::default());
    let mut now = 1_800_000_000 * SECOND;
    let push = |live: &mut Live, post: &Post, now| {
        let (format, gz) = (Format::ScopeMsgpack, Compression::Gzip);
        live.push(now, &post.probe, post.body.clone(), format, gz);
    };
    for post in posts {
        push(&mut live, post, now);
        now += SECOND / 100;
    }
    let start = Instant::now();
    live.refresh(now);
    println!("{:<28} {:>9.0} us", "refresh, all", micros(start.elapsed()));
    let nodes: usize = live.report().topologies.iter().map(|t| t.nodes.len()).sum();
    println!(
        "{nodes} nodes, {} bytes by our count, {} resident",
        live.heap_bytes(),
        resident() - before
    );
    let mut times = Vec::new();
    for post in posts.iter().take(51) {
        push(&mut live, post, now);
        now += SECOND / 100;
        let start = Instant::now();
        live.refresh(now);
        times.push(start.elapsed());
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{:<28} {:>9.0} us, at worst {:.0}",
        "refresh, one report",
        micros(median),
        micros(worst)
    );
    let mut out = Vec::new();
    each("json", 1, || {
        out.clear();
        encode::json(
            live.report(),
            live.symbols(),
            encode::Censor::default(),
            &mut out,
        );
    });
    println!("{} bytes of JSON", out.len());
}

/// The best of several runs, per item.
fn each(name: &str, items: u32, mut run: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    println!("{name:<28} {:>9.0} us", micros(best / items));
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
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

fn read(dir: &Path) -> Vec<Post> {
    let scenario = std::fs::read(dir.join("scenario.json")).unwrap();
    let scenario: serde_json::Value = serde_json::from_slice(&scenario).unwrap();
    let file = |post: &serde_json::Value| {
        let name = post["file"].as_str().unwrap();
        let path = [name.to_owned(), format!("{name}.gz")].map(|name| dir.join(name));
        Post {
            probe: post["headers"]["X-Scope-Probe-Id"]
                .as_str()
                .unwrap_or("")
                .to_owned(),
            body: path
                .iter()
                .find_map(|p| std::fs::read(p).ok())
                .unwrap()
                .into(),
        }
    };
    scenario["posts"]
        .as_array()
        .unwrap()
        .iter()
        .map(file)
        .collect()
}
