//! What users said about credentials, remembered.
//!
//! ```text
//! request ─▶ slot of its credential ─fresh──────────────────────────────▶ believed
//!                  └─ else one call to users ─▶ remembered ─────────────▶ believed
//!                               └─ users is away: what it said last, for reading and reports ─▶ believed
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use client::Channel;
use moka::sync::Cache;
use prometheus::{IntCounterVec, Opts};
use proto::tenant::v1::{Assertion, Permission};
use proto::users::v1 as pb;
use proto::users::v1::authenticate_request::Credential;
use proto::users::v1::users_service_client::UsersServiceClient;
use runtime::Runtime;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

/// How long a yes is believed, a tenth more or less, so that not all are asked about at once. A revocation ends it sooner.
const FRESH: Duration = Duration::from_secs(30);
/// How long a no is believed.
const REFUSED: Duration = Duration::from_secs(5);
/// Credentials remembered at once, the busiest ones.
const REMEMBERED: u64 = 100_000;
/// How long users may take; then it counts as away.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long it may take after it did not answer: it may be back, but callers that are known need not wait for it long.
const TIMEOUT_WHEN_AWAY: Duration = Duration::from_millis(300);
/// How long users counts as away without being asked again.
const AWAY: Duration = Duration::from_millis(500);

/// How often users is asked again because something was revoked while it answered.
const TRIES: usize = 8;

/// What callers may go on doing while nobody can say whether they still may.
const SAFE: [Permission; 3] = [
    Permission::View,
    Permission::ViewSecrets,
    Permission::Report,
];

/// Asks users, and remembers.
#[derive(Debug, Clone)]
pub(crate) struct Verdicts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    users: UsersServiceClient<Channel>,
    /// How long what users said last is believed while it is away.
    outage: Duration,
    /// By a digest of organisation and credential: a core dump shows no token.
    slots: Cache<[u8; 32], Arc<Slot>>,
    /// Counts revocations: what users said before one and arrived after it is not believed.
    epoch: AtomicU64,
    away_since: Mutex<Option<Instant>>,
    outcomes: IntCounterVec,
    rt: Runtime,
}

/// One credential in one organisation.
#[derive(Debug, Default)]
struct Slot {
    remembered: Mutex<Remembered>,
    /// Held by whoever asks users, so that of many requests one does.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Remembered {
    verdict: Option<(Verdict, Instant)>,
    /// Of everything that was opened with this credential.
    ended: CancellationToken,
}

#[derive(Debug, Clone)]
enum Verdict {
    Known(Arc<pb::AuthenticateResponse>, Duration),
    Refused(Status),
}

/// A caller as far as it is believed.
#[derive(Debug, Clone)]
pub(crate) struct Believed {
    pub(crate) assertion: Assertion,
    /// Permissions that the caller had, and nobody can say whether it still has.
    pub(crate) suspended: Vec<i32>,
    /// Why permissions are missing.
    pub(crate) refusal: Option<pb::Refusal>,
    /// Cancelled when the caller loses something.
    pub(crate) ended: CancellationToken,
}

impl Verdicts {
    pub(crate) fn new(users: UsersServiceClient<Channel>, outage: Duration, rt: &Runtime) -> Self {
        let opts = Opts::new(
            "weft_authfe_verdicts_total",
            "Callers established, by how: remembered, asked, refused, last known while users was away, or not at all.",
        );
        let outcomes = IntCounterVec::new(opts, &["outcome"]).expect("a valid metric");
        if let Err(error) = rt.registry.register(Box::new(outcomes.clone())) {
            tracing::error!(%error, "verdicts are not counted");
        }
        Verdicts(Arc::new(Inner {
            users,
            outage,
            slots: Cache::new(REMEMBERED),
            epoch: AtomicU64::new(0),
            away_since: Mutex::new(None),
            outcomes,
            rt: rt.clone(),
        }))
    }

    /// Who presents this credential for this organisation; for its own if that is empty.
    pub(crate) async fn of(&self, org: &str, credential: Credential) -> Result<Believed, Status> {
        let inner = &*self.0;
        let new = || Arc::new(Slot::default());
        let slot = inner.slots.get_with(key(org, &credential), new);
        if let Some(fresh) = inner.fresh(&slot) {
            return fresh;
        }
        let _asking = slot.asking.lock().await;
        if let Some(fresh) = inner.fresh(&slot) {
            return fresh;
        }
        if inner.is_away() {
            return inner.last(&slot);
        }
        inner.ask(&slot, org, credential).await
    }

    /// Forgets what is no longer true, and ends what was opened with it.
    pub(crate) fn revoke(&self, revocation: &pb::Revocation) {
        self.0.epoch.fetch_add(1, Ordering::AcqRel);
        for (_, slot) in &self.0.slots {
            let mut remembered = slot.remembered();
            let concerned = match &remembered.verdict {
                Some((Verdict::Known(known, _), _)) => concerns(revocation, known),
                _ => false,
            };
            if concerned {
                remembered.end();
            }
        }
    }

    /// Ends what was opened with credentials whose time is over by now.
    pub(crate) fn end_expired(&self) {
        for (_, slot) in &self.0.slots {
            let mut remembered = slot.remembered();
            let left = match &remembered.verdict {
                Some((Verdict::Known(known, _), _)) => self.0.ends_in(known),
                _ => None,
            };
            if left.is_some_and(|left| left.is_zero()) {
                remembered.end();
            }
        }
    }

    /// Believes nothing any more without asking: something may have been missed. Whose streams are whose is still known, so
    /// that a revocation that comes later ends them.
    pub(crate) fn reset(&self) {
        self.0.epoch.fetch_add(1, Ordering::AcqRel);
        for (_, slot) in &self.0.slots {
            let mut remembered = slot.remembered();
            match &mut remembered.verdict {
                Some((Verdict::Known(_, fresh_for), _)) => *fresh_for = Duration::ZERO,
                _ => remembered.verdict = None,
            }
        }
    }
}

impl Inner {
    fn count(&self, outcome: &str) {
        self.outcomes.with_label_values(&[outcome]).inc();
    }

    fn fresh(&self, slot: &Slot) -> Option<Result<Believed, Status>> {
        let remembered = slot.remembered();
        let (verdict, at) = remembered.verdict.as_ref()?;
        match verdict {
            Verdict::Known(known, fresh_for) if at.elapsed() < *fresh_for => {
                self.count("remembered");
                Some(Ok(believe(known, remembered.ended.clone())))
            }
            Verdict::Refused(status) if at.elapsed() < REFUSED => {
                self.count("refused");
                Some(Err(status.clone()))
            }
            _ => None,
        }
    }

    async fn ask(
        &self,
        slot: &Slot,
        org: &str,
        credential: Credential,
    ) -> Result<Believed, Status> {
        for _ in 0..TRIES {
            let epoch = self.epoch.load(Ordering::Acquire);
            let mut request = tonic::Request::new(pb::AuthenticateRequest {
                credential: Some(credential.clone()),
                org_id: org.to_owned(),
            });
            request.set_timeout(self.timeout());
            let verdict = match self.users.clone().authenticate(request).await {
                Ok(answer) => {
                    let known = Arc::new(answer.into_inner());
                    let fresh_for = self.fresh_for(&known);
                    Verdict::Known(known, fresh_for)
                }
                Err(status) if is_refusal(&status) => Verdict::Refused(status),
                Err(status) => {
                    tracing::warn!(code = ?status.code(), "users cannot say who a caller is");
                    self.set_away(true);
                    return self.last(slot);
                }
            };
            self.set_away(false);
            let mut remembered = slot.remembered();
            // Under the lock that a revocation takes, so that it comes either before this check or after the change. What
            // was said before one came may be what it takes back.
            if self.epoch.load(Ordering::Acquire) == epoch {
                if let Verdict::Refused(_) = verdict {
                    // It was good when they opened what they have open.
                    remembered.end();
                }
                remembered.verdict = Some((verdict.clone(), Instant::now()));
                return match verdict {
                    Verdict::Known(known, _) => {
                        self.count("asked");
                        Ok(believe(&known, remembered.ended.clone()))
                    }
                    Verdict::Refused(status) => {
                        self.count("refused");
                        Err(status)
                    }
                };
            }
        }
        self.count("unavailable");
        Err(unavailable())
    }

    /// What users said last, while it is away. Never 401: a probe would give up, and a person be asked to sign in.
    fn last(&self, slot: &Slot) -> Result<Believed, Status> {
        let remembered = slot.remembered();
        if let Some((Verdict::Known(known, fresh_for), at)) = &remembered.verdict
            && at.elapsed() < *fresh_for + self.outage
            && self.ends_in(known).is_none_or(|left| !left.is_zero())
        {
            self.count("last_known");
            return Ok(suspend(believe(known, remembered.ended.clone())));
        }
        self.count("unavailable");
        Err(unavailable())
    }

    /// How long the credential lasts; none if it has no end.
    fn ends_in(&self, known: &pb::AuthenticateResponse) -> Option<Duration> {
        let end = known.assertion.as_ref()?.expires_at?;
        let end = SystemTime::try_from(end).unwrap_or(SystemTime::UNIX_EPOCH);
        Some(end.duration_since(self.rt.clock.now()).unwrap_or_default())
    }

    fn fresh_for(&self, known: &pb::AuthenticateResponse) -> Duration {
        let fresh = FRESH.mul_f64(rand::random_range(0.9..1.1));
        self.ends_in(known).map_or(fresh, |left| left.min(fresh))
    }

    fn is_away(&self) -> bool {
        let since = self
            .away_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() < AWAY)
    }

    fn timeout(&self) -> Duration {
        let since = self
            .away_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.map_or(TIMEOUT, |_| TIMEOUT_WHEN_AWAY)
    }

    fn set_away(&self, away: bool) {
        let mut since = self
            .away_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *since = away.then(Instant::now);
    }
}

impl Remembered {
    /// Forgets the credential, and ends what was opened with it.
    fn end(&mut self) {
        self.verdict = None;
        std::mem::take(&mut self.ended).cancel();
    }
}

impl Slot {
    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable() -> Status {
    Status::unavailable("who you are cannot be checked right now; try again later")
}

/// Whether users answered and said no. Everything else is an outage.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unauthenticated | Code::PermissionDenied
    )
}

fn believe(known: &pb::AuthenticateResponse, ended: CancellationToken) -> Believed {
    Believed {
        assertion: known.assertion.clone().unwrap_or_default(),
        suspended: Vec::new(),
        refusal: known.refusal.clone(),
        ended,
    }
}

/// Leaves what is safe.
fn suspend(mut believed: Believed) -> Believed {
    let all = std::mem::take(&mut believed.assertion.permissions);
    let safe = |number: &i32| SAFE.iter().any(|&p| i32::from(p) == *number);
    (believed.assertion.permissions, believed.suspended) = all.into_iter().partition(safe);
    believed
}

fn concerns(revocation: &pb::Revocation, known: &pb::AuthenticateResponse) -> bool {
    let org = known
        .assertion
        .as_ref()
        .map_or("", |assertion| &assertion.org_id);
    let same = |set: &str, has: &str| set.is_empty() || set == has;
    same(&revocation.token_id, &known.token_id)
        && same(&revocation.user_id, &known.user_id)
        && same(&revocation.org_id, org)
}

fn key(org: &str, credential: &Credential) -> [u8; 32] {
    let (kind, secret) = match credential {
        Credential::Token(token) => (1, token.as_str()),
        Credential::Session(session) => (2, session.as_str()),
        Credential::Loopback(_) => (3, ""),
    };
    let mut hash = Sha256::new();
    hash.update([kind]);
    // No organisation's id has a zero byte.
    hash.update(org.as_bytes());
    hash.update([0]);
    hash.update(secret.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
