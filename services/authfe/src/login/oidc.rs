//! Logins at OpenID Connect providers: away, and back.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use proto::users::v1 as pb;
use serde::Deserialize;
use serde_json::json;
use tonic::{Code, Status};

use super::{browser, can_log_in, client, message, set_session, timed};
use crate::Edge;
use crate::error::ApiError;
use crate::identity::Cookie;
use crate::selection::{first, parameters};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Start {
    #[serde(default)]
    return_to: String,
}

/// Says where to send the browser, and binds the login to it.
pub(super) async fn start(
    State(edge): State<Edge>,
    Path(provider): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    can_log_in(&edge, &request)?;
    let browser = browser(&edge, &request);
    let Start { return_to } = message(request).await?;
    let message = pb::StartOidcLoginRequest {
        provider,
        browser: Some(browser),
        return_to,
    };
    let answer = client(&edge).start_oidc_login(timed(message)).await?;
    let answer = answer.into_inner();
    let lifetime = answer
        .lifetime
        .and_then(|time| Duration::try_from(time).ok());
    let seconds = lifetime.unwrap_or_default().as_secs();
    let mut response = Json(json!({ "url": answer.url })).into_response();
    let cookie = edge.site.set(Cookie::Login, &answer.binding, seconds);
    response
        .headers_mut()
        .extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

/// Where the provider sends the browser. People are looking at this, so all answers lead to a page.
pub(super) async fn finish(State(edge): State<Edge>, request: Request) -> Response {
    let mut response = match finished(&edge, request).await {
        Ok(answer) => {
            let mut response = see_other(&answer.return_to);
            set_session(&edge, &answer.login.unwrap_or_default(), &mut response);
            response
        }
        Err(status) => see_other(&format!("/login#error={}", reason(&status))),
    };
    let removed = edge.site.set(Cookie::Login, "", 0);
    response
        .headers_mut()
        .extend(removed.map(|cookie| (SET_COOKIE, cookie)));
    response
}

async fn finished(edge: &Edge, request: Request) -> Result<pb::FinishOidcLoginResponse, Status> {
    let parameters = parameters(request.uri().query().unwrap_or(""));
    let parameter = |name| first(&parameters, name).unwrap_or("").to_owned();
    let message = pb::FinishOidcLoginRequest {
        code: parameter("code"),
        state: parameter("state"),
        issuer: parameter("iss"),
        binding: edge
            .site
            .cookie(Cookie::Login, request.headers())
            .unwrap_or_default(),
        browser: Some(browser(edge, &request)),
    };
    let answer = client(edge).finish_oidc_login(timed(message)).await?;
    Ok(answer.into_inner())
}

/// What the sign-in page is told.
fn reason(status: &Status) -> &'static str {
    match status.code() {
        Code::PermissionDenied => "not-allowed",
        Code::Unauthenticated | Code::InvalidArgument | Code::NotFound => "failed",
        Code::ResourceExhausted => "too-often",
        _ => "unavailable",
    }
}

fn see_other(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}
