//! The edge behind nginx, as `deploy/frontend` sets it up.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use proto::query::v1 as pb;
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;
use tests::{Port, Sandbox};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::PATIENCE;
use super::tls::{certify, connector};
use crate::accounts::{admin, token};

/// nginx in a folder of its own. Stopped when this is dropped.
pub(crate) struct Frontend {
    dir: tempfile::TempDir,
    port: Port,
    trusted: CertificateDer<'static>,
    run: Child,
}

impl Frontend {
    /// In front of the edge at this address.
    pub(crate) async fn start(edge: &str) -> anyhow::Result<Frontend> {
        let nginx = ["/usr/sbin/nginx", "/usr/bin/nginx"];
        ensure!(
            nginx.iter().any(|path| Path::new(path).exists()),
            "nginx is missing: run `.ci/install` first"
        );
        let dir = tempfile::TempDir::new()?;
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/frontend");
        for file in ["nginx.conf", "types.conf", "run"] {
            std::fs::copy(source.join(file), dir.path().join(file))?;
        }
        std::fs::create_dir(dir.path().join("tls"))?;
        let trusted = certify(&dir.path().join("tls"))?;
        let port = Port::reserve()?;
        let listen = format!("listen {} ssl http2;\n", port.address());
        std::fs::write(dir.path().join("listen.conf"), listen)?;
        let answer = dir.path().join("answer");
        std::fs::write(&answer, edge)?;
        let run = Command::new(dir.path().join("run"))
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("WEFT_EDGE", "edge.test:1")
            // Stands for the name server: without the file it knows nothing.
            .env(
                "WEFT_RESOLVE",
                format!("sh {}", resolver(dir.path())?.display()),
            )
            .env("WEFT_RESOLVE_EVERY", "0.2")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("errors"))?)
            .spawn()?;
        let frontend = Frontend {
            dir,
            port,
            trusted,
            run,
        };
        let started = Instant::now();
        while TcpStream::connect(frontend.port.address()).await.is_err() {
            if started.elapsed() > PATIENCE {
                bail!("nginx did not start: {}", frontend.errors());
            }
            tokio::task::yield_now().await;
        }
        Ok(frontend)
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("errors")).unwrap_or_default()
    }

    /// Where it keeps and logs everything.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn answer(&self) -> PathBuf {
        self.dir.path().join("answer")
    }

    /// A connection from this address of this machine.
    pub(crate) async fn connect(
        &self,
        from: &str,
        protocol: &str,
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(format!("{from}:0").parse()?)?;
        let stream = socket.connect(self.port.address().parse()?).await?;
        let connector = connector(&self.trusted, protocol)?;
        Ok(connector.connect("localhost".try_into()?, stream).await?)
    }

    /// Sends a request over HTTP/1.1; status and body.
    async fn ask(&self, from: &str, request: Request<Full<Bytes>>) -> anyhow::Result<(u16, Bytes)> {
        let stream = self.connect(from, "http/1.1").await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let answer = timeout(PATIENCE, sender.send_request(request)).await??;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    async fn get(&self, from: &str, path: &str, secret: &str) -> anyhow::Result<(u16, Bytes)> {
        let request = Request::get(path)
            .header("host", "weft.example")
            .header("authorization", format!("Bearer {secret}"))
            .header("x-forwarded-for", "127.0.0.1");
        self.ask(from, request.body(Full::default())?).await
    }

    /// Which edge answers.
    async fn app_id(&self) -> anyhow::Result<String> {
        let (status, body) = self.get("127.0.0.1", "/api", "").await?;
        ensure!(status == 200, "{status}: {}", self.errors());
        let body: serde_json::Value = serde_json::from_slice(&body)?;
        Ok(body["id"].as_str().context("an id")?.to_owned())
    }
}

impl Drop for Frontend {
    fn drop(&mut self) {
        // The script passes on SIGTERM; what is killed outright leaves its workers behind.
        let pid = std::fs::read_to_string(self.dir.path().join("nginx.pid")).unwrap_or_default();
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.run.start_kill();
        if std::thread::panicking() {
            eprintln!("nginx said: {}", self.errors());
        }
    }
}

fn resolver(dir: &Path) -> anyhow::Result<PathBuf> {
    let script = dir.join("resolve");
    std::fs::write(&script, format!("cat {}/answer\n", dir.display()))?;
    Ok(script)
}

async fn strict(more: &[&str]) -> anyhow::Result<(Sandbox, String)> {
    let mut flags = vec!["--demand-credentials", "--trusted-proxies", "127.0.0.1"];
    flags.extend(more);
    let weft = Sandbox::start_with(&flags).await?;
    admin(&weft, "org create amber").await?;
    let all = "amber one --permissions view,view-secrets,report";
    let (secret, _) = token(&weft, all).await?;
    Ok((weft, secret))
}

fn list_topologies() -> Bytes {
    let message = pb::ListTopologiesRequest::default().encode_to_vec();
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    framed.extend(message);
    framed.into()
}

fn rpc(kind: &str, secret: &str) -> anyhow::Result<Request<Full<Bytes>>> {
    let path = "/weft.query.v1.QueryService/ListTopologies";
    let request = match kind {
        "application/grpc" => Request::post(format!("https://weft.example{path}")),
        _ => Request::post(path).header("host", "weft.example"),
    };
    let request = request
        .header("content-type", kind)
        .header("te", "trailers")
        .header("authorization", format!("Bearer {secret}"));
    Ok(request.body(Full::new(list_topologies()))?)
}

#[tokio::test]
async fn everything_passes_nginx() -> anyhow::Result<()> {
    let (weft, secret) = strict(&[]).await?;
    let front = Frontend::start(&weft.address).await?;
    let (status, _) = front.get("127.0.0.1", "/api/topology", &secret).await?;
    ensure!(status == 200, "HTTP: {status}");
    let (status, _) = front.get("127.0.0.1", "/api/topology", "wrong").await?;
    ensure!(status == 401, "a wrong credential: {status}");

    let stream = front.connect("127.0.0.1", "h2").await?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    for (secret, code) in [(secret.as_str(), "0"), ("wrong", "16")] {
        let answer = sender
            .send_request(rpc("application/grpc", secret)?)
            .await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?;
        let status = body
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status"));
        let status = status.or_else(|| head.headers.get("grpc-status"));
        ensure!(status.is_some_and(|s| s == code), "gRPC: {head:?} {body:?}");
    }
    let (status, body) = front
        .ask("127.0.0.1", rpc("application/grpc-web+proto", &secret)?)
        .await?;
    let said = String::from_utf8_lossy(&body);
    ensure!(
        status == 200 && said.contains("grpc-status:0"),
        "gRPC-web: {status} {said}"
    );

    let stream = front.connect("127.0.0.1", "http/1.1").await?;
    let socket = Request::get("ws://weft.example/api/topology/hosts/ws")
        .header("host", "weft.example")
        .header("authorization", format!("Bearer {secret}"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
    let (mut socket, _) = tokio_tungstenite::client_async(socket.body(())?, stream).await?;
    let first = timeout(PATIENCE, socket.next())
        .await?
        .context("a message")??;
    ensure!(first.is_text(), "{first:?}");
    Ok(())
}

#[tokio::test]
async fn large_reports_pass_nginx_and_larger_ones_do_not() -> anyhow::Result<()> {
    let (weft, secret) = strict(&[]).await?;
    let front = Frontend::start(&weft.address).await?;
    for (mib, expected) in [(12, 200), (17, 413)] {
        let blank = " ".repeat(mib << 20);
        let report = Request::post("/api/report")
            .header("host", "weft.example")
            .header("authorization", format!("Scope-Probe token={secret}"))
            .header("content-type", "application/json")
            .body(Full::new(format!("{{{blank}}}").into()))?;
        match front.ask("127.0.0.1", report).await {
            Ok((status, body)) => ensure!(status == expected, "{mib} MiB: {status} {body:?}"),
            // It may be told while it still sends, and fail at that.
            Err(error) => ensure!(expected == 413, "{mib} MiB: {error:#}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn clients_behind_nginx_are_counted_each_by_itself() -> anyhow::Result<()> {
    let (weft, secret) = strict(&["--max-requests-per-client", "1"]).await?;
    let front = Frontend::start(&weft.address).await?;
    let mut asked = 0;
    // What the client itself says of its address counts for nothing.
    while front.get("127.0.0.2", "/api/topology", &secret).await?.0 == 200 {
        asked += 1;
        ensure!(asked < 200, "never too many");
    }
    let (status, _) = front.get("127.0.0.2", "/api/topology", &secret).await?;
    ensure!(status == 429, "{status}");
    let (status, _) = front.get("127.0.0.3", "/api/topology", &secret).await?;
    ensure!(status == 200, "another client: {status}");
    Ok(())
}

#[tokio::test]
async fn edge_that_moves_or_cannot_be_resolved_is_no_outage() -> anyhow::Result<()> {
    let (one, _) = strict(&[]).await?;
    let (two, _) = strict(&[]).await?;
    let front = Frontend::start(&one.address).await?;
    let first = front.app_id().await?;

    // The name server dies: many looks later nothing has changed.
    std::fs::remove_file(front.answer())?;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        ensure!(front.app_id().await? == first);
    }
    // It comes back and knows another address.
    std::fs::write(front.answer(), &two.address)?;
    let (started, mut in_a_row) = (Instant::now(), 0);
    // Workers that know the old one take connections for a moment longer.
    while in_a_row < 20 {
        let moved = front.app_id().await? != first;
        in_a_row = if moved { in_a_row + 1 } else { 0 };
        ensure!(
            started.elapsed() < PATIENCE,
            "it stays with the old one: {}",
            front.errors()
        );
    }
    // The old one is needed no more.
    drop(one);
    for _ in 0..20 {
        ensure!(front.app_id().await? != first);
    }
    Ok(())
}
