//! Playing history.
//!
//! A player moves a tenant on step by step. Each moment that is shown is complete: if history comes too slowly for the
//! speed, steps get longer.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use runtime::Clock;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use crate::history::{Found, History};
use crate::metrics::Metrics;
use crate::moment::SECOND;
use crate::post::Post;
use crate::renderers::Renderers;
use crate::tenant::Tenant;
use crate::turns::Turn;

/// Later reports may still be on their way to the stores: from here on the present is shown.
const PRESENT: i64 = 3 * SECOND;
/// No moment needs reports that are older.
const REACH: i64 = 45 * SECOND;
/// How much history is fetched ahead, at first and at least, and what makes it less.
const AHEAD: (i64, i64) = (15 * SECOND, SECOND);
const AHEAD_BYTES: usize = 32 << 20;
/// How often history is asked for in vain before the watch ends, and the time between.
const TRIES: u32 = 3;
const AGAIN: Duration = Duration::from_secs(1);

/// What is to be played.
#[derive(Debug)]
pub(crate) struct Score {
    pub(crate) org: String,
    /// The first moment, in Unix nanoseconds.
    pub(crate) from: i64,
    /// Seconds of history per second.
    pub(crate) speed: f64,
    /// The time between two moments that are shown.
    pub(crate) step: Duration,
    pub(crate) clock: Clock,
}

/// A tenant whose history is played as long as this is held.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) tenant: Arc<Tenant>,
    playing: AbortOnDropHandle<Result<(), Status>>,
}

/// Counts a player and keeps its turn.
struct Seat {
    players: IntGauge,
    _turn: Turn,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.players.dec();
    }
}

impl Player {
    /// Starts at the first moment.
    pub(crate) async fn start(
        history: History,
        score: Score,
        metrics: &Metrics,
        renderers: Renderers,
        turn: Turn,
    ) -> Result<Player, Status> {
        metrics.players.inc();
        let seat = Seat {
            players: metrics.players.clone(),
            _turn: turn,
        };
        let found = history.moment(&score.org, score.from).await?;
        let (metrics, rest) = (metrics.clone(), score.step / 2);
        let tenant = Tenant::played(&score.org, score.from, found, metrics, renderers, rest);
        let tenant = Arc::new(tenant);
        let stage = Stage {
            ahead: AHEAD.0,
            fetched: score.from + 1,
            posts: VecDeque::new(),
            missing: Vec::new(),
            tenant: Arc::clone(&tenant),
            history,
            score,
        };
        let playing = tokio::spawn(async move {
            let _seat = seat;
            stage.run().await
        });
        Ok(Player {
            tenant,
            playing: AbortOnDropHandle::new(playing),
        })
    }

    /// Waits until the present is reached.
    pub(crate) async fn ended(&mut self) -> Result<(), Status> {
        (&mut self.playing).await.unwrap_or_else(|error| {
            tracing::error!(%error, "playing panicked");
            Err(Status::internal("internal error"))
        })
    }
}

/// A player at work.
struct Stage {
    history: History,
    score: Score,
    tenant: Arc<Tenant>,
    /// Fetched reports that are still to come, by time.
    posts: VecDeque<Post>,
    /// All reports received before this have been fetched.
    fetched: i64,
    /// How much history is fetched at once.
    ahead: i64,
    missing: Vec<String>,
}

impl Stage {
    async fn run(mut self) -> Result<(), Status> {
        let began = Instant::now();
        let mut shown = self.score.from;
        loop {
            let due = Instant::now() + self.score.step;
            let passed = (due - began).as_secs_f64() * self.score.speed;
            let next = self
                .score
                .from
                .saturating_add((passed * SECOND as f64) as i64);
            if next >= self.score.clock.unix_nanos() - PRESENT {
                return Ok(());
            }
            let (fetched, ()) = tokio::join!(self.fetch(shown, next), sleep_until(due));
            fetched?;
            let due = self.posts.partition_point(|post| post.received <= next);
            let posts = self.posts.drain(..due).collect();
            let (tenant, missing) = (Arc::clone(&self.tenant), self.missing.clone());
            // It waits for who reads.
            let advanced = spawn_blocking(move || tenant.advance(next, posts, missing)).await;
            advanced.map_err(|_| Status::internal("internal error"))?;
            shown = next;
        }
    }

    /// Makes sure that all reports that this moment needs are here.
    async fn fetch(&mut self, shown: i64, next: i64) -> Result<(), Status> {
        if self.fetched > next {
            return Ok(());
        }
        let org = &self.score.org;
        let found = if next - shown > REACH {
            self.posts.clear();
            self.fetched = next + 1;
            retry(|| self.history.moment(org, next)).await?
        } else {
            let from = self.fetched;
            let newest = self.score.clock.unix_nanos() - PRESENT;
            let until = (from + self.ahead).min(newest).max(next + 1);
            self.fetched = until;
            retry(|| self.history.stretch(org, from, until)).await?
        };
        let bytes: usize = found.posts.iter().map(|post| post.body.len()).sum();
        self.ahead = match bytes > AHEAD_BYTES {
            true => (self.ahead / 2).max(AHEAD.1),
            false => (self.ahead * 2).min(AHEAD.0),
        };
        self.posts.extend(found.posts);
        self.missing = found.missing;
        Ok(())
    }
}

async fn retry<F>(ask: impl Fn() -> F) -> Result<Found, Status>
where
    F: Future<Output = Result<Found, Status>>,
{
    for _ in 1..TRIES {
        match ask().await {
            Ok(found) => return Ok(found),
            Err(status) => tracing::debug!(%status, "history does not come"),
        }
        sleep(AGAIN).await;
    }
    ask().await
}
