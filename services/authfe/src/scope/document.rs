//! The JSON documents of Scope's API, streamed from query as they are.

use axum::Extension;
use axum::body::Body;
use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::query::v1::scope_service_client::ScopeServiceClient;
use tonic::{Status, Streaming};

use crate::Edge;
use crate::error::ApiError;
use crate::identity::Signed;
use crate::scope::{segments, utf8};
use crate::selection::{first, parameters, selection};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const MSGPACK: HeaderValue = HeaderValue::from_static("application/msgpack");

pub(crate) async fn topologies(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = of(pb::Document::Topologies, query.as_deref())?;
    answer(&edge, &signed, request).await
}

pub(crate) async fn topology(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let [topology] = segments(uri.path())?;
    let mut request = of(pb::Document::Topology, uri.query())?;
    request.topology_id = utf8(topology);
    answer(&edge, &signed, request).await
}

pub(crate) async fn node(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let [topology, node] = segments(uri.path())?;
    let mut request = of(pb::Document::Node, uri.query())?;
    request.topology_id = utf8(topology);
    request.node_id = node.into();
    answer(&edge, &signed, request).await
}

pub(crate) async fn probes(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.as_deref().unwrap_or("");
    let document = match first(&parameters(query), "sparse") {
        Some(_) => pb::Document::HasReports,
        None => pb::Document::Probes,
    };
    answer(&edge, &signed, of(document, Some(query))?).await
}

pub(crate) async fn report(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let msgpack = headers
        .get(ACCEPT)
        .is_some_and(|a| a.as_bytes().starts_with(b"application/msgpack"));
    let encoding = if msgpack {
        pb::ReportEncoding::Msgpack
    } else {
        pb::ReportEncoding::Json
    };
    let request = signed.request(pb::GetReportRequest {
        selection: Some(selection(query.as_deref().unwrap_or(""))?),
        encoding: encoding.into(),
    })?;
    let mut client = QueryServiceClient::new(edge.peers.query.clone());
    let stream = client.get_report(request).await?.into_inner();
    let body = chunks(stream, |part: pb::GetReportResponse| part.chunk).await?;
    if msgpack {
        return Ok(([(CONTENT_TYPE, MSGPACK)], body).into_response());
    }
    Ok(uncached(([(CONTENT_TYPE, JSON)], body).into_response()))
}

pub(crate) async fn unknown() -> ApiError {
    ApiError::not_found()
}

fn of(document: pb::Document, query: Option<&str>) -> Result<pb::GetDocumentRequest, ApiError> {
    Ok(pb::GetDocumentRequest {
        document: document.into(),
        selection: Some(selection(query.unwrap_or(""))?),
        ..pb::GetDocumentRequest::default()
    })
}

async fn answer(
    edge: &Edge,
    signed: &Signed,
    request: pb::GetDocumentRequest,
) -> Result<Response, ApiError> {
    let mut client = ScopeServiceClient::new(edge.peers.query.clone());
    let stream = client.get_document(signed.request(request)?).await?;
    let body = chunks(stream.into_inner(), |part: pb::GetDocumentResponse| {
        part.chunk
    })
    .await?;
    Ok(uncached(([(CONTENT_TYPE, JSON)], body).into_response()))
}

/// A body of the stream's chunks. The first one is awaited, so that an error still becomes a status.
async fn chunks<T: Send + 'static>(
    mut stream: Streaming<T>,
    chunk: fn(T) -> Bytes,
) -> Result<Body, Status> {
    let first = stream.message().await?.map(chunk).unwrap_or_default();
    let second = stream.message().await?.map(chunk);
    let Some(second) = second else {
        // Short ones get a length, which the compression layer wants to know.
        return Ok(Body::from(first));
    };
    let head = stream::iter([Ok(first), Ok(second)]);
    let rest = stream.map(move |part| part.map(chunk));
    Ok(Body::from_stream(head.chain(rest)))
}

pub(crate) fn uncached(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
