//! How often callers may ask.
//!
//! ```text
//! request ─▶ its client's rate ─▶ its credential's rate ─▶ identity ─▶ its organisation's ─▶ its probe's ─▶ service
//! ```
//!
//! What is refused costs next to nothing: users is not asked, no body is read. Callers on this machine that need no
//! credential are not counted.

mod rate;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use moka::sync::Cache;
use prometheus::{IntCounterVec, Opts};
use runtime::Runtime;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::ApiError;
use crate::events::Whose;
use crate::grpc::is_rpc;
use crate::identity::{Signed, secured};
use rate::{Rate, Rates};

/// Requests come in bursts: a page that opens, a fleet of probes that restarts. What a rate allows in this time may come at
/// once.
const BURST: Duration = Duration::from_secs(10);
/// Failures are forgiven within this time.
const FORGIVEN: Duration = Duration::from_secs(60);
/// How long it is remembered whether a credential was good, and of how many.
const REMEMBERED: Duration = Duration::from_secs(600);
const CREDENTIALS: u64 = 100_000;

/// How often callers may ask: on average, and in bursts of ten seconds' worth. 0 is no bound.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests per second of one client: an IPv4 address or an IPv6 /64. 500 by default.
    pub client: u32,
    /// Different wrong credentials per minute of one client. 30 by default.
    pub failures: u32,
    /// Requests per second with one credential. 500 by default.
    pub credential: u32,
    /// Requests per second of one organisation. 1,000 by default.
    pub organisation: u32,
    /// Reports per second of one probe, which sends one every 3 s and one for urgent news. 5 by default.
    pub probe: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            client: 500,
            failures: 30,
            credential: 500,
            organisation: 1000,
            probe: 5,
        }
    }
}

/// Counts requests, and refuses those that are too many.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    clients: Rates<IpAddr>,
    failures: Rates<IpAddr>,
    credentials: Rates<u64>,
    organisations: Rates<u64>,
    probes: Rates<u64>,
    /// Whether a credential was good when it was seen last, by a hash that changes with every start.
    seen: Cache<u64, bool>,
    hasher: RandomState,
    trust_loopback: bool,
    limited: IntCounterVec,
    rt: Runtime,
}

/// What a request is counted as.
#[derive(Debug, Clone, Copy)]
struct Counted {
    client: IpAddr,
    credential: Option<u64>,
}

/// One too many: of what, and how long to wait.
type Excess = (&'static str, Duration);

impl Limiter {
    pub(crate) fn new(limits: &Limits, trust_loopback: bool, rt: &Runtime) -> Self {
        let opts = Opts::new(
            "weft_authfe_limited_total",
            "Requests that were one too many, by what was counted: client, failures, credential, organisation, probe.",
        );
        let limited = IntCounterVec::new(opts, &["limit"]).expect("a valid metric");
        if let Err(error) = rt.registry.register(Box::new(limited.clone())) {
            tracing::error!(%error, "limited requests are not counted");
        }
        let per_second = |rate: u32| Rate {
            events: rate.saturating_mul(BURST.as_secs() as u32),
            per: BURST,
        };
        Limiter {
            clients: Rates::new(per_second(limits.client)),
            failures: Rates::new(Rate {
                events: limits.failures,
                per: FORGIVEN,
            }),
            credentials: Rates::new(per_second(limits.credential)),
            organisations: Rates::new(per_second(limits.organisation)),
            probes: Rates::new(per_second(limits.probe)),
            seen: Cache::builder()
                .max_capacity(CREDENTIALS)
                .time_to_live(REMEMBERED)
                .build(),
            hasher: RandomState::new(),
            trust_loopback,
            limited,
            rt: rt.clone(),
        }
    }

    /// None if it is a request of this machine that needs no credential.
    fn counted(&self, request: &Request) -> Option<Counted> {
        let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
        let headers = request.headers();
        let presented = headers.get(AUTHORIZATION).or_else(|| headers.get(COOKIE));
        let credential = presented.map(|value| self.hasher.hash_one(value.as_bytes()));
        let client = runtime::network(peer.ip());
        let exempt = self.trust_loopback && client.is_loopback() && credential.is_none();
        (!exempt).then_some(Counted { client, credential })
    }

    fn before_identity(&self, counted: Counted) -> Result<(), Excess> {
        let Counted { client, credential } = counted;
        self.clients.note(client).map_err(|wait| ("client", wait))?;
        let Some(credential) = credential else {
            return Ok(());
        };
        // Whoever guesses may guess no more; whoever is known goes on, although it shares the guesser's address.
        if self.seen.get(&credential).is_none() {
            let free = self.failures.full(client);
            free.map_err(|wait| ("failures", wait))?;
        }
        let noted = self.credentials.note(credential);
        noted.map_err(|wait| ("credential", wait))
    }

    /// Whose a request is, by the assertion that this process signed for it a moment ago.
    fn whose(&self, header: &HeaderValue) -> Option<Whose> {
        let caller = self.rt.key.verify(header, SystemTime::now()).ok()?;
        Some(Whose {
            org: caller.org_id,
            subject: caller.subject,
        })
    }

    fn after_identity(&self, counted: Counted, org: &str, request: &Request) -> Result<(), Excess> {
        if let Some(credential) = counted.credential {
            self.seen.insert(credential, true);
        }
        let noted = self.organisations.note(self.hasher.hash_one(org));
        noted.map_err(|wait| ("organisation", wait))?;
        if !is_report(request) {
            return Ok(());
        }
        let probe = request.headers().get("x-scope-probe-id");
        let probe = probe.map(|id| id.as_bytes()).unwrap_or_default();
        let noted = self.probes.note(self.hasher.hash_one((org, probe)));
        noted.map_err(|wait| ("probe", wait))
    }

    /// A credential that is wrong again is no new guess: a fleet whose token was revoked shuts nobody out.
    fn failed(&self, counted: Counted) {
        let Some(credential) = counted.credential else {
            return;
        };
        if self.seen.get(&credential) != Some(false) {
            self.seen.insert(credential, false);
            let _ = self.failures.note(counted.client);
        }
    }

    fn refuse(&self, request: &Request, (limit, wait): Excess) -> Response {
        self.limited.with_label_values(&[limit]).inc();
        refusal(request, limit, wait)
    }
}

/// Counts requests by where they come from and what they present, and wrong credentials.
pub(crate) async fn of_client(
    State(limiter): State<Limiter>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(counted) = limiter.counted(&request) else {
        return next.run(request).await;
    };
    if let Err(excess) = limiter.before_identity(counted) {
        return secured(limiter.refuse(&request, excess));
    }
    request.extensions_mut().insert(counted);
    let response = next.run(request).await;
    if is_unauthenticated(&response) {
        limiter.failed(counted);
    }
    response
}

/// Counts requests by whose they are.
pub(crate) async fn of_organisation(
    State(limiter): State<Limiter>,
    request: Request,
    next: Next,
) -> Response {
    let Some(signed) = request.extensions().get::<Signed>() else {
        return next.run(request).await;
    };
    // None of a request that is not counted.
    let counted = request.extensions().get::<Counted>().copied();
    let whose = match signed.header() {
        Ok(header) => limiter.whose(&header),
        // Answers that need no identity must not tell guessers for nothing whether they guessed right.
        Err(status) => {
            if let Some(counted) = counted
                && status.code() == Code::Unauthenticated
            {
                limiter.failed(counted);
            }
            None
        }
    };
    let noted = match (counted, &whose) {
        (Some(counted), Some(whose)) => limiter.after_identity(counted, &whose.org, &request),
        _ => Ok(()),
    };
    let mut response = match noted {
        Ok(()) => next.run(request).await,
        Err(excess) => limiter.refuse(&request, excess),
    };
    if let Some(whose) = whose {
        response.extensions_mut().insert(whose);
    }
    response
}

fn is_report(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path().ends_with("/api/report")
}

fn is_unauthenticated(response: &Response) -> bool {
    let code = response.headers().get(Status::GRPC_STATUS);
    let code = code.map(|value| Code::from_bytes(value.as_bytes()));
    response.status() == StatusCode::UNAUTHORIZED || code == Some(Code::Unauthenticated)
}

fn refusal(request: &Request, limit: &str, wait: Duration) -> Response {
    let what = match limit {
        "client" => "too many requests from this address",
        "failures" => "too many wrong credentials from this address",
        "credential" => "too many requests with this credential",
        "organisation" => "too many requests of this organisation",
        _ => "too many reports of this probe",
    };
    let text = format!("{what}; try again in {} s", seconds(wait));
    if !is_rpc(request) {
        return ApiError::too_many(text, seconds(wait)).into_response();
    }
    let details = ErrorDetails::with_retry_info(Some(wait));
    let status = Status::with_error_details(Code::ResourceExhausted, text, details);
    let mut response: Response = status.into_http();
    keep_kind(request.headers(), &mut response);
    response
}

/// A client of gRPC-web takes no other kind of answer.
fn keep_kind(asked: &HeaderMap, response: &mut Response) {
    if let Some(kind) = asked.get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
}

/// At least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
