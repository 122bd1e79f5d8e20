//! What lasts longer than a request: vectors 7 to 9.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use proto::pipes::v1 as pipes;
use serde_json::json;
use tests::{Port, fake_probe, http as web};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tonic::Code;

use super::world::{LIST, PATIENCE, World, bearer, everywhere};
use crate::accounts::{admin, token};

/// What takes a few milliseconds, on a machine that is busy.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Calls that replicas share.
const CALLS: u64 = 30;

/// How often an RPC was answered, according to the metrics at this address.
async fn answered(address: &str, rpc: &str) -> anyhow::Result<u64> {
    let text = web::get(address, "/metrics").await?.text();
    let rpc = format!("\"{rpc}\"");
    let lines = text
        .lines()
        .filter(|line| line.starts_with("grpc_server_handled_total") && line.contains(&rpc));
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}

/// How often users was asked about a credential.
async fn asked(world: &World) -> anyhow::Result<u64> {
    answered(&world.weft.admin, "Authenticate").await
}

#[tokio::test(flavor = "multi_thread")]
async fn v07_verdicts_are_shared_remembered_and_revoked() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let _ = admin(&world.weft, "org create amber").await;
        let (secret, id) = token(&world.weft, "amber t --permissions view").await?;
        let before = asked(&world).await?;
        let stampede = (0..50).map(|_| world.get("/api/topology", &secret));
        for answer in try_join_all(stampede).await? {
            ensure!(answer.status == 200, "{}", answer.status);
        }
        let after = asked(&world).await?;
        ensure!(
            after == before + 1,
            "{} questions for one token",
            after - before
        );

        let wrong = "weftorg_0000000000000000000000000000000000000000000000000";
        for _ in 0..50 {
            ensure!(world.get("/api/topology", wrong).await?.status == 401);
        }
        let no = asked(&world).await? - after;
        // A no is believed for 5 s.
        ensure!((1..=12).contains(&no), "{no} questions for a wrong token");

        admin(&world.weft, &format!("token revoke amber {id}")).await?;
        let revoked = Instant::now();
        while world.get("/api/topology", &secret).await?.status != 401 {
            ensure!(revoked.elapsed() < AT_ONCE, "still let in");
        }
        let code = world.rpc(LIST, &secret).await?;
        ensure!(code == Code::Unauthenticated, "{code:?}");
        Ok(())
    })
    .await
}

/// How many calls each of these replicas of query got so far.
async fn counts(replicas: &[&Port]) -> anyhow::Result<Vec<u64>> {
    let count = async |port: &&Port| answered(&port.address(), "ListTopologies").await;
    try_join_all(replicas.iter().map(count)).await
}

/// How many each gets of so many calls that follow. There is one more replica.
async fn shares(world: &World, secret: &str, replicas: &[&Port]) -> anyhow::Result<Vec<u64>> {
    let before = counts(replicas).await?;
    for _ in 0..CALLS {
        let code = world.rpc(LIST, secret).await?;
        ensure!(code == Code::Ok, "{code:?}");
    }
    let after = counts(replicas).await?;
    Ok(after.iter().zip(&before).map(|(a, b)| a - b).collect())
}

/// Waits until the edge has found out that these replicas, and one more, are those that are there.
async fn until_shared(world: &World, secret: &str, replicas: &[&Port]) -> anyhow::Result<()> {
    let before = counts(replicas).await?;
    let found = timeout(PATIENCE, async {
        let mut good = 0;
        // As many in a row as there are replicas, the one that is gone among them.
        while good < 3 {
            good = match world.rpc(LIST, secret).await? {
                Code::Ok => good + 1,
                _ => 0,
            };
            // Each of them is found already.
            let now = counts(replicas).await?;
            if now.iter().zip(&before).any(|(now, before)| now == before) {
                good = 0;
            }
        }
        anyhow::Ok(())
    });
    found.await.context("replicas are not found")?
}

/// Fails if a replica, of which there is one more, got more than its share and a quarter.
fn check(shares: &[u64], what: &str) -> anyhow::Result<()> {
    let most = (CALLS * 5).div_ceil(4 * (shares.len() as u64 + 1));
    let other = CALLS - shares.iter().sum::<u64>();
    let fair = shares.iter().chain([&other]).all(|share| *share <= most);
    ensure!(fair, "{what}: {shares:?} and {other} of {CALLS}");
    Ok(())
}

#[tokio::test]
async fn v08_replicas_share_calls_also_when_one_went_and_came_back() -> anyhow::Result<()> {
    // Where users are kept makes no difference to query.
    try_join_all([(false, false), (true, true)].map(async |kind| {
        let (one, other) = (Port::reserve()?, Port::reserve()?);
        let urls = [&one, &other].map(|port| format!("http://{}", port.address()));
        let flags = ["--query", &urls[0], "--query", &urls[1]];
        let world = World::start(kind, true, &flags).await?;
        let secret = world.amber("view").await?;
        let stays = world.weft.another_query(&one).await?;
        let goes = world.weft.another_query(&other).await?;
        let both = [&one, &other];
        until_shared(&world, &secret, &both).await?;
        check(&shares(&world, &secret, &both).await?, "three replicas")?;
        goes.kill().await?;
        until_shared(&world, &secret, &[&one]).await?;
        check(&shares(&world, &secret, &[&one]).await?, "one is gone")?;
        let back = world.weft.another_query(&other).await?;
        until_shared(&world, &secret, &both).await?;
        check(&shares(&world, &secret, &both).await?, "it is back")?;
        drop((stays, back));
        anyhow::Ok(())
    }))
    .await?;
    Ok(())
}

/// A terminal of `amber` that says everything back; its probe, and a token of a user.
async fn terminal(world: &World) -> anyhow::Result<String> {
    let secret = world.amber("view,report,host-exec").await?;
    let bearer = format!("Bearer {secret}");
    let headers = [("x-scope-probe-id", "p"), ("authorization", &bearer)];
    let answer = |_: &serde_json::Value| json!({ "pipe": "pipe-1" });
    fake_probe::controls_with(&world.weft.address, &headers, answer).await?;
    let control = ("POST", "/api/control/p/n/host_exec");
    let opened = world
        .ask(control, &[("authorization", &bearer)], "")
        .await?;
    ensure!(opened.json()["pipe"] == "pipe-1", "{}", opened.text());
    let probe = world.socket("/api/pipe/pipe-1/probe", &headers).await?;
    let mut probe = probe.map_err(|status| anyhow::anyhow!("the probe's end: {status}"))?;
    tokio::spawn(async move {
        while let Some(Ok(message)) = probe.next().await {
            let echoed = match message {
                Message::Binary(bytes) => probe.send(Message::Binary(bytes)).await,
                _ => Ok(()),
            };
            if echoed.is_err() {
                return;
            }
        }
    });
    Ok(secret)
}

/// How many users are connected to the terminal.
async fn users(world: &World, secret: &str) -> anyhow::Result<u32> {
    let pipe_id = "pipe-1".to_owned();
    let get = pipes::GetPipeRequest { pipe_id }.encode_to_vec();
    let path = "/weft.pipes.v1.PipesService/GetPipe";
    let (code, answer) = world.call(path, vec![bearer(secret)?], &get).await?;
    ensure!(code == Code::Ok, "{code:?}");
    Ok(pipes::GetPipeResponse::decode(answer)?.user_connections)
}

#[tokio::test(flavor = "multi_thread")]
async fn v09_sockets_echo_end_and_are_refused_to_foreign_pages() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let secret = terminal(&world).await?;
        let bearer_text = format!("Bearer {secret}");
        let headers = [("authorization", bearer_text.as_str())];
        let foreign = [headers[0], ("origin", "https://evil.example")];
        let refused = world.socket("/api/pipe/pipe-1", &foreign).await?;
        ensure!(refused.err() == Some(403), "a foreign page got in");
        let opened = world.socket("/api/pipe/pipe-1", &headers).await?;
        let mut user = opened.map_err(|status| anyhow::anyhow!("{status}"))?;
        for n in 0..100 {
            let line = format!("line {n}");
            user.send(Message::text(line.as_str())).await?;
            let mut heard = Vec::new();
            while heard.len() < line.len() {
                let next = timeout(PATIENCE, user.next()).await?.context("an end")??;
                if let Message::Binary(bytes) = next {
                    heard.extend_from_slice(&bytes);
                }
            }
            ensure!(heard == line.as_bytes(), "{heard:?}");
        }
        ensure!(users(&world, &secret).await? == 1, "it is not counted");
        drop(user);
        let dropped = Instant::now();
        while users(&world, &secret).await? != 0 {
            ensure!(dropped.elapsed() < AT_ONCE, "it stays open");
        }
        let opened = world.socket("/api/topology/hosts/ws", &headers).await?;
        let mut watch = opened.map_err(|status| anyhow::anyhow!("{status}"))?;
        timeout(PATIENCE, watch.next())
            .await?
            .context("a first answer")??;
        let ending = tokio::spawn(world.weft.interrupt(PATIENCE));
        let close = timeout(PATIENCE, async {
            loop {
                match watch.next().await {
                    Some(Ok(Message::Close(frame))) => return frame,
                    Some(Ok(_)) => {}
                    _ => return None,
                }
            }
        });
        let frame = close.await?.context("no close frame")?;
        ensure!(u16::from(frame.code) == 1001, "{frame:?}");
        ending.await??;
        Ok(())
    })
    .await
}
