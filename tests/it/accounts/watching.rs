//! Terminals that somebody else opened are watched, whatever the client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use futures_util::{SinkExt, StreamExt};
use proto::pipes::v1 as pb;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use serde_json::json;
use tests::fake_probe::{self, Socket};
use tests::{Sandbox, Topology};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tonic::Code;

use super::{admin, ask, bearing, channel, token};

const SOON: Duration = Duration::from_secs(20);

async fn control(weft: &Sandbox, who: &str, control: &str, body: &str) -> anyhow::Result<u16> {
    let bearer = format!("Bearer {who}");
    let headers = [("authorization", bearer.as_str())];
    let path = format!("/api/control/p/h/{control}");
    let answer = ask(&weft.address, "POST", &path, &headers, body).await?;
    Ok(answer.status.as_u16())
}

async fn attach(weft: &Sandbox, path: &str, credential: &str) -> anyhow::Result<Socket> {
    let headers = [("authorization", credential), ("x-scope-probe-id", "p")];
    let opened = fake_probe::open(&weft.address, path, &headers).await;
    opened.map_err(|status| anyhow!("{path} was refused with {status}"))
}

/// Waits until the edge has read all that was sent.
async fn until_read(socket: &mut Socket) -> anyhow::Result<()> {
    socket.send(Message::Ping("read?".into())).await?;
    while let Some(message) = timeout(SOON, socket.next()).await? {
        if message? == Message::Pong("read?".into()) {
            return Ok(());
        }
    }
    Err(anyhow!("the socket ended"))
}

/// So many bytes.
async fn take(socket: &mut Socket, bytes: usize) -> anyhow::Result<String> {
    let mut taken = Vec::new();
    while taken.len() < bytes {
        taken.extend(timeout(SOON, fake_probe::next(socket)).await??);
    }
    Ok(String::from_utf8(taken)?)
}

async fn scenario(weft: &Sandbox) -> anyhow::Result<()> {
    admin(weft, "org create amber").await?;
    let (probe, _) = token(weft, "amber probe --permissions report").await?;
    let may = "--permissions view,host-exec";
    let (opener, _) = token(weft, &format!("amber opener {may}")).await?;
    let (other, _) = token(weft, &format!("amber other {may}")).await?;
    let probe = format!("Scope-Probe token={probe}");
    let resized = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&resized);
    let headers = [("authorization", probe.as_str()), ("x-scope-probe-id", "p")];
    fake_probe::controls_with(&weft.address, &headers, move |request| {
        if request["Control"] == "host_resize_exec_tty" {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        json!({ "pipe": request["ControlArgs"]["pipe"], "raw_tty": true })
    })
    .await?;
    let opened = control(weft, &opener, "host_exec", r#"{"pipe": "pipe-1"}"#).await?;
    ensure!(opened == 200, "{opened}");

    let mut process = attach(weft, "/api/pipe/pipe-1/probe", &probe).await?;
    let bearer = |who: &str| format!("Bearer {who}");
    let mut types = attach(weft, "/api/pipe/pipe-1", &bearer(&opener)).await?;
    let mut watches = attach(weft, "/api/pipe/pipe-1", &bearer(&other)).await?;
    watches.send(Message::text("rm -r /")).await?;
    until_read(&mut watches).await?;
    types.send(Message::text("ls")).await?;
    ensure!(take(&mut process, 2).await? == "ls");
    process.send(Message::text("etc")).await?;
    for socket in [&mut types, &mut watches] {
        ensure!(take(socket, 3).await? == "etc");
    }

    let mut pipes = PipesServiceClient::new(channel(&weft.address)?);
    let write = |sequence| pb::WriteRequest {
        pipe_id: "pipe-1".to_owned(),
        data: "x".into(),
        writer_id: "w".to_owned(),
        sequence,
    };
    let refused = pipes.write(bearing(&other, write(1))?).await;
    let status = refused.err().ok_or_else(|| anyhow!("it must fail"))?;
    ensure!(status.code() == Code::PermissionDenied, "{status}");
    ensure!(status.message().contains("you may watch"), "{status}");
    pipes.write(bearing(&opener, write(1))?).await?;
    ensure!(take(&mut process, 1).await? == "x");

    let size = r#"{"pipeID": "pipe-1", "height": "24", "width": "80"}"#;
    let refused = control(weft, &other, "host_resize_exec_tty", size).await?;
    ensure!(refused == 403, "{refused}");
    let done = control(weft, &opener, "host_resize_exec_tty", size).await?;
    ensure!(done == 200, "{done}");
    ensure!(resized.load(Ordering::SeqCst) == 1);
    Ok(())
}

#[tokio::test]
async fn who_did_not_open_a_terminal_only_watches_it() -> anyhow::Result<()> {
    for topology in [Topology::Direct, Topology::Http2, Topology::Processes] {
        let weft = Sandbox::strict(topology, None).await?;
        let done = scenario(&weft).await;
        done.map_err(|error| error.context(format!("in topology {topology:?}")))?;
    }
    Ok(())
}
