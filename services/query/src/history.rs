//! What was reported: in the stores, and in the collectors' logs.
//!
//! **Invariant:** the collectors are asked before the stores, so that a report on its way from one to the other is found
//! in one of them at least.

use std::collections::HashSet;
use std::ops::Range;

use proto::storage::v1::{BlockRef, IndexRow};
use report::live::LiveConfig;
use stores::StoreError;
use stores::archive::{Archive, SLICE};
use tonic::Status;

use crate::collectors::Collectors;
use crate::needed::Needed;
use crate::post::{Post, probe_hash};

/// Reports of the past, by time.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) posts: Vec<Post>,
    /// What is missing, in words.
    pub(crate) missing: Vec<String>,
}

/// Everything that was ever reported and is kept.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) archive: Archive,
    pub(crate) collectors: Collectors,
}

impl History {
    /// The reports that this moment needs.
    pub(crate) async fn moment(&self, org: &str, at: i64) -> Result<Found, Status> {
        let mut search = Search::new(self, org, at).await?;
        loop {
            let posts = search.choose().await?;
            let (posts, damaged) = self.load(posts).await;
            if damaged.is_empty() {
                return Ok(Found {
                    posts,
                    missing: search.missing,
                });
            }
            search.without(damaged);
        }
    }

    /// Reads the bodies of those that lie in the stores; the others' names if they cannot be read, and why in words.
    async fn load(&self, posts: Vec<Post>) -> (Vec<Post>, Vec<(u128, String)>) {
        let located: Vec<_> = posts.iter().filter_map(|p| p.located.clone()).collect();
        let mut bodies = self.archive.read(&located).await.into_iter();
        let mut damaged = Vec::new();
        let mut loaded = Vec::with_capacity(posts.len());
        for mut post in posts {
            let body = post.located.take().and_then(|_| bodies.next());
            match body {
                Some(Ok(body)) => post.body = body,
                Some(Err(words)) => {
                    damaged.push((post.id, words));
                    continue;
                }
                None => {}
            }
            loaded.push(post);
        }
        (loaded, damaged)
    }

    /// The reports accepted in `from..until` (Unix nanoseconds).
    pub(crate) async fn stretch(&self, org: &str, from: i64, until: i64) -> Result<Found, Status> {
        let (held, mut missing) = self.collectors.reports(org, from, until, false).await;
        let stored = self.archive.reports(org, from, until).await;
        let stored = stored.map_err(unavailable)?;
        for words in stored.damaged {
            tell(&mut missing, words);
        }
        let stored = stored.reports.into_iter().filter_map(Post::archived);
        let posts = together(stored.collect(), held.into_iter());
        Ok(Found { posts, missing })
    }
}

/// The search for the reports that a moment needs.
pub(crate) struct Search<'a> {
    archive: &'a Archive,
    org: &'a str,
    at: i64,
    oldest: i64,
    held: Vec<Post>,
    rows: Vec<IndexRow>,
    /// What is missing, in words.
    pub(crate) missing: Vec<String>,
    /// Names of reports that are there and cannot be read.
    damaged: HashSet<u128>,
}

impl<'a> Search<'a> {
    /// Asks the collectors, and the index.
    pub(crate) async fn new(history: &'a History, org: &'a str, at: i64) -> Result<Self, Status> {
        let config = LiveConfig::default();
        let oldest = at - config.stale_for - config.rehydrate_for.max(config.window);
        let (held, missing) = history.collectors.reports(org, oldest, at + 1, false).await;
        let rows = history.archive.rows(org, oldest, at + 1).await;
        Ok(Search {
            archive: &history.archive,
            org,
            at,
            oldest,
            held,
            rows: rows.map_err(unavailable)?,
            missing,
            damaged: HashSet::new(),
        })
    }

    /// The reports, by time. The bodies of those in the stores are not here yet.
    pub(crate) async fn choose(&mut self) -> Result<Vec<Post>, Status> {
        let config = LiveConfig::default();
        let window = self.at - config.window;
        let mut needed = Needed::new(self.at, config);
        let mut chosen: Vec<Post> = Vec::new();
        // The whole window at once, then block by block, as they are cut.
        let (mut from, mut until) = (window.div_euclid(SLICE) * SLICE, self.at + 1);
        while needed.before(until) && until > self.oldest {
            let mut posts = Vec::new();
            if until > window || matters(&self.rows, from..until, &needed) {
                posts = self.located(from, until).await?;
            }
            let held = self.held.iter();
            let held = held.filter(|post| (from..until).contains(&post.received));
            let posts = together(posts, held.cloned());
            chosen.extend(posts.into_iter().rev().filter(|post| needed.wants(post)));
            (from, until) = (from - SLICE, from);
        }
        chosen.reverse();
        Ok(chosen)
    }

    /// Leaves out reports that turned out to be damaged: older ones may be needed in their place.
    pub(crate) fn without(&mut self, damaged: Vec<(u128, String)>) {
        for (name, words) in damaged {
            self.damaged.insert(name);
            tell(&mut self.missing, words);
        }
    }

    async fn located(&mut self, from: i64, until: i64) -> Result<Vec<Post>, Status> {
        let located = self.archive.locate(self.org, &self.rows, from, until).await;
        let located = located.map_err(unavailable)?;
        for words in located.damaged {
            tell(&mut self.missing, words);
        }
        let posts = located.reports.into_iter().filter_map(Post::located);
        Ok(posts
            .filter(|post| !self.damaged.contains(&post.id))
            .collect())
    }
}

/// What the stores have and what collectors hold: each report once, by time and name. The stores' come first: they say which
/// reports are full.
fn together(stored: Vec<Post>, held: impl Iterator<Item = Post>) -> Vec<Post> {
    let mut names = HashSet::new();
    let all = stored.into_iter().chain(held);
    let mut posts: Vec<Post> = all
        .filter(|post| post.id == 0 || names.insert(post.id))
        .collect();
    posts.sort_by_key(|post| (post.received, post.id));
    posts
}

fn tell(missing: &mut Vec<String>, words: String) {
    if !missing.contains(&words) {
        missing.push(words);
    }
}

/// Whether blocks of before the window may hold something that is needed: most of the time they do not, and taking blocks
/// apart is what costs.
fn matters(rows: &[IndexRow], time: Range<i64>, needed: &Needed) -> bool {
    let complete: HashSet<u32> = needed.complete().chain([""]).map(probe_hash).collect();
    let touches = |block: &&BlockRef| {
        block.last_unix_nanos >= time.start && block.first_unix_nanos < time.end
    };
    rows.iter().any(|row| {
        let blocks = row.blocks.iter().filter(touches);
        let mut places = blocks.flat_map(|block| &block.probes);
        places.any(|place| {
            let probe = row.probes.get(*place as usize);
            !probe.is_some_and(|probe| complete.contains(probe))
        })
    })
}

/// The stores' errors as answers. What they are goes to the log.
pub(crate) fn unavailable(error: StoreError) -> Status {
    tracing::warn!(%error, "history cannot be read");
    match error {
        StoreError::Throttled(_) | StoreError::Unavailable(_) => {
            Status::unavailable("the stores of past reports are away; try again later")
        }
        StoreError::NotFound(_) | StoreError::Refused(_) => {
            Status::unavailable("the stores of past reports refuse to answer")
        }
    }
}
