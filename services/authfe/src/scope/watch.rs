//! `GET /api/topology/{topology}/ws`.

use std::time::Duration;

use axum::Extension;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use proto::query::v1 as pb;
use proto::query::v1::scope_service_client::ScopeServiceClient;
use tonic::Streaming;

use crate::Edge;
use crate::error::ApiError;
use crate::identity::Signed;
use crate::scope::socket::{MESSAGE_BYTES, Socket};
use crate::scope::{segments, utf8};
use crate::selection::{first, go_duration, parameters, selection};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const INTERVALS: (u32, u32) = (100, 60_000);

pub(crate) async fn watch(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    OriginalUri(uri): OriginalUri,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let query = uri.query().unwrap_or("");
    let interval = match first(&parameters(query), "t") {
        None => DEFAULT_INTERVAL,
        Some(text) => go_duration(text)
            .ok_or_else(|| ApiError::bad_request(format!("time: invalid duration {text}")))?,
    };
    let [topology, _] = segments(uri.path())?;
    let millis = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
    let request = signed.request(pb::WatchDocumentRequest {
        topology_id: utf8(topology),
        selection: Some(selection(query)?),
        interval_ms: millis.clamp(INTERVALS.0, INTERVALS.1),
    })?;
    // Before the upgrade, so that an unknown topology is a 404 and not a socket that drops.
    let mut client =
        ScopeServiceClient::new(edge.peers.query.clone()).max_decoding_message_size(usize::MAX);
    let changes = client.watch_document(request).await?.into_inner();
    let ends = [signed.ended(), edge.rt.shutdown.clone()];
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES)
        .on_upgrade(async move |socket| run(Socket::new(socket, ends), changes).await))
}

async fn run(mut socket: Socket, mut changes: Streaming<pb::WatchDocumentResponse>) {
    loop {
        tokio::select! {
            // What the client says is of no interest, but its end is.
            message = socket.next() => if message.is_none() { break },
            change = changes.message() => {
                let Ok(Some(change)) = change else { break };
                let Ok(text) = change.message.try_into() else { break };
                if socket.send(Message::Text(text)).await.is_none() {
                    return;
                }
            }
        }
    }
    socket.close("").await;
}
