//! Who a request comes from, and whether they may do what it asks for.

mod credential;
mod revocations;
mod site;
mod verdicts;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use client::{ASSERTION_HEADER, Channel, Key};
use proto::tenant::v1::{Assertion, Permission};
use proto::users::v1::authenticate_request::Credential;
use proto::users::v1::users_service_client::UsersServiceClient;
use runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::Config;
use crate::error::ApiError;
use crate::policy::{self, Rule};
use credential::credential;
pub(crate) use site::{Cookie, Site};
use verdicts::{Believed, Verdicts};

/// Names the organisation that a gRPC request is about, for people who belong to several.
const ORG_HEADER: &str = "weft-org";

/// Headers that say who a caller is, which nobody outside has any business sending: ours, and those of the service that
/// Scope's probes once talked to. Some servers take `_` for `-`.
const IDENTITY_HEADERS: [&str; 6] = [
    ASSERTION_HEADER,
    "weft-assertion",
    "x-scope-orgid",
    "x-scope-userid",
    "x-featureflags",
    "x-webhooks-integration-type",
];

/// How often it is looked for what is open with credentials that have expired.
const EXPIRED: Duration = Duration::from_secs(5);

/// Establishes callers.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    verdicts: Verdicts,
    origins: std::sync::Arc<[HeaderValue]>,
    site: Site,
    trust_loopback: bool,
    rt: Runtime,
}

/// The assertion that calls for this request carry, or why there is none.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    assertion: Result<Assertion, Status>,
    /// Why what is asked for is refused once the service has written it down.
    refused: Option<Status>,
    key: Key,
    /// Cancelled when the caller loses what it had.
    ended: CancellationToken,
}

impl Signed {
    /// A gRPC request that carries the assertion.
    pub(crate) fn request<T>(&self, message: T) -> Result<tonic::Request<T>, ApiError> {
        Ok(self.grpc(message)?)
    }

    /// As [`Signed::request`], for whoever wants to know the status.
    pub(crate) fn grpc<T>(&self, message: T) -> Result<tonic::Request<T>, Status> {
        let mut request = tonic::Request::new(message);
        let assertion = self.header()?;
        let headers = request.metadata_mut().as_mut();
        headers.insert(ASSERTION_HEADER, assertion);
        Ok(request)
    }

    /// The assertion, or why there is none. Signed anew each time: what was opened may need it again much later.
    pub(crate) fn header(&self) -> Result<HeaderValue, Status> {
        let assertion = self.assertion.clone()?;
        Ok(self.key.sign(assertion, SystemTime::now()))
    }

    /// Why this is refused, after the service was asked, whatever it says. The service knows no more permissions of the caller
    /// than the edge, and refuses it too.
    pub(crate) fn refused(&self) -> Option<Status> {
        self.refused.clone()
    }

    /// Cancelled when what was opened with this assertion must end.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

impl Identity {
    pub(crate) fn new(users: Channel, config: &Config, rt: &Runtime) -> Self {
        let users = UsersServiceClient::new(users);
        let verdicts = Verdicts::new(users.clone(), config.users_outage, rt);
        revocations::follow(users, verdicts.clone(), rt);
        let expiring = verdicts.clone();
        rt.spawn("expired credentials", async move {
            loop {
                tokio::time::sleep(EXPIRED).await;
                expiring.end_expired();
            }
        });
        Identity {
            verdicts,
            origins: config.cors_origins.clone().into(),
            site: Site::new(config.public_url.as_ref()),
            trust_loopback: config.trust_loopback,
            rt: rt.clone(),
        }
    }

    async fn sign(
        &self,
        org: &str,
        credential: Option<Credential>,
        (rule, address): (Rule, String),
    ) -> Signed {
        let believed = self.believed(org, credential).await;
        let ended = match &believed {
            Ok(believed) => believed.ended.clone(),
            Err(_) => CancellationToken::new(),
        };
        let mut refused = None;
        let assertion = believed.and_then(|believed| {
            match (check(&believed, rule), rule) {
                (Err(status), Rule::Recorded(_)) if status.code() == Code::PermissionDenied => {
                    refused = Some(status);
                }
                (checked, _) => checked?,
            }
            Ok(Assertion {
                address,
                ..believed.assertion
            })
        });
        Signed {
            assertion,
            refused,
            key: self.rt.key.clone(),
            ended,
        }
    }

    async fn believed(
        &self,
        org: &str,
        credential: Option<Credential>,
    ) -> Result<Believed, Status> {
        let credential =
            credential.ok_or_else(|| Status::unauthenticated("a credential is needed"))?;
        self.verdicts.of(org, credential).await
    }
}

/// Whether a caller may do what a rule is about; if not, why.
fn check(believed: &Believed, rule: Rule) -> Result<(), Status> {
    let needed = match rule {
        Rule::Open | Rule::Known | Rule::Internal => return Ok(()),
        Rule::Any(needed) | Rule::Recorded(needed) => needed,
    };
    let may = |permissions: &[i32]| needed.iter().any(|&p| permissions.contains(&p.into()));
    if may(&believed.assertion.permissions) {
        return Ok(());
    }
    if may(&believed.suspended) {
        return Err(Status::unavailable(
            "this needs to be checked right before, which is not possible right now; try again later",
        ));
    }
    let Some(refusal) = &believed.refusal else {
        let names: Vec<_> = needed.iter().map(Permission::as_str_name).collect();
        return Err(Status::permission_denied(format!(
            "this needs {}",
            names.join(" or ")
        )));
    };
    let reason = match refusal.reason.as_str() {
        "" => "by the operator",
        reason => reason,
    };
    let org = &believed.assertion.org_id;
    Err(Status::permission_denied(format!(
        "the organisation {org} is refused this: {reason}"
    )))
}

/// Establishes the caller of every request, and removes what the request itself says of it. A caller that cannot be
/// established is no error yet: some answers need none.
pub(crate) async fn identify(
    State(identity): State<Identity>,
    mut request: Request,
    next: Next,
) -> Response {
    drop_identity(request.headers_mut());
    if let Some(refusal) = foreign_origin(&request, &identity.site, &identity.origins) {
        return secured(refusal.into_response());
    }
    let rpc = crate::grpc::is_rpc(&request);
    let rule = match rpc {
        // What has no rule is refused where it would be forwarded.
        true => policy::rpc(request.uri().path()).unwrap_or(Rule::Internal),
        false => policy::route(request.method(), request.uri().path()),
    };
    let credential = credential(&request, identity.trust_loopback, &identity.site);
    let org = organisation(&request).to_owned();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical().to_string());
    let asked = (rule, address.unwrap_or_default());
    let signed = identity.sign(&org, credential, asked).await;
    request.extensions_mut().insert(signed);
    secured(next.run(request).await)
}

fn drop_identity(headers: &mut HeaderMap) {
    let identity: Vec<HeaderName> = headers
        .keys()
        .filter(|name| IDENTITY_HEADERS.contains(&name.as_str().replace('_', "-").as_str()))
        .cloned()
        .collect();
    for name in identity {
        headers.remove(name);
    }
}

/// Browsers shall neither guess what an answer is, nor show it in another page, nor tell others where they were.
pub(crate) fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The organisation that a request names: `/api/app/{org}/…`, or in a header.
fn organisation(request: &Request) -> &str {
    let path = request.uri().path().strip_prefix("/api/app/");
    if let Some(org) = path.and_then(|rest| rest.split('/').next()) {
        return org;
    }
    let header = request.headers().get(ORG_HEADER);
    header.and_then(|org| org.to_str().ok()).unwrap_or("")
}

/// A page of another origin must not act for whoever has it open, whether by form, fetch or WebSocket.
fn foreign_origin(request: &Request, site: &Site, allowed: &[HeaderValue]) -> Option<ApiError> {
    let origin = request.headers().get(ORIGIN)?;
    if site.is_own(origin, request) || allowed.contains(origin) {
        return None;
    }
    Some(ApiError::new(
        StatusCode::FORBIDDEN,
        "requests from pages of this origin are not allowed; see --cors-origin",
    ))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header::HOST;

    use super::*;

    #[test]
    fn pages_of_other_origins_are_refused_unless_listed() {
        let check = |origin: &str, refused: bool| {
            let request = Request::builder()
                .header(HOST, "127.0.0.1:4040")
                .header(ORIGIN, origin);
            let request = request.body(Body::empty()).expect("a request");
            let allowed = [HeaderValue::from_static("https://ui.example")];
            let refusal = foreign_origin(&request, &Site::new(None), &allowed);
            assert_eq!(refusal.is_some(), refused, "{origin}");
        };
        check("http://127.0.0.1:4040", false);
        check("https://ui.example", false);
        check("http://evil.example", true);
        check("null", true);
    }

    #[test]
    fn nobody_outside_says_who_they_are() {
        let mut headers = HeaderMap::new();
        for name in [
            "weft-assertion-bin",
            "X-Scope-OrgID",
            "x_scope_orgid",
            "X_Scope-OrgID",
            "X-Scope-UserID",
            "x-featureflags",
            "x-scope-probe-id",
        ] {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(&name, HeaderValue::from_static("one"));
            headers.append(&name, HeaderValue::from_static("two"));
        }
        drop_identity(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-scope-probe-id"]);
    }
}
