//! What the edge costs: CPU per call and per report beside nginx's, which passes on the same ones in the same run, and the
//! memory of idle WebSockets.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use client::Channel;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use proto::query::v1::ListTopologiesRequest;
use proto::query::v1::query_service_client::QueryServiceClient;
use tests::fake_probe;
use tests::recorded::Post;
use tests::{Port, Sandbox, Topology};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const CALLS: usize = 20_000;
const REPORTS: usize = 4_000;
const AT_ONCE: usize = 16;
const SOCKETS: usize = 10_000;
/// Clock ticks per second of `/proc/PID/stat`.
const TICKS: f64 = 100.0;

/// nginx with one worker and nothing to do but to pass on.
struct Nginx {
    child: Child,
    rpc: Port,
    web: Port,
    _dir: tempfile::TempDir,
}

impl Nginx {
    async fn start(edge: &str) -> anyhow::Result<Nginx> {
        let dir = tempfile::TempDir::new()?;
        let (rpc, web) = (Port::reserve()?, Port::reserve()?);
        let config = config(edge, &rpc.address(), &web.address());
        std::fs::write(dir.path().join("nginx.conf"), config)?;
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(dir.path());
        command.args(["-c", "nginx.conf", "-e", "stderr"]);
        let child = command.stdin(Stdio::null()).kill_on_drop(true).spawn();
        let nginx = Nginx {
            child: child.context("nginx is missing: run `.ci/install` first")?,
            rpc,
            web,
            _dir: dir,
        };
        while TcpStream::connect(nginx.web.address()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(nginx)
    }

    fn cpu(&self) -> anyhow::Result<f64> {
        cpu(self.child.id().context("nginx has ended")?)
    }
}

/// One process, so that it is measured and ended as a whole.
fn config(edge: &str, rpc: &str, web: &str) -> String {
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
        events {{ worker_connections 4096; }}
        http {{
            access_log off;
            keepalive_requests 10000000;
            client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
            upstream rpc {{ server {edge}; keepalive 64; keepalive_requests 10000000; }}
            upstream web {{ server {edge}; keepalive 64; keepalive_requests 10000000; }}
            server {{ listen {rpc} http2; location / {{ grpc_pass grpc://rpc; }} }}
            server {{
                listen {web};
                client_max_body_size 16m;
                location / {{
                    proxy_pass http://web;
                    proxy_http_version 1.1;
                    proxy_set_header Connection '';
                    proxy_request_buffering off;
                }}
            }}
        }}"
    )
}

/// User and system time so far, in seconds.
fn cpu(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit(')').next().context("a stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok());
    Ok((ticks(11).context("utime")? + ticks(12).context("stime")?) / TICKS)
}

fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().nth(1));
    Ok(kib.context("a figure")?.parse::<u64>()? << 10)
}

/// Measures all of it.
pub(crate) async fn edge(posts: &[Post]) -> anyhow::Result<()> {
    allow_files();
    let weft = Sandbox::strict(Topology::Processes, None).await?;
    let edge = weft.edge_pid().context("an edge")?;
    let secret = token(&weft).await?;
    let nginx = Nginx::start(&weft.address).await?;
    println!(
        "{:<28} {:>10} {:>10} {:>8} {:>8} {:>8}",
        "through nginx and authfe", "nginx us", "authfe us", "ratio", "p50 ms", "p99 ms"
    );
    for (what, calls) in [
        ("(warming up)", CALLS / 10),
        ("unary call over gRPC", CALLS),
    ] {
        let before = (nginx.cpu()?, cpu(edge)?);
        let times = unary(&nginx.rpc.address(), &secret, calls).await?;
        print(what, before, (nginx.cpu()?, cpu(edge)?), times);
    }
    for (what, reports) in [("(warming up)", REPORTS / 10), ("report, POST", REPORTS)] {
        let before = (nginx.cpu()?, cpu(edge)?);
        let times = report(&nginx.web.address(), &secret, posts, reports).await?;
        print(what, before, (nginx.cpu()?, cpu(edge)?), times);
    }
    for (what, address) in [
        ("nginx and authfe", nginx.rpc.address()),
        ("authfe alone", weft.address.clone()),
    ] {
        let mut times = unary_one_by_one(&address, &secret, 2000).await?;
        times.sort_unstable();
        println!(
            "one by one, {what}: p50 {:.2} ms, p99 {:.2} ms",
            ms(&times, 50),
            ms(&times, 99)
        );
    }
    drop(nginx);
    sockets(&weft.address, edge, &secret).await
}

fn print(what: &str, before: (f64, f64), after: (f64, f64), mut times: Vec<Duration>) {
    times.sort_unstable();
    let each = |from: f64, to: f64| 1e6 * (to - from) / times.len() as f64;
    let (nginx, authfe) = (each(before.0, after.0), each(before.1, after.1));
    println!(
        "{what:<28} {nginx:>10.0} {authfe:>10.0} {:>8.2} {:>8.2} {:>8.2}",
        authfe / nginx,
        ms(&times, 50),
        ms(&times, 99)
    );
}

fn ms(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1e3
}

async fn token(weft: &Sandbox) -> anyhow::Result<String> {
    let admin = async |arguments: &str| -> anyhow::Result<serde_json::Value> {
        let mut command = Command::new(tests::binary()?);
        command.arg("admin").args(arguments.split_whitespace());
        command.args(["--json", "--users", &format!("http://{}", weft.users)]);
        let output = command
            .arg("--key-file")
            .arg(weft.key_file())
            .output()
            .await?;
        ensure!(output.status.success(), "weft admin {arguments}");
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    admin("org create bench").await?;
    let made = admin("token create bench all --permissions view,report").await?;
    Ok(made["secret"].as_str().context("a secret")?.to_owned())
}

fn list(secret: &str) -> anyhow::Result<tonic::Request<ListTopologiesRequest>> {
    let mut request = tonic::Request::new(ListTopologiesRequest::default());
    let bearer = format!("Bearer {secret}").parse()?;
    request.metadata_mut().insert("authorization", bearer);
    Ok(request)
}

async fn unary_one_by_one(
    address: &str,
    secret: &str,
    calls: usize,
) -> anyhow::Result<Vec<Duration>> {
    let channel = Channel::connect(format!("http://{address}").parse()?);
    let mut client = QueryServiceClient::new(channel);
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let started = Instant::now();
        client.list_topologies(list(secret)?).await?;
        times.push(started.elapsed());
    }
    Ok(times)
}

async fn unary(address: &str, secret: &str, calls: usize) -> anyhow::Result<Vec<Duration>> {
    let each = (0..AT_ONCE).map(|_| unary_one_by_one(address, secret, calls / AT_ONCE));
    Ok(try_join_all(each).await?.concat())
}

async fn report(
    address: &str,
    secret: &str,
    posts: &[Post],
    reports: usize,
) -> anyhow::Result<Vec<Duration>> {
    let next = AtomicUsize::new(0);
    let each = (0..AT_ONCE).map(|_| async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut times = Vec::new();
        while next.load(Ordering::Relaxed) < reports {
            let post = &posts[next.fetch_add(1, Ordering::Relaxed) % posts.len()];
            let request = http::Request::post("/api/report")
                .header("host", "127.0.0.1")
                .header("authorization", format!("Scope-Probe token={secret}"))
                .header("content-type", "application/msgpack")
                .header("content-encoding", "gzip")
                .header("x-scope-probe-id", "bench")
                .body(Full::new(Bytes::from(post.body.clone())))?;
            let started = Instant::now();
            let answer = sender.send_request(request).await?;
            ensure!(answer.status() == 200, "{}", answer.status());
            answer.into_body().collect().await?;
            times.push(started.elapsed());
            sender.ready().await?;
        }
        Ok(times)
    });
    Ok(try_join_all(each).await?.concat())
}

/// Opens the control sockets of so many probes.
async fn sockets(address: &str, edge: u32, secret: &str) -> anyhow::Result<()> {
    let before = resident(edge)?;
    let token = Arc::new(format!("Scope-Probe token={secret}"));
    let mut held = Vec::with_capacity(SOCKETS);
    for hundred in 0..SOCKETS / 100 {
        let opening = (0..100).map(|n| {
            let (token, probe) = (Arc::clone(&token), format!("probe-{hundred}-{n}"));
            async move {
                let headers = [
                    ("authorization", token.as_str()),
                    ("x-scope-probe-id", probe.as_str()),
                ];
                let opened = fake_probe::open(address, "/api/control/ws", &headers).await;
                opened.map_err(|status| anyhow::anyhow!("refused with {status}"))
            }
        });
        held.extend(try_join_all(opening).await?);
    }
    let (after, started, begun) = (resident(edge)?, Instant::now(), cpu(edge)?);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let idle = (cpu(edge)? - begun) / started.elapsed().as_secs_f64();
    println!(
        "{SOCKETS} idle WebSockets: authfe has {} MB resident, {} before; {:.1} kB each; {:.1} % of a core",
        after / 1_000_000,
        before / 1_000_000,
        (after - before) as f64 / 1e3 / held.len() as f64,
        100.0 * idle
    );
    Ok(())
}

/// The sockets need file descriptors.
fn allow_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
