//! A moment that is put together of parts is what one live state shows.

#![allow(clippy::unwrap_used)]

#[path = "golden/corpus.rs"]
#[allow(dead_code, unreachable_pub)]
mod corpus;

use corpus::Post;
use report::decode::Limits;
use report::encode::{self, Censor};
use report::live::{Live, LiveConfig, Part};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_600_000_000 * SECOND;

fn written(live: &Live) -> String {
    let mut out = Vec::new();
    encode::json(live.report(), live.symbols(), Censor::default(), &mut out);
    String::from_utf8(out).unwrap()
}

/// Which of so many parts a probe's posts go to.
fn part_of(post: &Post, parts: usize) -> usize {
    let sum: usize = post.probe_id.bytes().map(usize::from).sum();
    sum % parts
}

fn shown_by_parts(posts: &[(i64, &Post)], parts: usize, now: i64) -> (String, Option<i64>) {
    let new = || Part::new(Limits::default(), LiveConfig::default());
    let mut all: Vec<Part> = (0..parts).map(|_| new()).collect();
    for (at, post) in posts {
        let (format, compression) = post.kind.unwrap();
        let part = &mut all[part_of(post, parts)];
        part.push(*at, &post.probe_id, &post.body, format, compression);
    }
    for part in &mut all {
        part.merge(now);
    }
    let live = Live::of_parts(Limits::default(), LiveConfig::default(), all);
    (written(&live), live.next_expiry())
}

#[test]
fn recorded_moments_are_the_same_in_parts() {
    for scenario in corpus::scenarios() {
        let posts = scenario.posts.iter().filter(|post| post.kind.is_some());
        let posts: Vec<(i64, &Post)> = (0..).map(|i| START + i * SECOND / 2).zip(posts).collect();
        let last = posts.last().unwrap().0;
        // While all count, when some are late, and when all are gone.
        for now in [
            last,
            last + 5 * SECOND,
            last + 20 * SECOND,
            last + 60 * SECOND,
        ] {
            let mut live = Live::new(Limits::default(), LiveConfig::default());
            for (at, post) in &posts {
                let (format, compression) = post.kind.unwrap();
                let body = post.body.clone().into();
                live.push(*at, &post.probe_id, body, format, compression);
            }
            live.refresh(now);
            let shown = (written(&live), live.next_expiry());
            for parts in 1..4 {
                let found = shown_by_parts(&posts, parts, now);
                assert!(found == shown, "{} in {parts} parts", scenario.name);
            }
        }
    }
}
