//! Carrying bytes between an attachment and a pipe that is held here.

use std::sync::Arc;

use bytes::Bytes;
use client::Caller;
use proto::pipes::v1 as pb;
use proto::pipes::v1::attach_request::Message;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use crate::error::PipeError;
use crate::output::{From, Reader};
use crate::pipe::{Ended, Pipe};

/// The most that a single message may carry.
pub(crate) const MESSAGE_BYTES: usize = 64 << 10;
/// Answers that may wait for their turn on the connection; their bytes are bounded by the window.
const QUEUE: usize = 4;

pub(crate) type Answer = Result<pb::AttachResponse, Status>;

/// An attachment whose hello was read.
pub(crate) struct Attachment<S> {
    pub(crate) hello: pb::AttachHello,
    /// What follows the hello.
    pub(crate) incoming: S,
}

/// Bytes that an end can send again: from this offset to that.
fn kept(resume: Option<&pb::AttachResume>) -> Option<(u64, u64)> {
    resume.map(|r| (r.sent_from, r.sent_to.max(r.sent_from)))
}

/// Attaches; the answers begin with the welcome.
pub(crate) fn attach<S>(
    pipe: Arc<Pipe>,
    caller: &Caller,
    attachment: Attachment<S>,
) -> Result<mpsc::Receiver<Answer>, Status>
where
    S: Stream<Item = pb::AttachRequest> + Send + Unpin + 'static,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    let Attachment { hello, incoming } = attachment;
    let resume = hello.resume.as_ref();
    let watches = hello.end() != pb::End::Probe && !pipe.access.may_write(caller);
    let welcome = |send_from| {
        let answer = pb::AttachResponse {
            welcome: Some(pb::AttachWelcome { send_from, watches }),
            ..pb::AttachResponse::default()
        };
        // The queue is empty, so this cannot fail.
        let _ = sender.try_send(Ok(answer));
    };
    let says = !hello.link_id.is_empty();
    match hello.end() {
        pb::End::Probe if pipe.output.is_ended() => return Err(PipeError::Closed.into()),
        pb::End::Probe => {
            let begun = pipe.output.begin(kept(resume), pipe.base());
            let begun = begun.ok_or(PipeError::Gap)?;
            welcome(begun.send_from);
            let passed_on = resume.map_or(&[][..], |r| &r.passed_on);
            let end = ProbeEnd {
                attachment: pipe.input.attach(passed_on),
                writes: begun.attachment,
                pipe,
                says,
            };
            tokio::spawn(end.run(incoming, sender));
        }
        pb::End::User | pb::End::Unspecified => {
            let writer = match hello.link_id.as_str() {
                "" => format!("attached-{:x}", rand::random::<u128>()),
                link => link.to_owned(),
            };
            let (send_from, attachment) = pipe.input.link(&writer, kept(resume))?;
            welcome(send_from);
            let from = resume.map_or(From::Unread, |r| From::Offset(r.read_from));
            let reader = pipe.output.reader(from, says);
            let end = UserEnd {
                pipe,
                writer,
                attachment,
                says,
                watches,
            };
            tokio::spawn(end.run(incoming, reader, sender));
        }
    }
    Ok(receiver)
}

/// What an end says.
struct Said {
    data: Bytes,
    /// How much it has passed on, if it says so.
    passed_on: Option<u64>,
}

/// None when the sender is done or breaks the rules.
async fn next<S>(incoming: &mut S) -> Option<Said>
where
    S: Stream<Item = pb::AttachRequest> + Unpin,
{
    let request = incoming.next().await?;
    let data = match request.message {
        Some(Message::Data(data)) if data.len() <= MESSAGE_BYTES => data,
        None => Bytes::new(),
        Some(Message::Data(_) | Message::Hello(_)) => return None,
    };
    Some(Said {
        data,
        passed_on: (request.received > 0).then_some(request.received),
    })
}

/// What the other side is told when a pipe is no longer served.
pub(crate) fn farewell(ended: Ended) -> Answer {
    match ended {
        Ended::Closed(reason) => Ok(pb::AttachResponse {
            closed: reason.into(),
            ..pb::AttachResponse::default()
        }),
        Ended::Moved => Err(PipeError::Moved.into()),
    }
}

/// Process output into the pipe, key strokes out of it.
struct ProbeEnd {
    pipe: Arc<Pipe>,
    /// The numbers of this attachment: of those that read, and of those that write.
    attachment: u64,
    writes: u64,
    says: bool,
}

impl ProbeEnd {
    async fn run<S>(self, mut incoming: S, sender: mpsc::Sender<Answer>)
    where
        S: Stream<Item = pb::AttachRequest> + Send + Unpin,
    {
        let pipe = &self.pipe;
        let _connected = pipe.connect(pb::End::Probe);
        let replaced = pipe.take_probe_end();
        let output = async {
            while let Some(Said { data, passed_on }) = next(&mut incoming).await {
                if let Some(bytes) = passed_on {
                    pipe.input.confirm(self.attachment, bytes);
                }
                if !data.is_empty() {
                    pipe.touch();
                    pipe.output.write(self.writes, &data).await;
                }
            }
        };
        let last = tokio::select! {
            () = output => None,
            () = self.send_input(&sender) => Some(Err(PipeError::Replaced.into())),
            () = self.send_progress(&sender), if self.says => None,
            () = replaced.cancelled() => Some(Err(PipeError::Replaced.into())),
            () = sender.closed() => None,
            ended = pipe.ended() => Some(farewell(ended)),
        };
        if let Some(last) = last {
            // Nobody may be listening any more.
            let _ = sender.send(last).await;
        }
    }

    async fn send_input(&self, sender: &mpsc::Sender<Answer>) {
        // The permit comes first: bytes are only taken when they can be handed on.
        while let Ok(permit) = sender.reserve().await {
            let Some(piece) = self.pipe.input.next(self.attachment, self.says).await else {
                return;
            };
            permit.send(Ok(pb::AttachResponse {
                data: piece.data,
                written: Some(piece.written),
                ..pb::AttachResponse::default()
            }));
        }
        std::future::pending().await
    }

    /// Tells how far readers have come.
    async fn send_progress(&self, sender: &mpsc::Sender<Answer>) {
        let mut received = 0;
        loop {
            received = self.pipe.output.consumed_after(received).await;
            let answer = pb::AttachResponse {
                received,
                ..pb::AttachResponse::default()
            };
            if sender.send(Ok(answer)).await.is_err() {
                return;
            }
        }
    }
}

/// Key strokes into the pipe, process output out of it.
struct UserEnd {
    pipe: Arc<Pipe>,
    writer: String,
    attachment: u64,
    says: bool,
    /// It must not write.
    watches: bool,
}

impl UserEnd {
    async fn run<S>(self, mut incoming: S, reader: Reader, sender: mpsc::Sender<Answer>)
    where
        S: Stream<Item = pb::AttachRequest> + Send + Unpin,
    {
        let pipe = &self.pipe;
        let _connected = pipe.connect(pb::End::User);
        let progress = reader.progress();
        let replaced = pipe.take_link(&self.writer);
        let _done = replaced.clone().drop_guard();
        let input = async {
            while let Some(Said { data, passed_on }) = next(&mut incoming).await {
                if let Some(offset) = passed_on {
                    progress.passed_on(offset);
                }
                if !data.is_empty() {
                    if self.watches {
                        return Some(Err(PipeError::WatchOnly.into()));
                    }
                    pipe.touch();
                    let writer = (self.writer.as_str(), self.attachment);
                    if pipe.input.push(writer, data).await.is_err() {
                        return None;
                    }
                }
            }
            None
        };
        let last = tokio::select! {
            last = input => last,
            () = self.send_output(reader, &sender) => None,
            () = self.send_progress(&sender), if self.says => None,
            () = replaced.cancelled() => Some(Err(PipeError::Replaced.into())),
            () = sender.closed() => None,
            ended = pipe.ended() => Some(farewell(ended)),
        };
        if let Some(last) = last {
            let _ = sender.send(last).await;
        }
    }

    /// Goes on when all was sent that will ever come: this end has yet to say that it has passed it on.
    async fn send_output(&self, mut reader: Reader, sender: &mpsc::Sender<Answer>) {
        while let Ok(permit) = sender.reserve().await {
            let Some((offset, data)) = reader.read().await else {
                break;
            };
            permit.send(Ok(pb::AttachResponse {
                data,
                offset,
                ..pb::AttachResponse::default()
            }));
        }
        std::future::pending().await
    }

    /// Tells how far the probe's end has come with what this one wrote.
    async fn send_progress(&self, sender: &mpsc::Sender<Answer>) {
        let mut received = 0;
        loop {
            received = self
                .pipe
                .input
                .passed_on_after(&self.writer, received)
                .await;
            let answer = pb::AttachResponse {
                received,
                ..pb::AttachResponse::default()
            };
            if sender.send(Ok(answer)).await.is_err() {
                return;
            }
        }
    }
}
