use std::time::Duration;

use tokio::time::timeout;
use tokio_stream::StreamExt;

use crate::{Shortcut, ShortcutStream, Shortcuts};

/// Runs the suite of shortcuts: `one` announces, `other` listens. They may be the same.
pub async fn shortcuts(one: &Shortcuts, other: &Shortcuts) {
    all_listeners_hear(one, other).await;
    organisations_are_apart(one, other).await;
    nobody_needs_to_listen(one).await;
}

/// How long an announcement may take, generously.
const SOON: Duration = Duration::from_secs(10);
/// How long nothing is awaited.
const QUIET: Duration = Duration::from_millis(200);

fn shortcut(org: &str, sequence: u64) -> Shortcut {
    Shortcut {
        replica: format!("replica of {org}"),
        sequence,
    }
}

async fn subscribe(store: &Shortcuts, org: &str) -> ShortcutStream {
    let stream = store.subscribe(org).await;
    stream.unwrap_or_else(|error| panic!("cannot subscribe to {org:?}: {error}"))
}

async fn publish(store: &Shortcuts, org: &str, sequence: u64) {
    let published = store.publish(org, &shortcut(org, sequence)).await;
    published.unwrap_or_else(|error| panic!("cannot announce to {org:?}: {error}"));
}

async fn next(stream: &mut ShortcutStream) -> Shortcut {
    let next = timeout(SOON, stream.next()).await;
    next.expect("an announcement in time").expect("no end")
}

async fn check_quiet(stream: &mut ShortcutStream) {
    let next = timeout(QUIET, stream.next()).await;
    assert!(next.is_err(), "{next:?}");
}

/// Announces `0` until it is heard: a subscription made elsewhere takes effect some time later.
async fn until_heard(one: &Shortcuts, org: &str, stream: &mut ShortcutStream) {
    let heard = async {
        loop {
            publish(one, org, 0).await;
            if let Ok(next) = timeout(QUIET, stream.next()).await {
                assert_eq!(next, Some(shortcut(org, 0)));
                return;
            }
        }
    };
    timeout(SOON, heard).await.expect("heard in time");
    while let Ok(next) = timeout(QUIET, stream.next()).await {
        assert_eq!(next, Some(shortcut(org, 0)));
    }
}

async fn all_listeners_hear(one: &Shortcuts, other: &Shortcuts) {
    let mut first = subscribe(other, "org").await;
    let mut second = subscribe(other, "org").await;
    until_heard(one, "org", &mut first).await;
    until_heard(one, "org", &mut second).await;
    check_first_is_caught_up(&mut first).await;
    for sequence in [1, 2, u64::MAX] {
        publish(one, "org", sequence).await;
    }
    for sequence in [1, 2, u64::MAX] {
        assert_eq!(next(&mut first).await, shortcut("org", sequence));
        assert_eq!(next(&mut second).await, shortcut("org", sequence));
    }
    drop(first);
    publish(one, "org", 3).await;
    assert_eq!(next(&mut second).await, shortcut("org", 3));
}

/// It heard what was meant for the second.
async fn check_first_is_caught_up(first: &mut ShortcutStream) {
    while let Ok(next) = timeout(QUIET, first.next()).await {
        assert_eq!(next, Some(shortcut("org", 0)));
    }
}

async fn organisations_are_apart(one: &Shortcuts, other: &Shortcuts) {
    let orgs = [
        "a",
        "A",
        "a.b",
        "a.*",
        "*",
        ">",
        "a.>",
        "a b",
        " ",
        "ä",
        "組織",
        "a\r\nPUB x 0",
        "$SYS",
    ];
    let mut streams = Vec::new();
    for org in orgs {
        let mut stream = subscribe(other, org).await;
        until_heard(one, org, &mut stream).await;
        streams.push(stream);
    }
    for (org, sequence) in orgs.into_iter().zip(1..) {
        publish(one, org, sequence).await;
    }
    for ((org, stream), sequence) in orgs.into_iter().zip(&mut streams).zip(1..) {
        assert_eq!(next(stream).await, shortcut(org, sequence));
    }
    for stream in &mut streams {
        check_quiet(stream).await;
    }
}

async fn nobody_needs_to_listen(one: &Shortcuts) {
    drop(subscribe(one, "left").await);
    for sequence in 0..10 {
        publish(one, "left", sequence).await;
        publish(one, "never", sequence).await;
    }
}
