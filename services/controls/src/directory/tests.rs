use super::*;

fn probe(id: &str) -> Probe {
    Probe::new("org", id)
}

fn holder(replica: &str, epoch: u64) -> Option<Holder> {
    Some(Holder {
        replica: replica.to_owned(),
        epoch,
    })
}

/// Everything that `from` says, in this order.
fn tell(to: &mut Directory, from: &str, said: &[Presence]) {
    for presence in said {
        to.apply(from, presence);
    }
}

#[tokio::test]
async fn newest_connection_wins_wherever_it_is() {
    let (mut a, mut b) = (Directory::new("a"), Directory::new("b"));
    let old = a.open(probe("p"), "1", 100);
    tell(&mut b, "a", &a.changes(&[old]));
    assert_eq!(b.newest(&probe("p")), holder("a", 100));
    // The date of this replica is behind.
    let new = b.open(probe("p"), "1", 50);
    assert_eq!(b.newest(&probe("p")), holder("b", new));
    tell(&mut a, "b", &b.changes(&[new]));
    assert_eq!(a.newest(&probe("p")), holder("b", new));
    // The older one is still open, and gets calls again.
    b.close(new);
    tell(&mut a, "b", &b.changes(&[new]));
    assert_eq!(a.newest(&probe("p")), holder("a", old));
    assert_eq!(a.newest(&Probe::new("other", "p")), None);
}

#[tokio::test]
async fn own_connections_are_not_forgotten_with_the_queue() {
    let mut a = Directory::new("a");
    let epoch = a.open(probe("p"), "1", 1);
    a.apply("b", &Presence::default());
    a.forget("a");
    a.forget("b");
    assert_eq!(a.newest(&probe("p")), holder("a", epoch));
    a.close(epoch);
    assert_eq!(a.newest(&probe("p")), None);
}

#[tokio::test]
async fn whatever_the_order_what_is_told_comes_to_the_same() {
    let mut a = Directory::new("a");
    let first = a.open(probe("p1"), "1", 1);
    let everything = a.everything();
    let second = a.open(probe("p2"), "1", 2);
    let opened = a.changes(&[second]);
    a.close(first);
    let ended = a.changes(&[first]);
    let said = [&everything[..], &opened, &ended].concat();
    assert_eq!(said.len(), 3);
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut b = Directory::new("b");
        tell(&mut b, "a", &order.map(|i| said[i].clone()));
        assert_eq!(b.newest(&probe("p1")), None, "{order:?}");
        assert_eq!(b.newest(&probe("p2")), holder("a", second), "{order:?}");
        let alive = Presence {
            digest: Some(a.own_digest()),
            ..Presence::default()
        };
        assert!(b.apply("a", &alive), "{order:?}");
    }
}

#[tokio::test]
async fn what_was_missed_is_noticed_and_made_up_for() {
    let (mut a, mut b) = (Directory::new("a"), Directory::new("b"));
    let count = CHUNK as u64 + 10;
    let epochs: Vec<u64> = (0..count)
        .map(|i| a.open(probe(&format!("p{i}")), "1", i))
        .collect();
    tell(&mut b, "a", &a.changes(&epochs));
    assert_eq!(b.of_org("org").len() as u64, count);
    let missed = a.open(probe("new"), "1", 0);
    a.close(epochs[3]);
    let alive = Presence {
        digest: Some(a.own_digest()),
        ..Presence::default()
    };
    assert!(!b.apply("a", &alive));
    let everything = a.everything();
    assert_eq!(everything.len(), 2);
    tell(&mut b, "a", &everything);
    assert!(b.apply("a", &alive));
    assert_eq!(b.newest(&probe("new")), holder("a", missed));
    assert_eq!(b.newest(&probe("p3")), None);
}

#[tokio::test]
async fn replica_that_is_forgotten_holds_nothing() {
    let (mut a, mut b) = (Directory::new("a"), Directory::new("b"));
    a.open(probe("p"), "1", 1);
    tell(&mut b, "a", &a.everything());
    let own = b.open(probe("q"), "1", 1);
    b.forget("a");
    assert_eq!(b.newest(&probe("p")), None);
    assert_eq!(b.newest(&probe("q")), holder("b", own));
    tell(&mut b, "a", &a.everything());
    assert_eq!(b.newest(&probe("p")), holder("a", 1));
    // Nothing is said of a replica by another.
    b.apply("b", &Presence::default());
    assert_eq!(b.held("b"), 1);
    assert_eq!(b.of_org("org").len(), 2);
}
