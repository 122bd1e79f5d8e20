//! What replicas do together, whatever their queues are in, as a function that panics where they do not.

mod world;

use std::time::Duration;

use client::Key;
use futures_util::future::join_all;
use proto::controls::v1 as pb;
use runtime::Runtime;
use stores::Queues;
use tokio::time::{Instant, timeout};
use tonic::Code;

use world::{SOON, World};

/// Runs the suite with three replicas and more. `open` opens the same queues for each of them; nobody else uses these.
pub async fn replicas(open: impl AsyncFn(&Runtime) -> Queues) {
    let mut world = World::new(Key::generate());
    for _ in 0..3 {
        world.add(&open).await;
    }
    world.until_met().await;
    every_probe_is_reached_from_everywhere(&world).await;
    newest_connection_alone_gets_calls(&world).await;
    calls_of_one_probe_do_not_wait_for_each_other(&world).await;
    errors_say_what_happened(&world).await;
    limits_of_messages_are_those_of_calls(&world).await;
    others_cannot_write_into_queues(&world, &open).await;
    lost_queues_are_made_again(&world, &open).await;
    replicas_come_and_go(world, &open).await;
}

fn invoke(probe: &str, control: &str) -> pb::InvokeRequest {
    pb::InvokeRequest {
        probe_id: probe.to_owned(),
        node_id: "node".to_owned(),
        control: control.to_owned(),
        ..pb::InvokeRequest::default()
    }
}

async fn every_probe_is_reached_from_everywhere(world: &World) {
    let orgs = ["amber", "birch"];
    let mut probes = Vec::new();
    for (at, org) in (0..3).flat_map(|at| orgs.map(|org| (at, org))) {
        probes.push(world.probe(at, org, &format!("p{at}")).await);
    }
    for org in orgs {
        world.until_listed(org, &["p0", "p1", "p2"]).await;
    }
    let calls = (0..3).flat_map(|from| (0..3).flat_map(move |to| orgs.map(|org| (from, to, org))));
    let calls = calls.map(async |(from, to, org)| {
        let result = world
            .invoke(from, org, invoke(&format!("p{to}"), "echo"))
            .await;
        let result = result.unwrap_or_else(|e| panic!("from {from} to {to}: {e}"));
        assert_eq!(result.value_json, format!("\"{org} p{to} node\""));
    });
    join_all(calls).await;
    drop(probes);
    for org in orgs {
        world.until_listed(org, &[]).await;
    }
}

async fn newest_connection_alone_gets_calls(world: &World) {
    let old = world.probe(0, "org", "p").await;
    world.until_listed("org", &["p"]).await;
    let new = world.probe(1, "org", "p").await;
    world.until_newest("org", "p", &new).await;
    for from in 0..3 {
        let called = world.invoke(from, "org", invoke("p", "count")).await;
        called.expect("answered");
    }
    assert_eq!((old.counted(), new.counted()), (0, 3));
    // The older one is still there, and is the newest again.
    drop(new);
    world.until_newest("org", "p", &old).await;
    let called = world.invoke(2, "org", invoke("p", "count")).await;
    called.expect("answered");
    assert_eq!(old.counted(), 1);
    drop(old);
    world.until_listed("org", &[]).await;
}

async fn calls_of_one_probe_do_not_wait_for_each_other(world: &World) {
    let probe = world.probe(0, "org", "p").await;
    world.until_listed("org", &["p"]).await;
    let never = world.invoke(1, "org", invoke("p", "never"));
    let mut never = std::pin::pin!(never);
    let others = (0..50).map(|_| world.invoke(1, "org", invoke("p", "count")));
    tokio::select! {
        result = &mut never => panic!("{result:?}"),
        results = join_all(others) => {
            assert!(results.iter().all(Result::is_ok), "{results:?}");
        }
    }
    assert_eq!(probe.counted(), 50);
    // It takes longer than a replica may be silent, and ends with its connection.
    let ending = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        drop(probe);
    };
    let (result, ()) = tokio::join!(never, ending);
    let status = result.expect_err("its connection ended");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("may have acted"), "{status}");
    world.until_listed("org", &[]).await;
}

async fn errors_say_what_happened(world: &World) {
    let probe = world.probe(0, "org", "p").await;
    world.until_listed("org", &["p"]).await;
    let fails = async |from, org, request| {
        let result = world.invoke(from, org, request).await;
        result.expect_err("it fails")
    };
    for from in 0..3 {
        let asked = Instant::now();
        let status = fails(from, "org", invoke("nobody", "echo")).await;
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert_eq!(status.message(), "probe nobody is not connected right now");
        let status = fails(from, "other", invoke("p", "echo")).await;
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "{:?}",
            asked.elapsed()
        );

        let status = fails(from, "org", invoke("p", "fail")).await;
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert_eq!(status.message(), "no such control");

        let wait = Duration::from_millis(1500);
        let slow = pb::InvokeRequest {
            timeout: wait.try_into().ok(),
            ..invoke("p", "never")
        };
        let asked = Instant::now();
        let status = fails(from, "org", slow).await;
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert!(asked.elapsed() >= wait, "{:?}", asked.elapsed());
    }
    drop(probe);
    world.until_listed("org", &[]).await;
}

async fn limits_of_messages_are_those_of_calls(world: &World) {
    let probe = world.probe(0, "org", &"p".repeat(64)).await;
    world.until_listed("org", &[&"p".repeat(64)]).await;
    let argument = |i: usize| (format!("{i:064}"), "\0".repeat(4096));
    let largest = pb::InvokeRequest {
        node_id: "n".repeat(1024),
        arguments: (0..32).map(argument).collect(),
        ..invoke(&"p".repeat(64), "large")
    };
    let result = world.invoke(1, "org", largest).await.expect("answered");
    assert_eq!(result.value_json.len(), 128 << 10);
    drop(probe);
    world.until_listed("org", &[]).await;
}

async fn others_cannot_write_into_queues(world: &World, open: &impl AsyncFn(&Runtime) -> Queues) {
    let probe = world.probe(0, "org", "p").await;
    world.until_listed("org", &["p"]).await;
    // A replica with another key hears nobody and is heard by nobody.
    let mut foreign = World::new(Key::generate());
    foreign.add(open).await;
    for replica in world.queues(open).await {
        let rt = world.runtime();
        let queues = open(&rt).await;
        let junk = ["junk".into(), vec![0; 100].into()];
        // One of them is the foreign replica's.
        let _ = queues.send(&replica, &junk).await;
        rt.shutdown.cancel();
    }
    let status = foreign.invoke(0, "org", invoke("p", "count")).await;
    let status = status.expect_err("it knows nobody");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let called = world.invoke(1, "org", invoke("p", "count")).await;
    called.expect("answered");
    assert_eq!(probe.counted(), 1);
    foreign.leave(0).await;
    drop(probe);
    world.until_listed("org", &[]).await;
}

async fn lost_queues_are_made_again(world: &World, open: &impl AsyncFn(&Runtime) -> Queues) {
    let ids = ["p0", "p1", "p2"];
    let mut probes = Vec::new();
    for (at, id) in ids.into_iter().enumerate() {
        probes.push(world.probe(at, "org", id).await);
    }
    world.until_listed("org", &ids).await;
    let rt = world.runtime();
    let queues = open(&rt).await;
    for queue in queues.list().await.expect("listed") {
        queues.remove(&queue).await.expect("removed");
    }
    rt.shutdown.cancel();
    world.until_met().await;
    world.until_listed("org", &ids).await;
    for (from, id) in (0..3).flat_map(|from| ids.map(|id| (from, id))) {
        let called = world.invoke(from, "org", invoke(id, "echo")).await;
        called.unwrap_or_else(|e| panic!("from {from} to {id}: {e}"));
    }
    drop(probes);
    world.until_listed("org", &[]).await;
}

async fn replicas_come_and_go(mut world: World, open: &impl AsyncFn(&Runtime) -> Queues) {
    let probe = world.probe(0, "org", "p").await;
    world.until_listed("org", &["p"]).await;
    let late = world.add(open).await;
    let result = world.invoke(late, "org", invoke("p", "echo")).await;
    result.expect("a new replica learns who is there before it answers");
    drop(probe);
    let left = world.leave(0).await;
    assert!(left < SOON, "{left:?}");
    world.until_listed("org", &[]).await;
    while world.replicas() > 0 {
        world.leave(world.replicas() - 1).await;
    }
    let gone = async {
        while !world.queues(open).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, gone).await.expect("every queue is deleted");
}
