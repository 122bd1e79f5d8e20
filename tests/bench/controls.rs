//! What a command through SQS takes, and what SQS is asked while nobody gives any.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use client::Key;
use futures_util::future::join_all;
use runtime::Runtime;
use stores::Queues;
use tests::collection::until;
use tests::controls::{Cluster, Probes, answer_of, call};

const REPLICAS: usize = 3;
const ORG: &str = "org";
const COMMANDS: usize = 500;
const WAIT: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(180);
/// How long idleness is measured.
const IDLE: Duration = Duration::from_secs(120);
/// The original's scheme is measured with so many probes, and multiplied.
const SAMPLE: usize = 50;
/// How long the original waits for messages of a probe.
const ORIGINAL_POLL: Duration = Duration::from_secs(10);

pub(crate) async fn controls(probes: usize) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(REPLICAS, "20s").await?;
    let mut all = Probes::new(cluster.callers()?);
    for i in 0..probes {
        all.connect(i % REPLICAS, ORG, &format!("p{i}"));
    }
    let callers = cluster.callers()?;
    until("every replica knows every probe", PATIENCE, async || {
        for at in 0..REPLICAS {
            if callers.listed(at, ORG).await? < probes {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await?;
    println!("{probes} probes at {REPLICAS} replicas; SQS is moto");
    round_trips(&cluster, 0).await?;
    round_trips(&cluster, 1).await?;
    let ours = idle(&cluster).await?;
    let original = original(&cluster, probes).await?;
    println!(
        "{probes} idle probes, calls of SQS per hour: {ours:.0}; a queue and a poll per probe: {original:.0}"
    );
    println!("ratio: {:.0}", original / ours);
    drop(all);
    cluster.interrupt().await
}

/// One command after another from the first replica to probes of this one.
async fn round_trips(cluster: &Cluster, at: usize) -> anyhow::Result<()> {
    let callers = cluster.callers()?;
    let mut client = callers.to(0);
    let mut took = Vec::new();
    for i in 0..COMMANDS {
        let (probe, node) = (format!("p{at}"), format!("{at}-{i}"));
        let request = callers.request(ORG, call(&probe, &node, WAIT));
        let asked = Instant::now();
        let answer = client.invoke(request).await?.into_inner();
        took.push(asked.elapsed().as_secs_f64() * 1000.0);
        let value = answer.result.context("a result")?.value_json;
        ensure!(value == answer_of(ORG, &probe, &node), "{value}");
    }
    took.sort_by(f64::total_cmp);
    let way = if at == 0 {
        "at the caller's replica"
    } else {
        "at another replica, through SQS"
    };
    println!(
        "a command to a probe {way}: p50 {:.1} ms, p99 {:.1} ms",
        took[COMMANDS / 2],
        took[COMMANDS * 99 / 100]
    );
    Ok(())
}

async fn calls(cluster: &Cluster) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut calls = BTreeMap::new();
    for at in 0..REPLICAS {
        for (operation, count) in cluster.sqs_calls(at).await? {
            *calls.entry(operation).or_default() += count;
        }
    }
    Ok(calls)
}

/// Calls per hour of all replicas together.
async fn idle(cluster: &Cluster) -> anyhow::Result<f64> {
    let before = calls(cluster).await?;
    tokio::time::sleep(IDLE).await;
    let per_hour = 3600.0 / IDLE.as_secs_f64();
    let mut sum = 0.0;
    for (operation, count) in calls(cluster).await? {
        let calls = (count - before.get(&operation).unwrap_or(&0)) as f64 * per_hour;
        println!("  {operation:<8} {calls:>6.0} per hour");
        sum += calls;
    }
    Ok(sum)
}

/// Calls per hour if there were a queue and a long poll for each probe.
async fn original(cluster: &Cluster, probes: usize) -> anyhow::Result<f64> {
    let rt = Runtime::new(runtime::Config::default(), Key::generate());
    let credentials = cluster.sqs.credentials_file()?;
    let url = format!(
        "sqs://original?endpoint={}&credentials={}",
        cluster.sqs.url(),
        credentials.display()
    );
    let queues = Queues::open(&url.parse()?, &rt).await?;
    let names: Vec<String> = (0..SAMPLE).map(|i| format!("probe{i}")).collect();
    for name in &names {
        queues.create(name).await?;
    }
    let until = Instant::now() + IDLE;
    let polled = names.iter().map(async |name| {
        let mut polls = 0;
        while Instant::now() < until {
            ensure!(queues.receive(name, ORIGINAL_POLL).await?.is_empty());
            polls += 1;
        }
        Ok(polls)
    });
    let polls: u64 = join_all(polled)
        .await
        .into_iter()
        .sum::<anyhow::Result<u64>>()?;
    for name in &names {
        queues.remove(name).await?;
    }
    rt.shutdown.cancel();
    let each = polls as f64 / SAMPLE as f64 * 3600.0 / IDLE.as_secs_f64();
    Ok(each * probes as f64)
}
