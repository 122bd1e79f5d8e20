//! Logins with passkeys: what the browser is to sign, and what it signed.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use proto::users::v1 as pb;
use serde::Deserialize;
use serde_json::Value;

use super::{browser, can_log_in, client, logged_in, message, timed};
use crate::Edge;
use crate::error::ApiError;
use crate::identity::Cookie;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    /// Who is logged in, and nobody else.
    #[serde(default)]
    again: bool,
}

pub(super) async fn start(
    State(edge): State<Edge>,
    request: Request,
) -> Result<Response, ApiError> {
    can_log_in(&edge, &request)?;
    let browser = browser(&edge, &request);
    let Start { again } = message(request).await?;
    let message = pb::StartPasskeyLoginRequest {
        browser: Some(browser),
        again,
    };
    let answer = client(&edge).start_passkey_login(timed(message)).await?;
    let answer = answer.into_inner();
    let options: Value = serde_json::from_str(&answer.options_json).unwrap_or_default();
    let mut response = Json(options).into_response();
    let lifetime = answer
        .lifetime
        .and_then(|time| Duration::try_from(time).ok());
    let seconds = lifetime.unwrap_or_default().as_secs();
    let cookie = edge.site.set(Cookie::Passkey, &answer.binding, seconds);
    response
        .headers_mut()
        .extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    /// Users reads it.
    credential: Value,
}

pub(super) async fn finish(
    State(edge): State<Edge>,
    request: Request,
) -> Result<Response, ApiError> {
    can_log_in(&edge, &request)?;
    let browser = browser(&edge, &request);
    let held = edge.site.cookie(Cookie::Passkey, request.headers());
    let Finish { credential } = message(request).await?;
    let message = pb::FinishPasskeyLoginRequest {
        credential_json: credential.to_string(),
        binding: held.unwrap_or_default(),
        browser: Some(browser),
    };
    let answer = client(&edge).finish_passkey_login(timed(message)).await;
    let finished = answer.map(|answer| answer.into_inner().login.unwrap_or_default());
    let mut response = match finished {
        Ok(login) => logged_in(&edge, &login),
        Err(status) => ApiError::from(status).into_response(),
    };
    // Used up, whatever came of it.
    let removed = edge.site.set(Cookie::Passkey, "", 0);
    response
        .headers_mut()
        .extend(removed.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}
