//! `/api/pipe/{pipe}`: the ends of pipes as WebSockets, their state and their end.

use axum::Extension;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use proto::pipes::v1 as pb;
use proto::pipes::v1::attach_request::Message as Up;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use crate::Edge;
use crate::error::ApiError;
use crate::identity::Signed;
use crate::scope::socket::{MESSAGE_BYTES, Socket};

/// The largest piece of a message; larger messages are sent on in pieces.
const PIECE: usize = 16 << 10;

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

pub(crate) async fn close(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    Path(Pipe { pipe }): Path<Pipe>,
) -> Result<StatusCode, ApiError> {
    let request = signed.request(pb::ClosePipeRequest { pipe_id: pipe })?;
    client(&edge).close_pipe(request).await?;
    Ok(StatusCode::OK)
}

pub(crate) async fn user(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    Path(Pipe { pipe }): Path<Pipe>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    attach(&edge, &signed, pipe, pb::End::User, upgrade).await
}

pub(crate) async fn probe(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    Path(Pipe { pipe }): Path<Pipe>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    attach(&edge, &signed, pipe, pb::End::Probe, upgrade).await
}

fn client(edge: &Edge) -> PipesServiceClient<client::Channel> {
    PipesServiceClient::new(edge.peers.pipes.clone())
}

/// Attaches first and upgrades then: a pipe that has ended must be a 404, and nothing else may be one, because a probe
/// takes it as the end of the session.
async fn attach(
    edge: &Edge,
    signed: &Signed,
    pipe: String,
    end: pb::End,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let (to_pipe, receiver) = mpsc::channel(1);
    let hello = pb::AttachHello {
        pipe_id: pipe,
        end: end.into(),
    };
    // The queue is empty, so this cannot fail.
    let _ = to_pipe.try_send(up(Up::Hello(hello)));
    let request = signed.request(ReceiverStream::new(receiver))?;
    let attached = client(edge).attach(request).await;
    let from_pipe = attached.map_err(|status| match status.code() {
        Code::InvalidArgument => ApiError::bad_request(status.message()),
        _ => status.into(),
    })?;
    let ends = [signed.ended(), edge.rt.shutdown.clone()];
    let from_pipe = from_pipe.into_inner();
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES)
        .on_upgrade(async move |socket| run(Socket::new(socket, ends), from_pipe, to_pipe).await))
}

fn up(message: Up) -> pb::AttachRequest {
    pb::AttachRequest {
        message: Some(message),
    }
}

async fn run(
    mut socket: Socket,
    mut from_pipe: Streaming<pb::AttachResponse>,
    to_pipe: mpsc::Sender<pb::AttachRequest>,
) {
    // What the socket sent and the pipe has not taken yet. While there is some, nothing more is read from the socket.
    let mut waiting = Bytes::new();
    loop {
        tokio::select! {
            message = socket.next(), if waiting.is_empty() => {
                let Some(message) = message else { break };
                waiting = message.into_data();
            }
            permit = to_pipe.reserve(), if !waiting.is_empty() => {
                let Ok(permit) = permit else { break };
                let piece = waiting.split_to(waiting.len().min(PIECE));
                permit.send(up(Up::Data(piece)));
            }
            data = from_pipe.message() => {
                let Ok(Some(pb::AttachResponse { data })) = data else { break };
                if !data.is_empty() && socket.send(Message::Binary(data)).await.is_none() {
                    return;
                }
            }
        }
    }
    socket.close("").await;
}
