//! `/api/pipe/{pipe}`: the ends of pipes as WebSockets, their state and their end.

mod link;
mod sent;

use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use proto::pipes::v1 as pb;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use serde::Deserialize;
use tonic::Code;

use crate::Edge;
use crate::error::ApiError;
use crate::identity::Signed;
use crate::scope::report::probe_id;
use crate::scope::socket::{MESSAGE_BYTES, Socket};
use link::Link;

#[derive(Debug, Deserialize)]
pub(crate) struct Pipe {
    pipe: String,
}

pub(crate) async fn check(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    Path(Pipe { pipe }): Path<Pipe>,
) -> Result<StatusCode, ApiError> {
    let request = signed.request(pb::GetPipeRequest { pipe_id: pipe })?;
    client(&edge).get_pipe(request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Probes and users close pipes with the same request; a probe says which it is.
pub(crate) async fn close(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    Path(Pipe { pipe }): Path<Pipe>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let end = match probe_id(&headers).is_empty() {
        true => pb::End::User,
        false => pb::End::Probe,
    };
    let request = signed.request(pb::ClosePipeRequest {
        pipe_id: pipe,
        end: end.into(),
    })?;
    client(&edge).close_pipe(request).await?;
    Ok(StatusCode::OK)
}

pub(crate) async fn user(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    Path(Pipe { pipe }): Path<Pipe>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    attach(&edge, &signed, Link::new(pipe, pb::End::User), upgrade).await
}

pub(crate) async fn probe(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    Path(Pipe { pipe }): Path<Pipe>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    attach(&edge, &signed, Link::new(pipe, pb::End::Probe), upgrade).await
}

fn client(edge: &Edge) -> PipesServiceClient<client::Channel> {
    PipesServiceClient::new(edge.peers.pipes.clone())
}

/// Attaches first and upgrades then: a pipe that has ended must be a 404, and nothing else may be one, because a probe
/// takes it as the end of the session.
async fn attach(
    edge: &Edge,
    signed: &Signed,
    mut link: Link,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let way = link.attach(client(edge), signed).await;
    let way = way.map_err(|status| match status.code() {
        Code::InvalidArgument => ApiError::bad_request(status.message()),
        _ => status.into(),
    })?;
    let ends = [signed.ended(), edge.rt.shutdown.clone()];
    let (client, signed) = (client(edge), signed.clone());
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES)
        .on_upgrade(async move |socket| {
            link.run(Socket::new(socket, ends), way, client, signed)
                .await
        }))
}
