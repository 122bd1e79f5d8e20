//! Closing what is over, and forgetting what was closed.

use std::collections::HashMap;
use std::time::Duration;

use proto::pipes::v1::CloseReason;
use runtime::Runtime;
use stores::{PipeKey, Place, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::places::Places;

/// How often it is looked for, at most: as Scope's app does.
const EVERY: Duration = Duration::from_secs(30);

/// Looks after the pipes of this replica, and if it is the first of all replicas, after those that nobody holds.
pub(crate) fn keep(places: &Places, rt: &Runtime) {
    let places = places.clone();
    rt.spawn("collect pipes", async move {
        let limits = places.limits;
        let shortest = limits
            .grace
            .min(limits.idle)
            .min(limits.age)
            .min(limits.remember);
        let mut tick = interval(EVERY.min(shortest / 2).max(Duration::from_millis(10)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut orphans = HashMap::new();
        loop {
            tick.tick().await;
            close_due(&places).await;
            if let Err(error) = sweep(&places, &mut orphans).await {
                tracing::debug!(%error, "cannot look for pipes that nobody holds");
            }
        }
    });
}

async fn close_due(places: &Places) {
    places.tell().await;
    for (key, pipe) in places.held.all() {
        if let Some(reason) = pipe.due(&places.limits) {
            let reason_name = reason.as_str_name();
            tracing::info!(pipe = key.id, reason = reason_name, "closing a pipe");
            places.close(&key, reason).await;
        }
    }
}

/// Closes pipes that nobody has held for the grace time, and forgets those that were closed long ago. One replica does it,
/// so that a change of one pipe does not have all of them read all pipes.
async fn sweep(places: &Places, orphans: &mut HashMap<PipeKey, Instant>) -> Result<(), StoreError> {
    let Some(own) = places.member.borrow().as_ref().map(|m| m.name.clone()) else {
        return Ok(());
    };
    let members = places.ends.members().await?;
    if members.iter().min() != Some(&own) {
        orphans.clear();
        return Ok(());
    }
    let all = places.ends.list().await?;
    let mut still = HashMap::new();
    for (key, Place { place, version }) in all {
        if place.closed_unix_nanos != 0 {
            if places.since(place.closed_unix_nanos) >= places.limits.remember {
                places.ends.forget(&key, version).await?;
            }
            continue;
        }
        if members.contains(&place.replica) {
            continue;
        }
        let since = orphans.get(&key).copied().unwrap_or_else(Instant::now);
        if since.elapsed() < places.limits.grace {
            still.insert(key, since);
        } else {
            places.close(&key, CloseReason::Abandoned).await;
        }
    }
    *orphans = still;
    Ok(())
}
