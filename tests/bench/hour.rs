//! The busiest hour that Weave Cloud is known to have had, replayed: every tenant's probes at their rates.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use client::{Channel, Key};
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::collection::v1::{Compression, RawReport, ReportFormat, SubmitRequest};
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::query::v1::{Selection, WatchTopologyRequest};
use proto::tenant::v1::Permission;
use tests::http;
use tests::recorded::Post;

use crate::process::Server;

/// A probe publishes this often, as Scope's do.
const PUBLISH: f64 = 3.0;
/// Before it is measured.
const WARM_UP: Duration = Duration::from_secs(20);
const CONNECTIONS: usize = 8;
/// Scope's multitenant collector writes this often.
const SCOPE_FLUSH: f64 = 15.0;

/// A replay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replay {
    /// How many times the rates of the hour.
    pub(crate) factor: f64,
    pub(crate) minutes: u32,
    /// Tenants that somebody watches.
    pub(crate) watched: usize,
}

#[derive(Debug, Default)]
struct Sent {
    acknowledged_ms: Vec<f64>,
    refused: HashMap<String, usize>,
    bytes: u64,
    updates: u64,
}

fn lock(sent: &Mutex<Sent>) -> MutexGuard<'_, Sent> {
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports in the hour, by tenant.
pub(crate) fn tenants() -> anyhow::Result<Vec<(String, f64)>> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/load/weave-cloud-busiest-hour.csv");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines
        .map(|line| {
            let (tenant, reports) = line.split_once(',').context("tenant,reports")?;
            Ok((tenant.to_owned(), reports.trim().parse()?))
        })
        .collect()
}

/// Replays the hour and prints what it cost.
pub(crate) async fn replay(posts: &[Post], replay: Replay) -> anyhow::Result<()> {
    let tenants = tenants()?;
    let server = Server::weft(crate::free_port()?)?;
    server.ready().await?;
    let key = Key::open(&server.data_dir().join("assertion.key"))?;
    let to = format!("http://{}", server.admin_address);
    let channels: Vec<Channel> = (0..CONNECTIONS)
        .map(|_| Ok(Channel::connect(to.parse()?)))
        .collect::<anyhow::Result<_>>()?;
    let sent = Arc::new(Mutex::new(Sent::default()));
    let probes = probes(posts, &tenants, replay.factor);
    println!(
        "{} tenants, {} probes, {:.0} reports per second, {} of the tenants watched",
        tenants.len(),
        probes.len(),
        tenants.iter().map(|(_, n)| n).sum::<f64>() * replay.factor / 3600.0,
        replay.watched
    );
    for (i, probe) in probes.into_iter().enumerate() {
        let channel = channels[i % channels.len()].clone();
        tokio::spawn(probe.run(channel, key.clone(), Arc::clone(&sent)));
    }
    for (tenant, _) in tenants.iter().take(replay.watched) {
        let channel = Channel::connect(to.parse()?);
        tokio::spawn(watch(
            channel,
            key.clone(),
            tenant.clone(),
            Arc::clone(&sent),
        ));
    }
    tokio::time::sleep(WARM_UP).await;
    let before = Figures::of(&server).await?;
    std::mem::take(&mut *lock(&sent));
    let (cpu, started) = (server.cpu()?, Instant::now());
    for minute in 1..=replay.minutes {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let cores = (server.cpu()? - cpu) / started.elapsed().as_secs_f64();
        let resident = server.resident()? / 1_000_000;
        println!("{minute:>3} min: {cores:.3} cores, {resident} MB resident");
    }
    let seconds = started.elapsed().as_secs_f64();
    let cores = (server.cpu()? - cpu) / seconds;
    let after = Figures::of(&server).await?;
    let sent = std::mem::take(&mut *lock(&sent));
    print(&sent, cores, seconds, &before, &after, tenants.len());
    println!("peak resident: {} MB", server.peak()? / 1_000_000);
    Ok(())
}

fn print(sent: &Sent, cores: f64, seconds: f64, before: &Figures, after: &Figures, tenants: usize) {
    let mut times = sent.acknowledged_ms.clone();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        times
            .get((times.len() as f64 * share) as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    let n = times.len() as f64;
    println!(
        "cores used: {cores:.3}, {:.2} ms per report",
        1000.0 * cores * seconds / n
    );
    println!(
        "acknowledged: {n} ({:.0} per second), refused: {:?}; p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
        n / seconds,
        sent.refused,
        at(0.5),
        at(0.99),
        times.last().copied().unwrap_or(f64::NAN)
    );
    let gzip = sent.bytes as f64 / n;
    let stored = (after.stored_bytes - before.stored_bytes)
        / ((after.accepted - after.backlog) - (before.accepted - before.backlog));
    println!(
        "bytes per report: {gzip:.0} as sent, {stored:.0} stored: {:.3} of it",
        stored / gzip
    );
    let per_tenant_hour = |n: f64| n * 3600.0 / seconds / tenants as f64;
    println!(
        "per tenant and hour: {:.2} objects, {:.1} rows of the index; Scope's scheme: {:.0} objects of {:.0} kB, {:.0} rows",
        per_tenant_hour(after.objects - before.objects),
        per_tenant_hour(after.rows - before.rows),
        3600.0 / SCOPE_FLUSH,
        gzip * n / seconds / tenants as f64 * SCOPE_FLUSH / 1000.0,
        3600.0 / SCOPE_FLUSH,
    );
    if sent.updates > 0 {
        println!(
            "watchers got {:.1} updates per second",
            sent.updates as f64 / seconds
        );
    }
}

/// What the server counts.
#[derive(Debug, Default)]
struct Figures {
    accepted: f64,
    backlog: f64,
    stored_bytes: f64,
    objects: f64,
    rows: f64,
}

impl Figures {
    async fn of(server: &Server) -> anyhow::Result<Figures> {
        let metrics = http::get(&server.admin_address, "/metrics").await?;
        let text = metrics.text();
        let figure = |name: &str| {
            let name = format!("weft_collection_{name} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&name));
            line.context(name.clone())?.parse::<f64>().context(name)
        };
        Ok(Figures {
            accepted: figure("reports_accepted_total")?,
            backlog: figure("backlog_reports")?,
            stored_bytes: figure("stored_bytes_total")?,
            objects: figure("objects_written_total")?,
            rows: figure("index_rows_written_total")?,
        })
    }
}

/// A probe of a tenant: its reports in turn, and how often.
struct Probe {
    tenant: String,
    id: String,
    bodies: Vec<Bytes>,
    every: Duration,
    offset: Duration,
}

/// So many probes of each tenant that together they report as often as it did.
fn probes(posts: &[Post], tenants: &[(String, f64)], factor: f64) -> Vec<Probe> {
    let mut hosts: Vec<(String, Vec<Bytes>)> = Vec::new();
    for post in posts {
        let id = post
            .headers
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case("x-scope-probe-id"));
        let id = id.map(|(_, v)| v.clone()).unwrap_or_default();
        let body = Bytes::from(post.body.clone());
        match hosts.iter_mut().find(|(host, _)| *host == id) {
            Some((_, bodies)) => bodies.push(body),
            None => hosts.push((id, vec![body])),
        }
    }
    let mut all = Vec::new();
    for (tenant, reports) in tenants {
        let per_second = reports * factor / 3600.0;
        let count = (per_second * PUBLISH).ceil().max(1.0);
        for i in 0..count as usize {
            let (id, bodies) = &hosts[i % hosts.len()];
            all.push(Probe {
                tenant: tenant.clone(),
                id: format!("{id}-{}", i / hosts.len()),
                bodies: bodies.clone(),
                every: Duration::from_secs_f64(count / per_second),
                // Spread evenly, by the golden ratio.
                offset: Duration::from_secs_f64(
                    (all.len() as f64 * 0.618_034) % 1.0 * count / per_second,
                ),
            });
        }
    }
    all
}

impl Probe {
    async fn run(self, channel: Channel, key: Key, sent: Arc<Mutex<Sent>>) {
        let mut client = CollectionServiceClient::new(channel);
        let mut tick =
            tokio::time::interval_at(tokio::time::Instant::now() + self.offset, self.every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Not all at the same place of their full reports and deltas.
        let start = self.offset.subsec_millis() as usize;
        for n in start.. {
            tick.tick().await;
            let body = self.bodies[n % self.bodies.len()].clone();
            let bytes = body.len() as u64;
            let request = SubmitRequest {
                report: Some(RawReport {
                    body,
                    format: ReportFormat::ScopeMsgpack.into(),
                    compression: Compression::Gzip.into(),
                    probe_id: self.id.clone(),
                }),
            };
            let request = tonic::Request::new(request);
            let request =
                client::authorise(request, &key, &self.tenant, "bench", &[Permission::Report]);
            let started = Instant::now();
            let answer = client.submit(request).await;
            let took = started.elapsed().as_secs_f64() * 1000.0;
            let mut sent = lock(&sent);
            match answer {
                Ok(_) => {
                    sent.acknowledged_ms.push(took);
                    sent.bytes += bytes;
                }
                Err(status) => {
                    *sent
                        .refused
                        .entry(format!("{:?}", status.code()))
                        .or_default() += 1
                }
            }
        }
    }
}

async fn watch(channel: Channel, key: Key, tenant: String, sent: Arc<Mutex<Sent>>) {
    let mut client = QueryServiceClient::new(channel);
    loop {
        let request = tonic::Request::new(WatchTopologyRequest {
            topology_id: "hosts".to_owned(),
            selection: Some(Selection::default()),
            interval_ms: 1000,
            ..WatchTopologyRequest::default()
        });
        let request = client::authorise(request, &key, &tenant, "bench", &[Permission::View]);
        if let Ok(stream) = client.watch_topology(request).await {
            let mut stream = stream.into_inner();
            while let Ok(Some(_)) = stream.message().await {
                lock(&sent).updates += 1;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
