//! What people do with machines is in the audit log, whoever refused it: with whom, and where from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::SinkExt;
use proto::controls::v1 as controls;
use proto::controls::v1::controls_service_client::ControlsServiceClient;
use proto::pipes::v1 as pipes;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use serde_json::{Value, json};
use tests::collection::until;
use tests::{Sandbox, Topology, fake_probe};
use tokio_tungstenite::tungstenite::Message;
use tonic::Code;

use super::{admin, ask, bearing, channel, everywhere, token};

const PATIENCE: Duration = Duration::from_secs(30);

/// A probe of `amber` whose terminals are called as the caller likes; how often it was called.
async fn probe(weft: &Sandbox) -> anyhow::Result<Arc<AtomicUsize>> {
    let (secret, _) = token(weft, "amber probes").await?;
    let bearer = format!("Bearer {secret}");
    let headers = [("x-scope-probe-id", "p1"), ("authorization", &bearer)];
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    fake_probe::controls_with(&weft.address, &headers, move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        match &request["ControlArgs"]["pipe"] {
            Value::Null => json!({}),
            pipe => json!({ "pipe": pipe, "raw_tty": true }),
        }
    })
    .await?;
    Ok(calls)
}

/// A personal token of a new member, and the id of the person.
async fn member(weft: &Sandbox, name: &str, role: &str) -> anyhow::Result<(String, String)> {
    let email = format!("{name}@amber.example");
    let made = admin(weft, &format!("member set amber {email} --role {role}")).await?;
    let id = made["userId"].as_str().context("an id")?.to_owned();
    let all = "view,control,exec,logs,host-exec";
    let of = format!("amber {name} --permissions {all} --for {email}");
    Ok((token(weft, &of).await?.0, id))
}

async fn run(weft: &Sandbox, secret: &str, control: &str, body: &str) -> anyhow::Result<u16> {
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str())];
    let path = format!("/api/control/p1/h1%3B%3Chost%3E/{control}");
    let answer = ask(&weft.address, "POST", &path, &headers, body).await?;
    Ok(answer.status.as_u16())
}

/// What is written down since the probe connected, oldest first, each as action, actor, target and detail.
async fn written(weft: &Sandbox) -> anyhow::Result<Vec<[String; 4]>> {
    let listed = admin(weft, "audit list amber").await?;
    let events = listed.as_array().context("events")?.iter().rev();
    let mut all = Vec::new();
    for event in events {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let action = text("action");
        if action.starts_with("control.") || action.starts_with("terminal.") {
            let itself = text("actor") == "weft";
            ensure!(itself == (text("address") != "127.0.0.1"), "{event}");
            all.push([action, text("actor"), text("target"), text("detail")]);
        }
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn controls_and_terminals_are_in_the_audit_log() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        admin(weft, "org create amber").await?;
        let calls = probe(weft).await?;
        let (ada, ada_id) = member(weft, "ada", "admin").await?;
        let (bob, bob_id) = member(weft, "bob", "admin").await?;
        let (eve, eve_id) = member(weft, "eve", "viewer").await?;

        ensure!(run(weft, &ada, "docker_stop_container", "").await? == 200);
        ensure!(run(weft, &eve, "docker_stop_container", "").await? == 403);
        let mut client = ControlsServiceClient::new(channel(&weft.address)?);
        let request = controls::InvokeRequest {
            probe_id: "p1".to_owned(),
            node_id: "h1;<host>".to_owned(),
            control: "host_exec".to_owned(),
            ..controls::InvokeRequest::default()
        };
        let refused = client.invoke(bearing(&eve, request)?).await;
        let refused = refused.err().context("it must be refused")?;
        ensure!(refused.code() == Code::PermissionDenied, "{refused}");
        ensure!(calls.load(Ordering::SeqCst) == 1, "a refused control ran");

        ensure!(run(weft, &ada, "host_exec", r#"{"pipe":"pipe-1"}"#).await? == 200);
        attend(weft, &ada, &bob).await?;

        let node = "h1;<host>".to_owned();
        let on = |what: &str| format!("{what} on probe p1");
        let lacks = |what: &str, needs: &str| format!("{what} on probe p1: this needs {needs}");
        let expected = [
            ["control.run", &ada_id, &node, &on("docker_stop_container")],
            [
                "control.refuse",
                &eve_id,
                &node,
                &lacks("docker_stop_container", "PERMISSION_CONTROL"),
            ],
            [
                "control.refuse",
                &eve_id,
                &node,
                &lacks("host_exec", "PERMISSION_HOST_EXEC"),
            ],
            ["control.run", &ada_id, &node, &on("host_exec")],
            [
                "terminal.open",
                &ada_id,
                "pipe-1",
                "by host_exec on h1;<host>, probe p1",
            ],
            ["terminal.attach", &ada_id, "pipe-1", "reads"],
            ["terminal.attach", &ada_id, "pipe-1", "types"],
            ["terminal.attach", &bob_id, "pipe-1", "reads"],
        ];
        let expected = expected.map(|event| event.map(str::to_owned));
        // Refusals and ends are written later.
        until("the terminal's end is written down", PATIENCE, async || {
            let found = written(weft).await?;
            Ok(found.iter().any(|event| event[0] == "terminal.close"))
        })
        .await?;
        let mut found = written(weft).await?;
        let close = found.pop().context("a last one")?;
        ensure!(
            close[..3] == ["terminal.close", &ada_id, "pipe-1"],
            "{close:?}"
        );
        let duration = close[3].strip_prefix("closed by a user, after ");
        let seconds = duration.and_then(|rest| rest.strip_suffix(" s"));
        ensure!(
            seconds.is_some_and(|s| s.parse::<f64>().is_ok_and(|s| s < 60.0)),
            "{close:?}"
        );
        let (mut found, mut expected) = (found, expected.to_vec());
        found.sort();
        expected.sort();
        ensure!(found == expected, "{found:#?} instead of {expected:#?}");
        admin(weft, "audit check").await.map(drop)
    })
    .await
}

/// Reads `pipe-1`, types into it, and closes it, while the other one watches over a WebSocket and types in vain; each twice
/// where that is possible.
async fn attend(weft: &Sandbox, secret: &str, other: &str) -> anyhow::Result<()> {
    let pipe_id = || "pipe-1".to_owned();
    let (probe, _) = token(weft, "amber second-probe").await?;
    let bearer = format!("Bearer {probe}");
    let headers = [("x-scope-probe-id", "p1"), ("authorization", &bearer)];
    let opened = fake_probe::open(&weft.address, "/api/pipe/pipe-1/probe", &headers).await;
    let _probe = opened.map_err(|status| anyhow::anyhow!("the probe's end: {status}"))?;
    let mut client = PipesServiceClient::new(channel(&weft.address)?);
    for _ in 0..2 {
        let read = pipes::ReadRequest {
            pipe_id: pipe_id(),
            from_offset: 0,
        };
        let mut output = client.read(bearing(secret, read)?).await?.into_inner();
        output.message().await?.context("an opening")?;
    }
    for sequence in 1..=2 {
        let write = pipes::WriteRequest {
            pipe_id: pipe_id(),
            data: "x".into(),
            writer_id: "w".to_owned(),
            sequence,
        };
        client.write(bearing(secret, write)?).await?;
    }
    let bearer = format!("Bearer {other}");
    let headers = [("authorization", bearer.as_str())];
    for _ in 0..2 {
        let opened = fake_probe::open(&weft.address, "/api/pipe/pipe-1", &headers).await;
        let mut user = opened.map_err(|status| anyhow::anyhow!("the user's end: {status}"))?;
        user.send(Message::text("y")).await?;
    }
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str())];
    let closed = ask(&weft.address, "DELETE", "/api/pipe/pipe-1", &headers, "").await?;
    ensure!(closed.status == 200, "{}", closed.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_control_runs_that_cannot_be_written_down() -> anyhow::Result<()> {
    let mut weft = Sandbox::strict(Topology::Processes, None).await?;
    admin(&weft, "org create amber").await?;
    let calls = probe(&weft).await?;
    let (ada, _) = member(&weft, "ada", "admin").await?;
    ensure!(run(&weft, &ada, "docker_stop_container", "").await? == 200);
    weft.kill_users().await?;
    for _ in 0..5 {
        let status = run(&weft, &ada, "docker_stop_container", "").await?;
        // 400 is what Scope's clients are told whenever a control cannot be carried out.
        ensure!([400, 503].contains(&status), "{status}");
    }
    ensure!(calls.load(Ordering::SeqCst) == 1, "it ran unrecorded");
    Ok(())
}

#[tokio::test]
async fn logins_that_fail_are_written_down_without_filling_the_disk() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        let headers = [("content-type", "application/json")];
        let (mut wrong, mut late) = (0, 0);
        for n in 0..60 {
            let body = json!({ "secret": format!("weftlnk_{n:043}aaaaaa") }).to_string();
            let path = "/api/users/login/link";
            let answer = ask(&weft.address, "POST", path, &headers, &body).await?;
            match answer.status.as_u16() {
                401 => wrong += 1,
                503 => late += 1,
                status => anyhow::bail!("{status}: {}", answer.text()),
            }
        }
        ensure!(wrong >= 30 && late > 0, "{wrong} wrong, {late} too many");
        let listed = admin(weft, "audit list --limit 1000").await?;
        let events = listed.as_array().context("events")?;
        let failed: Vec<_> = events
            .iter()
            .filter(|event| event["action"] == "login.fail")
            .collect();
        ensure!(failed.len() == 20, "{}", failed.len());
        for event in failed {
            let from = event["address"] == "127.0.0.1" && event["actor"] == "";
            let detail = event["detail"].as_str().unwrap_or_default();
            ensure!(from && detail.starts_with("by a link: "), "{event}");
            ensure!(!event.to_string().contains("weftlnk_"), "{event}");
        }
        Ok(())
    })
    .await
}
