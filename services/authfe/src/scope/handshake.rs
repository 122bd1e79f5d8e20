//! `GET /api`: what a probe polls to learn whom it talks to, and a UI to learn what it can do.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use proto::query::v1 as pb;
use proto::query::v1::scope_service_client::ScopeServiceClient;
use serde_json::{Value, json};

use crate::Edge;
use crate::identity::Signed;
use crate::scope::document;
use axum::response::IntoResponse;

/// The version of Scope whose protocol this is; some clients compare it.
const SCOPE_VERSION: &str = "1.13.2";

/// How long plugins may take to be listed; then they are left out.
const PLUGINS_TIMEOUT: Duration = Duration::from_secs(2);

/// Probes are answered from memory and whoever they are: one that gets no answer is silent for up to 5 minutes.
pub(crate) async fn handshake(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    headers: HeaderMap,
) -> Response {
    let plugins = if headers.contains_key("x-scope-probe-id") {
        Value::Array(Vec::new())
    } else {
        plugins(&edge, &signed).await
    };
    let body = Json(json!({
        "id": edge.config.app_id,
        "version": SCOPE_VERSION,
        "hostname": edge.config.hostname,
        "plugins": plugins,
        "capabilities": { "historic_reports": false },
    }));
    document::uncached(body.into_response())
}

async fn plugins(edge: &Edge, signed: &Signed) -> Value {
    let none = || Value::Array(Vec::new());
    let asked = async {
        let request = signed.request(pb::GetDocumentRequest {
            document: pb::Document::Plugins.into(),
            ..pb::GetDocumentRequest::default()
        })?;
        let mut client = ScopeServiceClient::new(edge.peers.query.clone());
        let mut stream = client.get_document(request).await?.into_inner();
        let mut text = Vec::new();
        while let Some(part) = stream.message().await? {
            text.extend_from_slice(&part.chunk);
        }
        Ok::<_, crate::error::ApiError>(serde_json::from_slice(&text).unwrap_or_else(|_| none()))
    };
    match tokio::time::timeout(PLUGINS_TIMEOUT, asked).await {
        Ok(Ok(plugins)) => plugins,
        Ok(Err(_)) | Err(_) => none(),
    }
}
