//! Announcements over core NATS, on a subject per organisation.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};
use prost::Message;
use proto::storage::v1 as pb;
use runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::{Backend, LAG, Shortcut, ShortcutStream};
use crate::address::Address;
use crate::{OpenError, StoreError};

pub(super) const PARAMETERS: [&str; 1] = ["credentials"];

/// How long a connection may take, and how long one waits for it before saying that it is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// A server that does not answer two of these pings is gone.
const PING: Duration = Duration::from_secs(5);
/// How long an announcement may wait for its turn.
const PUBLISH: Duration = Duration::from_secs(1);

pub(super) struct Nats {
    client: Client,
    address: String,
    /// The reason why there is no connection.
    gone: watch::Receiver<Option<String>>,
}

impl std::fmt::Debug for Nats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Nats({})", self.address)
    }
}

impl Nats {
    /// Connects in the background, and again for ever. Connecting and losing the connection are seen at once.
    pub(super) async fn open(address: &Address<'_>, rt: &Runtime) -> Result<Self, OpenError> {
        let server = address.server(4222).ok_or_else(|| {
            OpenError::Url("nats: needs a server, as in nats://host:4222".to_owned())
        })?;
        let options = match address.credentials() {
            None => ConnectOptions::new(),
            Some(file) => {
                let options = ConnectOptions::with_credentials_file(file).await;
                let io = |error| OpenError::Io(format!("credentials {}", file.display()), error);
                options.map_err(io)?
            }
        };
        let dependency = rt.dependency("shortcuts");
        let (connection, gone) = watch::channel(Some("not connected".to_owned()));
        let connection = Arc::new(connection);
        let of_event = server.clone();
        let options = options
            .name("weft")
            .retry_on_initial_connect()
            .connection_timeout(CONNECT)
            .ping_interval(PING)
            .subscription_capacity(LAG)
            .event_callback(move |event| {
                let gone = connection.borrow().is_some();
                if let Some(reason) = consequence(&event, gone) {
                    let reason = reason.map(|reason| format!("{of_event}: {reason}"));
                    match &reason {
                        None => dependency.up(),
                        Some(reason) => dependency.down(&unavailable(reason).to_string()),
                    }
                    connection.send_replace(reason);
                }
                std::future::ready(())
            });
        let client = options.connect(format!("nats://{server}")).await;
        let client = client.map_err(|error| OpenError::Other(error.to_string()))?;
        Ok(Nats {
            client,
            address: server,
            gone,
        })
    }
}

/// What an event says about the connection, if anything: that it is there, or why not.
fn consequence(event: &Event, gone: bool) -> Option<Option<String>> {
    match event {
        Event::Connected => Some(None),
        Event::Disconnected | Event::Closed => Some(Some("the connection was lost".to_owned())),
        // These come also while the connection is there.
        Event::ServerError(error) if gone => Some(Some(error.to_string())),
        Event::ClientError(error) if gone => Some(Some(error.to_string())),
        _ => None,
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_owned())
}

/// In hex: an id must neither be a pattern nor end the line.
fn subject(org: &str) -> String {
    let hex: String = org.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("weft.shortcut.{hex}")
}

#[async_trait::async_trait]
impl Backend for Nats {
    async fn publish(&self, org: &str, shortcut: &Shortcut) -> Result<(), StoreError> {
        // The client would keep it until it is connected, and an old announcement is of no use.
        if let Some(reason) = &*self.gone.borrow() {
            return Err(unavailable(reason));
        }
        let message = pb::Shortcut {
            replica: shortcut.replica.clone(),
            sequence: shortcut.sequence,
        };
        let payload = message.encode_to_vec().into();
        let published = timeout(PUBLISH, self.client.publish(subject(org), payload));
        match published.await {
            Ok(published) => published.map_err(|error| unavailable(&error.to_string())),
            Err(_) => Err(unavailable("announcements queue up")),
        }
    }

    async fn subscribe(&self, org: &str) -> Result<ShortcutStream, StoreError> {
        let subscription = self.client.subscribe(subject(org)).await;
        let subscription = subscription.map_err(|error| unavailable(&error.to_string()))?;
        let shortcuts = subscription.filter_map(|message| {
            let decoded = pb::Shortcut::decode(message.payload);
            let shortcut = decoded.inspect_err(|error| tracing::debug!(%error, "no shortcut"));
            let pb::Shortcut { replica, sequence } = shortcut.ok()?;
            Some(Shortcut { replica, sequence })
        });
        Ok(Box::pin(shortcuts))
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let mut gone = self.gone.clone();
        // The first connection takes a moment.
        let connected = timeout(CONNECT, gone.wait_for(Option::is_none)).await;
        if connected.is_ok_and(|connected| connected.is_ok()) {
            return Ok(());
        }
        let reason = self.gone.borrow().clone();
        Err(unavailable(reason.as_deref().unwrap_or("not connected")))
    }
}
