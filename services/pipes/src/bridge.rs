//! Carrying calls to the replica that holds the pipe.

use std::time::Duration;

use client::{Caller, Channel, authorise_for};
use futures_util::{Stream, StreamExt};
use http::Uri;
use moka::sync::Cache;
use proto::pipes::v1 as pb;
use proto::pipes::v1::bridge_request::Call;
use proto::pipes::v1::bridge_response::Answer;
use proto::pipes::v1::bridge_service_client::BridgeServiceClient;
use proto::tenant::v1::Permission;
use stores::PipeKey;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::{Code, Request, Status, Streaming};

use crate::error::PipeError;
use crate::places::{Places, Route};

/// Replicas that there may be; ways to those that were not needed for long are forgotten.
const REPLICAS: (u64, Duration) = (1024, Duration::from_secs(600));
/// A replica that cannot be connected to in this time may be dead.
const CONNECT: Duration = Duration::from_millis(500);

/// The ways to other replicas.
#[derive(Debug, Clone)]
pub(crate) struct Bridges {
    channels: Cache<String, Channel>,
    places: Places,
}

/// What came of asking another replica.
#[derive(Debug)]
pub(crate) enum Asked<T> {
    Answer(T),
    /// It does not hold the pipe: whoever does must be found anew, and it is not that one.
    Elsewhere,
}

impl Bridges {
    pub(crate) fn new(places: Places) -> Self {
        let channels = Cache::builder()
            .max_capacity(REPLICAS.0)
            .time_to_idle(REPLICAS.1);
        Bridges {
            channels: channels.build(),
            places,
        }
    }

    /// Makes a call of the replica that holds the pipe, as the caller with the permission that the call needs.
    pub(crate) async fn ask(
        &self,
        key: &PipeKey,
        route: &Route,
        (caller, permission): (&Caller, Permission),
        calls: impl Stream<Item = Call> + Send + 'static,
    ) -> Result<Asked<Streaming<pb::BridgeResponse>>, Status> {
        let channel = self.channel(&route.address)?;
        let mut replica = Some(route.replica.clone());
        let calls = calls.map(move |call| pb::BridgeRequest {
            // The first message names it.
            replica: replica.take().unwrap_or_default(),
            call: Some(call),
        });
        let request = authorise_for(Request::new(calls), &self.places.key, caller, &[permission]);
        let mut client = BridgeServiceClient::new(channel);
        match client.bridge(request).await {
            Ok(answers) => Ok(Asked::Answer(answers.into_inner())),
            Err(status) => {
                self.places.forget_route(key);
                match status.code() {
                    Code::FailedPrecondition => Ok(Asked::Elsewhere),
                    Code::Unavailable => self.blame(route).await,
                    _ => Err(status),
                }
            }
        }
    }

    /// A call did not get through. A replica that refuses connections is dead, and need not be waited for.
    async fn blame<T>(&self, route: &Route) -> Result<Asked<T>, Status> {
        let away = || Status::from(PipeError::HolderAway);
        let uri: Uri = route.address.parse().map_err(|_| away())?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let connect = TcpStream::connect((host, uri.port_u16().unwrap_or(80)));
        match timeout(CONNECT, connect).await {
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                tracing::warn!(address = route.address, "a replica of pipes is dead");
                let evicted = self.places.ends.evict(&route.replica).await;
                evicted.map_err(PipeError::from)?;
                Ok(Asked::Elsewhere)
            }
            // It may come back, or its session ends.
            _ => Err(away()),
        }
    }

    fn channel(&self, address: &str) -> Result<Channel, Status> {
        if let Some(channel) = self.channels.get(address) {
            return Ok(channel);
        }
        let uri: Uri = address.parse().map_err(|_| PipeError::HolderAway)?;
        let channel = Channel::connect_wide(vec![uri]);
        self.channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}

/// The only answer of a call that has one.
pub(crate) async fn only(mut answers: Streaming<pb::BridgeResponse>) -> Result<Answer, Status> {
    let first = answers.message().await?;
    let answer = first.and_then(|first| first.answer);
    answer.ok_or_else(|| Status::unavailable("the replica that holds the pipe said nothing"))
}
