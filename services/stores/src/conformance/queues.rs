use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use crate::StoreError;
use crate::queues::{BATCH, MESSAGE_BYTES, Queues, Received};

/// Runs the suite of queues: `one` and `other` are two ways to the same ones. They may be the same.
pub async fn queues(one: &Queues, other: &Queues) {
    made_listed_and_removed(one, other).await;
    what_is_sent_is_received_and_deleted(one, other).await;
    waiting_ends_when_a_message_comes(one, other).await;
    queues_are_apart(one, other).await;
    what_makes_no_sense_is_refused(one).await;
}

/// How long a message may take, generously.
const SOON: Duration = Duration::from_secs(20);
/// How long nothing is awaited.
const NONE: Duration = Duration::ZERO;

/// Messages until there are so many, deleted.
async fn take(queues: &Queues, name: &str, count: usize) -> Vec<Bytes> {
    let mut bodies = Vec::new();
    let taking = async {
        while bodies.len() < count {
            let received = queues.receive(name, SOON).await.expect("received");
            queues.delete(name, &received).await.expect("deleted");
            bodies.extend(received.into_iter().map(|message| message.body));
        }
    };
    timeout(SOON, taking).await.expect("all messages in time");
    bodies
}

async fn check_empty(queues: &Queues, name: &str) {
    let received = queues.receive(name, NONE).await.expect("received");
    assert_eq!(received, []);
}

fn is_missing<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound(_)))
}

async fn made_listed_and_removed(one: &Queues, other: &Queues) {
    let before = other.send("made", &["a".into()]).await;
    assert!(is_missing(&before), "{before:?}");
    let before = other.receive("made", NONE).await;
    assert!(is_missing(&before), "{before:?}");
    one.create("made").await.expect("made");
    one.create("made").await.expect("made again");
    let listed = other.list().await.expect("listed");
    assert!(listed.contains(&"made".to_owned()), "{listed:?}");
    other.send("made", &["a".into()]).await.expect("sent");
    one.create("made").await.expect("nothing is lost by this");
    assert_eq!(take(one, "made", 1).await, ["a"]);

    other.remove("made").await.expect("removed");
    one.remove("made").await.expect("removed again");
    let listed = one.list().await.expect("listed");
    assert!(!listed.contains(&"made".to_owned()), "{listed:?}");
    let after = one.send("made", &["a".into()]).await;
    assert!(is_missing(&after), "{after:?}");
    let after = one.receive("made", NONE).await;
    assert!(is_missing(&after), "{after:?}");
}

async fn what_is_sent_is_received_and_deleted(one: &Queues, other: &Queues) {
    other.create("sent").await.expect("made");
    let every_byte: Vec<u8> = (0..=255).collect();
    let bodies: Vec<Bytes> = vec![
        every_byte.into(),
        vec![0xff; MESSAGE_BYTES].into(),
        vec![0; MESSAGE_BYTES].into(),
        "\0".into(),
    ];
    one.send("sent", &bodies).await.expect("sent");
    let received: BTreeSet<Bytes> = take(other, "sent", bodies.len())
        .await
        .into_iter()
        .collect();
    assert!(received == bodies.into_iter().collect(), "bytes changed");

    let body = |i: usize| Bytes::from(i.to_string());
    for i in 0..3 {
        let some: Vec<Bytes> = (0..BATCH).map(|n| body(i * BATCH + n)).collect();
        one.send("sent", &some).await.expect("sent");
    }
    let received: BTreeSet<Bytes> = take(other, "sent", 3 * BATCH).await.into_iter().collect();
    assert_eq!(received, (0..3 * BATCH).map(body).collect());
    check_empty(other, "sent").await;

    one.send("sent", &["held".into()]).await.expect("sent");
    let held = other.receive("sent", SOON).await.expect("received");
    assert_eq!(held.len(), 1);
    // Withheld from others while somebody has it.
    check_empty(other, "sent").await;
    other.delete("sent", &held).await.expect("deleted");
    other.remove("sent").await.expect("removed");
}

async fn waiting_ends_when_a_message_comes(one: &Queues, other: &Queues) {
    other.create("waiting").await.expect("made");
    let waiting = Instant::now();
    let receiving = other.receive("waiting", SOON);
    let sending = async { one.send("waiting", &["now".into()]).await.expect("sent") };
    let (received, ()) = tokio::join!(receiving, sending);
    let received = received.expect("received");
    assert_eq!(received.len(), 1, "after {:?}", waiting.elapsed());
    assert_eq!(received[0].body, "now");
    other.delete("waiting", &received).await.expect("deleted");
    other.remove("waiting").await.expect("removed");
}

async fn queues_are_apart(one: &Queues, other: &Queues) {
    let names = ["a", "aa", "b"];
    for name in names {
        one.create(name).await.expect("made");
    }
    for name in names {
        other.send(name, &[name.into()]).await.expect("sent");
    }
    for name in names {
        assert_eq!(take(one, name, 1).await, [name]);
        check_empty(one, name).await;
        one.remove(name).await.expect("removed");
    }
}

async fn what_makes_no_sense_is_refused(one: &Queues) {
    one.create("some").await.expect("made");
    let refused = |result: Result<(), StoreError>| {
        assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
    };
    for name in ["", "A", "a-b", "a/b", "a*", &"a".repeat(33)] {
        refused(one.create(name).await);
        refused(one.remove(name).await);
        refused(one.send(name, &["a".into()]).await);
    }
    refused(one.send("some", &[]).await);
    refused(one.send("some", &[Bytes::new()]).await);
    refused(one.send("some", &vec!["a".into(); BATCH + 1]).await);
    refused(one.send("some", &[vec![0; MESSAGE_BYTES + 1].into()]).await);
    check_empty(one, "some").await;
    let none: [Received; 0] = [];
    one.delete("some", &none).await.expect("nothing to do");
    one.remove("some").await.expect("removed");
}
