//! Which replica holds a pipe: found out, and decided.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use client::Caller;
use moka::sync::Cache;
use proto::pipes::v1::{CloseReason, End};
use proto::storage::v1::PipePlace;
use proto::users::v1::AuditEvent;
use runtime::{Clock, Event, Recorder, Runtime};
use stores::{Ends, Member, PipeKey, Place};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::access::Access;
use crate::error::PipeError;
use crate::held::Held;
use crate::pipe::{Ended, Pipe};
use crate::{Config, Limits};

/// How long an attachment waits for the announcement: the probe attaches before the control is answered.
const ANNOUNCED: Duration = Duration::from_secs(10);
/// How often it is looked for at first, and at last.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// Pipes elsewhere whose holder is remembered, and for how long without being asked for.
const ROUTES: (u64, Duration) = (100_000, Duration::from_secs(600));
/// Pipes that were closed before they were announced, at one replica.
const EARLY: u64 = 10_000;
/// Locks for pipes that this replica takes: more than calls at once.
const LOCKS: usize = 256;
/// How often a change that others got in the way of is tried.
const TRIES: usize = 8;

/// Where a pipe is.
#[derive(Debug)]
pub(crate) enum Found {
    Here(Arc<Pipe>),
    There(Route),
}

/// Where a pipe is for whoever does not want to hold it.
#[derive(Debug)]
pub(crate) enum Looked {
    Here(Arc<Pipe>),
    There(Route),
    /// Nobody holds it; with what it was announced.
    Unheld(Access),
    Closed,
    Unknown,
}

/// Why a pipe is closed, and who asked for it if anybody did.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    reason: CloseReason,
    by: Option<Caller>,
}

impl From<CloseReason> for Closing {
    fn from(reason: CloseReason) -> Self {
        Closing { reason, by: None }
    }
}

impl Closing {
    /// As this end of it asks.
    pub(crate) fn asked(end: End, caller: &Caller) -> Self {
        let reason = match end {
            End::Probe => CloseReason::Ended,
            End::User | End::Unspecified => CloseReason::Closed,
        };
        Closing {
            reason,
            by: Some(caller.clone()),
        }
    }

    /// What the audit log says of it.
    fn recorded(self, key: &PipeKey, open: Duration) -> AuditEvent {
        let why = match self.reason {
            CloseReason::Ended => "its process ended",
            CloseReason::Closed => "closed by a user",
            CloseReason::Abandoned => "one end stayed away",
            CloseReason::Idle => "nothing passed for long",
            CloseReason::Expired => "open for as long as is allowed",
            CloseReason::Unspecified => "closed",
        };
        let event = Event {
            action: "terminal.close",
            target: key.id.clone(),
            detail: format!("{why}, after {:.1} s", open.as_secs_f64()),
        };
        match &self.by {
            Some(caller) => event.by(caller),
            None => event.by_itself(&key.org),
        }
    }
}

/// A pipe that another replica holds.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) replica: String,
    pub(crate) address: String,
    pub(crate) access: Access,
}

#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) ends: Ends,
    pub(crate) held: Held,
    pub(crate) limits: Limits,
    /// Where others reach this replica.
    pub(crate) address: String,
    /// This replica, while others know it.
    pub(crate) member: watch::Sender<Option<Member>>,
    routes: Cache<PipeKey, Route>,
    /// Closed before they were announced, for as long as the store remembers that.
    early: Cache<PipeKey, ()>,
    /// Closed here, which the store has not been told yet.
    untold: Arc<std::sync::Mutex<HashMap<PipeKey, Closing>>>,
    locks: Arc<[Mutex<()>]>,
    hasher: RandomState,
    clock: Clock,
    pub(crate) key: client::Key,
    pub(crate) recorder: Recorder,
}

fn check(id: &str) -> Result<(), PipeError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=128).contains(&id.len()) && id.bytes().all(fits) {
        return Ok(());
    }
    Err(PipeError::BadId)
}

impl Places {
    pub(crate) fn new(config: Config, ends: Ends, recorder: Recorder, rt: &Runtime) -> Self {
        let routes = Cache::builder()
            .max_capacity(ROUTES.0)
            .time_to_idle(ROUTES.1);
        let early = Cache::builder().max_capacity(EARLY);
        let early = early.time_to_live(config.limits.remember);
        Places {
            ends,
            held: Held::default(),
            limits: config.limits,
            address: config.address,
            member: watch::Sender::new(None),
            routes: routes.build(),
            early: early.build(),
            untold: Arc::default(),
            locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            clock: rt.clock,
            key: rt.key.clone(),
            recorder,
        }
    }

    /// The key of a pipe whose id is well-formed.
    pub(crate) fn key(org: &str, id: &str) -> Result<PipeKey, PipeError> {
        check(id)?;
        Ok(PipeKey {
            org: org.to_owned(),
            id: id.to_owned(),
        })
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.unix_nanos()
    }

    /// Since this moment, by clocks that may differ a little.
    pub(crate) fn since(&self, unix_nanos: i64) -> Duration {
        let nanos = self.now().saturating_sub(unix_nanos);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    fn lock(&self, key: &PipeKey) -> &Mutex<()> {
        let hash = usize::try_from(self.hasher.hash_one(key) % LOCKS as u64);
        &self.locks[hash.unwrap_or(0)]
    }

    /// Notes that a control answered with this pipe.
    pub(crate) async fn announce(&self, key: &PipeKey, access: Access) -> Result<(), PipeError> {
        self.held.check_room(&key.org)?;
        let place = PipePlace {
            permission: access.permission.into(),
            opener: access.opener.clone(),
            announced_unix_nanos: self.now(),
            ..PipePlace::default()
        };
        if self.ends.put(key, &place, 0).await? {
            return Ok(());
        }
        match self.ends.get(key).await? {
            Some(Place { place, .. })
                if place.closed_unix_nanos == 0 && Access::of(&place) == access =>
            {
                Ok(())
            }
            _ => Err(PipeError::Taken),
        }
    }

    /// As [`Places::find`], once the pipe was announced.
    pub(crate) async fn announced(&self, key: &PipeKey) -> Result<Found, PipeError> {
        let late = Instant::now() + ANNOUNCED;
        let mut pause = LOOK.0;
        loop {
            match self.find(key, None).await {
                Err(PipeError::Unknown) if Instant::now() < late => {}
                found => return found,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK.1);
        }
    }

    /// Where this pipe is; holds it from now on if nobody does, or only this replica does, of which the caller knows that
    /// it does not.
    pub(crate) async fn find(&self, key: &PipeKey, not: Option<&str>) -> Result<Found, PipeError> {
        for _ in 0..TRIES {
            if let Some(pipe) = self.held.get(key) {
                return Ok(Found::Here(pipe));
            }
            if let Some(route) = self.routes.get(key)
                && not != Some(&*route.replica)
            {
                return Ok(Found::There(route));
            }
            if self.untold().contains_key(key) {
                return Err(PipeError::Closed);
            }
            let _taking = self.lock(key).lock().await;
            if let Some(pipe) = self.held.get(key) {
                return Ok(Found::Here(pipe));
            }
            let found = self.ends.get(key).await?.ok_or(PipeError::Unknown)?;
            if found.place.closed_unix_nanos != 0 {
                return Err(PipeError::Closed);
            }
            if let Some(route) = self.route(&found.place, not).await? {
                self.routes.insert(key.clone(), route.clone());
                return Ok(Found::There(route));
            }
            if let Some(pipe) = self.take(key, found).await? {
                return Ok(Found::Here(pipe));
            }
        }
        Err(PipeError::Contended)
    }

    /// The way to the replica that holds it, unless that is gone or does not.
    async fn route(
        &self,
        place: &PipePlace,
        not: Option<&str>,
    ) -> Result<Option<Route>, PipeError> {
        let replica = &place.replica;
        let own = self.member.borrow().as_ref().map(|m| m.name.clone());
        if replica.is_empty() || Some(replica) == own.as_ref() || not == Some(&**replica) {
            return Ok(None);
        }
        let address = self.ends.address(replica).await?;
        Ok(address.map(|address| Route {
            replica: replica.clone(),
            address,
            access: Access::of(place),
        }))
    }

    /// Makes this replica the holder; nothing if another one was faster.
    async fn take(&self, key: &PipeKey, found: Place) -> Result<Option<Arc<Pipe>>, PipeError> {
        let member = self.member.borrow().clone().ok_or(PipeError::NoMember)?;
        self.held.check_room(&key.org)?;
        let mut place = found.place;
        if !place.replica.is_empty() {
            place.moves = place.moves.saturating_add(1);
        }
        place.replica.clone_from(&member.name);
        if !self.ends.put(key, &place, found.version).await? {
            return Ok(None);
        }
        let age = self.since(place.announced_unix_nanos);
        let pipe = Pipe::new(Access::of(&place), place.moves, age);
        let pipe = self.held.insert(key, pipe);
        self.routes.invalidate(key);
        // Whoever evicted this replica meanwhile may have given the pipe to another one.
        if self.member.borrow().as_ref() != Some(&member) {
            self.held.remove(key, Ended::Moved);
            return Err(PipeError::NoMember);
        }
        Ok(Some(pipe))
    }

    /// The pipe if it is held here, or about to be: whoever asks would take it otherwise.
    pub(crate) async fn held_after_taking(&self, key: &PipeKey) -> Option<Arc<Pipe>> {
        if let Some(pipe) = self.held.get(key) {
            return Some(pipe);
        }
        let _taken = self.lock(key).lock().await;
        self.held.get(key)
    }

    /// The route did not lead to the pipe.
    pub(crate) fn forget_route(&self, key: &PipeKey) {
        self.routes.invalidate(key);
    }

    /// Where this pipe is, or was before the replica of this name turned out not to hold it.
    pub(crate) async fn look(&self, key: &PipeKey, not: Option<&str>) -> Result<Looked, PipeError> {
        if let Some(pipe) = self.held.get(key) {
            return Ok(Looked::Here(pipe));
        }
        let Some(Place { place, .. }) = self.ends.get(key).await? else {
            return Ok(Looked::Unknown);
        };
        if place.closed_unix_nanos != 0 {
            return Ok(Looked::Closed);
        }
        let route = self.route(&place, not).await?;
        Ok(route.map_or(Looked::Unheld(Access::of(&place)), Looked::There))
    }

    fn untold(&self) -> MutexGuard<'_, HashMap<PipeKey, Closing>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a pipe that this replica holds. When the process has ended, readers get what is left first.
    pub(crate) async fn close_held(&self, key: PipeKey, pipe: Arc<Pipe>, closing: Closing) {
        match closing.reason {
            CloseReason::Ended => self.finish(key, pipe, closing),
            _ => self.close(&key, closing).await,
        }
    }

    /// Closes a pipe that nobody holds.
    pub(crate) async fn close_unheld(
        &self,
        key: &PipeKey,
        closing: Closing,
    ) -> Result<(), PipeError> {
        self.note_closed(key, &closing).await
    }

    /// Closes a pipe that was not announced yet, so that the announcement does not open it. A probe could fill the store
    /// with such notes, so there is a bound; beyond it such a pipe is closed when its probe stays away.
    pub(crate) async fn close_early(&self, key: &PipeKey) -> Result<(), PipeError> {
        if self.early.entry_count() >= EARLY {
            return Ok(());
        }
        self.early.insert(key.clone(), ());
        self.note_closed(key, &CloseReason::Ended.into()).await
    }

    /// Closes a pipe that this replica holds, or nobody. It is closed here whatever the store says, which is told later if
    /// it is away.
    pub(crate) async fn close(&self, key: &PipeKey, closing: impl Into<Closing>) {
        let closing = closing.into();
        self.held.remove(key, Ended::Closed(closing.reason));
        self.routes.invalidate(key);
        if let Err(error) = self.note_closed(key, &closing).await {
            tracing::debug!(%error, pipe = key.id, "the store learns later that a pipe was closed");
            self.untold().insert(key.clone(), closing);
        }
    }

    /// The process has ended: closes a pipe that this replica holds when readers have all there was, or stay away.
    fn finish(&self, key: PipeKey, pipe: Arc<Pipe>, closing: Closing) {
        pipe.output.finish();
        let places = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = pipe.output.read_to_its_end() => {}
                _ = pipe.ended() => return,
            }
            places.close(&key, closing).await;
        });
    }

    /// Tells the store what it does not know yet.
    pub(crate) async fn tell(&self) {
        let all: Vec<_> = self.untold().clone().into_iter().collect();
        for (key, closing) in all {
            if self.note_closed(&key, &closing).await.is_err() {
                return;
            }
            self.untold().remove(&key);
        }
    }

    /// Whoever writes it into the store writes it into the audit log, so that it stands there once.
    async fn note_closed(&self, key: &PipeKey, closing: &Closing) -> Result<(), PipeError> {
        for _ in 0..TRIES {
            let found = self.ends.get(key).await?;
            let (place, version) = match found {
                Some(found) if found.place.closed_unix_nanos != 0 => return Ok(()),
                Some(found) => (found.place, found.version),
                // Closed before it was announced: that must not open it again.
                None => (PipePlace::default(), 0),
            };
            let closed = PipePlace {
                closed_unix_nanos: self.now(),
                reason: closing.reason.into(),
                ..place
            };
            if self.ends.put(key, &closed, version).await? {
                if closed.announced_unix_nanos != 0 {
                    let open = self.since(closed.announced_unix_nanos);
                    let closing = closing.clone().recorded(key, open);
                    self.recorder.record_later(closing);
                }
                return Ok(());
            }
        }
        Err(PipeError::Contended)
    }
}

#[cfg(test)]
mod tests;
