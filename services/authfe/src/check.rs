//! Whether a request may pass, for edges of other people's that ask before they pass it on: over HTTP (`GET /auth` on the
//! private port), as nginx does with `auth_request`, and over gRPC, as Envoy does ([`envoy`]).
//!
//! The question carries the headers of the request in question. What is established is the same, by the same layers, as
//! for requests to Weft itself.

mod envoy;

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use client::Caller;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use serde::Deserialize;
use tower::ServiceExt;

use crate::error::ApiError;
use crate::identity::{self, Identity, Signed};
use crate::limits::{self, Limiter};

const ORG: HeaderName = HeaderName::from_static("weft-org");
const SUBJECT: HeaderName = HeaderName::from_static("weft-subject");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What establishes a caller, and for which organisation.
const ASKED_WITH: [HeaderName; 4] = [AUTHORIZATION, COOKIE, HOST, ORG];

const NO_PERMISSION: &str = "there is no such permission";

/// What the question is about.
#[derive(Debug, Deserialize)]
struct Question {
    /// As in `view-secrets`. Reading, by default.
    #[serde(default = "view")]
    permission: String,
}

fn view() -> String {
    "view".to_owned()
}

/// What the caller must be allowed to do.
#[derive(Debug, Clone, Copy)]
struct Needed(Permission);

/// Answers such questions, whoever asks them.
#[derive(Debug, Clone)]
struct Checker {
    established: Router,
}

impl Checker {
    fn new(identity: &Identity, limiter: &Limiter, rt: &Runtime) -> Self {
        // Everybody may ask for this route, so that the question alone says what is needed.
        let established = Router::new()
            .route("/api", get(answer))
            .with_state(rt.clone())
            .layer(from_fn_with_state(limiter.clone(), limits::of_organisation))
            .layer(from_fn_with_state(identity.clone(), identity::identify))
            .layer(from_fn_with_state(limiter.clone(), limits::of_client));
        Checker { established }
    }

    /// What a request with these headers would be answered: 200 with who it is, or why it may not pass.
    async fn check(
        &self,
        permission: Permission,
        headers: &HeaderMap,
        client: Option<IpAddr>,
    ) -> Response {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = http::Uri::from_static("/api");
        for name in ASKED_WITH {
            for value in headers.get_all(&name) {
                request.headers_mut().append(&name, value.clone());
            }
        }
        // The edge that asks is not the client, and must not be believed for being on this machine.
        if let Some(client) = client {
            let client = ConnectInfo(SocketAddr::new(client, 0));
            request.extensions_mut().insert(client);
        }
        request.extensions_mut().insert(Needed(permission));
        let answered = self.established.clone().oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }
}

pub(crate) fn router(identity: &Identity, limiter: &Limiter, rt: &Runtime) -> Router {
    let checker = Checker::new(identity, limiter, rt);
    Router::new()
        .route("/auth", get(ask))
        .with_state(checker.clone())
        .merge(envoy::router(checker))
}

async fn ask(
    State(checker): State<Checker>,
    Query(question): Query<Question>,
    headers: HeaderMap,
) -> Response {
    match permission(&question.permission) {
        Some(permission) => checker.check(permission, &headers, client(&headers)).await,
        None => ApiError::bad_request(NO_PERMISSION).into_response(),
    }
}

async fn answer(
    State(rt): State<Runtime>,
    Extension(signed): Extension<Signed>,
    Extension(Needed(permission)): Extension<Needed>,
) -> Result<Response, ApiError> {
    let caller = signed.header().map_err(ApiError::from).and_then(|header| {
        let verified = rt.key.verify(&header, std::time::SystemTime::now());
        verified.map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "try again later"))
    });
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => return Ok(challenged(error.into_response())),
    };
    caller.require(permission)?;
    Ok(established(&caller))
}

fn established(caller: &Caller) -> Response {
    let mut response = StatusCode::OK.into_response();
    for (name, text) in [(ORG, &caller.org_id), (SUBJECT, &caller.subject)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Edges pass this on to browsers, which ask for a token then.
fn challenged(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        let basic =
            HeaderValue::from_static("Basic realm=\"Weft: any name, and a token as password\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    }
    response
}

/// `view-secrets` is PERMISSION_VIEW_SECRETS. None that nobody can have.
fn permission(name: &str) -> Option<Permission> {
    let name = name.to_ascii_uppercase().replace('-', "_");
    let found = Permission::from_str_name(&format!("PERMISSION_{name}"))?;
    (found != Permission::Unspecified).then_some(found)
}

/// The address that the asking edge noted last. Only services reach this port, so it is believed.
fn client(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_have_the_names_that_operators_use() {
        assert_eq!(permission("view"), Some(Permission::View));
        assert_eq!(permission("host-exec"), Some(Permission::HostExec));
        assert_eq!(permission("unspecified"), None);
        assert_eq!(permission("everything"), None);
    }
}
