//! Organisations, members and tokens, as operators make them and callers use them.

mod audited;
pub(crate) mod canary;
mod device;
pub(crate) mod edge;
mod isolation;
pub(crate) mod login;
pub(crate) mod mail;
mod matrix;
mod oidc;
mod operator;
mod outage;
mod postgres;
mod rules;
mod watching;

use anyhow::ensure;
use bytes::Bytes;
use client::Channel;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tests::http::{self as web, Answer};
use tests::{Sandbox, Server, Topology};
use tokio::process::Command;

/// Runs a scenario on a strict Weft in each topology with SQLite, and as processes with PostgreSQL.
async fn everywhere<F>(scenario: F) -> anyhow::Result<()>
where
    F: AsyncFn(&mut Sandbox) -> anyhow::Result<()>,
{
    for topology in [Topology::Direct, Topology::Http2, Topology::Processes] {
        let mut weft = Sandbox::strict(topology, None).await?;
        let result = scenario(&mut weft).await;
        result.map_err(|error| error.context(format!("on SQLite in topology {topology:?}")))?;
    }
    let server = Server::postgres().await?;
    let mut weft = Sandbox::strict(Topology::Processes, Some(&server.database()?)).await?;
    let result = scenario(&mut weft).await;
    result.map_err(|error| error.context("on PostgreSQL"))
}

/// What `weft admin` answers in JSON.
pub(crate) async fn admin(weft: &Sandbox, arguments: &str) -> anyhow::Result<Value> {
    let output = run(weft, arguments, true).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "weft admin {arguments}: {said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn run(weft: &Sandbox, arguments: &str, json: bool) -> anyhow::Result<std::process::Output> {
    let mut command = Command::new(tests::binary()?);
    command.arg("admin").args(arguments.split_whitespace());
    command.args(["--users", &format!("http://{}", weft.users)]);
    command.arg("--key-file").arg(weft.key_file());
    if json {
        command.arg("--json");
    }
    Ok(command.output().await?)
}

/// The secret of a new token, and its id.
pub(crate) async fn token(weft: &Sandbox, arguments: &str) -> anyhow::Result<(String, String)> {
    let made = admin(weft, &format!("token create {arguments}")).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&made["secret"]), text(&made["token"]["id"])))
}

/// A request over HTTP with these headers.
pub(crate) async fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> anyhow::Result<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::from(body.to_owned()));
    web::send(address, request.body(body)?).await
}

pub(crate) async fn get(address: &str, path: &str, secret: &str) -> anyhow::Result<Answer> {
    let bearer = format!("Bearer {secret}");
    ask(address, "GET", path, &[("authorization", &bearer)], "").await
}

/// The status of posting a report.
pub(crate) async fn report(address: &str, secret: &str, body: &str) -> anyhow::Result<u16> {
    let probe = format!("Scope-Probe token={secret}");
    let headers = [
        ("authorization", probe.as_str()),
        ("content-type", "application/json"),
        ("x-scope-probe-id", "p"),
    ];
    let answer = ask(address, "POST", "/api/report", &headers, body).await?;
    Ok(answer.status.as_u16())
}

/// A request over gRPC.
pub(crate) fn bearing<T>(secret: &str, message: T) -> anyhow::Result<tonic::Request<T>> {
    let mut request = tonic::Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {secret}").parse()?);
    Ok(request)
}

pub(crate) fn channel(address: &str) -> anyhow::Result<Channel> {
    Ok(Channel::connect(format!("http://{address}").parse()?))
}
