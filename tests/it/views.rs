//! A report goes in; views of it come out, over HTTP, gRPC and WebSocket.

use std::time::Duration;

use anyhow::{Context, ensure};
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use serde_json::{Value, json};
use tests::{Sandbox, fake_probe, http};
use tokio::time::timeout;

use crate::everywhere;

const SOON: Duration = Duration::from_secs(5);
const JSON: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("x-scope-probe-id", "p1"),
];

/// A report of one host with one process of this name.
fn report(pid: u32, name: &str) -> String {
    let fact = |value: &str| json!({"timestamp": "2026-01-01T00:00:00Z", "value": value});
    let id = format!("h1;{pid}");
    json!({
        "Process": {"nodes": {id.clone(): {
            "id": id, "topology": "process",
            "latest": {"name": fact(name), "pid": fact(&pid.to_string())},
            "parents": {"host": ["h1;<host>"]},
        }}},
        "Host": {"nodes": {"h1;<host>": {
            "id": "h1;<host>", "topology": "host",
            "latest": {"host_name": fact("h1")},
            "parents": {"host": ["h1;<host>"]},
        }}},
    })
    .to_string()
}

async fn submit(weft: &Sandbox, pid: u32, name: &str) -> anyhow::Result<()> {
    let answer = http::post(&weft.address, "/api/report", JSON, report(pid, name)).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    Ok(())
}

#[tokio::test]
async fn report_is_seen_by_the_next_request() -> anyhow::Result<()> {
    everywhere(async |weft| {
        submit(weft, 7, "seven").await?;
        let answer = http::get(&weft.address, "/api/topology/processes").await?;
        let label = answer.json()["nodes"]["h1;7"]["label"].clone();
        ensure!(label == "seven", "{}", answer.text());

        let mut query = QueryServiceClient::new(weft.channel());
        let request = pb::GetTopologyRequest {
            topology_id: "hosts".to_owned(),
            ..pb::GetTopologyRequest::default()
        };
        let hosts = query.get_topology(request).await?.into_inner().nodes;
        ensure!(hosts.len() == 1 && hosts[0].id == "h1;<host>", "{hosts:?}");
        let request = pb::GetNodeRequest {
            topology_id: "hosts".to_owned(),
            node_id: "h1;<host>".to_owned(),
            ..pb::GetNodeRequest::default()
        };
        let host = query.get_node(request).await?.into_inner().node;
        let children = host.context("a host")?.children;
        ensure!(children[0].nodes[0].label == "seven", "{children:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn watcher_gets_everything_and_then_changes() -> anyhow::Result<()> {
    everywhere(async |weft| {
        submit(weft, 7, "seven").await?;
        let mut query = QueryServiceClient::new(weft.channel());
        let request = pb::WatchTopologyRequest {
            topology_id: "processes".to_owned(),
            selection: Some(pb::Selection {
                unfiltered: true,
                ..pb::Selection::default()
            }),
            ..pb::WatchTopologyRequest::default()
        };
        let mut watch = query.watch_topology(request.clone()).await?.into_inner();
        let first = timeout(SOON, watch.message()).await??.context("a reset")?;
        ensure!(first.reset && first.added.len() == 1, "{first:?}");

        submit(weft, 8, "eight").await?;
        let second = timeout(SOON, watch.message()).await??.context("a change")?;
        ensure!(!second.reset && second.added[0].id == "h1;8", "{second:?}");

        submit(weft, 9, "nine").await?;
        let resume = pb::WatchTopologyRequest {
            resume_from: second.version,
            ..request
        };
        let mut resumed = query.watch_topology(resume).await?.into_inner();
        let third = timeout(SOON, resumed.message())
            .await??
            .context("a change")?;
        ensure!(!third.reset && third.added.len() == 1, "{third:?}");
        ensure!(third.added[0].label == "nine", "{third:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn page_watch_follows_its_scope() -> anyhow::Result<()> {
    everywhere(async |weft| {
        submit(weft, 7, "seven").await?;
        let mut query = QueryServiceClient::new(weft.channel());
        let request = pb::WatchRequest { scope: None };
        let mut watch = query.watch(request).await?.into_inner();
        let mut next = async || -> anyhow::Result<pb::WatchResponse> {
            timeout(SOON, watch.message()).await??.context("an event")
        };
        use pb::watch_response::Event;
        let Some(Event::Started(started)) = next().await?.event else {
            anyhow::bail!("the first event must name the watch");
        };
        let Some(Event::Topologies(list)) = next().await?.event else {
            anyhow::bail!("the list must follow");
        };
        ensure!(list.topologies.iter().any(|t| t.id == "processes-by-name"));

        let scope = pb::WatchScope {
            topology_id: "hosts".to_owned(),
            nodes: vec![pb::WatchedNode {
                topology_id: "hosts".to_owned(),
                node_id: "h1;<host>".to_owned(),
            }],
            ..pb::WatchScope::default()
        };
        let update = pb::UpdateWatchRequest {
            watch_id: started.watch_id,
            scope: Some(scope),
            scope_number: 1,
        };
        query.update_watch(update).await?;
        let nodes = next().await?;
        ensure!(nodes.scope_number == 1, "{nodes:?}");
        let Some(Event::Nodes(nodes)) = nodes.event else {
            anyhow::bail!("nodes of the new scope must follow");
        };
        ensure!(nodes.reset && nodes.added[0].label == "h1", "{nodes:?}");
        let Some(Event::Node(node)) = next().await?.event else {
            anyhow::bail!("details must follow");
        };
        ensure!(node.details.is_some());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn scope_websocket_sends_a_reset_and_then_changes() -> anyhow::Result<()> {
    everywhere(async |weft| {
        submit(weft, 7, "seven").await?;
        let path = "/api/topology/processes/ws?t=200ms&unconnected=show";
        let opened = fake_probe::open(&weft.address, path, &[]).await;
        let mut socket = opened.map_err(|status| anyhow::anyhow!("{status}"))?;
        let mut next = async || -> anyhow::Result<Value> {
            let message = timeout(SOON, fake_probe::next(&mut socket)).await??;
            Ok(serde_json::from_slice(&message)?)
        };
        let first = next().await?;
        ensure!(
            first["reset"] == true && first["add"][0]["id"] == "h1;7",
            "{first}"
        );
        submit(weft, 8, "eight").await?;
        let second = next().await?;
        ensure!(second["add"][0]["id"] == "h1;8", "{second}");
        ensure!(
            second["remove"].is_null() && second.get("reset").is_none(),
            "{second}"
        );

        let unknown = fake_probe::open(&weft.address, "/api/topology/none/ws", &[]).await;
        ensure!(unknown.err() == Some(404));
        let bad = fake_probe::open(&weft.address, "/api/topology/hosts/ws?t=x", &[]).await;
        ensure!(bad.err() == Some(400));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn search_finds_nodes_in_all_topologies() -> anyhow::Result<()> {
    let weft = Sandbox::start(tests::Topology::Direct).await?;
    submit(&weft, 7, "seven").await?;
    let mut query = QueryServiceClient::new(weft.channel());
    let request = |text: &str| pb::SearchRequest {
        query: text.to_owned(),
        selection: Some(pb::Selection {
            unfiltered: true,
            ..pb::Selection::default()
        }),
        limit: 0,
    };
    let found = query
        .search(request("seven"))
        .await?
        .into_inner()
        .topologies;
    let ids: Vec<_> = found.iter().map(|t| t.topology_id.as_str()).collect();
    ensure!(
        ids.contains(&"processes") && ids.contains(&"processes-by-name"),
        "{ids:?}"
    );
    let none = query.search(request("-seven eight")).await?.into_inner();
    ensure!(none.topologies.is_empty());
    Ok(())
}
