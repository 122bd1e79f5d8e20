//! `POST /api/control/{probe}/{node}/{control}`.

use std::collections::HashMap;

use axum::Extension;
use axum::extract::{OriginalUri, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use proto::controls::v1 as pb;
use proto::controls::v1::controls_service_client::ControlsServiceClient;
use serde_json::{Map, Value};
use tonic::Code;

use crate::Edge;
use crate::error::ApiError;
use crate::identity::Signed;
use crate::scope::{document, segments, utf8};

/// The arguments, as JSON.
const BODY_BYTES: usize = 64 << 10;

pub(crate) async fn invoke(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Result<Response, ApiError> {
    let [probe, node, control] = segments(uri.path())?;
    let body = edge.buffered.read(request.into_body(), BODY_BYTES).await?;
    let arguments: HashMap<String, String> = if body.bytes.is_empty() {
        HashMap::new()
    } else {
        serde_json::from_slice(&body.bytes).map_err(|e| {
            ApiError::bad_request(format!("the body must be an object of strings: {e}"))
        })?
    };
    let request = signed.request(pb::InvokeRequest {
        probe_id: utf8(probe),
        node_id: utf8(node),
        control: utf8(control),
        arguments,
        timeout: None,
    })?;
    let answer = ControlsServiceClient::new(edge.peers.controls.clone())
        .invoke(request)
        .await;
    let answer = signed.refused().map_or(answer, Err);
    let answer = answer.map_err(|status| match status.code() {
        // Scope says 400 whenever a control cannot be carried out.
        Code::Unavailable => ApiError::bad_request(status.message()),
        _ => status.into(),
    })?;
    let result = answer.into_inner().result.unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    let body = to_json(&result).to_string();
    Ok(document::uncached(
        ([(CONTENT_TYPE, json)], body).into_response(),
    ))
}

/// A result as Scope writes it: members that say nothing are left out.
fn to_json(result: &pb::ControlResult) -> Value {
    let mut out = Map::new();
    if let Ok(value) = serde_json::from_str(&result.value_json) {
        out.insert("value".to_owned(), value);
    }
    let texts = [
        ("error", &result.error),
        ("pipe", &result.pipe_id),
        ("resize_tty_control", &result.resize_tty_control),
        ("removedNode", &result.removed_node_id),
    ];
    for (name, text) in texts {
        if !text.is_empty() {
            out.insert(name.to_owned(), Value::String(text.clone()));
        }
    }
    if result.raw_tty {
        out.insert("raw_tty".to_owned(), Value::Bool(true));
    }
    Value::Object(out)
}

/// The reverse of [`to_json`], lenient about what is missing.
pub(crate) fn from_json(value: &Value) -> pb::ControlResult {
    let text = |name: &str| value[name].as_str().unwrap_or("").to_owned();
    pb::ControlResult {
        value_json: match &value["value"] {
            Value::Null => String::new(),
            value => value.to_string(),
        },
        error: text("error"),
        pipe_id: text("pipe"),
        raw_tty: value["raw_tty"].as_bool().unwrap_or(false),
        resize_tty_control: text("resize_tty_control"),
        removed_node_id: text("removedNode"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_survive_the_way_through_scopes_json() {
        let result = pb::ControlResult {
            value_json: "{\"a\":1}".to_owned(),
            pipe_id: "pipe-1".to_owned(),
            raw_tty: true,
            resize_tty_control: "r".to_owned(),
            ..pb::ControlResult::default()
        };
        assert_eq!(from_json(&to_json(&result)), result);
        assert_eq!(to_json(&pb::ControlResult::default()).to_string(), "{}");
    }
}
