//! Public gRPC services, natively and as gRPC-web, forwarded without decoding.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::extract::Request;
use axum::response::Response;
use client::{ASSERTION_HEADER, Channel};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use tonic::Status;
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};

use crate::identity::Signed;
use crate::policy::{self, Rule};
use crate::revocable::Revocable;
use crate::timed::Streaming;
use crate::{Edge, Peers};

/// Forwards gRPC requests; everything else goes to `other`.
pub(crate) fn or_else(
    other: Router,
    edge: &Edge,
) -> BoxCloneSyncService<Request, Response, Infallible> {
    let peers = edge.peers.clone();
    let streaming = Streaming::of_the_contract();
    let forward = tower::service_fn(move |request: http::Request<Body>| {
        let (peers, request) = (peers.clone(), streaming.bound(request));
        async move { Ok::<_, Infallible>(forward(request, &peers).await) }
    });
    let rpc = GrpcWebLayer::new().layer(forward);
    BoxCloneSyncService::new(tower::service_fn(move |request: Request| {
        let (rpc, other) = (rpc.clone(), other.clone());
        async move {
            if is_rpc(&request) {
                let response = rpc.oneshot(request.map(Body::new)).await?;
                Ok(response.map(AxumBody::new))
            } else {
                other.oneshot(request).await
            }
        }
    }))
}

pub(crate) fn is_rpc(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"))
}

async fn forward(mut request: http::Request<Body>, peers: &Peers) -> http::Response<Body> {
    let path = request.uri().path();
    match policy::rpc(path) {
        None => return Status::unimplemented("there is no such RPC").into_http(),
        Some(Rule::Internal) => {
            return Status::unimplemented("this is not served on the public port").into_http();
        }
        Some(Rule::Open) => return send(&peers.open, request).await,
        Some(Rule::Known | Rule::Any(_) | Rule::Recorded(_)) => {}
    }
    let Some(peer) = peer(path, peers) else {
        return Status::unimplemented("there is no such service").into_http();
    };
    let Some(signed) = request.extensions_mut().remove::<Signed>() else {
        return Status::unauthenticated("a credential is needed").into_http();
    };
    match signed.header() {
        Ok(header) => request.headers_mut().insert(ASSERTION_HEADER, header),
        Err(status) => return status.into_http(),
    };
    // What proves who the caller is ends here.
    for credential in [AUTHORIZATION, COOKIE] {
        request.headers_mut().remove(credential);
    }
    let response = send(peer, request).await;
    if let Some(status) = signed.refused() {
        return status.into_http();
    }
    response.map(|body| Body::new(Revocable::new(body, signed.ended())))
}

async fn send(peer: &Channel, request: http::Request<Body>) -> http::Response<Body> {
    let sent = peer.clone().oneshot(request).await;
    sent.unwrap_or_else(|status| status.into_http())
}

fn peer<'a>(path: &str, peers: &'a Peers) -> Option<&'a Channel> {
    let package = path.strip_prefix("/weft.")?.split('.').next()?;
    Some(match package {
        "users" => &peers.users,
        "collection" => &peers.collection,
        "query" => &peers.query,
        "controls" => &peers.controls,
        "pipes" => &peers.pipes,
        _ => return None,
    })
}
