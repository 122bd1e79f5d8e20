//! Input from people who mean harm: refused with a reason, cheaply, while everybody else is served.

use std::io::Write;
use std::time::Duration;

use ::http::Request;
use anyhow::{Context, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use tests::{Sandbox, Topology, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Resident memory that no input may make the process exceed.
pub(crate) const MEMORY: u64 = 200 << 20;

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// `{"Host": {"nodes": {"a": {"children": [{"children": [ …`, this deep.
fn nested_msgpack(depth: usize) -> Vec<u8> {
    let mut out = b"\x81\xa4Host\x81\xa5nodes\x81\xa1a".to_vec();
    for _ in 0..depth {
        out.extend_from_slice(b"\x81\xa8children\x91");
    }
    out.push(0x80);
    out
}

pub(crate) fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().nth(1));
    Ok(kib.context("a peak")?.parse::<u64>()? << 10)
}

#[tokio::test]
async fn bad_reports_are_refused_with_a_reason() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let bomb = gzip(&vec![0; 256 << 20])?;
    let report = gzip(b"\x80")?;
    let msgpack = "application/msgpack";
    let cases: [(&str, &str, &str, Vec<u8>, u16); 11] = [
        (
            "truncated gzip",
            msgpack,
            "gzip",
            report[..report.len() - 9].to_vec(),
            400,
        ),
        ("no gzip at all", msgpack, "gzip", b"\x80".to_vec(), 400),
        ("gzip bomb", msgpack, "gzip", bomb, 413),
        ("deep msgpack", msgpack, "", nested_msgpack(10_000), 400),
        (
            "wrong types",
            msgpack,
            "",
            b"\x81\xa4Host\xa3abc".to_vec(),
            400,
        ),
        (
            "array of 4 billion",
            msgpack,
            "",
            b"\x81\xa7Plugins\xdd\xff\xff\xff\xff".to_vec(),
            400,
        ),
        (
            "map of 4 billion",
            msgpack,
            "",
            b"\xdf\xff\xff\xff\xff".to_vec(),
            400,
        ),
        ("cut off", msgpack, "", b"\x81\xa4Ho".to_vec(), 400),
        ("nothing", msgpack, "", Vec::new(), 400),
        (
            "deep JSON",
            "application/json",
            "",
            b"[".repeat(100_000),
            400,
        ),
        ("other format", "text/plain", "", b"hello".to_vec(), 400),
    ];
    for (what, content_type, encoding, body, expected) in cases {
        let mut headers = vec![("content-type", content_type)];
        if !encoding.is_empty() {
            headers.push(("content-encoding", encoding));
        }
        let answer = http::post(&weft.address, "/api/report", &headers, body).await?;
        ensure!(
            answer.status == expected,
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
        let reason = answer.json();
        ensure!(
            reason.as_str().is_some_and(|r| !r.is_empty()),
            "{what}: no reason"
        );
    }
    // Bytes that are not UTF-8 are no error: command lines have them.
    let raw = b"\x81\xa4Host\x81\xa5nodes\x81\xa1\xff\x80".to_vec();
    let headers = [("content-type", msgpack)];
    let answer = http::post(&weft.address, "/api/report", &headers, raw).await?;
    ensure!(answer.status == 200, "{}", answer.text());
    let still = http::get(&weft.address, "/api/topology").await?;
    ensure!(still.status == 200);
    let peak = peak_memory(weft.edge_pid().context("running")?)?;
    ensure!(peak < MEMORY, "{} MiB", peak >> 20);
    println!("peak resident memory: {} MiB", peak >> 20);
    Ok(())
}

#[tokio::test]
async fn announced_gigabyte_is_refused_before_it_is_sent() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let mut stream = TcpStream::connect(&weft.address).await?;
    let head = format!(
        "POST /api/report HTTP/1.1\r\nHost: {}\r\nContent-Type: application/msgpack\r\n\
         Content-Length: 1073741824\r\n\r\n",
        weft.address
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = vec![0; 64];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer));
    let n = read.await??;
    let answer = String::from_utf8_lossy(&answer[..n]).into_owned();
    ensure!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn pages_of_other_origins_and_rebound_names_get_nothing() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let ask = async |headers: &[(&str, &str)]| -> anyhow::Result<u16> {
        let mut request = Request::get("/api/topology");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = http::send(&weft.address, request.body(Full::default())?).await?;
        Ok(answer.status.as_u16())
    };
    ensure!(ask(&[]).await? == 200);
    ensure!(ask(&[("origin", "http://evil.example")]).await? == 403);
    ensure!(ask(&[("host", "evil.example")]).await? == 401);
    // Identity from outside counts for nothing.
    ensure!(ask(&[("host", "evil.example"), ("x-scope-orgid", "local")]).await? == 401);
    ensure!(ask(&[("host", "evil.example"), ("weft-assertion-bin", "AAAA")]).await? == 401);
    ensure!(ask(&[("authorization", "Scope-Probe token=made-up")]).await? == 401);
    Ok(())
}

#[tokio::test]
async fn internal_rpcs_are_not_public() -> anyhow::Result<()> {
    use proto::collection::v1::SubscribeRequest;
    use proto::collection::v1::collection_service_client::CollectionServiceClient;
    use proto::users::v1::AuthenticateRequest;
    use proto::users::v1::users_service_client::UsersServiceClient;

    let weft = Sandbox::start(Topology::Direct).await?;
    let subscribed = CollectionServiceClient::new(weft.channel())
        .subscribe(SubscribeRequest {})
        .await;
    ensure!(subscribed.err().map(|s| s.code()) == Some(tonic::Code::Unimplemented));
    let authenticated = UsersServiceClient::new(weft.channel())
        .authenticate(AuthenticateRequest::default())
        .await;
    ensure!(authenticated.err().map(|s| s.code()) == Some(tonic::Code::Unimplemented));
    Ok(())
}
