//! Which spans of time have reports, and which hosts came and went.

mod folded;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use proto::encoded::query::v1 as pb;
use tonic::Status;

use crate::history::{History, unavailable};
use crate::moment::{self, SECOND};
use crate::post::probe_hash;
use folded::Folded;

const DAY: i64 = 86_400 * SECOND;
const LONGEST: i64 = 31 * DAY;
/// Default and bound of the number of spans.
const SPANS: (u32, u32) = (200, 2000);
/// How much of the index is read at once, and how many of such parts at a time. Bounds what is held.
const PART: i64 = 3600 * SECOND;
const PARTS: usize = 4;

/// Equal spans of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spans {
    /// In Unix nanoseconds.
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) count: usize,
}

impl Spans {
    pub(crate) fn parse(request: &pb::GetTimelineRequest) -> Result<Self, Status> {
        let invalid = |words: &str| Status::invalid_argument(words.to_owned());
        let moment = |at: Option<prost_types::Timestamp>| {
            moment::wanted(at)?.ok_or_else(|| invalid("`from` and `until` are needed"))
        };
        let (from, until) = (moment(request.from)?, moment(request.until)?);
        if from >= until {
            return Err(invalid("`from` must be before `until`"));
        }
        if until - from > LONGEST {
            return Err(invalid("a timeline covers at most 31 days"));
        }
        let count = match request.spans {
            0 => SPANS.0,
            n if n <= SPANS.1 => n,
            _ => return Err(invalid("there can be at most 2,000 spans")),
        };
        Ok(Spans {
            from,
            until,
            count: count as usize,
        })
    }

    /// When a span begins; the one after the last begins when that one ends.
    fn start(&self, span: usize) -> i64 {
        let whole = i128::from(self.until - self.from) * span as i128;
        let offset = whole / self.count as i128;
        self.from + i64::try_from(offset).unwrap_or(0)
    }
}

/// The timeline of an organisation.
pub(crate) async fn read(
    history: &History,
    org: &str,
    spans: Spans,
) -> Result<pb::GetTimelineResponse, Status> {
    let mut folded = Folded::new(spans);
    let first = folded.first();
    // Before the stores, so that a report on its way from one to the other is found in one of them at least.
    let held = history.collectors.reports(org, first, spans.until, true);
    let (held, missing) = held.await;
    let starts = (first.div_euclid(PART)..=(spans.until - 1).div_euclid(PART)).map(|n| n * PART);
    let parts = starts.map(|start| async move {
        let (from, until) = (start.max(first), (start + PART).min(spans.until));
        let rows = history.archive.rows(org, from, until).await?;
        Ok::<_, stores::StoreError>((from, rows))
    });
    let mut parts = stream::iter(parts).buffered(PARTS);
    while let Some((from, rows)) = parts.try_next().await.map_err(unavailable)? {
        // Rows that touch two parts come with both.
        let new = |row: &&_| from == first || begins(row) >= from;
        rows.iter().filter(new).for_each(|row| folded.add(row));
    }
    for post in held {
        // What is in the index is not counted again: the reports of a log get there in the order in which they came.
        if folded.newest(post.log()) < Some(post.received) {
            folded.add_report(post.received, probe_hash(&post.probe));
        }
    }
    Ok(pb::GetTimelineResponse {
        spans: folded.finish(),
        warnings: missing,
    })
}

fn begins(row: &proto::storage::v1::IndexRow) -> i64 {
    let firsts = row.blocks.iter().map(|block| block.first_unix_nanos);
    firsts.min().unwrap_or(i64::MAX)
}
