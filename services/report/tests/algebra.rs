//! Merging is associative, commutative and idempotent; checking accepts what decoding accepts.

#![allow(clippy::unwrap_used)]

#[path = "golden/corpus.rs"]
#[allow(dead_code, unreachable_pub)]
mod corpus;

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use report::decode::{Format, Limits, check, decode, decode_checked, inflate};
use report::encode::{self, Censor};
use report::merge::merge;
use report::model::{
    Control, DnsRecord, Latest, MetadataTemplate, Metric, Node, Plugin, Report, Sample,
    TableColumn, TableTemplate,
};
use report::{Kind, Sym, Symbols, Timestamp};

const WORDS: [&str; 8] = [
    "",
    "active_controls",
    "process",
    "host",
    "a;b",
    "b",
    "error: x",
    "ok",
];
const KINDS: [Kind; 4] = [Kind::Endpoint, Kind::Process, Kind::Host, Kind::Overlay];

fn symbols() -> (Symbols, Vec<Sym>) {
    let mut symbols = Symbols::new();
    let words = WORDS.map(|word| symbols.intern(word)).to_vec();
    (symbols, words)
}

fn word() -> impl Strategy<Value = Sym> {
    let (_, words) = symbols();
    prop::sample::select(words)
}

fn words() -> impl Strategy<Value = Vec<Sym>> {
    prop::collection::btree_set(word(), 0..3).prop_map(|set| set.into_iter().collect())
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..4_i64, prop::sample::select(vec![0, 60])).prop_map(|(seconds, offset_minutes)| Timestamp {
        seconds,
        nanos: 0,
        offset_minutes,
    })
}

fn number() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.0, -0.0, 1.0, 2.5, f64::INFINITY, f64::NAN])
}

fn keyed<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<(Sym, T)>> {
    let entry = (word(), value);
    prop::collection::vec(entry, 0..4).prop_map(|mut list| {
        list.sort_by_key(|(key, _)| *key);
        list.dedup_by_key(|(key, _)| *key);
        list
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    let samples = prop::collection::vec((time(), number()), 0..4);
    (samples, number(), number()).prop_map(|(samples, min, max)| {
        let mut samples: Vec<Sample> = samples
            .into_iter()
            .map(|(date, value)| Sample { date, value })
            .collect();
        samples.sort_by_key(|s| s.date);
        samples.dedup_by_key(|s| s.date);
        Metric { samples, min, max }
    })
}

fn leaf() -> impl Strategy<Value = Node> {
    let latest = keyed((word(), time())).prop_map(|list| {
        let entry = |(key, (value, timestamp))| Latest {
            key,
            value,
            timestamp,
        };
        list.into_iter().map(entry).collect::<Vec<_>>()
    });
    let facts = (
        latest,
        keyed(words()),
        keyed(words()),
        words(),
        keyed(metric()),
    );
    (word(), word(), any::<bool>(), any::<bool>(), facts).prop_map(
        |(id, topology, has_id, stale, (latest, sets, parents, adjacency, metrics))| Node {
            id,
            topology,
            has_id,
            sets,
            adjacency,
            latest,
            metrics,
            parents,
            children: Vec::new(),
            stale,
        },
    )
}

fn node() -> impl Strategy<Value = Node> {
    (leaf(), prop::collection::vec(leaf(), 0..2)).prop_map(|(node, children)| Node {
        children: by_id(children),
        ..node
    })
}

fn by_id(mut nodes: Vec<Node>) -> Vec<Node> {
    nodes.sort_by_key(|n| n.id);
    nodes.dedup_by_key(|n| n.id);
    nodes
}

fn table() -> impl Strategy<Value = TableTemplate> {
    let column = (word(), word()).prop_map(|(id, label)| TableColumn {
        id,
        label,
        data_type: Sym::EMPTY,
    });
    let columns = prop::collection::vec(column, 0..3);
    (word(), word(), columns, keyed(word())).prop_map(|(id, label, columns, fixed_rows)| {
        TableTemplate {
            id,
            label,
            columns,
            fixed_rows,
            ..TableTemplate::default()
        }
    })
}

fn topology(report: &mut Report, kind: Kind, parts: Parts) {
    let topology = report.topology_mut(kind);
    topology.nodes = by_id(parts.0).into_iter().map(Arc::new).collect();
    (topology.shape, topology.label, topology.label_plural) = parts.1;
    topology.controls = parts.2;
    topology.metadata_templates = parts.3;
    topology.table_templates = parts.4;
}

type Parts = (
    Vec<Node>,
    (Sym, Sym, Sym),
    Vec<(Sym, Control)>,
    Vec<(Sym, MetadataTemplate)>,
    Vec<(Sym, TableTemplate)>,
);

fn parts() -> impl Strategy<Value = Parts> {
    let control = (word(), word(), 0..3_i64).prop_map(|(id, human, rank)| Control {
        id,
        human,
        rank,
        ..Control::default()
    });
    let template =
        (word(), number(), 0..2_i64).prop_map(|(label, priority, truncate)| MetadataTemplate {
            label,
            priority,
            truncate,
            ..MetadataTemplate::default()
        });
    let nodes = prop::collection::vec(node(), 0..4);
    let texts = (word(), word(), word());
    (
        nodes,
        texts,
        keyed(control),
        keyed(template),
        keyed(table()),
    )
}

fn report() -> impl Strategy<Value = Report> {
    let dns = (words(), words()).prop_map(|(forward, reverse)| DnsRecord { forward, reverse });
    let plugin = (word(), word()).prop_map(|(label, status)| Plugin {
        label,
        status,
        ..Plugin::default()
    });
    let topologies = prop::collection::vec(parts(), KINDS.len());
    (time(), topologies, keyed(dns), keyed(plugin)).prop_map(|(ts, topologies, dns, plugins)| {
        let plugins = plugins
            .into_iter()
            .map(|(id, plugin)| Plugin { id, ..plugin });
        let mut report = Report {
            ts,
            dns,
            plugins: plugins.collect(),
            ..Report::fresh(&mut symbols().0)
        };
        for (kind, parts) in KINDS.into_iter().zip(topologies) {
            topology(&mut report, kind, parts);
        }
        report
    })
}

fn merged(reports: &[&Report], symbols: &mut Symbols) -> Report {
    merge(reports.iter().copied(), symbols)
}

/// What a reader would see, and what no reader sees.
fn seen(report: &Report, symbols: &Symbols) -> (Vec<u8>, Vec<bool>) {
    let mut out = Vec::new();
    encode::msgpack(report, symbols, Censor::default(), &mut out);
    let stale = report
        .iter()
        .flat_map(|(_, t)| t.nodes.iter().map(|n| n.stale));
    (out, stale.collect())
}

/// Bodies that probes sent, inflated.
static BODIES: LazyLock<Vec<(Vec<u8>, Format)>> = LazyLock::new(|| {
    let mut bodies = Vec::new();
    for scenario in corpus::scenarios() {
        for post in scenario.posts.iter().filter(|p| p.expect_status == 200) {
            let (format, compression) = post.kind.unwrap();
            let body = inflate(&post.body, compression, &Limits::default())
                .unwrap()
                .into_owned();
            if body.len() > 50_000 {
                continue;
            }
            let mut symbols = Symbols::new();
            let report = decode(&body, format, &Limits::default(), 0, &mut symbols).unwrap();
            let mut json = Vec::new();
            encode::json(&report, &symbols, Censor::default(), &mut json);
            bodies.push((json, Format::ScopeJson));
            bodies.push((body, format));
        }
    }
    bodies
});

/// A change to a body: where, what, and how.
type Mutation = (prop::sample::Index, u8, u8);

fn mutate(body: &mut Vec<u8>, mutations: &[Mutation]) {
    for (at, byte, how) in mutations {
        if body.is_empty() {
            return;
        }
        let at = at.index(body.len());
        match how % 6 {
            0 => body[at] = *byte,
            1 => body[at] ^= 1 << (byte % 8),
            2 => body.insert(at, *byte),
            3 => drop(body.remove(at)),
            4 => body.truncate(at),
            _ => {
                let end = (at + *byte as usize).min(body.len());
                let part = body[at..end].to_vec();
                body.splice(at..at, part);
            }
        }
    }
}

fn check_agrees(body: &[u8], format: Format, limits: &Limits) -> Option<(Report, Symbols)> {
    let mut symbols = Symbols::new();
    let decoded = decode_checked(body, format, limits, 0, &mut symbols);
    let checked = check(body, format, limits);
    let told = decoded
        .as_ref()
        .map(|(_, checked)| *checked)
        .map_err(Clone::clone);
    assert_eq!(told, checked);
    decoded.ok().map(|(report, _)| (report, symbols))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_commutative(a in report(), b in report()) {
        let (mut symbols, _) = symbols();
        let one = merged(&[&a, &b], &mut symbols);
        let other = merged(&[&b, &a], &mut symbols);
        prop_assert!(seen(&one, &symbols) == seen(&other, &symbols));
    }

    #[test]
    fn merging_is_associative(a in report(), b in report(), c in report()) {
        let (mut symbols, _) = symbols();
        let left = merged(&[&a, &b], &mut symbols);
        let left = merged(&[&left, &c], &mut symbols);
        let right = merged(&[&b, &c], &mut symbols);
        let right = merged(&[&a, &right], &mut symbols);
        let all = merged(&[&a, &b, &c], &mut symbols);
        prop_assert!(seen(&left, &symbols) == seen(&right, &symbols));
        prop_assert!(seen(&left, &symbols) == seen(&all, &symbols));
    }

    #[test]
    fn merging_is_idempotent(a in report()) {
        let (mut symbols, _) = symbols();
        let once = merged(&[&a], &mut symbols);
        let twice = merged(&[&a, &a], &mut symbols);
        let again = merged(&[&once], &mut symbols);
        prop_assert!(seen(&once, &symbols) == seen(&twice, &symbols));
        prop_assert!(seen(&once, &symbols) == seen(&again, &symbols));
    }

    #[test]
    fn checking_accepts_what_decoding_accepts(
        which in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(any::<Mutation>(), 0..6),
        tight in any::<bool>(),
    ) {
        let (mut body, format) = which.get(&BODIES).clone();
        mutate(&mut body, &mutations);
        let limits = Limits {
            nodes: if tight { 100 } else { 1000 },
            string_bytes: if tight { 100 } else { 10_000 },
            heap_bytes: if tight { 100_000 } else { 10_000_000 },
            depth: if tight { 3 } else { 64 },
            ..Limits::default()
        };
        if let Some((report, mut symbols)) = check_agrees(&body, format, &limits) {
            let report = merged(&[&report, &report], &mut symbols);
            seen(&report, &symbols);
        }
    }
}
