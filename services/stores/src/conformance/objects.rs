use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::{Objects, StoreError};

/// Runs the suite of objects.
pub async fn objects(store: &Objects) {
    what_is_put_is_got(store).await;
    ranges_are_exact_or_missing(store).await;
    large_objects_come_in_parts(store).await;
    replacing_is_seen_whole(store).await;
    lists_are_in_order(store).await;
    lists_go_on_after_a_thousand(store).await;
    deleted_is_gone(store).await;
    bad_keys_are_refused(store).await;
}

async fn put(store: &Objects, key: &str, body: impl Into<Bytes>) {
    let put = store.put(key, body.into()).await;
    put.unwrap_or_else(|error| panic!("cannot put {key}: {error}"));
}

#[track_caller]
fn check_missing(got: Result<Bytes, StoreError>) {
    assert!(matches!(got, Err(StoreError::NotFound(_))), "{got:?}");
}

async fn what_is_put_is_got(store: &Objects) {
    check_missing(store.get("put/a/b.c", 0..1).await);
    put(store, "put/a/b.c", "one").await;
    put(store, "put/a/d", "").await;
    assert_eq!(store.get("put/a/b.c", 0..3).await.expect("got"), "one");
    put(store, "put/a/b.c", "something longer").await;
    let got = store.get("put/a/b.c", 0..16).await;
    assert_eq!(got.expect("got"), "something longer");
    put(store, "put/a/b.c", "2").await;
    assert_eq!(store.get("put/a/b.c", 0..1).await.expect("got"), "2");
    check_missing(store.get("put/a/b.c", 0..3).await);
}

async fn ranges_are_exact_or_missing(store: &Objects) {
    put(store, "range", "0123456789").await;
    for (range, part) in [
        (0..10, "0123456789"),
        (3..7, "3456"),
        (9..10, "9"),
        (4..4, ""),
        (10..10, ""),
    ] {
        let got = store.get("range", range.clone()).await;
        assert_eq!(got.expect("got"), part, "{range:?}");
    }
    for range in [0..11, 9..12, 10..11, 11..11, 20..30, 5..u64::MAX] {
        check_missing(store.get("range", range).await);
    }
    put(store, "empty", "").await;
    assert_eq!(store.get("empty", 0..0).await.expect("got"), "");
    check_missing(store.get("empty", 0..1).await);
    check_missing(store.get("nothing", 0..0).await);
}

async fn large_objects_come_in_parts(store: &Objects) {
    let body: Vec<u8> = (0..9_000_000_u32).map(|i| (i / 7) as u8).collect();
    put(store, "large", body.clone()).await;
    for range in [0..100, 4_000_000..6_000_000, 8_999_990..9_000_000] {
        let part = store.get("large", range.start as u64..range.end as u64);
        assert!(part.await.expect("got") == body[range.clone()], "{range:?}");
    }
}

async fn replacing_is_seen_whole(store: &Objects) {
    let body = |letter: u8| vec![letter; 200_000];
    put(store, "replaced", body(b'a')).await;
    let write = async {
        for letter in b'b'..=b'm' {
            put(store, "replaced", body(letter)).await;
        }
    };
    let read = async {
        for _ in 0..30 {
            let got = store.get("replaced", 0..200_000).await.expect("got");
            assert!(got.iter().all(|byte| *byte == got[0]), "a mixture");
        }
    };
    tokio::join!(write, read);
}

async fn listed(store: &Objects, prefix: &str, after: &str) -> Vec<String> {
    let list = store.list(prefix, after).await.expect("listed");
    list.into_iter().map(|object| object.key).collect()
}

async fn lists_are_in_order(store: &Objects) {
    let keys = [
        "list/A",
        "list/_",
        "list/a-b",
        "list/a.b",
        "list/a.b-/c",
        "list/a/b",
        "list/a/c/d",
        "list/a0",
        "list/ab/c",
        "list/b",
    ];
    let mut sorted = keys;
    sorted.sort_unstable();
    for key in keys.iter().rev() {
        put(store, key, *key).await;
    }
    put(store, "listless", "").await;
    assert_eq!(listed(store, "list/", "").await, sorted);
    for (place, key) in sorted.iter().enumerate() {
        assert_eq!(listed(store, "list/", key).await, sorted[place + 1..]);
    }
    assert_eq!(listed(store, "list/", "list/a/b0").await, sorted[6..]);
    assert_eq!(
        listed(store, "list/a/", "").await,
        ["list/a/b", "list/a/c/d"]
    );
    assert_eq!(
        listed(store, "list/a.", "").await,
        ["list/a.b", "list/a.b-/c"]
    );
    assert!(listed(store, "list/nothing", "").await.is_empty());
    assert!(listed(store, "list/", "list/z").await.is_empty());
    let all = listed(store, "", "list/b").await;
    assert_eq!(all.first().map(String::as_str), Some("listless"));
    let sizes = store.list("list/a", "").await.expect("listed");
    for object in sizes {
        assert_eq!(object.bytes, object.key.len() as u64, "{}", object.key);
    }
}

async fn lists_go_on_after_a_thousand(store: &Objects) {
    let keys: Vec<_> = (0..1203)
        .map(|i| format!("many/{:02}/{i:05}", i / 50))
        .collect();
    stream::iter(&keys)
        .for_each_concurrent(16, |key| put(store, key, "x"))
        .await;
    let first = listed(store, "many/", "").await;
    assert_eq!(first, keys[..1000]);
    let second = listed(store, "many/", &first[999]).await;
    assert_eq!(second, keys[1000..]);
    assert!(listed(store, "many/", &keys[1202]).await.is_empty());

    store.delete(&keys).await.expect("deleted");
    assert!(listed(store, "many/", "").await.is_empty());
}

async fn deleted_is_gone(store: &Objects) {
    let keys = ["gone/a/b", "gone/a/c", "gone/d"].map(String::from);
    for key in &keys {
        put(store, key, "x").await;
    }
    let some = [&keys[0], "gone/never", &keys[2]].map(String::from);
    store.delete(&some).await.expect("deleted");
    check_missing(store.get(&keys[0], 0..1).await);
    assert_eq!(listed(store, "gone/", "").await, ["gone/a/c"]);
    store.delete(&keys).await.expect("deleted again");
    store.delete(&[]).await.expect("nothing deleted");
    assert!(listed(store, "gone/", "").await.is_empty());
    put(store, &keys[0], "back").await;
    assert_eq!(store.get(&keys[0], 0..4).await.expect("got"), "back");
}

async fn bad_keys_are_refused(store: &Objects) {
    for key in [
        "",
        "/etc/passwd",
        "../a",
        "a/../../b",
        "a//b",
        "a b",
        "a%2fb",
    ] {
        let put = store.put(key, Bytes::new()).await;
        assert!(matches!(put, Err(StoreError::Refused(_))), "{key}: {put:?}");
        let got = store.get(key, 0..1).await;
        assert!(matches!(got, Err(StoreError::Refused(_))), "{key}: {got:?}");
    }
}
