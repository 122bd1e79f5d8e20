//! Who a request comes from.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use client::{ASSERTION_HEADER, Channel};
use proto::tenant::v1::Assertion;
use proto::users::v1 as pb;
use proto::users::v1::authenticate_request::Credential;
use proto::users::v1::users_service_client::UsersServiceClient;
use runtime::Runtime;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::Config;
use crate::error::ApiError;

/// How long an answer of users is believed: a revoked token stops working within this time.
const REMEMBER: Duration = Duration::from_secs(5);
/// Answers remembered at once.
const REMEMBERED: usize = 10_000;
/// How long users may take; then the request fails with 503.
const TIMEOUT: Duration = Duration::from_secs(3);
/// No credential is longer.
const CREDENTIAL_BYTES: usize = 512;

/// Asks users, and remembers what it said.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    users: UsersServiceClient<Channel>,
    remembered: Arc<Mutex<Remembered>>,
    origins: Arc<[HeaderValue]>,
    rt: Runtime,
}

/// What users said, by organisation and credential, and when.
type Remembered = HashMap<(String, Key), (Assertion, Instant)>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Loopback,
    Token(String),
}

/// The assertion that calls for this request carry.
#[derive(Debug, Clone)]
pub(crate) struct Signed(pub(crate) Option<HeaderValue>, Option<Status>);

impl Signed {
    /// A gRPC request that carries the assertion.
    pub(crate) fn request<T>(&self, message: T) -> Result<tonic::Request<T>, ApiError> {
        let mut request = tonic::Request::new(message);
        let assertion = self.header()?;
        let headers = request.metadata_mut().as_mut();
        headers.insert(ASSERTION_HEADER, assertion);
        Ok(request)
    }

    /// The assertion, or why there is none.
    pub(crate) fn header(&self) -> Result<HeaderValue, Status> {
        match (&self.0, &self.1) {
            (Some(header), _) => Ok(header.clone()),
            (None, Some(status)) => Err(status.clone()),
            (None, None) => Err(Status::unauthenticated("a credential is needed")),
        }
    }
}

impl Identity {
    pub(crate) fn new(users: Channel, config: &Config, rt: &Runtime) -> Self {
        Identity {
            users: UsersServiceClient::new(users),
            remembered: Arc::default(),
            origins: config.cors_origins.clone().into(),
            rt: rt.clone(),
        }
    }

    async fn sign(&self, org: &str, key: Option<Key>) -> Result<HeaderValue, Status> {
        let key = key.ok_or_else(|| Status::unauthenticated("a credential is needed"))?;
        let remembered = self.recall(org, &key);
        let assertion = match remembered {
            Some(assertion) => assertion,
            None => self.ask(org, key).await?,
        };
        Ok(self.rt.key.sign(assertion, SystemTime::now()))
    }

    fn recall(&self, org: &str, key: &Key) -> Option<Assertion> {
        let remembered = self.remembered.lock();
        let remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        let (assertion, at) = remembered.get(&(org.to_owned(), key.clone()))?;
        (at.elapsed() < REMEMBER).then(|| assertion.clone())
    }

    async fn ask(&self, org: &str, key: Key) -> Result<Assertion, Status> {
        let credential = match &key {
            Key::Loopback => Credential::Loopback(pb::Loopback {}),
            Key::Token(token) => Credential::Token(token.clone()),
        };
        let mut request = tonic::Request::new(pb::AuthenticateRequest {
            credential: Some(credential),
            org_id: org.to_owned(),
        });
        request.set_timeout(TIMEOUT);
        let answer = self.users.clone().authenticate(request).await;
        let answer = answer.map_err(|status| match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => status,
            // Never 401 because users is down: a probe would give up, and a person be asked to sign in.
            code => {
                tracing::warn!(?code, "users cannot say who a caller is");
                Status::unavailable("who you are cannot be checked right now; try again later")
            }
        })?;
        let assertion = answer.into_inner().assertion;
        let assertion = assertion.ok_or_else(|| Status::internal("internal error"))?;
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, (_, at)| at.elapsed() < REMEMBER);
        }
        if remembered.len() < REMEMBERED {
            remembered.insert((org.to_owned(), key), (assertion.clone(), Instant::now()));
        }
        Ok(assertion)
    }
}

/// Establishes the caller of every request, and removes what the request itself says of it. A caller that cannot be
/// established is no error yet: some answers need none.
pub(crate) async fn identify(
    State(identity): State<Identity>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers_mut();
    headers.remove(ASSERTION_HEADER);
    headers.remove("x-scope-orgid");
    if let Some(refusal) = foreign_origin(request.headers(), &identity.origins) {
        return refusal.into_response();
    }
    let org = organisation(request.uri().path()).to_owned();
    let key = credential(&request);
    let signed = match identity.sign(&org, key).await {
        Ok(header) => Signed(Some(header), None),
        Err(status) => Signed(None, Some(status)),
    };
    request.extensions_mut().insert(signed);
    next.run(request).await
}

/// The organisation that a path names: `/api/app/{org}/…`.
fn organisation(path: &str) -> &str {
    path.strip_prefix("/api/app/")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or("")
}

/// A page of another origin must not act for whoever has it open, whether by form, fetch or WebSocket.
fn foreign_origin(headers: &HeaderMap, allowed: &[HeaderValue]) -> Option<ApiError> {
    let origin = headers.get(ORIGIN)?;
    let own = headers.get(HOST).and_then(|h| h.to_str().ok());
    let own = own.or_else(|| headers.get(":authority")?.to_str().ok());
    let host = origin.to_str().ok().and_then(|o| o.split_once("://"));
    if host.is_some_and(|(_, host)| Some(host) == own) || allowed.contains(origin) {
        return None;
    }
    Some(ApiError::new(
        axum::http::StatusCode::FORBIDDEN,
        "requests from pages of this origin are not allowed; see --cors-origin",
    ))
}

fn credential(request: &Request) -> Option<Key> {
    if let Some(token) = token(request.headers()) {
        return Some(Key::Token(token));
    }
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    // A page that rebinds its name to 127.0.0.1, or a proxy on this machine, shows a host that is not this machine's.
    let host = host(request)?;
    (peer.ip().is_loopback() && is_loopback(&host)).then_some(Key::Loopback)
}

/// The secret in an `Authorization` header: `Scope-Probe token=…`, `Bearer …`. An empty one is none: probes without a
/// token send it so.
fn token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let secret = value
        .strip_prefix("Scope-Probe token=")
        .or_else(|| value.strip_prefix("Bearer "))?
        .trim();
    (!secret.is_empty() && secret.len() <= CREDENTIAL_BYTES).then(|| secret.to_owned())
}

fn host(request: &Request) -> Option<String> {
    let authority = match request.headers().get(HOST) {
        Some(host) => host.to_str().ok()?.parse::<Authority>().ok()?,
        None => request.uri().authority()?.clone(),
    };
    Some(authority.host().to_owned())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().uri("/api");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        let peer: SocketAddr = peer.parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    }

    #[test]
    fn only_this_machine_asking_for_this_machine_needs_no_credential() {
        let check = |peer, host, trusted: bool| {
            let key = credential(&request(peer, &[("host", host)]));
            assert_eq!(key == Some(Key::Loopback), trusted, "{peer} {host}");
        };
        check("127.0.0.1:9", "127.0.0.1:4040", true);
        check("127.0.0.1:9", "localhost:4040", true);
        check("[::1]:9", "[::1]:4040", true);
        check("127.0.0.1:9", "evil.example:4040", false);
        check("192.0.2.1:9", "127.0.0.1:4040", false);
    }

    #[test]
    fn empty_probe_token_is_no_credential() {
        let check = |value, expected: Option<&str>| {
            let request = request("192.0.2.1:9", &[("authorization", value)]);
            assert_eq!(token(request.headers()).as_deref(), expected);
        };
        check("Scope-Probe token=", None);
        check("Scope-Probe token=abc", Some("abc"));
        check("Bearer abc", Some("abc"));
        check("Basic abc", None);
    }

    #[test]
    fn pages_of_other_origins_are_refused_unless_listed() {
        let check = |origin, refused: bool| {
            let request = request(
                "127.0.0.1:9",
                &[("host", "127.0.0.1:4040"), ("origin", origin)],
            );
            let allowed = [HeaderValue::from_static("https://ui.example")];
            let refusal = foreign_origin(request.headers(), &allowed);
            assert_eq!(refusal.is_some(), refused, "{origin}");
        };
        check("http://127.0.0.1:4040", false);
        check("https://ui.example", false);
        check("http://evil.example", true);
        check("null", true);
    }
}
