use std::time::Duration;

use proto::pipes::v1::CloseReason;
use proto::storage::v1::PipePlace;
use proto::tenant::v1::Permission;
use tokio::time::timeout;

use crate::{Ends, PipeKey};

/// How long news may take, generously.
const SOON: Duration = Duration::from_secs(10);

/// Runs the suite of ends: `one` and `other` are two processes, or the same.
pub async fn ends(one: &Ends, other: &Ends) {
    places_change_by_version(one, other).await;
    of_many_writers_one_wins(one, other).await;
    keys_are_apart(one, other).await;
    replicas_come_and_go(one, other).await;
}

fn key(org: &str, id: &str) -> PipeKey {
    PipeKey {
        org: org.to_owned(),
        id: id.to_owned(),
    }
}

fn place(replica: &str) -> PipePlace {
    PipePlace {
        permission: Permission::HostExec.into(),
        announced_unix_nanos: 1_700_000_000_123_456_789,
        replica: replica.to_owned(),
        ..PipePlace::default()
    }
}

async fn places_change_by_version(one: &Ends, other: &Ends) {
    let key = key("org", "pipe-1");
    assert_eq!(one.get(&key).await.expect("read"), None);
    assert!(one.forget(&key, 7).await.expect("nothing to forget"));
    assert!(one.put(&key, &place(""), 0).await.expect("made"));
    assert!(!other.put(&key, &place("x"), 0).await.expect("it is there"));
    let first = other.get(&key).await.expect("read").expect("a place");
    assert_eq!(first.place, place(""));
    assert!(first.version > 0);

    let held = place("x");
    assert!(other.put(&key, &held, first.version).await.expect("put"));
    assert!(
        !one.put(&key, &place("y"), first.version)
            .await
            .expect("old")
    );
    let second = one.get(&key).await.expect("read").expect("a place");
    assert_eq!(second.place, held);
    assert!(second.version > first.version);

    let closed = PipePlace {
        moves: 3,
        closed_unix_nanos: 1_700_000_001_000_000_000,
        reason: CloseReason::Idle.into(),
        ..held
    };
    assert!(one.put(&key, &closed, second.version).await.expect("put"));
    let third = other.get(&key).await.expect("read").expect("a place");
    assert_eq!(third.place, closed);
    assert!(!one.forget(&key, second.version).await.expect("old"));
    assert!(one.forget(&key, third.version).await.expect("forgotten"));
    assert_eq!(other.get(&key).await.expect("read"), None);
    let late = other.put(&key, &place("z"), third.version).await;
    assert!(!late.expect("gone"));
}

async fn of_many_writers_one_wins(one: &Ends, other: &Ends) {
    let key = key("org", "contended");
    let names: Vec<String> = (0..16).map(|i| format!("replica {i}")).collect();
    let tries = names.iter().enumerate().map(|(i, name)| {
        let (ends, key) = ([one, other][i % 2], &key);
        async move { ends.put(key, &place(name), 0).await.expect("answered") }
    });
    let won = futures_util::future::join_all(tries).await;
    assert_eq!(won.iter().filter(|&&won| won).count(), 1);
    let winner = won.iter().position(|&won| won).expect("one");
    let found = one.get(&key).await.expect("read").expect("a place");
    assert_eq!(found.place.replica, names[winner]);
    assert!(other.forget(&key, found.version).await.expect("forgotten"));
}

async fn keys_are_apart(one: &Ends, other: &Ends) {
    let longest = "i".repeat(128);
    let keys = [
        key("a", "b"),
        key("a", "B"),
        key("A", "b"),
        key("ab", "."),
        key("a/b", ".."),
        key("組織 ü%2F", "x"),
        key("a", &longest),
    ];
    for (key, i) in keys.iter().zip(0..) {
        let numbered = PipePlace {
            moves: i,
            ..place("r")
        };
        assert!(one.put(key, &numbered, 0).await.expect("made"), "{key:?}");
    }
    let mut listed = other.list().await.expect("listed");
    listed.sort_by_key(|(_, place)| place.place.moves);
    let found: Vec<&PipeKey> = listed.iter().map(|(key, _)| key).collect();
    assert_eq!(found, keys.iter().collect::<Vec<_>>());
    for (key, i) in keys.iter().zip(0..) {
        let found = other.get(key).await.expect("read").expect("a place");
        assert_eq!(found.place.moves, i, "{key:?}");
        assert!(one.forget(key, found.version).await.expect("forgotten"));
    }
    assert_eq!(other.list().await.expect("listed"), []);
}

async fn replicas_come_and_go(one: &Ends, other: &Ends) {
    let first = one.join("http://a:1").await.expect("joined");
    let second = one.join("http://b:2").await.expect("joined");
    assert_ne!(first.name, second.name);
    let address = other.address(&first.name).await.expect("read");
    assert_eq!(address.as_deref(), Some("http://a:1"));
    assert_eq!(other.address("nobody").await.expect("read"), None);
    let mut names = other.members().await.expect("listed");
    names.sort();
    let mut expected = [first.name.clone(), second.name.clone()];
    expected.sort();
    assert_eq!(names, expected);

    assert!(one.renew(&first).await.expect("renewed"));
    let watched = one.until_gone(&first.name);
    let evicted = async {
        // So that the watch has begun.
        tokio::task::yield_now().await;
        other.evict(&first.name).await.expect("evicted");
    };
    let (gone, ()) = timeout(SOON, async { tokio::join!(watched, evicted) })
        .await
        .expect("seen in time");
    gone.expect("seen");
    assert!(!one.renew(&first).await.expect("answered"));
    assert_eq!(other.address(&first.name).await.expect("read"), None);
    other.evict(&first.name).await.expect("nobody to evict");

    one.leave(&second).await.expect("left");
    one.leave(&second).await.expect("left before");
    assert_eq!(other.members().await.expect("listed"), Vec::<String>::new());
}
