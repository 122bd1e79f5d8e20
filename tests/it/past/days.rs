//! Who reports what when: recorded scenarios, each in a stretch of its own, of several organisations.

use std::time::Duration;

use anyhow::ensure;
use proto::collection::v1 as pb;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tests::recorded::{Post, scenario, scenarios};

pub(super) const ORGS: [&str; 3] = ["amber", "birch", "cedar"];
/// The time that passes.
pub(super) const HOURS: Duration = Duration::from_secs(3 * 3600 + 600);
/// How often each organisation tells each scenario.
const TELLINGS: u32 = 2;
/// The longest time between two reports of a telling, and how long after a telling moments are asked for: until late
/// probes are gone, and a little more.
const PAUSE: Duration = Duration::from_secs(4);
const AFTER: Duration = Duration::from_secs(40);

pub(super) enum Event {
    /// A replica is given a report.
    Report {
        replica: usize,
        org: &'static str,
        report: pb::RawReport,
    },
    /// What every organisation sees is noted.
    Look,
}

/// Events by time, with so many looks.
pub(super) fn days(random: &mut StdRng, looks: usize) -> anyhow::Result<Vec<(Duration, Event)>> {
    let mut scenarios = scenarios()?;
    let (mut events, mut stretches) = (Vec::new(), Vec::new());
    let room = HOURS / u32::try_from(scenarios.len())?;
    for org in ORGS {
        scenarios.shuffle(random);
        for (name, place) in scenarios.iter().zip(0..) {
            let mut at = room * place + room.mul_f64(random.random_range(0.0..0.5));
            let begin = at;
            let posts = scenario(name)?.posts;
            for post in (0..TELLINGS).flat_map(|_| &posts) {
                at += PAUSE.mul_f64(random.random());
                let replica = random.random_range(0..2);
                if post.expect_status == 200 {
                    let report = raw(post);
                    events.push((
                        at,
                        Event::Report {
                            replica,
                            org,
                            report,
                        },
                    ));
                }
            }
            ensure!(at + AFTER < room * (place + 1), "{name} is told too slowly");
            stretches.push((begin, at + AFTER));
        }
    }
    for _ in 0..looks {
        let (begin, end) = stretches[random.random_range(0..stretches.len())];
        let at = begin + (end - begin).mul_f64(random.random());
        events.push((at, Event::Look));
    }
    events.sort_by_key(|(at, _)| *at);
    Ok(events)
}

/// The report, as the edge hands it on.
fn raw(post: &Post) -> pb::RawReport {
    let header = |name: &str| {
        let found = post
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    };
    let format = match header("content-type").starts_with("application/json") {
        true => pb::ReportFormat::ScopeJson,
        false => pb::ReportFormat::ScopeMsgpack,
    };
    let compression = match header("content-encoding").contains("gzip") {
        true => pb::Compression::Gzip,
        false => pb::Compression::None,
    };
    pb::RawReport {
        body: post.body.clone().into(),
        format: format.into(),
        compression: compression.into(),
        probe_id: header("x-scope-probe-id").to_owned(),
    }
}
