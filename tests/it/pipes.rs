//! Pipes over three replicas that find each other in Consul: replicas, ways and Consul die, and nobody loses a byte.

mod drain;

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt, future};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use tests::collection::until;
use tests::fake_probe::{self, Socket};
use tests::pipes::{Fleet, Wiring, announce, answer_with_pipes};
use tests::{Fault, http};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

/// How long a terminal may be away.
const BACK: Duration = Duration::from_secs(5);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal whose far end says everything back.
struct Terminal {
    user: Socket,
}

impl Terminal {
    async fn open(fleet: &Fleet, pipe: &str) -> anyhow::Result<Terminal> {
        fleet.announce(pipe).await?;
        let mut probe = fleet.probe(pipe).await?;
        tokio::spawn(async move {
            while let Ok(bytes) = fake_probe::next(&mut probe).await {
                if probe.send(Message::binary(bytes)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Terminal {
            user: fleet.user(pipe).await?,
        })
    }

    /// Types a line and waits until it is there again, with nothing before it; how long that took.
    async fn say(&mut self, line: &str) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.user.send(Message::text(line)).await?;
        let mut heard = Vec::new();
        while heard.len() < line.len() {
            let next = timeout(PATIENCE, fake_probe::next(&mut self.user)).await;
            heard.extend(next.context("nothing came")??);
        }
        ensure!(
            heard == line.as_bytes(),
            "{:?}",
            String::from_utf8_lossy(&heard)
        );
        Ok(started.elapsed())
    }
}

async fn close(fleet: &Fleet, pipe: &str) -> anyhow::Result<()> {
    let path = format!("/api/pipe/{pipe}");
    let answer = http::post(&fleet.edges[0], &path, &[], "").await?;
    ensure!(answer.status == 200, "{}", answer.status);
    Ok(())
}

/// Waits until Consul has no pipe any more; says how long that took.
async fn until_forgotten(fleet: &Fleet) -> anyhow::Result<()> {
    let started = Instant::now();
    until("Consul has no key of a pipe", PATIENCE, async || {
        Ok(fleet.ends.list().await.is_ok_and(|all| all.is_empty()))
    })
    .await?;
    println!(
        "Consul's keys were back to zero after {:.1?}",
        started.elapsed()
    );
    Ok(())
}

/// Closed pipes are forgotten soon.
const QUICK: [&str; 2] = ["--pipe-remember", "2s"];

#[tokio::test]
async fn a_thousand_terminals_are_open_at_once() -> anyhow::Result<()> {
    const TERMINALS: usize = 1000;
    let fleet = Fleet::start(Wiring::Any, &QUICK).await?;
    let started = Instant::now();
    let mut terminals = Vec::new();
    let ids: Vec<String> = (0..TERMINALS).map(|i| format!("pipe-{i}")).collect();
    for some in ids.chunks(50) {
        let opened = some.iter().map(|id| Terminal::open(&fleet, id));
        terminals.extend(future::try_join_all(opened).await?);
    }
    println!("opened {TERMINALS} terminals in {:.1?}", started.elapsed());
    for round in 0..3 {
        let lines = (0..TERMINALS).map(|i| format!("line {round} of terminal {i}\n"));
        let lines: Vec<String> = lines.collect();
        let said = terminals
            .iter_mut()
            .zip(&lines)
            .map(|(t, line)| t.say(line));
        let took = future::try_join_all(said).await?;
        let slowest = took.into_iter().max().context("some")?;
        println!("each said a line and heard it, the slowest in {slowest:.1?}");
    }
    let mut holders = [0; 3];
    for id in &ids {
        holders[fleet.holder(id).await?.context("a holder")?] += 1;
    }
    println!("the replicas hold {holders:?}");
    ensure!(
        holders.iter().all(|&held| held > TERMINALS / 10),
        "{holders:?}"
    );
    for some in ids.chunks(50) {
        future::try_join_all(some.iter().map(|id| close(&fleet, id))).await?;
    }
    for terminal in &mut terminals {
        let closed = timeout(BACK, fake_probe::next(&mut terminal.user)).await?;
        ensure!(closed.is_err(), "{closed:?}");
    }
    until_forgotten(&fleet).await
}

/// Sends so many random bytes; their digest.
async fn pour(
    mut sink: SplitSink<Socket, Message>,
    bytes: usize,
    seed: u64,
) -> anyhow::Result<Vec<u8>> {
    let (mut random, mut digest, mut left) = (StdRng::seed_from_u64(seed), Sha256::new(), bytes);
    while left > 0 {
        let mut piece = vec![0; random.random_range(1..20_000).min(left)];
        random.fill_bytes(&mut piece);
        digest.update(&piece);
        left -= piece.len();
        sink.send(Message::binary(piece)).await?;
    }
    Ok(digest.finalize().to_vec())
}

/// Takes so many bytes; their digest.
async fn drink(mut stream: SplitStream<Socket>, bytes: usize) -> anyhow::Result<Vec<u8>> {
    let (mut digest, mut left) = (Sha256::new(), bytes);
    while left > 0 {
        let message = timeout(PATIENCE, stream.next()).await;
        let message = message.with_context(|| format!("{left} bytes did not come"))?;
        match message.context("the socket ended")?? {
            Message::Binary(piece) => {
                left = left.checked_sub(piece.len()).context("too many bytes")?;
                digest.update(&piece);
            }
            Message::Close(frame) => return Err(anyhow!("closed with {left} to come: {frame:?}")),
            _ => {}
        }
    }
    Ok(digest.finalize().to_vec())
}

/// `WEFT_PIPE_BYTES` asks for more or fewer.
fn amount() -> usize {
    let asked = std::env::var("WEFT_PIPE_BYTES").ok();
    asked
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or(100_000_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_the_same_under_random_cuts() -> anyhow::Result<()> {
    let (fleet, bytes) = (Fleet::start(Wiring::Any, &[]).await?, amount());
    fleet.announce("pipe-1").await?;
    let (up, from_user) = fleet.user("pipe-1").await?.split();
    let (down, from_probe) = fleet.probe("pipe-1").await?.split();
    let started = Instant::now();
    let moved = async {
        tokio::try_join!(
            pour(up, bytes, 1),
            drink(from_probe, bytes),
            pour(down, bytes, 2),
            drink(from_user, bytes),
        )
    };
    let mut cuts = 0;
    let cut = async {
        let mut random = StdRng::seed_from_u64(7);
        let mut pause = tokio::time::interval(Duration::from_millis(300));
        loop {
            pause.tick().await;
            let bridge = &fleet.replicas[random.random_range(0..3)].bridge;
            let fault = [Fault::Cut, Fault::BlackHole][random.random_range(0..2)];
            bridge.set(fault).await?;
            pause.tick().await;
            bridge.set(Fault::None).await?;
            cuts += 1;
        }
    };
    let cut: Result<std::convert::Infallible, anyhow::Error> = tokio::select! {
        moved = moved => {
            let (sent, got, answered, heard) = moved?;
            ensure!(sent == got, "what the user sent");
            ensure!(answered == heard, "what the probe sent");
            Err(anyhow!("done"))
        }
        cut = cut => cut,
    };
    let ended = cut.err().context("an end")?;
    ensure!(ended.to_string() == "done", "{ended:#}");
    let took = started.elapsed();
    println!("{bytes} bytes each way in {took:.1?}, {cuts} cuts, the digests match");
    ensure!(cuts > 0, "nothing was cut");
    Ok(())
}

/// `WEFT_KILLS` asks for more.
fn kills() -> usize {
    let asked = std::env::var("WEFT_KILLS").ok();
    asked.and_then(|kills| kills.parse().ok()).unwrap_or(5)
}

#[tokio::test]
async fn terminal_outlives_replicas() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(Wiring::Any, &QUICK).await?;
    let mut terminal = Terminal::open(&fleet, "pipe-1").await?;
    terminal.say("first\n").await?;
    let mut slowest = [Duration::ZERO; 2];
    for kill in 0..kills() {
        // Who holds it, and one that does not: the ways of the two ends lead over both.
        let holder = fleet.holder("pipe-1").await?.context("a holder")?;
        for (what, victim) in [holder, (holder + 1) % 3].into_iter().enumerate() {
            fleet.replicas[victim].kill().await?;
            let took = terminal
                .say(&format!("after kill {kill} of {what}\n"))
                .await?;
            slowest[what] = slowest[what].max(took);
            ensure!(took <= BACK, "kill {kill} of {what}: {took:?}");
            fleet.restart(victim).await?;
        }
    }
    let [holder, other] = slowest;
    println!(
        "{} kills each: back after {holder:.2?} (holder), {other:.2?} (another)",
        kills()
    );
    for drain in 0..kills() {
        let holder = fleet.holder("pipe-1").await?.context("a holder")?;
        let ended = fleet.replicas[holder].interrupt(PATIENCE);
        let said = terminal.say("while it drains\n");
        let (ended, took) = tokio::join!(ended, said);
        ended?;
        ensure!(took? <= BACK, "drain {drain}");
        fleet.restart(holder).await?;
    }
    close(&fleet, "pipe-1").await?;
    until_forgotten(&fleet).await
}

#[tokio::test]
async fn terminal_outlives_consul() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(Wiring::Any, &QUICK).await?;
    let mut terminal = Terminal::open(&fleet, "pipe-1").await?;
    let mut slowest = Duration::ZERO;
    for kill in 0..kills() {
        fleet.consul.kill();
        slowest = slowest.max(terminal.say(&format!("without Consul {kill}\n")).await?);
        let refused = fleet.user("pipe-none").await;
        ensure!(
            refused.is_err_and(|e| e.to_string().ends_with("503")),
            "never a 404"
        );
        fleet.consul.restart().await?;
        slowest = slowest.max(terminal.say(&format!("with Consul {kill}\n")).await?);
    }
    println!(
        "{} kills of Consul: the slowest line took {slowest:.2?}",
        kills()
    );
    ensure!(slowest <= BACK);
    let more = async {
        while Terminal::open(&fleet, "pipe-2").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, more)
        .await
        .context("new pipes open again")?;
    close(&fleet, "pipe-1").await?;
    close(&fleet, "pipe-2").await?;
    until_forgotten(&fleet).await
}

#[tokio::test]
async fn pipe_that_lost_an_end_is_closed_and_forgotten() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(
        Wiring::Any,
        &["--pipe-remember", "2s", "--pipe-grace", "2s"],
    )
    .await?;
    let mut terminal = Terminal::open(&fleet, "pipe-1").await?;
    terminal.say("here\n").await?;
    // Announced, and never attached: nobody holds it.
    fleet.announce("pipe-2").await?;
    // Held by a replica that dies, with nobody attaching again.
    fleet.announce("pipe-3").await?;
    drop(fleet.probe("pipe-3").await?);
    let holder = fleet.holder("pipe-3").await?.context("a holder")?;
    drop(terminal);
    fleet.replicas[holder].kill().await?;
    ensure!(fleet.ends.list().await?.len() == 3);
    until_forgotten(&fleet).await
}

#[tokio::test]
async fn only_announced_pipes_are_attached() -> anyhow::Result<()> {
    let weft = tests::Sandbox::start(tests::Topology::Direct).await?;
    let address = &weft.address;
    let user = fake_probe::open(address, "/api/pipe/pipe-x", &[]).await;
    ensure!(user.err() == Some(404), "a user's end");
    // A probe may be faster than its answer: it is told only when no announcement came.
    let headers = [("x-scope-probe-id", "p")];
    let probe = fake_probe::open(address, "/api/pipe/pipe-x/probe", &headers).await;
    ensure!(probe.err() == Some(404), "a probe's end");
    answer_with_pipes(address).await?;
    let early = fake_probe::open(address, "/api/pipe/pipe-y/probe", &headers);
    let (early, announced) = tokio::join!(early, announce(address, "pipe-y"));
    announced?;
    let mut probe = early.map_err(|status| anyhow!("refused with {status}"))?;
    probe.send(Message::binary("last words")).await?;
    // The process ends: whoever comes then still reads what it said.
    let ended = http::post(address, "/api/pipe/pipe-y", &headers, "").await?;
    ensure!(ended.status == 200);
    let again = fake_probe::open(address, "/api/pipe/pipe-y/probe", &headers).await;
    ensure!(again.err() == Some(404), "the probe gives up");
    let opened = fake_probe::open(address, "/api/pipe/pipe-y", &[]).await;
    let mut user = opened.map_err(|status| anyhow!("refused with {status}"))?;
    ensure!(timeout(BACK, fake_probe::next(&mut user)).await?? == b"last words");
    ensure!(
        timeout(BACK, fake_probe::next(&mut user)).await?.is_err(),
        "it ends"
    );
    Ok(())
}
