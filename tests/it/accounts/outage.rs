//! users away: who is known goes on, nobody is told that a credential is wrong.

use std::time::{Duration, Instant};

use anyhow::ensure;
use proto::collection::v1 as collection;
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::query::v1 as query;
use proto::query::v1::query_service_client::QueryServiceClient;
use tests::{Sandbox, Topology};
use tonic::Code;

use super::{admin, bearing, channel, get, report, token};

/// Longer than a verdict is fresh.
const AWAY: Duration = Duration::from_secs(60);
const PROBES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn probes_go_on_while_users_is_dead() -> anyhow::Result<()> {
    let mut weft = Sandbox::strict(Topology::Processes, None).await?;
    admin(&weft, "org create amber").await?;
    let mut probes = Vec::new();
    for n in 0..PROBES {
        let (secret, _) = token(&weft, &format!("amber probe-{n}")).await?;
        ensure!(report(&weft.address, &secret, "{}").await? == 200);
        probes.push(secret);
    }
    let (boss, _) = token(&weft, "amber boss --permissions view,control,admin").await?;
    ensure!(get(&weft.address, "/api/topology", &boss).await?.status == 200);
    let (late, _) = token(&weft, "amber late").await?;
    weft.kill_users().await?;

    let address = weft.address.as_str();
    let until = Instant::now() + AWAY;
    let load = probes.iter().map(async |secret| {
        let mut posted = 0;
        while Instant::now() < until {
            let status = report(address, secret, "{}").await?;
            ensure!(status == 200, "{status} after {posted} reports");
            posted += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(posted)
    });
    let others = async {
        while Instant::now() < until {
            let status = get(address, "/api/topology", &boss).await?.status;
            ensure!(status == 200, "a known viewer got {status}");
            for unknown in [late.as_str(), "nonsense"] {
                let status = report(address, unknown, "{}").await?;
                ensure!(status == 503, "a stranger got {status}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    let (posted, others) = tokio::join!(futures_util::future::try_join_all(load), others);
    others?;
    let posted: usize = posted?.into_iter().sum();
    let kept = sequence(address, &boss).await?;
    println!(
        "{posted} reports of {PROBES} probes were taken in {AWAY:?} without users, none refused; {kept} are kept"
    );
    // One of each from before.
    ensure!(kept == (posted + PROBES) as u64, "{kept} reports are kept");

    // Verdicts are no longer fresh now.
    let bearer = format!("Bearer {boss}");
    let headers = [("authorization", bearer.as_str())];
    let control = super::ask(
        address,
        "POST",
        "/api/control/p/n/docker_stop_container",
        &headers,
        "",
    )
    .await?;
    ensure!(control.status == 503, "a control got {}", control.status);
    let mut client = QueryServiceClient::new(channel(address)?);
    let stranger = client
        .list_topologies(bearing(&late, query::ListTopologiesRequest::default())?)
        .await;
    ensure!(stranger.is_err_and(|status| status.code() == Code::Unavailable));

    weft.restart_users().await?;
    let back = Instant::now();
    while report(&weft.address, &late, "{}").await? != 200 {
        ensure!(
            back.elapsed() < Duration::from_secs(30),
            "users is back in vain"
        );
    }
    println!(
        "a stranger was let in {:?} after users came back",
        back.elapsed()
    );
    ensure!(report(&weft.address, "nonsense", "{}").await? == 401);
    Ok(())
}

/// The number of the last report of the caller's organisation.
async fn sequence(address: &str, secret: &str) -> anyhow::Result<u64> {
    let mut client = CollectionServiceClient::new(channel(address)?);
    let status = client
        .get_status(bearing(secret, collection::GetStatusRequest {})?)
        .await?;
    Ok(status.into_inner().sequence)
}
