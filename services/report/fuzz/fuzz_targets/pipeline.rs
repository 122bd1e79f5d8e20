//! Posts of several probes: decoded, merged, upgraded, written, and rendered in every way.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use report::decode::{Compression, Format, Limits};
use report::encode::{self, Censor};
use report::live::{Live, LiveConfig, Part};
use report::options::Selection;
use report::view::View;
use report::{Symbols, catalogue, scope_json};

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
    let shown = written(&live);
    assert!(shown == written(&at_once));
    assert!(shown == written(&in_parts(&posts, now)));
    // The last byte chooses, so that a mutation of the reports keeps the choice.
    render(&mut live, input.last().copied().unwrap_or_default().into());
});

/// What can be asked of what was merged: one topology in full, which one the input says, and every list. Each renders the
/// topologies that it stands on; all of them each time would leave time for a tenth of the inputs.
fn render(live: &mut Live, choice: usize) {
    let (report, symbols, _) = live.parts();
    let mut view = View::new(Arc::clone(report), symbols);
    let selection = Selection {
        unfiltered: choice & 1 == 0,
        ..Selection::default()
    };
    let mut out = Vec::new();
    let ids: Vec<&str> = catalogue::topology_ids().collect();
    match ids.get((choice >> 1) % (ids.len() + 1)) {
        Some(id) => write_topology(&mut out, &mut view, symbols, id, &selection),
        None => scope_json::write_topologies(&mut out, &view.topologies(symbols, &selection)),
    }
    scope_json::write_probes(&mut out, &view.probes(symbols));
    scope_json::write_plugins(&mut out, &view.plugins(symbols));
}

fn write_topology(
    out: &mut Vec<u8>,
    view: &mut View,
    symbols: &mut Symbols,
    id: &str,
    selection: &Selection,
) {
    let summaries = view.topology(symbols, id, selection).expect("a topology");
    let ids: Vec<Vec<u8>> = summaries
        .map(|summary| {
            scope_json::write_summary(out, &summary);
            summary.id.to_vec()
        })
        .collect();
    for node in ids.iter().take(4) {
        let details = view.node(symbols, id, node, selection).expect("a node");
        scope_json::write_node(out, id, &details);
    }
}

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

fn limits() -> Limits {
    Limits {
        nodes: 10_000,
        heap_bytes: 8 << 20,
        ..Limits::default()
    }
}

fn config() -> LiveConfig {
    LiveConfig {
        max_nodes_per_topology: 5,
        ..LiveConfig::default()
    }
}

fn tenant() -> Live {
    Live::new(limits(), config())
}

/// As past moments are put together: some probes in one part, the others in another, each after the other.
fn in_parts(posts: &[Post], now: i64) -> Live {
    let part = |probes: &[&str]| {
        let mut part = Part::new(limits(), config());
        for probe in probes {
            for post in posts.iter().filter(|post| post.probe == *probe) {
                part.push(
                    post.at,
                    post.probe,
                    post.body,
                    post.format,
                    Compression::None,
                );
            }
        }
        part.merge(now);
        part
    };
    Live::of_parts(
        limits(),
        config(),
        vec![part(&["", "p"]), part(&["q", "r"])],
    )
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
