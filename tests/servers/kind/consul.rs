//! One Consul server that is its own cluster.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use http_body_util::Full;

use crate::http;
use crate::port::Port;

/// `port` is for HTTP. What only other servers would use is on another loopback address, because reserving a port takes its
/// UDP half: `admin` for calls, and for gossip the number of `port`.
pub(super) fn arguments<'a>(
    command: &'a mut Command,
    port: &Port,
    admin: &Port,
    data: &Path,
) -> &'a mut Command {
    let election = r#"performance = { raft_multiplier = 1 }, leave_on_terminate = false"#;
    command
        .args(["agent", "-server", "-bootstrap-expect=1", "-log-level=warn"])
        .args(["-node=weft-test", "-disable-host-node-id=true"])
        .args(["-bind=127.0.0.2", "-client=127.0.0.1"])
        .arg(format!("-http-port={}", port.number()))
        .arg(format!("-server-port={}", admin.number()))
        .arg(format!("-serf-lan-port={}", port.number()))
        .args(["-serf-wan-port=-1", "-grpc-port=-1", "-dns-port=-1"])
        .arg(format!("-hcl={election}"))
        .arg("-data-dir")
        .arg(data)
}

/// Whether it has a leader, so that it takes writes.
pub(super) async fn is_ready(port: &Port) -> bool {
    let request = ::http::Request::put("/v1/kv/ready").body(Full::<Bytes>::from("yes"));
    let Ok(request) = request else { return false };
    let answer = http::send(&port.address(), request).await;
    answer.is_ok_and(|answer| answer.status == 200 && answer.text().trim() == "true")
}
