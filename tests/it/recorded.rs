//! Recorded cases, replayed over HTTP and gRPC: the answers are those of Scope's own app, apart from the listed
//! differences.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use tests::compare::{Allowed, differences};
use tests::recorded::{Scenario, scenario, scenarios};
use tests::{Sandbox, Topology, http};
use tokio::time::Instant;

/// Reports are shown for 15 s; they are posted again before the first of them goes.
const FRESH: Duration = Duration::from_secs(9);
/// Differences that are printed per scenario.
const SHOWN: usize = 20;

async fn post_all(weft: &Sandbox, scenario: &Scenario) -> anyhow::Result<()> {
    for post in &scenario.posts {
        let headers: Vec<_> = post
            .headers
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let answer = http::post(&weft.address, "/api/report", &headers, post.body.clone()).await?;
        let (got, expected) = (answer.status.as_u16(), post.expect_status);
        ensure!(
            got == expected,
            "{}: expected {expected}, got {got}: {}",
            post.file,
            answer.text()
        );
    }
    Ok(())
}

/// Replays a scenario on a Weft of its own.
async fn replay(name: &str, topology: Topology, allowed: &Allowed) -> anyhow::Result<usize> {
    let scenario = scenario(name)?;
    let mut weft = Sandbox::start(topology).await?;
    post_all(&weft, &scenario).await?;
    let mut posted = Instant::now();
    let mut failed = Vec::new();
    for recorded in &scenario.answers {
        if posted.elapsed() > FRESH {
            // Anew, because what is posted twice is not what was recorded.
            weft = Sandbox::start(topology).await?;
            post_all(&weft, &scenario).await?;
            posted = Instant::now();
        }
        let answer = http::get(&weft.address, &recorded.path).await?;
        let found = differences(recorded, answer.status.as_u16(), &answer.json(), allowed);
        failed.extend(
            found
                .into_iter()
                .map(|what| format!("GET {}: {what}", recorded.path)),
        );
    }
    for line in failed.iter().take(SHOWN) {
        println!("{name}: {line}");
    }
    println!(
        "{name} ({topology:?}): {} requests, {} differences",
        scenario.answers.len(),
        failed.len()
    );
    ensure!(
        failed.is_empty(),
        "{name} differs in {} places",
        failed.len()
    );
    Ok(scenario.answers.len())
}

/// Replays all scenarios, two at a time.
async fn replay_all(topology: Topology) -> anyhow::Result<()> {
    let allowed = Allowed::read()?;
    let names = scenarios()?;
    let replays = names.iter().map(|name| replay(name, topology, &allowed));
    let requests: Vec<usize> = stream::iter(replays).buffered(2).try_collect().await?;
    let requests: usize = requests.iter().sum();
    println!("{requests} requests answered as recorded");
    ensure!(requests > 2000, "only {requests} requests were recorded");
    Ok(())
}

#[tokio::test]
async fn answers_are_those_of_scopes_app() -> anyhow::Result<()> {
    replay_all(Topology::Direct).await
}

#[tokio::test]
async fn separate_processes_answer_the_same() -> anyhow::Result<()> {
    replay_all(Topology::Processes).await
}

#[tokio::test]
async fn grpc_shows_the_nodes_that_http_shows() -> anyhow::Result<()> {
    use proto::query::v1 as pb;
    use proto::query::v1::query_service_client::QueryServiceClient;

    for name in scenarios()? {
        let scenario = scenario(&name)?;
        let weft = Sandbox::start(Topology::Direct).await?;
        post_all(&weft, &scenario).await?;
        let mut query = QueryServiceClient::new(weft.channel());
        let selection = pb::Selection {
            unfiltered: true,
            ..pb::Selection::default()
        };
        let request = pb::ListTopologiesRequest {
            selection: Some(selection.clone()),
        };
        let list = query
            .list_topologies(request)
            .await?
            .into_inner()
            .topologies;
        ensure!(list.len() == 13, "{}", list.len());
        for topology in list {
            let path = format!("/api/topology/{}", topology.id);
            let http = http::get(&weft.address, &path).await?.json();
            let http = http["nodes"].as_object().context("nodes")?.clone();
            let request = pb::GetTopologyRequest {
                topology_id: topology.id.clone(),
                selection: Some(selection.clone()),
                ..pb::GetTopologyRequest::default()
            };
            let grpc = query
                .clone()
                .max_decoding_message_size(64 << 20)
                .get_topology(request)
                .await?
                .into_inner()
                .nodes;
            ensure!(grpc.len() == http.len(), "{name} {}", topology.id);
            let stats = topology.stats.context("stats")?;
            ensure!(stats.nodes as usize == grpc.len(), "{name} {}", topology.id);
            for node in grpc {
                let same = &http[&node.id];
                ensure!(
                    same["label"] == node.label,
                    "{name} {} {}",
                    topology.id,
                    node.id
                );
                let adjacency = same["adjacency"].as_array().map_or(0, Vec::len);
                ensure!(adjacency == node.adjacency.len(), "{name} {}", node.id);
                let metadata = same["metadata"].as_array().map_or(0, Vec::len);
                ensure!(metadata == node.metadata.len(), "{name} {}", node.id);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn node_that_nothing_has_rendered_yet_is_found() -> anyhow::Result<()> {
    let scenario = scenario("s10-nat-and-internet")?;
    let weft = Sandbox::start(Topology::Direct).await?;
    post_all(&weft, &scenario).await?;
    let answer = http::get(&weft.address, "/api/topology/hosts/in-theinternet").await?;
    ensure!(answer.status == 200, "{}", answer.text());
    Ok(())
}
