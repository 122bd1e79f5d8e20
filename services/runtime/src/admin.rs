//! The private HTTP surface: `/metrics`, `/livez`, `/readyz`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::TextEncoder;

use crate::Runtime;

/// Routes for a private listener.
pub fn router(rt: &Runtime) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(rt.clone())
}

async fn metrics(State(rt): State<Runtime>) -> Response {
    match TextEncoder::new().encode_to_string(&rt.registry.gather()) {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot encode metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn readyz(State(rt): State<Runtime>) -> Response {
    if rt.leaving.is_cancelled() || rt.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    // What another process broke is no reason to send callers elsewhere: the others are no better off.
    match rt.dependencies.outages() {
        outages if outages.is_empty() => "ok\n".into_response(),
        outages => format!("degraded\n{outages}").into_response(),
    }
}
