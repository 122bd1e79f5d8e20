//! Events of requests, at a sidecar that takes the forward protocol at its word.

use std::io::Cursor;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rmpv::Value;
use tests::{Port, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{PATIENCE, counted};
use crate::accounts::{admin, ask, report, token};

/// One batch: its events as (seconds, record), and what to acknowledge.
struct Batch {
    events: Vec<(u32, Value)>,
    chunk: String,
}

/// Reads one message, which must be Forward Mode to the letter.
async fn batch(stream: &mut TcpStream) -> anyhow::Result<Batch> {
    let mut bytes = Vec::new();
    loop {
        let mut at = Cursor::new(&bytes);
        if let Ok(message) = rmpv::decode::read_value(&mut at) {
            ensure!(at.position() == bytes.len() as u64, "more than a message");
            return parse(&message).with_context(|| message.to_string());
        }
        ensure!(stream.read_buf(&mut bytes).await? > 0, "it ended");
    }
}

fn parse(message: &Value) -> anyhow::Result<Batch> {
    let [tag, entries, option] = &message.as_array().context("an array")?[..] else {
        bail!("not three elements");
    };
    ensure!(tag.as_str() == Some("weft.requests"));
    let mut events = Vec::new();
    for entry in entries.as_array().context("entries")? {
        let [time, record] = &entry.as_array().context("an entry")?[..] else {
            bail!("not a time and a record");
        };
        let (kind, time) = time.as_ext().context("a time")?;
        ensure!(kind == 0 && time.len() == 8, "no EventTime");
        let seconds = u32::from_be_bytes(time[..4].try_into()?);
        ensure!(u32::from_be_bytes(time[4..].try_into()?) < 1_000_000_000);
        ensure!(record.is_map(), "no record");
        events.push((seconds, record.clone()));
    }
    ensure!(option["size"].as_u64() == Some(events.len() as u64));
    let chunk = option["chunk"].as_str().context("a chunk")?.to_owned();
    Ok(Batch { events, chunk })
}

async fn acknowledge(stream: &mut TcpStream, chunk: &str) -> anyhow::Result<()> {
    let answer = Value::Map(vec![("ack".into(), chunk.into())]);
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &answer)?;
    Ok(stream.write_all(&bytes).await?)
}

/// Takes events until there are so many, on as many connections as it needs.
async fn collect(listener: &TcpListener, most: usize) -> anyhow::Result<Vec<(u32, Value)>> {
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await??;
    let mut events = Vec::new();
    while events.len() < most {
        let Batch {
            events: more,
            chunk,
        } = timeout(PATIENCE, batch(&mut stream)).await??;
        events.extend(more);
        acknowledge(&mut stream, &chunk).await?;
    }
    Ok(events)
}

#[tokio::test]
async fn every_request_is_an_event_without_secrets() -> anyhow::Result<()> {
    let port = Port::reserve()?;
    let listener = TcpListener::bind(port.address()).await?;
    let sidecar = format!("tcp://{}", port.address());
    let weft = Sandbox::start_with(&["--demand-credentials", "--events", &sidecar]).await?;
    admin(&weft, "org create amber").await?;
    let (secret, id) = token(&weft, "amber one --permissions view,report").await?;
    ensure!(report(&weft.address, &secret, "{}").await? == 200);
    let bearer = format!("Bearer {secret}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("user-agent", "tests/1"),
    ];
    let path = format!("/api/topology?secret={secret}");
    let answer = ask(&weft.address, "GET", &path, &headers, "").await?;
    ensure!(answer.status == 200);
    let refused = ask(&weft.address, "GET", "/api/topology", &[], "").await?;
    ensure!(refused.status == 401);

    let events = collect(&listener, 3).await?;
    let [(_, posted), (time, seen), (_, refused_event)] = &events[..] else {
        bail!("{events:?}");
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    ensure!(now.as_secs().abs_diff(u64::from(*time)) < 120, "{time}");
    ensure!(posted["event"].as_str() == Some("/api/report"), "{posted}");
    ensure!(
        posted["product"].as_str() == Some("scope-probe"),
        "{posted}"
    );
    ensure!(posted["client_id"].as_str() == Some("p"), "{posted}");
    for (name, expected) in [
        ("event", "/api/topology"),
        ("method", "GET"),
        ("product", "scope-ui"),
        ("user_agent", "tests/1"),
        ("ip_address", "127.0.0.1"),
        ("org_id", "amber"),
    ] {
        ensure!(seen[name].as_str() == Some(expected), "{name} in {seen}");
    }
    let subject = seen["user_id"].as_str().context("who")?;
    ensure!(subject.contains(&id), "{subject} is not {id}");
    ensure!(seen["status"].as_u64() == Some(200), "{seen}");
    ensure!(
        seen["bytes"].as_u64() == Some(answer.body.len() as u64),
        "{seen}"
    );
    ensure!(
        seen["latency_us"].as_u64().is_some_and(|us| us > 0),
        "{seen}"
    );
    ensure!(
        refused_event["status"].as_u64() == Some(401),
        "{refused_event}"
    );
    ensure!(refused_event["org_id"].is_nil(), "{refused_event}");
    for (_, event) in &events {
        ensure!(!event.to_string().contains(&secret), "a secret in {event}");
    }
    Ok(())
}

#[tokio::test]
async fn unacknowledged_events_come_again_and_too_many_are_counted() -> anyhow::Result<()> {
    let port = Port::reserve()?;
    let sidecar = format!("tcp://{}", port.address());
    let weft = Sandbox::start_with(&["--events", &sidecar]).await?;
    // Nobody is there: requests go on all the same.
    let get = async |path: &str| tests::http::get(&weft.address, path).await;
    ensure!(get("/api/first").await?.status == 404);
    let listener = TcpListener::bind(port.address()).await?;
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await??;
    let lost = timeout(PATIENCE, batch(&mut stream)).await??;
    ensure!(lost.events[0].1["event"].as_str() == Some("/api/first"));
    // It dies before it acknowledges.
    drop(stream);
    let again = collect(&listener, 1).await?;
    ensure!(
        again[0].1["event"].as_str() == Some("/api/first"),
        "{again:?}"
    );
    drop(listener);

    // More than wait while nobody is there.
    let dropped = r#"weft_authfe_events_total{outcome="dropped"}"#;
    let started = Instant::now();
    let mut connection = Raw::open(&weft.address).await?;
    while counted(&weft, dropped).await? == 0 {
        ensure!(
            started.elapsed() < Duration::from_secs(120),
            "none is dropped"
        );
        connection.requests(1000).await?;
    }
    ensure!(get("/api").await?.status == 200);
    Ok(())
}

/// One connection that asks a thousand times at once.
struct Raw(TcpStream, String);

impl Raw {
    async fn open(address: &str) -> anyhow::Result<Raw> {
        let stream = TcpStream::connect(address).await?;
        Ok(Raw(
            stream,
            format!("GET /x HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        ))
    }

    async fn requests(&mut self, count: usize) -> anyhow::Result<()> {
        let (mut read, mut write) = self.0.split();
        let all = self.1.repeat(count);
        let writing = write.write_all(all.as_bytes());
        let reading = async {
            let (mut seen, mut bytes) = (0, Vec::new());
            while seen < count {
                ensure!(read.read_buf(&mut bytes).await? > 0, "it ended");
                let text = String::from_utf8_lossy(&bytes);
                seen += text.matches("HTTP/1.1 ").count();
                // A mark that was cut in two is found the next time.
                bytes = bytes.split_off(bytes.len().saturating_sub(8).max(last_mark(&bytes)));
            }
            Ok(())
        };
        let (written, read) = tokio::join!(writing, reading);
        written?;
        read
    }
}

/// Where the bytes after the last `HTTP/1.1 ` begin.
fn last_mark(bytes: &[u8]) -> usize {
    let mark = b"HTTP/1.1 ";
    let found = bytes.windows(mark.len()).rposition(|window| window == mark);
    found.map_or(0, |at| at + mark.len())
}
