//! Reports and hosts by span.

use std::collections::HashMap;

use proto::encoded::query::v1 as pb;
use proto::storage::v1::{BlockRef, IndexRow};
use stores::archive::log_of;

use super::Spans;
use crate::moment::{SECOND, timestamp};

/// What is known of the spans so far. One more span before the first says what was there before.
#[derive(Debug)]
pub(super) struct Folded {
    spans: Spans,
    first: i64,
    /// Reports, from the span before the first on.
    reports: Vec<u32>,
    /// In which of these spans each host reported, as bits.
    hosts: HashMap<u32, Vec<u64>>,
    /// When the newest report of each log was accepted that is in the index.
    newest: HashMap<u64, i64>,
}

impl Folded {
    pub(super) fn new(spans: Spans) -> Self {
        Folded {
            first: spans.from - (spans.start(1) - spans.from).max(1),
            reports: vec![0; spans.count + 1],
            hosts: HashMap::new(),
            newest: HashMap::new(),
            spans,
        }
    }

    /// The first moment that matters, in Unix nanoseconds.
    pub(super) fn first(&self) -> i64 {
        self.first
    }

    /// When the newest report of this log was accepted that is in the rows that were added.
    pub(super) fn newest(&self, log: u64) -> Option<i64> {
        self.newest.get(&log).copied()
    }

    /// Adds a row of the index.
    pub(super) fn add(&mut self, row: &IndexRow) {
        let log = log_of(&row.object);
        for block in &row.blocks {
            if let Some(log) = log {
                let newest = self.newest.entry(log).or_insert(block.last_unix_nanos);
                *newest = block.last_unix_nanos.max(*newest);
            }
            let spans = self.count(block);
            for place in &block.probes {
                let Some(&host) = row.probes.get(*place as usize) else {
                    continue;
                };
                // Nobody knows in which second a host reported: a block is as short as a view looks back.
                spans.iter().for_each(|span| self.see(host, *span));
            }
        }
    }

    /// Adds one report.
    pub(super) fn add_report(&mut self, received: i64, host: u32) {
        if let Some(span) = self.span(received) {
            self.reports[span] += 1;
            self.see(host, span);
        }
    }

    /// Counts the reports of a block; the spans that have some.
    fn count(&mut self, block: &BlockRef) -> Vec<usize> {
        let first = block.first_unix_nanos;
        let mut spans = Vec::new();
        for (i, &reports) in block.reports_per_second.iter().enumerate() {
            let second = first.div_euclid(SECOND).saturating_add(i as i64);
            let at = second.saturating_mul(SECOND).max(first);
            let Some(span) = self.span(at).filter(|_| reports > 0) else {
                continue;
            };
            self.reports[span] = self.reports[span].saturating_add(reports);
            if spans.last() != Some(&span) {
                spans.push(span);
            }
        }
        spans
    }

    /// The place of the span that has this moment.
    fn span(&self, at: i64) -> Option<usize> {
        let Spans { from, until, count } = self.spans;
        if at < self.first || at >= until {
            return None;
        }
        if at < from {
            return Some(0);
        }
        let whole = i128::from(until - from);
        let guess = i128::from(at - from) * count as i128 / whole;
        let guess = usize::try_from(guess).unwrap_or(0).min(count - 1);
        // Where a span begins is rounded down.
        let next = guess + 1 < count && self.spans.start(guess + 1) <= at;
        Some(1 + guess + usize::from(next))
    }

    fn see(&mut self, host: u32, span: usize) {
        let words = (self.spans.count + 1).div_ceil(64);
        let seen = self.hosts.entry(host).or_insert_with(|| vec![0; words]);
        seen[span / 64] |= 1 << (span % 64);
    }

    /// All spans, oldest first.
    pub(super) fn finish(self) -> Vec<pb::TimelineSpan> {
        let there = |seen: &[u64], span: usize| seen[span / 64] >> (span % 64) & 1 == 1;
        let mut out = Vec::with_capacity(self.spans.count);
        let mut before = None;
        for span in 0..=self.spans.count {
            let mut said = pb::TimelineSpan {
                from: Some(timestamp(self.spans.start(span.saturating_sub(1)))),
                reports: self.reports[span],
                ..pb::TimelineSpan::default()
            };
            let hole = self.reports[span] == 0;
            for seen in self.hosts.values().filter(|_| !hole) {
                let was = before.is_some_and(|before| there(seen, before));
                let is = there(seen, span);
                said.hosts += u32::from(is);
                said.appeared += u32::from(is && !was);
                said.vanished += u32::from(was && !is);
            }
            if !hole {
                before = Some(span);
            }
            if span > 0 {
                out.push(said);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(from: i64, until: i64, count: usize) -> Folded {
        Folded::new(Spans {
            from: from * SECOND,
            until: until * SECOND,
            count,
        })
    }

    fn row(first: i64, per_second: &[u32], hosts: &[u32]) -> IndexRow {
        IndexRow {
            object: "reports/000000000000000a-1-0000-00000000.weft".to_owned(),
            probes: hosts.to_vec(),
            blocks: vec![BlockRef {
                first_unix_nanos: first,
                last_unix_nanos: first + (per_second.len() as i64 - 1) * SECOND,
                reports_per_second: per_second.to_vec(),
                probes: (0..hosts.len() as u32).collect(),
                ..BlockRef::default()
            }],
        }
    }

    /// Each span as `reports/hosts+appeared-vanished`.
    fn said(folded: Folded) -> Vec<String> {
        let said = |s: &pb::TimelineSpan| {
            format!("{}/{}+{}-{}", s.reports, s.hosts, s.appeared, s.vanished)
        };
        folded.finish().iter().map(said).collect()
    }

    #[test]
    fn hosts_are_compared_over_holes() {
        let mut folded = folded(100, 150, 5);
        folded.add(&row(92 * SECOND, &[1], &[7, 8]));
        folded.add(&row(101 * SECOND + 5, &[2, 0, 1], &[7, 8]));
        folded.add(&row(135 * SECOND, &[4], &[8, 9, 10]));
        folded.add_report(141 * SECOND, 8);
        assert_eq!(folded.newest(10), Some(135 * SECOND));
        assert_eq!(folded.newest(11), None);
        let expected = ["3/2+0-0", "0/0+0-0", "0/0+0-0", "4/3+2-1", "1/1+0-2"];
        assert_eq!(said(folded), expected);
    }

    #[test]
    fn a_block_is_cut_where_spans_end() {
        let mut folded = folded(100, 104, 4);
        folded.add(&row(99 * SECOND, &[1, 2, 3, 4, 5, 6], &[7]));
        assert_eq!(said(folded), ["2/1+0-0", "3/1+0-0", "4/1+0-0", "5/1+0-0"]);
    }

    proptest! {
        #[test]
        fn every_moment_has_the_span_that_covers_it(length in 1..1_000_000_i64, count in 1..50_usize, at in 0.0..1.0_f64) {
            let folded = Folded::new(Spans { from: 5_000_000, until: 5_000_000 + length, count });
            let at = 5_000_000 + (length as f64 * at) as i64;
            let span = folded.span(at).expect("inside") - 1;
            let spans = folded.spans;
            prop_assert!(spans.start(span) <= at && at < spans.start(span + 1));
        }
    }
}
