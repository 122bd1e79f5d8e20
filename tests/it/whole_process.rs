//! The process itself: ports, health, metrics, ending.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tests::{Sandbox, Topology, http};
use tokio::process::Command;
use tonic::Code;

use crate::everywhere;

#[tokio::test]
async fn interrupt_ends_it_cleanly_within_five_seconds() -> anyhow::Result<()> {
    use proto::query::v1::WatchRequest;
    use proto::query::v1::query_service_client::QueryServiceClient;

    let weft = Sandbox::start(Topology::Direct).await?;
    // An open stream must not hold it.
    let mut query = QueryServiceClient::new(weft.channel());
    let _watch = query.watch(WatchRequest::default()).await?;
    let code = weft.interrupt(Duration::from_secs(5)).await?;
    ensure!(code == Some(0), "{code:?}");
    Ok(())
}

#[tokio::test]
async fn private_port_tells_health_and_metrics() -> anyhow::Result<()> {
    everywhere(async |weft| {
        ensure!(http::get(&weft.admin, "/livez").await?.status == 200);
        ensure!(http::get(&weft.admin, "/readyz").await?.status == 200);
        let metrics = http::get(&weft.admin, "/metrics").await?;
        ensure!(metrics.status == 200);
        ensure!(http::get(&weft.address, "/metrics").await?.status == 404);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calls_are_counted() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    http::get(&weft.address, "/api/topology").await?;
    let metrics = http::get(&weft.admin, "/metrics").await?.text();
    let counted = r#"grpc_server_handled_total{grpc_code="Ok",grpc_method="GetDocument""#;
    ensure!(metrics.contains(counted), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn deadline_is_kept_in_every_topology() -> anyhow::Result<()> {
    use proto::query::v1::WatchTopologyRequest;
    use proto::query::v1::query_service_client::QueryServiceClient;

    everywhere(async |weft| {
        let mut query = QueryServiceClient::new(weft.channel());
        let mut request = tonic::Request::new(WatchTopologyRequest {
            topology_id: "hosts".to_owned(),
            ..WatchTopologyRequest::default()
        });
        request.set_timeout(Duration::from_millis(500));
        let mut stream = query.watch_topology(request).await?.into_inner();
        stream.message().await?.context("a reset")?;
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.message()).await?;
        let code = ended.err().map(|status| status.code());
        ensure!(code == Some(Code::DeadlineExceeded), "{code:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn taken_port_is_named_with_a_way_out() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let dir = std::env::temp_dir();
    let output = Command::new(tests::binary()?)
        .args(["up", "--listen", &weft.address, "--data-dir"])
        .arg(dir)
        .stdout(Stdio::null())
        .output()
        .await?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1));
    ensure!(
        error.contains("--listen") && error.contains(&weft.address),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn senseless_command_line_exits_with_64() -> anyhow::Result<()> {
    let output = Command::new(tests::binary()?)
        .arg("--nonsense")
        .output()
        .await?;
    ensure!(output.status.code() == Some(64));
    Ok(())
}
