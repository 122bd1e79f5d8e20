//! Posts of several probes: decoded, merged, upgraded, written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use report::decode::{Compression, Format, Limits};
use report::encode::{self, Censor};
use report::live::{Live, LiveConfig};

const START: i64 = 1_600_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

struct Post<'a> {
    at: i64,
    probe: &'static str,
    format: Format,
    body: &'a [u8],
}

fuzz_target!(|input: &[u8]| {
    let posts = posts(input);
    let mut live = tenant();
    let mut now = START;
    for post in &posts {
        now = post.at;
        push(&mut live, post);
        live.refresh(now);
    }
    now += 20 * SECOND;
    live.refresh(now);
    let mut at_once = tenant();
    for post in &posts {
        push(&mut at_once, post);
    }
    at_once.refresh(now);
    assert!(written(&live) == written(&at_once));
});

fn posts(mut input: &[u8]) -> Vec<Post<'_>> {
    let mut posts = Vec::new();
    let mut at = START;
    while let Some((&control, rest)) = input.split_first() {
        let end = rest.windows(4).position(|w| w == [0xff; 4]);
        let body = &rest[..end.unwrap_or(rest.len())];
        input = end.map_or(&[], |end| &rest[end + 4..]);
        at += i64::from(control >> 4) * SECOND;
        posts.push(Post {
            at,
            probe: ["", "p", "q", "r"][usize::from(control & 3)],
            format: if control & 4 == 0 {
                Format::ScopeMsgpack
            } else {
                Format::ScopeJson
            },
            body,
        });
    }
    posts
}

fn tenant() -> Live {
    let limits = Limits {
        nodes: 10_000,
        heap_bytes: 8 << 20,
        ..Limits::default()
    };
    let config = LiveConfig {
        max_nodes_per_topology: 5,
        ..LiveConfig::default()
    };
    Live::new(limits, config)
}

fn push(live: &mut Live, post: &Post) {
    let body = post.body.to_vec().into();
    live.push(post.at, post.probe, body, post.format, Compression::None);
}

fn written(live: &Live) -> Vec<u8> {
    let mut out = Vec::new();
    encode::msgpack(live.report(), live.symbols(), Censor::default(), &mut out);
    encode::json(live.report(), live.symbols(), Censor::default(), &mut out);
    out
}
