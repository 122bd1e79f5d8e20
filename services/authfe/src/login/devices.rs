//! Logins of programs without a browser, as RFC 8628 has them: forms in, JSON out.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use serde_json::json;
use tonic::Code;

use super::{browser, can_log_in, client, form, timed};
use crate::Edge;
use crate::error::ApiError;
use crate::selection::first;

/// The only grant that there is (section 3.4).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Of a token, for who asks for none: 90 days.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

pub(super) async fn start(
    State(edge): State<Edge>,
    request: Request,
) -> Result<Response, ApiError> {
    can_log_in(&edge, &request)?;
    let address = browser(&edge, &request).address;
    let fields = form(request).await?;
    let field = |name| first(&fields, name).unwrap_or("");
    let lifetime = match field("lifetime") {
        "" => LIFETIME.as_secs(),
        seconds => seconds
            .parse()
            .map_err(|_| ApiError::bad_request("lifetime is a number of seconds"))?,
    };
    let message = pb::StartDeviceLoginRequest {
        client: field("client_id").to_owned(),
        address,
        permissions: permissions(field("scope"))?,
        token_lifetime: prost_types::Duration::try_from(Duration::from_secs(lifetime)).ok(),
    };
    let answer = client(&edge).start_device_login(timed(message)).await?;
    let answer = answer.into_inner();
    let page = &answer.verification_uri;
    let body = json!({
        "device_code": answer.device_code,
        "user_code": answer.user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}#{}", answer.user_code),
        "expires_in": answer.lifetime.unwrap_or_default().seconds,
        "interval": answer.interval.unwrap_or_default().seconds,
    });
    Ok(Json(body).into_response())
}

/// By the names that the command line uses: `view control`.
fn permissions(scope: &str) -> Result<Vec<i32>, ApiError> {
    let one = |name: &str| {
        let name = name.to_ascii_uppercase().replace('-', "_");
        let found = Permission::from_str_name(&format!("PERMISSION_{name}"));
        found.map(i32::from).ok_or_else(|| {
            ApiError::bad_request(
                "scope lists permissions, such as view and control, apart by spaces",
            )
        })
    };
    scope.split_ascii_whitespace().map(one).collect()
}

pub(super) async fn poll(State(edge): State<Edge>, request: Request) -> Result<Response, ApiError> {
    let address = browser(&edge, &request).address;
    let fields = form(request).await?;
    let field = |name| first(&fields, name).unwrap_or("").to_owned();
    if field("grant_type") != GRANT {
        return Ok(refused("unsupported_grant_type"));
    }
    let message = pb::PollDeviceLoginRequest {
        device_code: field("device_code"),
        address,
    };
    let answer = match client(&edge).poll_device_login(timed(message)).await {
        Ok(answer) => answer.into_inner(),
        Err(status) if status.code() == Code::Unauthenticated => {
            return Ok(refused("expired_token"));
        }
        Err(status) => return Err(status.into()),
    };
    Ok(match answer.state() {
        pb::DeviceLoginState::Granted => granted(answer),
        pb::DeviceLoginState::SlowDown => refused("slow_down"),
        pb::DeviceLoginState::Denied => refused("access_denied"),
        pb::DeviceLoginState::Pending | pb::DeviceLoginState::Unspecified => {
            refused("authorization_pending")
        }
    })
}

fn granted(answer: pb::PollDeviceLoginResponse) -> Response {
    let token = answer.token.unwrap_or_default();
    let end = token.expires_at.unwrap_or_default().seconds;
    let since = token.created_at.unwrap_or_default().seconds;
    let names = token.permissions().map(|permission| {
        let name = permission.as_str_name();
        let name = name.strip_prefix("PERMISSION_").unwrap_or(name);
        name.to_ascii_lowercase().replace('_', "-")
    });
    let scope: Vec<String> = names.collect();
    let body = json!({
        "access_token": answer.secret,
        "token_type": "Bearer",
        "expires_in": end.saturating_sub(since),
        "scope": scope.join(" "),
        "token_id": token.id,
    });
    Json(body).into_response()
}

/// As section 3.5 of RFC 8628 and section 5.2 of RFC 6749 name what is wrong.
fn refused(error: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}
