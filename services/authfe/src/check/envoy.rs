//! The question as Envoy asks it, over gRPC: `envoy.service.auth.v3.Authorization/Check`, which its filter `ext_authz` calls.

use std::net::IpAddr;

use axum::Router;
use axum::body::to_bytes;
use axum::http::header::{HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use proto::envoy_auth as pb;
use proto::envoy_auth::authorization_server::{Authorization, AuthorizationServer};
use proto::envoy_auth::check_response::HttpResponse;
use proto::tenant::v1::Permission;
use tonic::{Code, Status};

use super::{Checker, NO_PERMISSION, ORG, SUBJECT, permission};

/// The most that Envoy may tell of one request: headers are bounded by 60 KiB there, by default.
const QUESTION_BYTES: usize = 256 << 10;
/// The most of a refusal's words. They are ours.
const REFUSAL_BYTES: usize = 16 << 10;

pub(super) fn router(checker: Checker) -> Router {
    let server = AuthorizationServer::new(Server { checker });
    let server = server.max_decoding_message_size(QUESTION_BYTES);
    let routes = tonic::service::Routes::new(server).prepare();
    // Unknown paths are answered by whoever it is merged with.
    routes.into_axum_router().reset_fallback()
}

struct Server {
    checker: Checker,
}

#[tonic::async_trait]
impl Authorization for Server {
    async fn check(
        &self,
        request: tonic::Request<pb::CheckRequest>,
    ) -> Result<tonic::Response<pb::CheckResponse>, Status> {
        let question = Question::try_from(request.into_inner())?;
        let Question {
            permission,
            headers,
            client,
        } = question;
        let response = self.checker.check(permission, &headers, client).await;
        Ok(tonic::Response::new(answered(response).await))
    }
}

struct Question {
    permission: Permission,
    headers: HeaderMap,
    client: Option<IpAddr>,
}

impl TryFrom<pb::CheckRequest> for Question {
    type Error = Status;

    fn try_from(request: pb::CheckRequest) -> Result<Self, Status> {
        let attributes = request.attributes.unwrap_or_default();
        let asked = attributes.context_extensions.get("permission");
        let permission = permission(asked.map_or("view", String::as_str))
            .ok_or_else(|| Status::invalid_argument(NO_PERMISSION))?;
        let http = attributes.request.unwrap_or_default().http;
        let address = attributes.source.unwrap_or_default().address;
        let socket = address.unwrap_or_default().socket_address;
        Ok(Question {
            permission,
            headers: headers(http.unwrap_or_default()),
            client: socket.and_then(|socket| socket.address.parse().ok()),
        })
    }
}

/// What is no header, as HTTP/2's `:path`, is nothing that a caller is established with.
fn headers(http: pb::attribute_context::HttpRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let raw = http.header_map.unwrap_or_default().headers;
    let raw = raw.into_iter().map(|header| match header.raw_value {
        raw if raw.is_empty() => (header.key, header.value.into()),
        raw => (header.key, raw),
    });
    let joined = http.headers.into_iter();
    for (name, value) in joined.map(|(name, value)| (name, value.into())).chain(raw) {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_maybe_shared::<bytes::Bytes>(value),
        ) {
            headers.append(name, value);
        }
    }
    if let Ok(host) = HeaderValue::from_str(&http.host) {
        headers.insert(HOST, host);
    }
    headers
}

async fn answered(response: Response) -> pb::CheckResponse {
    let (head, body) = response.into_parts();
    let kept = |names: &[HeaderName]| {
        names
            .iter()
            .filter_map(|n| option(n, &head.headers))
            .collect()
    };
    let (code, http) = match head.status {
        StatusCode::OK => {
            let headers = kept(&[ORG, SUBJECT]);
            (Code::Ok, HttpResponse::OkResponse(pb::Passed { headers }))
        }
        status => {
            let body = to_bytes(body, REFUSAL_BYTES).await.unwrap_or_default();
            let denied = pb::Denied {
                status: Some(pb::denied::HttpStatus {
                    code: status.as_u16().into(),
                }),
                headers: kept(&[WWW_AUTHENTICATE, RETRY_AFTER]),
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            (code(status), HttpResponse::DeniedResponse(denied))
        }
    };
    pb::CheckResponse {
        status: Some(pb::check_response::Status { code: code.into() }),
        http_response: Some(http),
    }
}

fn code(status: StatusCode) -> Code {
    match status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        _ => Code::Unavailable,
    }
}

/// The header, in place of what the client may have sent under its name.
fn option(name: &HeaderName, headers: &HeaderMap) -> Option<pb::HeaderOption> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(pb::HeaderOption {
        header: Some(pb::HeaderValue {
            key: name.as_str().to_owned(),
            value: value.to_owned(),
            raw_value: bytes::Bytes::new(),
        }),
        append_action: pb::header_option::AppendAction::OverwriteIfExistsOrAdd.into(),
    })
}
