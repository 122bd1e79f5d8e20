//! One end's WebSocket, and its way to whichever replica of pipes answers.
//!
//! What is under way is kept here, so that a way that breaks costs nothing: another one is found and goes on where the
//! last one stopped, while the socket stays open.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::ws::{Message, close_code};
use client::Channel;
use proto::pipes::v1 as pb;
use proto::pipes::v1::attach_request::Message as Up;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::sent::Sent;
use crate::identity::Signed;
use crate::scope::socket::Socket;

type Client = PipesServiceClient<Channel>;

/// Bytes that may be under way, as the contract says.
const WINDOW: usize = 256 << 10;
/// Output that is kept after it was read: a new holder is filled with it, for readers that come back.
const HISTORY: usize = 64 << 10;
/// Writers whose positions are remembered, as holders do.
const WRITERS: usize = 64;
/// How long a way may take to be found.
const ATTACH: Duration = Duration::from_secs(15);
/// Pauses between tries, at first and at last, and how long it is tried before the socket is closed, so that its client
/// tries.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
const GIVE_UP: Duration = Duration::from_secs(30);

/// What survives of an end when its way breaks.
#[derive(Debug)]
pub(super) struct Link {
    pipe: String,
    end: pb::End,
    id: String,
    attached: bool,
    /// User's end: somebody else opened the pipe, and what the socket says is dropped. Closing it instead would have
    /// terminals that answer what they show, as all do, connect again for ever.
    watches: bool,
    sent: Sent,
    /// User's end: the offset of the output up to which the socket has it.
    read: u64,
    /// Probe's end: what the socket has of each writer, and in which order they wrote last.
    passed_on: HashMap<String, (u64, u64)>,
    wrote: u64,
}

/// A way that stands.
#[derive(Debug)]
pub(super) struct Way {
    up: mpsc::Sender<pb::AttachRequest>,
    down: Streaming<pb::AttachResponse>,
    /// Probe's end: bytes that came this way and the socket has.
    came: u64,
    /// How much of that was told.
    told: u64,
}

/// What an end and its way come up with.
enum Event {
    Message(Option<Message>),
    /// Whether the way still stands.
    MaySend(bool),
    Response(Box<Result<Option<pb::AttachResponse>, Status>>),
}

/// Why a way was left.
enum Left {
    /// The socket ended.
    Socket,
    /// The pipe ended.
    Closed(pb::CloseReason),
    /// The way broke.
    Broken(Status),
}

impl Link {
    pub(super) fn new(pipe: String, end: pb::End) -> Self {
        let history = if end == pb::End::Probe { HISTORY } else { 0 };
        Link {
            pipe,
            end,
            id: format!("{:032x}", rand::random::<u128>()),
            attached: false,
            watches: false,
            sent: Sent::new(history),
            read: 0,
            passed_on: HashMap::new(),
            wrote: 0,
        }
    }

    fn hello(&self) -> pb::AttachHello {
        let passed_on = self
            .passed_on
            .iter()
            .map(|(id, (position, _))| pb::WriterPosition {
                writer_id: id.clone(),
                position: *position,
            });
        let resume = pb::AttachResume {
            sent_from: self.sent.start(),
            sent_to: self.sent.end(),
            read_from: self.read,
            passed_on: passed_on.collect(),
        };
        pb::AttachHello {
            pipe_id: self.pipe.clone(),
            end: self.end.into(),
            link_id: self.id.clone(),
            resume: self.attached.then_some(resume),
        }
    }

    /// Finds a way, and goes on where the last one stopped.
    pub(super) async fn attach(
        &mut self,
        mut client: Client,
        signed: &Signed,
    ) -> Result<Way, Status> {
        let (up, receiver) = mpsc::channel(1);
        // The queue is empty, so this cannot fail.
        let _ = up.try_send(said(Some(Up::Hello(self.hello())), 0));
        let request = signed.grpc(ReceiverStream::new(receiver))?;
        let welcomed = async {
            let mut down = client.attach(request).await?.into_inner();
            let first = down.message().await?.unwrap_or_default();
            let welcome = first.welcome;
            let welcome = welcome.ok_or_else(|| Status::unavailable("no welcome came"))?;
            Ok::<_, Status>((down, welcome))
        };
        let late = |_| Status::unavailable("no replica of pipes answered in time");
        let (down, welcome) = timeout(ATTACH, welcomed).await.map_err(late)??;
        let pb::AttachWelcome { send_from, watches } = welcome;
        self.watches = watches;
        if !self.attached {
            self.sent.begin(send_from);
        } else if !self.sent.resume(send_from) {
            return Err(Status::out_of_range(
                "what the pipe needs is no longer here",
            ));
        }
        self.attached = true;
        Ok(Way {
            up,
            down,
            came: 0,
            told: 0,
        })
    }

    /// Carries bytes until the socket or the pipe ends, over as many ways as it takes.
    pub(super) async fn run(
        mut self,
        mut socket: Socket,
        mut way: Way,
        client: Client,
        signed: Signed,
    ) {
        loop {
            let status = match self.carry(&mut socket, &mut way).await {
                Left::Socket => break self.leave(socket, way).await,
                Left::Closed(reason) => {
                    return socket.close_with(close_code::NORMAL, words(reason)).await;
                }
                Left::Broken(status) => status,
            };
            tracing::debug!(pipe = self.pipe, %status, "the way to a pipe broke");
            let found = match is_final(&status) {
                Some(code) => Err(code),
                None => self.find(&mut socket, &client, &signed).await,
            };
            way = match found {
                Ok(Some(found)) => found,
                Ok(None) => return socket.close("").await,
                Err((code, words)) => return socket.close_with(code, words).await,
            };
        }
    }

    /// The socket has ended: what it sent is still on its way.
    async fn leave(mut self, socket: Socket, way: Way) {
        let passed_on = self.passed_on_so_far(&way);
        let Way { up, mut down, .. } = way;
        let rest = async {
            loop {
                let data = self.sent.has_unsent().then(|| Up::Data(self.sent.next()));
                let is_last = data.is_none();
                if up.send(said(data, passed_on)).await.is_err() {
                    return;
                }
                if is_last {
                    break;
                }
            }
            drop(up);
            // The other side has read everything when it ends.
            while let Ok(Some(_)) = down.message().await {}
        };
        tokio::join!(
            async { timeout(AGAIN.1, rest).await.ok() },
            socket.close("")
        );
    }

    /// Another way; nothing when the caller may no more, or the process shuts down.
    async fn find(
        &mut self,
        socket: &mut Socket,
        client: &Client,
        signed: &Signed,
    ) -> Result<Option<Way>, (u16, &'static str)> {
        let (started, mut pause) = (Instant::now(), AGAIN.0);
        loop {
            let found = tokio::select! {
                found = self.attach(client.clone(), signed) => found,
                () = socket.over() => return Ok(None),
            };
            match found {
                Ok(way) => return Ok(Some(way)),
                Err(status) => {
                    if let Some(end) = is_final(&status) {
                        return Err(end);
                    }
                    if started.elapsed() >= GIVE_UP {
                        return Err((close_code::AGAIN, "the pipe cannot be reached; try again"));
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(AGAIN.1),
                () = socket.over() => return Ok(None),
            }
        }
    }

    async fn carry(&mut self, socket: &mut Socket, way: &mut Way) -> Left {
        socket.listen_again();
        loop {
            let (has_room, due) = (self.sent.unsafe_bytes() < WINDOW, self.is_due(way));
            let event = tokio::select! {
                message = next(socket, has_room) => Event::Message(message),
                permit = way.up.reserve(), if due => Event::MaySend(permit.is_ok()),
                response = way.down.message() => Event::Response(Box::new(response)),
            };
            match event {
                Event::Message(Some(_)) if self.watches => {}
                Event::Message(Some(message)) => self.sent.push(&message.into_data()),
                Event::Message(None) => return Left::Socket,
                Event::MaySend(true) => self.send(way),
                Event::MaySend(false) => return Left::Broken(gone()),
                Event::Response(response) => match *response {
                    Ok(Some(response)) => {
                        if let Some(left) = self.take(socket, way, response).await {
                            return left;
                        }
                        if !has_room {
                            socket.listen_again();
                        }
                    }
                    Ok(None) => return Left::Broken(gone()),
                    Err(status) => return Left::Broken(status),
                },
            }
        }
    }

    /// Sends the next piece, and what was passed on.
    fn send(&mut self, way: &mut Way) {
        let data = self.sent.has_unsent().then(|| Up::Data(self.sent.next()));
        way.told = self.passed_on_so_far(way);
        // There is room, and nobody else who sends.
        let _ = way.up.try_send(said(data, way.told));
    }

    fn passed_on_so_far(&self, way: &Way) -> u64 {
        if self.end == pb::End::Probe {
            way.came
        } else {
            self.read
        }
    }

    /// Whether there is something to send.
    fn is_due(&self, way: &Way) -> bool {
        self.sent.has_unsent() || self.passed_on_so_far(way) > way.told
    }

    async fn take(
        &mut self,
        socket: &mut Socket,
        way: &mut Way,
        response: pb::AttachResponse,
    ) -> Option<Left> {
        let pb::AttachResponse {
            data,
            received,
            written,
            offset,
            closed,
            ..
        } = response;
        if received > 0 {
            self.sent.is_safe(received);
        }
        if let Ok(reason) = pb::CloseReason::try_from(closed)
            && reason != pb::CloseReason::Unspecified
        {
            return Some(Left::Closed(reason));
        }
        if data.is_empty() {
            return None;
        }
        let bytes = data.len() as u64;
        if socket.send(Message::Binary(data)).await.is_none() {
            return Some(Left::Socket);
        }
        way.came += bytes;
        self.read = offset + bytes;
        if let Some(written) = written {
            self.note_writer(written);
        }
        None
    }

    fn note_writer(&mut self, written: pb::WriterPosition) {
        self.wrote += 1;
        let known = self.passed_on.contains_key(&written.writer_id);
        if !known && self.passed_on.len() >= WRITERS {
            let oldest = self.passed_on.iter().min_by_key(|(_, (_, wrote))| *wrote);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.passed_on.remove(&oldest);
            }
        }
        self.passed_on
            .insert(written.writer_id, (written.position, self.wrote));
    }
}

/// The next message if there is room for it; none when the socket has ended.
async fn next(socket: &mut Socket, has_room: bool) -> Option<Message> {
    if has_room {
        return socket.next().await;
    }
    socket.over().await;
    None
}

fn said(message: Option<Up>, received: u64) -> pb::AttachRequest {
    pb::AttachRequest { message, received }
}

fn gone() -> Status {
    Status::unavailable("the stream ended")
}

/// How the socket is closed if there is no use in trying again. A probe that is closed for another reason than the end of
/// the pipe connects again, and is told then.
fn is_final(status: &Status) -> Option<(u16, &'static str)> {
    Some(match status.code() {
        Code::NotFound => (close_code::NORMAL, "the pipe was closed"),
        Code::Aborted => (close_code::POLICY, "another connection took over"),
        Code::OutOfRange => (close_code::AGAIN, "some bytes were lost; try again"),
        Code::Unauthenticated | Code::PermissionDenied => {
            (close_code::POLICY, "this is no longer allowed")
        }
        Code::InvalidArgument | Code::Unimplemented => (close_code::ERROR, "pipes refused this"),
        _ => return None,
    })
}

fn words(reason: pb::CloseReason) -> &'static str {
    match reason {
        pb::CloseReason::Ended => "the process has ended",
        pb::CloseReason::Closed => "a user closed the pipe",
        pb::CloseReason::Abandoned => "the other end stayed away",
        pb::CloseReason::Idle => "nothing came for too long",
        pb::CloseReason::Expired => "the pipe was open for as long as is allowed",
        pb::CloseReason::Unspecified => "",
    }
}
