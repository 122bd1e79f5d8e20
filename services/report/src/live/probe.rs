//! What one probe posted lately.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::LiveConfig;
use super::rename::Names;
use super::whole::Merged;
use crate::decode::{
    Checked, Compression, Format, Limits, Recall, decode_checked, decode_following, inflate_into,
};
use crate::merge::merge;
use crate::model::Report;
use crate::symbol::Symbols;

/// A posted body.
#[derive(Debug)]
pub(super) struct Post {
    received: i64,
    body: Bytes,
    format: Format,
    compression: Compression,
    decoded: Option<(Report, Checked)>,
}

impl Post {
    pub(super) fn new(
        received: i64,
        body: Bytes,
        format: Format,
        compression: Compression,
    ) -> Self {
        Post {
            received,
            body,
            format,
            compression,
            decoded: None,
        }
    }

    fn report(&self) -> Option<&Report> {
        self.decoded.as_ref().map(|(report, _)| report)
    }

    fn is_full(&self) -> bool {
        self.decoded
            .as_ref()
            .is_some_and(|(_, checked)| checked.full)
    }

    /// A post of which only what it says is kept.
    pub(super) fn decoded(
        received: i64,
        body: &[u8],
        format: Format,
        compression: Compression,
        tools: &mut Tools,
    ) -> Self {
        let decoded = tools.decode(received, body, format, compression);
        Post {
            decoded: Some(decoded),
            ..Post::new(received, Bytes::new(), format, compression)
        }
    }

    fn decode(&mut self, tools: &mut Tools) {
        if self.decoded.is_none() {
            let (format, compression) = (self.format, self.compression);
            self.decoded = Some(tools.decode(self.received, &self.body, format, compression));
        }
    }
}

/// What decoding needs.
pub(super) struct Tools<'a> {
    pub(super) limits: &'a Limits,
    pub(super) symbols: &'a mut Symbols,
    /// To inflate into.
    pub(super) buffer: &'a mut Vec<u8>,
    /// Kept where reports of one probe are decoded one after another.
    pub(super) recall: Option<&'a mut Recall>,
}

impl Tools<'_> {
    /// What is no report says nothing, and need not be tried again.
    fn decode(
        &mut self,
        received: i64,
        body: &[u8],
        format: Format,
        compression: Compression,
    ) -> (Report, Checked) {
        let (limits, symbols) = (self.limits, &mut *self.symbols);
        inflate_into(body, compression, limits, self.buffer)
            .and_then(|body| match &mut self.recall {
                Some(recall) => decode_following(body, format, limits, received, symbols, recall),
                None => decode_checked(body, format, limits, received, symbols),
            })
            .unwrap_or_default()
    }
}

/// One probe's posts, or all anonymous ones.
#[derive(Debug)]
pub(super) struct Probe {
    /// By time of arrival.
    posts: VecDeque<Post>,
    /// Anonymous posts say nothing about each other.
    named: bool,
    merged: Merged,
    /// Something was posted since it was merged.
    posted: bool,
    /// When `merged` is no longer what it should be.
    next_change: i64,
}

/// Which posts count, and as what.
struct View {
    first: usize,
    /// The first that is still in the window; those before only complete it.
    current: usize,
    stale: bool,
    until: i64,
}

impl Probe {
    pub(super) fn new(named: bool) -> Self {
        Probe {
            posts: VecDeque::new(),
            named,
            merged: Merged::default(),
            posted: false,
            next_change: i64::MIN,
        }
    }

    pub(super) fn push(&mut self, post: Post) {
        let at = self.posts.partition_point(|p| p.received <= post.received);
        self.posts.insert(at, post);
        self.posted = true;
    }

    /// What this probe reports, as of the last [`refresh`](Probe::refresh).
    pub(super) fn merged(&self) -> &Merged {
        &self.merged
    }

    pub(super) fn into_merged(self) -> Merged {
        self.merged
    }

    /// When that changes if nothing is posted.
    pub(super) fn next_change(&self) -> i64 {
        self.next_change
    }

    pub(super) fn is_gone(&self, now: i64, config: &LiveConfig) -> bool {
        let stale_for = if self.named { config.stale_for } else { 0 };
        self.last() <= now.saturating_sub(config.window + stale_for)
    }

    /// Drops posts that can never count again.
    pub(super) fn forget(&mut self, now: i64, config: &LiveConfig) {
        let oldest = now.min(self.last() + config.window) - config.rehydrate_for;
        let expired = self.posts.partition_point(|p| p.received <= oldest);
        self.posts.drain(..expired);
    }

    /// Merges what counts now; if that is not what it was, gives what it was.
    pub(super) fn refresh(
        &mut self,
        now: i64,
        config: &LiveConfig,
        tools: &mut Tools,
    ) -> Option<Merged> {
        if !self.posted && now < self.next_change {
            return None;
        }
        self.forget(now, config);
        let view = self.view(now, config, tools);
        let reports = self.posts.range(view.first..).filter_map(Post::report);
        let mut report = merge(reports, tools.symbols);
        for before in self.posts.range(view.first..view.current) {
            let window = before.report().map_or(0, |r| r.window);
            report.window = report.window.wrapping_sub(window);
        }
        if view.stale {
            make_stale(&mut report);
        }
        self.posted = false;
        self.next_change = view.until;
        self.posts.drain(..view.first);
        Some(std::mem::replace(&mut self.merged, Merged::new(report)))
    }

    /// Forgets all symbols.
    pub(super) fn undecode(&mut self) {
        self.posted = true;
        self.merged = Merged::default();
        for post in &mut self.posts {
            post.decoded = None;
        }
    }

    /// Drops all posts; what they said together stays.
    pub(super) fn let_go(&mut self) {
        self.posts = VecDeque::new();
    }

    /// Gives what was merged other numbers.
    pub(super) fn rename(&mut self, names: &Names) {
        let mut report = std::mem::take(&mut self.merged).report;
        names.report(&mut report);
        self.merged = Merged::new(report);
    }

    /// All reports that hold symbols.
    pub(super) fn reports(&self) -> impl Iterator<Item = &Report> {
        let decoded = self.posts.iter().filter_map(Post::report);
        decoded.chain([&self.merged.report])
    }

    fn view(&mut self, now: i64, config: &LiveConfig, tools: &mut Tools) -> View {
        let end = self.last() + config.window;
        let stale = now >= end;
        // A late probe is shown as it was just before its last report left the window.
        let at = now.min(end - 1);
        let current = self
            .posts
            .partition_point(|p| p.received <= at - config.window);
        for post in self.posts.range_mut(current..) {
            post.decode(tools);
        }
        let mut view = View {
            first: current,
            current,
            stale,
            until: end,
        };
        if let Some(post) = self.posts.get(current) {
            view.until = post.received + config.window;
        }
        if self.named && !self.posts.range(current..).any(Post::is_full) {
            self.rehydrate(&mut view, config, tools);
        }
        if stale {
            view.until = end + config.stale_for;
        }
        view
    }

    /// Deltas only make sense with the full report before them.
    fn rehydrate(&mut self, view: &mut View, config: &LiveConfig, tools: &mut Tools) {
        for i in (0..view.current).rev() {
            self.posts[i].decode(tools);
            if self.posts[i].is_full() {
                view.first = i;
                view.until = view
                    .until
                    .min(self.posts[i].received + config.rehydrate_for);
                return;
            }
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let decoded = |p: &Post| p.decoded.as_ref().map_or(0, |(_, c)| c.heap_bytes);
        let posts = self.posts.iter();
        let posts = posts.map(|p| size_of::<Post>() + p.body.len() + decoded(p));
        let merged = match self.posts.len() {
            0 | 1 => 0,
            _ => self.merged_bytes(),
        };
        posts.sum::<usize>() + merged
    }

    /// Merged, several posts take about as much as the largest of them.
    pub(super) fn merged_bytes(&self) -> usize {
        let decoded = |p: &Post| p.decoded.as_ref().map_or(0, |(_, c)| c.heap_bytes);
        self.posts.iter().map(decoded).max().unwrap_or(0)
    }

    fn last(&self) -> i64 {
        self.posts.back().map_or(i64::MIN / 2, |p| p.received)
    }
}

/// Nothing that a late probe says is certain any more, and it covers no time.
fn make_stale(report: &mut Report) {
    report.window = 0;
    report.sampling = Default::default();
    for topology in &mut report.topologies {
        for node in &mut topology.nodes {
            Arc::make_mut(node).stale = true;
        }
    }
}
