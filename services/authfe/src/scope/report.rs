//! `POST /api/report`.

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use proto::collection::v1 as pb;
use proto::collection::v1::collection_service_client::CollectionServiceClient;

use crate::Edge;
use crate::buffered::BodyError;
use crate::error::ApiError;
use crate::identity::Signed;

pub(crate) async fn submit(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    // Before the body: whoever may not send one need not.
    signed.header()?;
    let (parts, body) = request.into_parts();
    let format = format(&parts.headers)?;
    let limit = edge.config.report_bytes;
    if content_length(&parts.headers).is_some_and(|n| n > limit as u64) {
        return Err(BodyError::TooLarge(limit).into());
    }
    let body = edge.buffered.read(body, limit).await?;
    let report = pb::RawReport {
        body: body.bytes.clone(),
        format: format.into(),
        compression: compression(&parts.headers).into(),
        probe_id: probe_id(&parts.headers),
    };
    let request = signed.request(pb::SubmitRequest {
        report: Some(report),
    })?;
    CollectionServiceClient::new(edge.peers.collection.clone())
        .submit(request)
        .await?;
    Ok(StatusCode::OK)
}

fn format(headers: &HeaderMap) -> Result<pb::ReportFormat, ApiError> {
    let value = headers.get(CONTENT_TYPE);
    let value = value.map_or("", |v| v.to_str().unwrap_or("?"));
    if value.starts_with("application/msgpack") {
        Ok(pb::ReportFormat::ScopeMsgpack)
    } else if value.starts_with("application/json") {
        Ok(pb::ReportFormat::ScopeJson)
    } else {
        Err(ApiError::bad_request(format!(
            "Unsupported Content-Type: {value}"
        )))
    }
}

fn compression(headers: &HeaderMap) -> pb::Compression {
    let value = headers.get(CONTENT_ENCODING).and_then(|v| v.to_str().ok());
    if value.is_some_and(|v| v.contains("gzip")) {
        pb::Compression::Gzip
    } else {
        pb::Compression::None
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The probe's id; one that is not plain text is as good as none.
pub(crate) fn probe_id(headers: &HeaderMap) -> String {
    let value = headers
        .get("x-scope-probe-id")
        .and_then(|v| v.to_str().ok());
    value.unwrap_or("").to_owned()
}
