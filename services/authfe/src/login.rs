//! `/api/users/login`: people log in and out. Sessions are cookies, which no script reads; so what users says about a login
//! ends here.

mod devices;
mod oidc;
mod passkeys;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use client::Channel;
use proto::users::v1 as pb;
use proto::users::v1::login_service_client::LoginServiceClient;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Edge;
use crate::error::ApiError;
use crate::identity::Cookie;
use crate::selection::parameters;

/// No message here is longer.
const BODY_BYTES: usize = 8 << 10;
/// How long a message may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long users may take.
const TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) fn router(edge: &Edge) -> Router {
    Router::new()
        .route("/api/users/login", get(options))
        .route("/api/users/login/mail", post(send_link))
        .route("/api/users/login/link", post(open_link))
        .route("/api/users/login/oidc/{provider}", post(oidc::start))
        .route("/api/users/login/passkey", post(passkeys::start))
        .route("/api/users/login/passkey/finish", post(passkeys::finish))
        .route("/api/users/login/device", post(devices::start))
        .route("/api/users/login/device/token", post(devices::poll))
        .route("/api/users/logout", post(logout))
        .layer(from_fn_with_state(edge.clone(), own_pages))
        // A page of the provider sends the browser there.
        .route("/api/users/login/oidc/callback", get(oidc::finish))
        .layer(axum::middleware::map_response(uncached))
        .with_state(edge.clone())
}

async fn uncached(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

/// Nobody is logged in, or out, by a page of somebody else. Programs that are no browsers say nothing of pages.
async fn own_pages(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let says_nothing = !headers.contains_key("sec-fetch-site") && !headers.contains_key("origin");
    if !says_nothing && !edge.site.is_from_own_page(&request) {
        let message = "people log in and out on pages of this site alone";
        return ApiError::new(StatusCode::FORBIDDEN, message).into_response();
    }
    next.run(request).await
}

/// Fails where a session's cookie could be read on its way.
fn can_log_in(edge: &Edge, request: &Request) -> Result<(), ApiError> {
    if edge.site.can_log_in(request) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "people log in over https alone: give --public-url https://… and put TLS in front",
    ))
}

async fn options(State(edge): State<Edge>, request: Request) -> Result<Response, ApiError> {
    let possible = edge.site.can_log_in(&request);
    let answer = client(&edge)
        .get_login_options(timed(pb::GetLoginOptionsRequest {}))
        .await?
        .into_inner();
    let providers = answer.providers.into_iter();
    let providers: Vec<_> = providers
        .map(|provider| json!({ "id": provider.id, "name": provider.name }))
        .collect();
    let body = json!({
        "possible": possible,
        "mail": answer.mail,
        "oidc": providers,
        "passkeys": answer.passkeys,
        "signUp": answer.sign_up,
    });
    Ok(Json(body).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendLink {
    email: String,
}

async fn send_link(State(edge): State<Edge>, request: Request) -> Result<StatusCode, ApiError> {
    can_log_in(&edge, &request)?;
    let browser = browser(&edge, &request);
    let SendLink { email } = message(request).await?;
    let message = pb::SendLoginLinkRequest {
        email,
        browser: Some(browser),
    };
    client(&edge).send_login_link(timed(message)).await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenLink {
    secret: String,
    #[serde(default)]
    email: String,
}

async fn open_link(State(edge): State<Edge>, request: Request) -> Result<Response, ApiError> {
    can_log_in(&edge, &request)?;
    let browser = browser(&edge, &request);
    let OpenLink { secret, email } = message(request).await?;
    let message = pb::OpenLoginLinkRequest {
        secret,
        email,
        browser: Some(browser),
    };
    let answer = client(&edge).open_login_link(timed(message)).await?;
    Ok(logged_in(
        &edge,
        &answer.into_inner().login.unwrap_or_default(),
    ))
}

/// Tells a page who has logged in.
fn logged_in(edge: &Edge, login: &pb::Login) -> Response {
    let user = login.user.clone().unwrap_or_default();
    let body = json!({ "user": { "id": user.id, "email": user.email, "name": user.name } });
    let mut response = Json(body).into_response();
    set_session(edge, login, &mut response);
    response
}

async fn logout(State(edge): State<Edge>, request: Request) -> Result<Response, ApiError> {
    if let Some(secret) = edge.site.cookie(Cookie::Session, request.headers()) {
        let message = pb::EndSessionRequest {
            secret,
            address: browser(&edge, &request).address,
        };
        client(&edge).end_session(timed(message)).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let removed = edge.site.set(Cookie::Session, "", 0);
    response
        .headers_mut()
        .extend(removed.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

fn set_session(edge: &Edge, login: &pb::Login, response: &mut Response) {
    let end = login
        .session
        .as_ref()
        .and_then(|session| session.expires_at);
    let end = end.and_then(|end| SystemTime::try_from(end).ok());
    let left = end.and_then(|end| end.duration_since(SystemTime::now()).ok());
    let seconds = left.unwrap_or_default().as_secs();
    let cookie = edge.site.set(Cookie::Session, &login.secret, seconds);
    response
        .headers_mut()
        .extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
}

fn client(edge: &Edge) -> LoginServiceClient<Channel> {
    LoginServiceClient::new(edge.peers.users.clone())
}

fn timed<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}

/// Where a request comes from.
fn browser(edge: &Edge, request: &Request) -> pb::Browser {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let text = |headers: &HeaderMap, name| {
        let value: Option<&HeaderValue> = headers.get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    pb::Browser {
        address: peer.map_or_else(String::new, |ConnectInfo(peer)| peer.ip().to_string()),
        user_agent: text(request.headers(), USER_AGENT).unwrap_or_default(),
        session: edge
            .site
            .cookie(Cookie::Session, request.headers())
            .unwrap_or_default(),
    }
}

/// A message in JSON, and in nothing else: a form of another page can send no JSON.
async fn message<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let body = body(request, "application/json").await?;
    // Without the parser's words, which may quote a secret.
    serde_json::from_slice(&body).map_err(|_| {
        ApiError::bad_request("the message is not what this takes; see docs/accounts.md")
    })
}

/// The fields of a form.
async fn form(request: Request) -> Result<Vec<(String, String)>, ApiError> {
    let body = body(request, "application/x-www-form-urlencoded").await?;
    Ok(parameters(&String::from_utf8_lossy(&body)))
}

/// The body of a message of this kind.
async fn body(request: Request, expected: &'static str) -> Result<Bytes, ApiError> {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    if !kind.eq_ignore_ascii_case(expected) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the message must be {expected}"),
        ));
    }
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(request.into_body(), BODY_BYTES)).await;
    let late = ApiError::new(StatusCode::REQUEST_TIMEOUT, "the message took too long");
    let body = body.map_err(|_| late)?;
    let long = ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the message is too long, or broke off",
    );
    body.map_err(|_| long)
}
