//! Three replicas of controls as processes that share SQS: callers at one, probes at another, and any of them dies.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tests::Fault;
use tests::collection::until;
use tests::controls::{Callers, Cluster, Probes, answer_of, call};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status};

const REPLICAS: usize = 3;
const ORGS: [&str; 3] = ["amber", "birch", "cedar"];
/// Probes of an organisation. Organisations share their names.
const PROBES: usize = 10;
/// Often, so that what is dead is soon swept.
const HEARTBEAT: &str = "1s";
/// Seldom, so that nobody is believed dead on a machine that is busy.
const SELDOM: &str = "10s";
/// Commands that are under way at once: more than moto serves in time on a busy machine would be told so.
const AT_ONCE: usize = 20;
/// What callers wait.
const WAIT: Duration = Duration::from_secs(10);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between the wait of a caller and its end, on a machine that is busy.
const SLACK: Duration = Duration::from_secs(3);

fn connect_all(probes: &mut Probes) {
    for (i, org) in (0..PROBES).flat_map(|i| ORGS.map(|org| (i, org))) {
        probes.connect(i % REPLICAS, org, &format!("p{i}"));
    }
}

async fn until_all_are_known(callers: &Callers) -> anyhow::Result<()> {
    until("every replica knows every probe", PATIENCE, async || {
        for (at, org) in (0..REPLICAS).flat_map(|at| ORGS.map(|org| (at, org))) {
            if !callers
                .listed(at, org)
                .await
                .is_ok_and(|listed| listed == PROBES)
            {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await
}

/// A command under way: its node names it.
struct Command {
    from: usize,
    org: &'static str,
    probe: String,
    node: String,
}

impl Command {
    fn random(random: &mut StdRng, number: usize) -> Command {
        Command {
            from: random.random_range(0..REPLICAS),
            org: ORGS[random.random_range(0..ORGS.len())],
            probe: format!("p{}", random.random_range(0..PROBES)),
            node: format!("n{number}"),
        }
    }

    /// Its end: the answer is the right one, or which error it was.
    async fn run(self, callers: &Callers) -> Ended {
        let request = callers.request(self.org, call(&self.probe, &self.node, WAIT));
        let asked = Instant::now();
        let answer = callers.to(self.from).invoke(request).await;
        let right = answer_of(self.org, &self.probe, &self.node);
        let answer = answer.map(|answer| {
            let result = answer.into_inner().result.unwrap_or_default();
            result.value_json == right
        });
        Ended {
            answer,
            node: self.node,
            took: asked.elapsed(),
        }
    }
}

struct Ended {
    /// Whether it came from the right probe.
    answer: Result<bool, Status>,
    node: String,
    took: Duration,
}

/// How many commands; more with WEFT_COMMANDS.
fn commands() -> anyhow::Result<usize> {
    std::env::var("WEFT_COMMANDS").map_or(Ok(1000), |commands| Ok(commands.parse()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_each_run_once_where_they_belong() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(REPLICAS, SELDOM).await?;
    let callers = cluster.callers()?;
    let mut probes = Probes::new(callers.clone());
    connect_all(&mut probes);
    until_all_are_known(&callers).await?;

    let (mut random, count) = (StdRng::seed_from_u64(6), commands()?);
    let commands: Vec<Command> = (0..count)
        .map(|n| Command::random(&mut random, n))
        .collect();
    let started = Instant::now();
    let ended = stream::iter(commands).map(|command| command.run(&callers));
    let ended: Vec<Ended> = ended.buffer_unordered(AT_ONCE).collect().await;
    let took = started.elapsed();
    let ran = probes.ran();
    let lost = ended
        .iter()
        .filter(|e| e.answer.is_err() || !ran.contains_key(&e.node));
    let lost: Vec<&Ended> = lost.collect();
    let misrouted = ended
        .iter()
        .filter(|e| matches!(e.answer, Ok(false)))
        .count();
    let doubled = ran.values().filter(|count| **count > 1).count();
    println!(
        "{count} commands through {REPLICAS} replicas in {took:.1?}: lost {}, doubled {doubled}, misrouted {misrouted}",
        lost.len()
    );
    if let Some(Ended {
        answer: Err(status),
        took,
        ..
    }) = lost.first()
    {
        println!("the first one that was lost: {status} after {took:?}");
    }
    ensure!(lost.is_empty() && doubled == 0 && misrouted == 0 && ran.len() == count);

    drop(probes);
    cluster.interrupt().await?;
    let left = cluster.queues().await?;
    ensure!(left.is_empty(), "queues are left: {left:?}");
    Ok(())
}

/// What is killed in the middle of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Victim {
    Holder,
    Caller,
    Sqs,
}

/// How often each is killed; more with WEFT_KILLS.
fn kills() -> anyhow::Result<usize> {
    std::env::var("WEFT_KILLS").map_or(Ok(5), |kills| Ok(kills.parse()?))
}

/// Has a probe at one replica called from another while one of them dies.
async fn kill(
    cluster: &mut Cluster,
    victim: Victim,
    numbers: std::ops::Range<usize>,
    random: &mut StdRng,
) -> anyhow::Result<Vec<Ended>> {
    let callers = cluster.callers()?;
    let after = Duration::from_micros(random.random_range(0..100_000));
    let commands = numbers.map(|n| Command {
        from: 0,
        ..Command::random(random, n)
    });
    let commands: Vec<Command> = commands.collect();
    let calling = async {
        let ended = commands.into_iter().map(|command| command.run(&callers));
        futures_util::future::join_all(ended).await
    };
    let killing = async {
        sleep(after).await;
        match victim {
            Victim::Holder => cluster.kill(1).await,
            Victim::Caller => cluster.kill(0).await,
            Victim::Sqs => {
                cluster.sqs.kill();
                Ok(())
            }
        }
    };
    let (ended, killed) = tokio::join!(calling, killing);
    killed?;
    match victim {
        Victim::Holder => cluster.start_replica(1).await?,
        Victim::Caller => cluster.start_replica(0).await?,
        Victim::Sqs => cluster.sqs.restart().await?,
    }
    Ok(ended)
}

/// Waits until every replica reaches every probe of an organisation.
async fn until_together(callers: &Callers) -> anyhow::Result<()> {
    let command = |from, probe| Command {
        from,
        org: ORGS[0],
        probe: format!("p{probe}"),
        node: "any".to_owned(),
    };
    let mut unreached = Vec::new();
    let together = until("every replica reaches every probe", PATIENCE, async || {
        let pairs = (0..REPLICAS).flat_map(|from| (0..PROBES).map(move |probe| (from, probe)));
        let ended = pairs.map(|(from, probe)| async move {
            let ended = command(from, probe).run(callers).await;
            (from, probe, ended.answer)
        });
        unreached = futures_util::future::join_all(ended).await;
        unreached.retain(|(.., answer)| !matches!(answer, Ok(true)));
        Ok(unreached.is_empty())
    });
    together.await.with_context(|| format!("{unreached:?}"))
}

/// SQS loses all queues once more, before or after its replicas have made theirs again. How long it took from its return
/// until they reached each other.
async fn forget_again(cluster: &mut Cluster, random: &mut StdRng) -> anyhow::Result<Duration> {
    sleep(Duration::from_millis(random.random_range(0..3000))).await;
    cluster.sqs.restart().await?;
    let back = Instant::now();
    until_together(&cluster.callers()?).await?;
    Ok(back.elapsed())
}

fn check(ended: &[Ended], ran: &HashMap<String, u32>) -> anyhow::Result<()> {
    for Ended { answer, node, took } in ended {
        ensure!(*took < WAIT + SLACK, "{node}: {took:?}");
        ensure!(
            ran.get(node).is_none_or(|count| *count == 1),
            "{node} was run twice"
        );
        match answer {
            Ok(right) => ensure!(*right, "{node}: a foreign answer"),
            Err(status) => {
                let told = [Code::Unavailable, Code::DeadlineExceeded].contains(&status.code());
                ensure!(told, "{node}: {status}");
                let nothing = status.message().contains("nothing was done")
                    || status.message().contains("is not connected");
                ensure!(
                    !nothing || !ran.contains_key(node),
                    "{node} was run, and {status}"
                );
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_told_whatever_dies_and_no_queue_is_left() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(REPLICAS, HEARTBEAT).await?;
    let callers = cluster.callers()?;
    let mut probes = Probes::new(callers.clone());
    connect_all(&mut probes);
    let (mut random, mut numbers) = (StdRng::seed_from_u64(7), 0);
    for victim in [Victim::Holder, Victim::Caller, Victim::Sqs] {
        let (mut answered, mut told, mut longest) = (0, 0, Duration::ZERO);
        let mut apart = Duration::ZERO;
        for _ in 0..kills()? {
            until_all_are_known(&callers).await?;
            let ended = kill(&mut cluster, victim, numbers..numbers + 30, &mut random).await?;
            numbers += 30;
            check(&ended, &probes.ran()).with_context(|| format!("{victim:?}"))?;
            let answers = ended.iter().filter(|ended| ended.answer.is_ok()).count();
            (answered, told) = (answered + answers, told + ended.len() - answers);
            longest = longest.max(ended.iter().map(|e| e.took).max().unwrap_or_default());
            if victim == Victim::Sqs {
                apart = apart.max(forget_again(&mut cluster, &mut random).await?);
            }
        }
        println!(
            "{victim:?} killed {} times: {answered} answers, {told} clear errors, each within {longest:.2?}",
            kills()?
        );
        if victim == Victim::Sqs {
            println!(
                "killed once more each time, replicas reached each other within {apart:.2?} of its return"
            );
        }
    }
    until_all_are_known(&callers).await?;
    orphans_are_swept(&mut cluster).await?;
    drop(probes);
    cluster.interrupt().await?;
    let left = cluster.queues().await?;
    println!("queues left after the last replica: {}", left.len());
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Commands from the first replica to probes anywhere; how they ended.
async fn some(
    callers: &Callers,
    random: &mut StdRng,
    numbers: &mut std::ops::Range<usize>,
) -> Vec<Ended> {
    let commands = numbers.by_ref().take(30).map(|n| Command {
        from: 0,
        ..Command::random(random, n)
    });
    let commands: Vec<Command> = commands.collect();
    let ended = commands.into_iter().map(|command| command.run(callers));
    futures_util::future::join_all(ended).await
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_run_once_and_callers_told_on_a_bad_network() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(REPLICAS, HEARTBEAT).await?;
    let callers = cluster.callers()?;
    let mut probes = Probes::new(callers.clone());
    connect_all(&mut probes);
    until_all_are_known(&callers).await?;
    let (mut random, mut numbers) = (StdRng::seed_from_u64(8), 0..usize::MAX);
    let late = Fault::Delay(Duration::from_millis(300));
    for fault in [late, Fault::Cut, Fault::BlackHole, Fault::Cut] {
        // Commands are under way when it begins.
        let (before, set) = tokio::join!(
            some(&callers, &mut random, &mut numbers),
            cluster.network.set(fault)
        );
        set?;
        let during = some(&callers, &mut random, &mut numbers).await;
        cluster.network.set(Fault::None).await?;
        let over = Instant::now();
        let after = some(&callers, &mut random, &mut numbers).await;
        until_together(&callers).await?;
        let apart = over.elapsed();
        let ran = probes.ran();
        for ended in [&before, &during, &after] {
            check(ended, &ran).with_context(|| format!("{fault:?}"))?;
        }
        let own = during.iter().filter(|ended| ended.answer.is_ok()).count();
        println!(
            "{fault:?}: {own} of {} answered during it; all reached each other {apart:.2?} after it",
            during.len()
        );
        // No queue is between a replica and its own probes.
        ensure!(own > 0, "{fault:?}: {:?}", during[0].answer);
    }
    drop(probes);
    cluster.interrupt().await?;
    let left = cluster.queues().await?;
    ensure!(left.is_empty(), "queues are left: {left:?}");
    Ok(())
}

async fn orphans_are_swept(cluster: &mut Cluster) -> anyhow::Result<()> {
    until("one queue per replica", PATIENCE, async || {
        Ok(cluster.queues().await?.len() == REPLICAS)
    })
    .await?;
    cluster.kill(2).await?;
    let killed = Instant::now();
    let swept = async {
        while cluster.queues().await?.len() > REPLICAS - 1 {
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, swept)
        .await
        .context("the queue is swept")??;
    println!(
        "the queue of a dead replica was swept {:.1?} after its death, with a sign of life every {HEARTBEAT}",
        killed.elapsed()
    );
    Ok(())
}
