use bytes::Bytes;

use crate::{Hour, Index, IndexEntry, MAX_SPAN, StoreError};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
/// Where the suite begins: 2023-11-14, 22:00.
const START: Hour = 472_222;

/// Runs the suite of indexes.
pub async fn index(store: &Index) {
    bounds_are_exact(store).await;
    long_entries_are_found_by_their_end(store).await;
    queries_span_hours(store).await;
    full_hours_come_whole(store).await;
    same_identity_is_replaced(store).await;
    organisations_are_apart(store).await;
    hours_are_listed_and_deleted(store).await;
    bad_entries_are_refused(store).await;
}

fn entry(org: &str, first: i64, name: &str) -> IndexEntry {
    IndexEntry {
        org: org.to_owned(),
        first,
        last: first,
        name: name.to_owned(),
        payload: Bytes::from(format!("{org} {name}")),
    }
}

async fn put(store: &Index, entries: &[IndexEntry]) {
    store.put(entries).await.expect("entries put");
}

async fn query(store: &Index, org: &str, from: i64, until: i64) -> Vec<IndexEntry> {
    store.query(org, from, until).await.expect("entries found")
}

async fn names(store: &Index, org: &str, from: i64, until: i64) -> Vec<String> {
    let found = query(store, org, from, until).await;
    found.into_iter().map(|entry| entry.name).collect()
}

async fn bounds_are_exact(store: &Index) {
    let at = START * HOUR + 10 * SECOND;
    let entries = [
        entry("bounds", at, "b"),
        entry("bounds", at, "a"),
        entry("bounds", at - 1, "before"),
        entry("bounds", at + 1, "after"),
    ];
    put(store, &entries).await;
    let all = ["before", "a", "b", "after"];
    assert_eq!(names(store, "bounds", at - 1, at + 2).await, all);
    assert_eq!(names(store, "bounds", at, at + 1).await, ["a", "b"]);
    assert_eq!(names(store, "bounds", at + 1, at + 2).await, ["after"]);
    assert_eq!(names(store, "bounds", at - 1, at).await, ["before"]);
    assert!(names(store, "bounds", at, at).await.is_empty());
    assert!(names(store, "bounds", at + 2, at + 9).await.is_empty());
    assert!(names(store, "bounds", at - 9, at - 1).await.is_empty());
    assert!(names(store, "bounds", at + 2, at - 2).await.is_empty());
    let found = query(store, "bounds", at, at + 1).await;
    assert_eq!(found, [entries[1].clone(), entries[0].clone()]);
}

async fn long_entries_are_found_by_their_end(store: &Index) {
    let at = START * HOUR + 1000 * SECOND;
    let long = IndexEntry {
        last: at + MAX_SPAN,
        ..entry("long", at, "long")
    };
    put(store, std::slice::from_ref(&long)).await;
    let found = query(store, "long", long.last, long.last + 1).await;
    assert_eq!(found, std::slice::from_ref(&long));
    let later = query(store, "long", long.last + 1, long.last + HOUR).await;
    assert!(later.is_empty(), "{later:?}");
}

async fn queries_span_hours(store: &Index) {
    let firsts: Vec<_> = (0..40).map(|i| START * HOUR + i * HOUR / 3).collect();
    let entries: Vec<_> = firsts.iter().map(|at| entry("hours", *at, "x")).collect();
    let mut shuffled = entries.clone();
    shuffled.sort_by_key(|entry| entry.first % 7);
    put(store, &shuffled).await;
    let found = query(store, "hours", firsts[0], firsts[39] + 1).await;
    assert_eq!(found, entries);
    let found = query(store, "hours", firsts[1], firsts[30]).await;
    assert_eq!(found, entries[1..30]);
    // On both sides of a full hour.
    let found = query(store, "hours", firsts[3] - 1, firsts[3] + 1).await;
    assert_eq!(found, entries[3..4]);
}

async fn full_hours_come_whole(store: &Index) {
    let at = |i: i64| START * HOUR + i * SECOND;
    let mut entries = Vec::new();
    for i in 0..500 {
        let bytes = if i % 50 == 0 { 300 << 10 } else { 1000 };
        entries.push(IndexEntry {
            payload: Bytes::from(vec![i as u8; bytes]),
            ..entry("full", at(i), &format!("{i:04}"))
        });
    }
    put(store, &entries).await;
    let found = query(store, "full", at(0), at(500)).await;
    assert!(found == entries, "{} entries", found.len());
    let found = query(store, "full", at(100), at(400)).await;
    assert!(found == entries[100..400], "{} entries", found.len());
}

async fn same_identity_is_replaced(store: &Index) {
    let at = START * HOUR;
    let old = entry("same", at, "x");
    let new = IndexEntry {
        payload: Bytes::from_static(&[0, 255, 10]),
        last: at + 5,
        ..old.clone()
    };
    put(store, &[old.clone(), entry("same", at, "y")]).await;
    put(store, std::slice::from_ref(&new)).await;
    let expected = [new.clone(), entry("same", at, "y")];
    assert_eq!(query(store, "same", at, at + 1).await, expected);
    // The last of one call counts, too.
    put(store, &[new.clone(), old.clone()]).await;
    let found = query(store, "same", at, at + 1).await;
    assert_eq!(found[0], old);
    put(store, &[]).await;
}

async fn organisations_are_apart(store: &Index) {
    let long = "o".repeat(256);
    let orgs = [
        "a",
        "A",
        "a#472222",
        "a#",
        "#",
        "a/b",
        "a.b",
        "a b",
        "*",
        ">",
        "a'; --",
        "%",
        "_",
        "ä",
        "組織",
        "a\0",
        "a\n",
        "partition",
        &long,
    ];
    let at = START * HOUR;
    for org in orgs {
        put(store, &[entry(org, at, "x"), entry(org, at + 1, "y")]).await;
    }
    for org in orgs {
        let expected = [entry(org, at, "x"), entry(org, at + 1, "y")];
        let found = query(store, org, at, at + 2).await;
        assert_eq!(found, expected, "{org:?}");
    }
    assert!(names(store, "nobody", at, at + 2).await.is_empty());
}

async fn hours_are_listed_and_deleted(store: &Index) {
    // Before everything else that the suite writes.
    let early = START - 1000;
    let at = |hour: Hour| hour * HOUR + 7;
    for org in ["p", "p#q"] {
        for hour in [early, early + 1, early + 9] {
            put(
                store,
                &[entry(org, at(hour), "x"), entry(org, at(hour), "y")],
            )
            .await;
        }
    }
    let both = |hour| [(hour, "p".to_owned()), (hour, "p#q".to_owned())];
    let hours = async |before, most| store.hours(before, most).await.expect("hours");
    assert_eq!(
        hours(early + 9, 10).await,
        [both(early), both(early + 1)].concat()
    );
    assert_eq!(hours(early + 1, 10).await, both(early));
    assert_eq!(hours(early + 9, 1).await, both(early)[..1]);
    assert!(hours(early, 10).await.is_empty());

    store.delete_hour("p", early).await.expect("deleted");
    store.delete_hour("p", early).await.expect("deleted again");
    assert!(names(store, "p", at(early), at(early) + 1).await.is_empty());
    assert_eq!(
        names(store, "p#q", at(early), at(early) + 1).await,
        ["x", "y"]
    );
    assert_eq!(
        names(store, "p", at(early + 1), at(early + 1) + 1).await,
        ["x", "y"]
    );
    assert_eq!(hours(early + 1, 10).await, both(early)[1..]);

    // What comes into a deleted hour is found again.
    put(store, &[entry("p", at(early), "z")]).await;
    assert_eq!(hours(early + 1, 10).await, both(early));
}

async fn bad_entries_are_refused(store: &Index) {
    let good = entry("bad", START * HOUR, "x");
    let bad = [
        IndexEntry {
            name: "a/b".to_owned(),
            ..good.clone()
        },
        IndexEntry {
            name: "n".repeat(129),
            ..good.clone()
        },
        IndexEntry {
            org: String::new(),
            ..good.clone()
        },
        IndexEntry {
            last: good.first - 1,
            ..good.clone()
        },
        IndexEntry {
            last: good.first + MAX_SPAN + 1,
            ..good.clone()
        },
        IndexEntry {
            first: good.first - 1,
            ..good.clone()
        },
        IndexEntry {
            payload: Bytes::from(vec![0; (300 << 10) + 1]),
            ..good.clone()
        },
    ];
    for bad in bad {
        let put = store.put(&[good.clone(), bad.clone()]).await;
        assert!(
            matches!(put, Err(StoreError::Refused(_))),
            "{bad:?}: {put:?}"
        );
    }
    let written = names(store, "bad", good.first, good.first + 1).await;
    assert!(written.is_empty(), "{written:?}");
}
