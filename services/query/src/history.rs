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
#[derive(Debug, Default)]
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
        let config = LiveConfig::default();
        let oldest = at - config.stale_for - config.rehydrate_for.max(config.window);
        let (mut held, missing) = self.collectors.reports(org, oldest, at + 1, false).await;
        let mut found = Found {
            posts: Vec::new(),
            missing,
        };
        let window = at - config.window;
        let mut needed = Needed::new(at, config);
        let rows = self.archive.rows(org, oldest, window + 1).await;
        let rows = rows.map_err(unavailable)?;
        // As blocks are cut, so that none is taken apart twice.
        let (mut from, mut until) = (at + 1, at + 1);
        while needed.before(until) && until > oldest {
            from = (from - 1).div_euclid(SLICE) * SLICE;
            if from > window {
                continue;
            }
            let newer = held.extract_if(.., |post| post.received >= from);
            let mut posts: Vec<Post> = newer.collect();
            if until > window || matters(&rows, from..until, &needed) {
                self.stored(org, from, until, &mut posts, &mut found.missing)
                    .await?;
            } else {
                posts.sort_by_key(|post| (post.received, post.id));
            }
            let wanted = posts.into_iter().rev().filter(|post| needed.wants(post));
            found.posts.extend(wanted);
            until = from;
        }
        found.posts.reverse();
        Ok(found)
    }

    /// The reports accepted in `from..until` (Unix nanoseconds).
    pub(crate) async fn stretch(&self, org: &str, from: i64, until: i64) -> Result<Found, Status> {
        let (mut posts, mut missing) = self.collectors.reports(org, from, until, false).await;
        self.stored(org, from, until, &mut posts, &mut missing)
            .await?;
        Ok(Found { posts, missing })
    }

    /// Adds what the stores have to what the collectors hold: each report once, by time and name.
    async fn stored(
        &self,
        org: &str,
        from: i64,
        until: i64,
        posts: &mut Vec<Post>,
        missing: &mut Vec<String>,
    ) -> Result<(), Status> {
        let found = self.archive.reports(org, from, until).await;
        let found = found.map_err(unavailable)?;
        for damage in found.damaged {
            if !missing.contains(&damage) {
                missing.push(damage);
            }
        }
        // The stores' first: they say which reports are full.
        let held = std::mem::take(posts);
        let archived = found.reports.into_iter().filter_map(Post::archived);
        let mut names = HashSet::new();
        posts.extend(
            archived
                .chain(held)
                .filter(|post| post.id == 0 || names.insert(post.id)),
        );
        posts.sort_by_key(|post| (post.received, post.id));
        Ok(())
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
