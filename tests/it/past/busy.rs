//! An organisation whose rows of an hour fill more than one page of DynamoDB, which is 1 MB.

use anyhow::ensure;
use prost::Message;
use proto::collection::v1::ReportFormat;
use proto::query::v1 as pb;
use proto::storage::v1::ReportHeader;
use stores::archive::{Object, ObjectWriter};
use tests::collection::timestamp;
use tests::crash::Servers;
use tokio::task::spawn_blocking;

use super::world::World;

const ORG: &str = "busy";
const PAGE: usize = 1 << 20;
const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
/// Objects, the time that each covers, the time between two, and the hosts that report in each second, all of them others.
const OBJECTS: i64 = 6;
const COVERED: i64 = 240;
const BETWEEN: i64 = 300;
const HOSTS: i64 = 150;
/// Hosts that a timeline may take for others.
const SAME: i64 = 20;

/// An object of this number, of an hour that begins then.
fn object(hour: i64, number: i64) -> std::io::Result<Object> {
    let mut writer = ObjectWriter::new()?;
    for n in 0..COVERED * HOSTS {
        let host = format!("host-{number}-{n}");
        let header = ReportHeader {
            writer: 1,
            number: (number * COVERED * HOSTS + n) as u64,
            received_unix_nanos: hour + number * BETWEEN * SECOND + n * SECOND / HOSTS,
            probe_id: host.clone(),
            format: ReportFormat::ScopeJson.into(),
            full: true,
            shortcut: false,
        };
        let id = format!("{host};<host>");
        let body = format!(
            r#"{{"Host":{{"shape":"circle","nodes":{{"{id}":{{"id":"{id}","topology":"host"}}}}}}}}"#
        );
        writer.push(ORG, header, body.as_bytes())?;
    }
    writer.finish("reports/v1/", &format!("busy-{number}"))
}

#[tokio::test]
async fn hour_of_several_pages_is_read_to_its_end() -> anyhow::Result<()> {
    let servers = Servers::start().await?;
    let world = World::new(servers.keep()?).await?;
    let query = world.query_of_stores().await?;
    let hour = (world.now().div_euclid(HOUR) - 2) * HOUR;
    for number in 0..OBJECTS {
        let object = spawn_blocking(move || object(hour, number)).await??;
        query.archive.put(&object).await?;
    }
    let rows = query.archive.rows(ORG, hour, hour + HOUR).await?;
    let bytes: usize = rows.iter().map(Message::encoded_len).sum();
    println!("{} rows, {bytes} bytes", rows.len());
    ensure!(bytes > PAGE, "one page is enough for {bytes} bytes");

    let timeline = query.timeline(ORG, hour..hour + HOUR, 60).await?;
    let spans = timeline.spans;
    let reports: i64 = spans.iter().map(|span| i64::from(span.reports)).sum();
    let hosts: i64 = spans.iter().map(|span| i64::from(span.appeared)).sum();
    let all = OBJECTS * COVERED * HOSTS;
    ensure!(reports == all, "{reports} reports of {all}");
    // A timeline tells hosts apart by 32 bits: of so many, a few are taken for others.
    ensure!(
        (all - SAME..=all).contains(&hosts),
        "{hosts} hosts of {all}"
    );

    for number in 0..OBJECTS {
        // When the last report came.
        let at = hour + (number * BETWEEN + COVERED) * SECOND - SECOND / HOSTS;
        let request = pb::GetTopologyRequest {
            topology_id: "hosts".to_owned(),
            selection: Some(pb::Selection {
                at: Some(timestamp(at)),
                ..pb::Selection::default()
            }),
            ..pb::GetTopologyRequest::default()
        };
        let mut client = query.client.clone();
        let answer = client.get_topology(query.request(ORG, request)).await?;
        let nodes = answer.into_inner().nodes;
        let late = nodes.iter().filter(|node| node.stale).count() as i64;
        let fresh = nodes.len() as i64 - late;
        ensure!(
            (fresh, late) == (15 * HOSTS, 15 * HOSTS),
            "{fresh} hosts, {late} late ones"
        );
    }
    Ok(())
}
