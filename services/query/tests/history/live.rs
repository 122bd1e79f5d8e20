//! The present: what comes twice, what goes away, what is urgent.

use std::time::Duration;

use proto::query::v1 as pb;
use tokio::time::{Instant, sleep};
use tonic::Streaming;

use crate::fake::{ORG, World, within};
use crate::{SECOND, names};

impl World {
    async fn watch(&self, interval_ms: u32) -> Streaming<pb::WatchTopologyResponse> {
        let request = self.request(pb::WatchTopologyRequest {
            topology_id: "hosts".to_owned(),
            interval_ms,
            ..pb::WatchTopologyRequest::default()
        });
        let watch = self.query.clone().watch_topology(request).await;
        watch.expect("a watch").into_inner()
    }
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_restarts_changes_nothing() {
    let world = World::new(1).await;
    world.collectors[0].post("a");
    let mut watch = world.watch(0).await;
    let first = within(SECOND, &mut watch).await.expect("nodes");
    assert_eq!(names(&first.expect("no error").added), ["a"]);
    world.collectors[0].set_up(false);
    let down = within(SECOND, &mut watch).await.expect("a warning");
    let down = down.expect("no error");
    assert_eq!(down.warnings, ["partial: 0 of 1 collectors answer"]);
    assert!(down.added.is_empty() && down.updated.is_empty() && down.removed_ids.is_empty());
    world.collectors[0].set_up(true);
    let up = within(6 * SECOND, &mut watch).await.expect("no warning");
    let up = up.expect("no error");
    assert!(up.warnings.is_empty() && up.updated.is_empty() && !up.reset);
    assert_eq!(world.counter("weft_query_reports_repeated_total"), 1.0);
    world.collectors[0].post("b");
    let came = within(SECOND, &mut watch).await.expect("a change");
    assert_eq!(names(&came.expect("no error").added), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_hangs_is_noticed() {
    let world = World::new(2).await;
    world.collectors[0].post("a");
    let mut watch = world.watch(0).await;
    within(SECOND, &mut watch)
        .await
        .expect("nodes")
        .expect("no error");
    world.collectors[1].set_up(false);
    let down = within(9 * SECOND, &mut watch).await.expect("a warning");
    let down = down.expect("no error").warnings;
    assert_eq!(down, ["partial: 1 of 2 collectors answer"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_is_seen_at_once() {
    let world = World::new(1).await;
    world.collectors[0].post("a");
    let mut watch = world.watch(60_000).await;
    within(SECOND, &mut watch)
        .await
        .expect("nodes")
        .expect("no error");
    // Not announced: seen after the interval.
    sleep(SECOND).await;
    world.collectors[0].post("b");
    assert!(within(5 * SECOND, &mut watch).await.is_none());
    let began = Instant::now();
    let shortcut = world.collectors[0].post("c");
    world.shortcuts.publish(ORG, &shortcut).await.expect("told");
    let seen = within(5 * SECOND, &mut watch).await.expect("a change");
    assert_eq!(names(&seen.expect("no error").added), ["b", "c"]);
    assert!(
        began.elapsed() <= Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_announcement_mends_a_broken_feed() {
    let world = World::new(1).await;
    world.collectors[0].post("a");
    let mut watch = world.watch(100).await;
    within(SECOND, &mut watch)
        .await
        .expect("nodes")
        .expect("no error");
    world.collectors[0].set_up(false);
    sleep(20 * SECOND).await;
    world.collectors[0].set_up(true);
    let shortcut = world.collectors[0].post("b");
    let began = Instant::now();
    world.shortcuts.publish(ORG, &shortcut).await.expect("told");
    loop {
        let change = within(SECOND, &mut watch).await.expect("a change");
        if names(&change.expect("no error").added).contains(&"b".to_owned()) {
            break;
        }
    }
    assert!(
        began.elapsed() <= Duration::from_millis(300),
        "{:?}",
        began.elapsed()
    );
}
