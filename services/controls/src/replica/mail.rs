//! Messages that come through this replica's queue, and how they are written.

use std::mem::replace;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::controls::v1 as pb;
use proto::controls::v1::replica_message::Message;
use stores::StoreError;
use stores::queues::Received;
use tokio::time::sleep;

use super::Replica;
use super::clocks::Backoff;

/// What messages are sealed for.
const PURPOSE: &str = "weft.controls.v1.ReplicaMessage";
/// How long a call waits for messages: the longest that SQS allows.
const WAIT: Duration = Duration::from_secs(20);

/// This replica's queue, by the last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Works,
    /// SQS is there, and the queue is not.
    Missing,
    Away,
}

impl State {
    fn of(error: &StoreError) -> State {
        match error {
            StoreError::NotFound(_) => State::Missing,
            StoreError::Unavailable(_) | StoreError::Throttled(_) | StoreError::Refused(_) => {
                State::Away
            }
        }
    }
}

impl Replica {
    /// Sends a message to another replica. One whose queue is gone is gone itself.
    pub(super) async fn send(&self, to: &str, message: Message) -> Result<(), StoreError> {
        let message = pb::ReplicaMessage {
            from: self.id.clone(),
            to: to.to_owned(),
            sent_at_ms: self.now_ms(),
            message: Some(message),
        };
        let sealed = self.rt.key.seal(PURPOSE, &message.encode_to_vec());
        let sent = self.outbox.send(to, sealed.into()).await;
        if let Err(StoreError::NotFound(_)) = &sent {
            self.forget(to);
            self.look_again();
        }
        sent
    }

    /// Sends a message that nobody waits for: what is lost is asked for again, or not missed.
    pub(super) fn post(self: &Arc<Self>, to: &str, message: Message) {
        let (replica, to) = (Arc::clone(self), to.to_owned());
        self.rt.spawn_draining("message", async move {
            if let Err(error) = replica.send(&to, message).await {
                tracing::debug!(%error, to, "a message was not sent");
            }
        });
    }

    /// Takes in what comes through this replica's queue, and makes the queue again if it is lost.
    pub(super) async fn receive(self: &Arc<Self>) {
        let mut backoff = Backoff::new();
        let mut state = State::Works;
        loop {
            // After an error one wants to know at once whether it is over.
            let wait = match state {
                State::Works => WAIT,
                State::Away | State::Missing => Duration::ZERO,
            };
            match self.queues.receive(&self.id, wait).await {
                Ok(messages) => {
                    backoff.reset();
                    if replace(&mut state, State::Works) != State::Works {
                        self.rejoin();
                    }
                    self.take_all(messages);
                }
                Err(error) => {
                    tracing::debug!(%error, "no messages");
                    self.note_silence();
                    let now = State::of(&error);
                    if replace(&mut state, now) != now {
                        // SQS is back without the queue, or gone: nothing is known of how long that takes.
                        backoff.reset();
                    }
                    if now == State::Missing {
                        // It is tried again when the next call fails, too.
                        let _ = self.queues.create(&self.id).await;
                    }
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    fn take_all(self: &Arc<Self>, messages: Vec<Received>) {
        for message in &messages {
            self.take(&message.body);
        }
        let replica = Arc::clone(self);
        self.rt.spawn("deletion of messages", async move {
            // What stays comes again, and is known then.
            let _ = replica.queues.delete(&replica.id, &messages).await;
        });
    }

    fn take(self: &Arc<Self>, body: &Bytes) {
        let Some(opened) = self.rt.key.unseal(PURPOSE, body) else {
            tracing::warn!(
                "a message in the queue was not written by a replica of this deployment"
            );
            return;
        };
        let Ok(message) = pb::ReplicaMessage::decode(opened) else {
            tracing::warn!(
                "a message in the queue cannot be read: is a replica of another version?"
            );
            return;
        };
        if message.to != self.id {
            return;
        }
        let (from, sent_at) = (message.from, message.sent_at_ms);
        match message.message {
            Some(Message::Presence(presence)) => self.hear(&from, sent_at, &presence),
            Some(Message::Command(command)) => self.command(&from, command),
            Some(Message::Reply(reply)) => self.reply(reply),
            None => {}
        }
    }
}
