//! This replica among the others.

use std::time::Duration;

use runtime::Runtime;
use stores::{Member, REPLICA_LIFETIME};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::places::Places;

/// How often it says that it still runs: often enough that two such calls may fail.
const RENEW: Duration = Duration::from_secs(REPLICA_LIFETIME.as_secs() / 3);
/// How long until it tries to join again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(1);

/// Keeps this replica known to the others until shutdown, and lets go of its pipes whenever it is not.
pub(crate) fn keep(places: &Places, rt: &Runtime) {
    let joined = places.clone();
    rt.spawn("membership", async move {
        loop {
            match joined.ends.join(&joined.address).await {
                Ok(member) => {
                    joined.member.send_replace(Some(member.clone()));
                    until_gone(&joined, &member).await;
                    tracing::warn!("this replica was taken for dead; its pipes move");
                    joined.member.send_replace(None);
                    joined.held.release();
                }
                Err(error) => tracing::debug!(%error, "cannot join the other replicas"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
    let leaving = places.clone();
    let shutdown = rt.shutdown.clone();
    rt.spawn_draining("leaving", async move {
        shutdown.cancelled().await;
        // First, so that whoever attaches again finds a replica that takes the pipe.
        if let Some(member) = leaving.member.send_replace(None) {
            let left = timeout(LEAVE, leaving.ends.leave(&member)).await;
            if !matches!(left, Ok(Ok(()))) {
                tracing::warn!("others learn that this replica left when its session ends");
            }
        }
        leaving.held.release();
    });
}

/// Returns when the store says that this replica is no member, which it cannot while it is away.
async fn until_gone(places: &Places, member: &Member) {
    let renewed = async {
        let mut tick = interval(RENEW);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Ok(false) = places.ends.renew(member).await {
                return;
            }
        }
    };
    let watched = async {
        while places.ends.until_gone(&member.name).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::select! {
        () = renewed => {}
        () = watched => {}
    }
}
