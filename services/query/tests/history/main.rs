//! Past moments, played history and the present, through the generated clients.

mod fake;
mod live;

use std::time::Duration;

use fake::{ORG, World, within};
use prost_types::Timestamp;
use proto::query::v1 as pb;
use proto::query::v1::watch_response::Event;
use proto::storage::v1::ReportHeader;
use stores::archive::ObjectWriter;
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

fn at(at: Option<Timestamp>) -> Option<pb::Selection> {
    Some(pb::Selection {
        at,
        ..pb::Selection::default()
    })
}

fn names(nodes: &[pb::NodeSummary]) -> Vec<String> {
    let name = |node: &pb::NodeSummary| {
        let stale = if node.stale { "~" } else { "" };
        format!("{}{stale}", node.label)
    };
    nodes.iter().map(name).collect()
}

impl World {
    /// The hosts at a moment, and what is missing.
    async fn hosts(&self, moment: Option<Timestamp>) -> (Vec<String>, Vec<String>) {
        let request = self.request(pb::GetTopologyRequest {
            topology_id: "hosts".to_owned(),
            selection: at(moment),
            view: 0,
        });
        let answer = self.query.clone().get_topology(request).await;
        let answer = answer.expect("an answer").into_inner();
        (names(&answer.nodes), answer.warnings)
    }

    /// Lets hosts a, b and c report every 3 s, each for 12 s after the other, and gives the moment of the start.
    async fn past(&self) -> Timestamp {
        let start = self.now();
        for host in ["a", "b", "c"] {
            for _ in 0..4 {
                self.collectors[0].post(host);
                sleep(3 * SECOND).await;
            }
        }
        start
    }
}

fn later(mut moment: Timestamp, seconds: i64) -> Timestamp {
    moment.seconds += seconds;
    moment
}

#[tokio::test(start_paused = true)]
async fn a_past_moment_is_what_was_shown_then() {
    let (world, other) = (World::new(1).await, World::new(0).await);
    let mut then = Vec::new();
    for second in 0..70 {
        match second {
            0 | 9 | 40 => drop(world.collectors[0].post("a")),
            12 | 13 => drop(world.collectors[0].post("b")),
            _ => {}
        }
        sleep(SECOND / 2).await;
        then.push((world.now(), world.hosts(None).await));
        sleep(SECOND / 2).await;
    }
    for (moment, shown) in &then {
        assert_eq!(world.hosts(Some(*moment)).await, *shown, "{moment:?}");
    }
    assert_eq!(then[30].1.0, ["a~", "b~"]);
    // And from the stores alone.
    world.collectors[0].store(&other.archive).await;
    for (moment, shown) in &then {
        assert_eq!(other.hosts(Some(*moment)).await, *shown, "{moment:?}");
    }
    let misses = world.counter("weft_query_past_misses_total");
    assert_eq!(misses, 70.0);
    world.hosts(Some(then[3].0)).await;
    assert_eq!(world.counter("weft_query_past_misses_total"), misses);
}

#[tokio::test(start_paused = true)]
async fn moments_to_come_are_now() {
    let world = World::new(1).await;
    world.collectors[0].post("a");
    let hosts = world.hosts(Some(later(world.now(), 3600))).await;
    assert_eq!(hosts.0, ["a"]);
    assert_eq!(world.collectors[0].lists(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_of_a_past_moment_is_said() {
    let world = World::new(2).await;
    world.collectors[0].post("a");
    world.collectors[1].post("b");
    sleep(20 * SECOND).await;
    let moment = later(world.now(), -19);
    world.collectors[1].set_up(false);
    let partial = vec!["partial: 1 of 2 collectors answer".to_owned()];
    assert_eq!(
        world.hosts(Some(moment)).await,
        (vec!["a".to_owned()], partial)
    );
    // What is incomplete is not kept for long.
    world.collectors[1].set_up(true);
    sleep(3 * SECOND).await;
    assert_eq!(world.hosts(Some(moment)).await.0, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_frame_leaves_the_frames_before_it() {
    let (world, logged) = (World::new(0).await, World::new(1).await);
    let start = logged.now();
    for (stored, damage) in [false, true].into_iter().enumerate() {
        logged.collectors[0].post("a");
        sleep(12 * SECOND).await;
        let mut object = logged.collectors[0].object(stored..);
        if damage {
            // The columns of its only frame are last.
            let mut body = object.body.to_vec();
            *body.last_mut().expect("bytes") ^= 1;
            object.body = body.into();
        }
        world.archive.put(&object).await.expect("kept");
    }
    sleep(40 * SECOND).await;
    let (hosts, warnings) = world.hosts(Some(later(start, 20))).await;
    assert_eq!(hosts, ["a~"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("damaged"), "{warnings:?}");
    let (hosts, warnings) = world.hosts(Some(later(start, 5))).await;
    assert_eq!((hosts, warnings), (vec!["a".to_owned()], Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_logged_and_stored_counts_once() {
    let world = World::new(1).await;
    let body = br#"{"Window":3,"Host":{"shape":"circle","nodes":{"s;<host>":{"id":"s;<host>","topology":"host","latest":{"host_name":{"timestamp":"2026-01-01T00:00:00Z","value":"s"}}}}}}"#;
    world.collectors[0].post("l");
    let now = world.now();
    let mut writer = ObjectWriter::new().expect("zstd");
    let header = ReportHeader {
        writer: 1,
        number: 2,
        received_unix_nanos: now.seconds * 1_000_000_000,
        probe_id: "s".to_owned(),
        format: proto::collection::v1::ReportFormat::ScopeJson.into(),
        full: true,
        shortcut: false,
    };
    writer.push(ORG, header, body).expect("zstd");
    let object = writer.finish("reports/", "one").expect("zstd");
    world.archive.put(&object).await.expect("kept");
    sleep(40 * SECOND).await;
    assert_eq!(world.hosts(Some(later(now, 1))).await.0, ["l", "s"]);
    let request = world.request(pb::GetTimelineRequest {
        from: Some(later(Timestamp { nanos: 0, ..now }, -10)),
        until: Some(later(Timestamp { nanos: 0, ..now }, 10)),
        spans: 2,
    });
    let timeline = world.query.clone().get_timeline(request).await;
    let spans = timeline.expect("a timeline").into_inner().spans;
    let said: Vec<_> = spans.iter().map(|s| (s.reports, s.hosts)).collect();
    assert_eq!(said, [(0, 0), (2, 2)]);
}

#[tokio::test(start_paused = true)]
async fn history_is_played_until_the_present() {
    let world = World::new(1).await;
    let start = world.past().await;
    sleep(30 * SECOND).await;
    let request = world.request(pb::WatchTopologyRequest {
        topology_id: "hosts".to_owned(),
        selection: at(Some(later(start, 2))),
        speed: 10.0,
        ..pb::WatchTopologyRequest::default()
    });
    let mut watch = world.query.clone().watch_topology(request).await;
    let watch = watch.as_mut().expect("a watch").get_mut();
    let mut shown = Vec::new();
    let mut moments = Vec::new();
    let mut resets = 0;
    while let Some(Ok(change)) = within(20 * SECOND, watch).await {
        resets += u32::from(change.reset);
        moments.push(change.at.expect("a moment"));
        let said = |sign: &str, nodes: &[pb::NodeSummary]| -> Vec<String> {
            names(nodes).iter().map(|n| format!("{sign}{n}")).collect()
        };
        if change.reset {
            shown.push("!".to_owned());
        }
        shown.extend(said("+", &change.added));
        shown.extend(said("*", &change.updated));
        shown.extend(change.removed_ids.iter().map(|id| format!("-{id}")));
        if resets == 2 && change.reset {
            world.collectors[0].post("d");
        }
    }
    let played = "! +a +b +c *a~ *b~ -a;<host> *c~ -b;<host> -c;<host> ! +d *d~ -d;<host>";
    assert_eq!(shown.join(" "), played);
    assert!(moments.is_sorted_by_key(|at| (at.seconds, at.nanos)));
    assert_eq!(
        (moments[0].seconds, moments[0].nanos),
        (start.seconds + 2, start.nanos)
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_stands_at_a_moment() {
    let world = World::new(1).await;
    let start = world.past().await;
    let moment = later(start, 14);
    let request = world.request(pb::WatchRequest {
        scope: Some(pb::WatchScope {
            topologies: true,
            topology_id: "hosts".to_owned(),
            selection: at(Some(moment)),
            ..pb::WatchScope::default()
        }),
    });
    let watch = world.query.clone().watch(request).await;
    let mut watch = watch.expect("a watch").into_inner();
    let mut next = async || {
        let next = within(30 * SECOND, &mut watch).await;
        next.expect("an event").expect("no error").event
    };
    assert!(matches!(next().await, Some(Event::Started(_))));
    let Some(Event::Nodes(nodes)) = next().await else {
        panic!("no nodes");
    };
    assert_eq!(
        (names(&nodes.added), nodes.at),
        (vec!["a".to_owned(), "b".to_owned()], Some(moment))
    );
    assert!(matches!(next().await, Some(Event::Topologies(_))));
    world.collectors[0].post("d");
    for _ in 0..3 {
        let heartbeat = pb::Heartbeat { at: Some(moment) };
        assert_eq!(next().await, Some(Event::Heartbeat(heartbeat)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_of_a_past_moment_is_watched_in_one_message() {
    let world = World::new(1).await;
    let start = world.past().await;
    let request = world.request(pb::WatchDocumentRequest {
        topology_id: "hosts".to_owned(),
        selection: at(Some(later(start, 2))),
        interval_ms: 0,
    });
    let watch = world.scope.clone().watch_document(request).await;
    let mut watch = watch.expect("a watch").into_inner();
    let first = within(SECOND, &mut watch).await.expect("a message");
    let first = first.expect("no error").message;
    assert!(String::from_utf8_lossy(&first).contains(r#""label":"a""#));
    assert!(within(60 * SECOND, &mut watch).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused() {
    let world = World::new(1).await;
    let now = world.now();
    let check = async |from, until, spans, code| {
        let request = world.request(pb::GetTimelineRequest { from, until, spans });
        let answer = world.query.clone().get_timeline(request).await;
        assert_eq!(answer.map_err(|s| s.code()).err(), code);
    };
    let invalid = Some(tonic::Code::InvalidArgument);
    check(Some(now), Some(later(now, 60)), 0, None).await;
    check(Some(now), Some(now), 0, invalid).await;
    check(None, Some(now), 0, invalid).await;
    check(Some(now), Some(later(now, 31 * 86_400 + 1)), 0, invalid).await;
    check(Some(now), Some(later(now, 60)), 2001, invalid).await;
    let request = world.request(pb::WatchTopologyRequest {
        topology_id: "hosts".to_owned(),
        speed: 601.0,
        ..pb::WatchTopologyRequest::default()
    });
    let answer = world.query.clone().watch_topology(request).await;
    assert_eq!(answer.map(|_| ()).map_err(|s| s.code()).err(), invalid);
}
