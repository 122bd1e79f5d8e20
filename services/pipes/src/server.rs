use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use client::Caller;
use futures_util::{StreamExt, future, stream};
use proto::pipes::v1 as pb;
use proto::pipes::v1::attach_request::Message;
use proto::pipes::v1::bridge_request::Call;
use proto::pipes::v1::bridge_response::Answer;
use proto::pipes::v1::pipes_service_server::PipesService;
use proto::tenant::v1::Permission;
use stores::PipeKey;
use tokio::sync::Mutex;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::access::Access;
use crate::attach::{Attachment, MESSAGE_BYTES, attach};
use crate::attended::{Use, attend};
use crate::bridge::{Asked, Bridges, only};
use crate::calls;
use crate::error::PipeError;
use crate::pipe::Pipe;
use crate::places::{Closing, Found, Looked, Places, Route};

pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Holders that are asked for one call before it is given up: each is gone, or says that it is another one.
const HOPS: usize = 4;

/// The service for everybody: finds out who holds a pipe.
#[derive(Debug)]
pub struct Pipes {
    places: Places,
    bridges: Bridges,
}

/// A permission that a caller may need.
const OF_USERS: [Permission; 4] = [
    Permission::Exec,
    Permission::HostExec,
    Permission::Logs,
    Permission::Control,
];

fn known<T>(request: &Request<T>) -> Result<Caller, Status> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| Status::unauthenticated("the call carries no valid assertion"))
}

pub(crate) fn check_size(data: &Bytes) -> Result<(), Status> {
    if data.len() <= MESSAGE_BYTES {
        return Ok(());
    }
    Err(Status::invalid_argument("more than 64 KiB in one message"))
}

/// The hello that must come first, if it is well-formed.
pub(crate) fn check_hello(first: Option<pb::AttachRequest>) -> Result<pb::AttachHello, Status> {
    let Some(Message::Hello(hello)) = first.and_then(|m| m.message) else {
        return Err(Status::invalid_argument("the first message must be hello"));
    };
    if hello.end() == pb::End::Unspecified {
        return Err(Status::invalid_argument("hello must name an end"));
    }
    if hello.link_id.len() > 64 {
        return Err(Status::invalid_argument(
            "the link's id is longer than 64 bytes",
        ));
    }
    Ok(hello)
}

/// Where a call goes.
enum Way {
    Here(Arc<Pipe>),
    There(Box<Streaming<pb::BridgeResponse>>),
}

impl Pipes {
    pub(crate) fn new(places: Places) -> Self {
        Pipes {
            bridges: Bridges::new(places.clone()),
            places,
        }
    }

    /// The pipe if it is held here, or the answers of whoever holds it to what `calls` makes. `end` says what the caller
    /// needs.
    async fn way<C>(
        &self,
        key: &PipeKey,
        caller: &Caller,
        end: pb::End,
        calls: impl Fn() -> C,
    ) -> Result<Way, Status>
    where
        C: Stream<Item = Call> + Send + 'static,
    {
        // Only probes are faster than the announcement.
        let mut found = match end {
            pb::End::Probe => self.places.announced(key).await?,
            pb::End::User | pb::End::Unspecified => self.places.find(key, None).await?,
        };
        for _ in 0..HOPS {
            let route = match found {
                Found::Here(pipe) => {
                    caller.require(pipe.access.needed(end))?;
                    return Ok(Way::Here(pipe));
                }
                Found::There(route) => route,
            };
            if let Asked::Answer(answers) = self.ask(key, &route, (caller, end), &calls).await? {
                return Ok(Way::There(Box::new(answers)));
            }
            found = self.places.find(key, Some(&route.replica)).await?;
        }
        Err(PipeError::Contended.into())
    }

    async fn ask<C>(
        &self,
        key: &PipeKey,
        route: &Route,
        (caller, end): (&Caller, pb::End),
        calls: impl Fn() -> C,
    ) -> Result<Asked<Streaming<pb::BridgeResponse>>, Status>
    where
        C: Stream<Item = Call> + Send + 'static,
    {
        let permission = route.access.needed(end);
        caller.require(permission)?;
        self.bridges
            .ask(key, route, (caller, permission), calls())
            .await
    }

    async fn attend(
        &self,
        key: &PipeKey,
        pipe: &Pipe,
        caller: &Caller,
        use_: Use,
    ) -> Result<(), Status> {
        attend(&self.places.recorder, key, pipe, caller, use_).await
    }

    /// Makes a call of whoever holds the pipe, if anybody does.
    async fn reach(
        &self,
        key: &PipeKey,
        (caller, end): (&Caller, pb::End),
        call: Call,
    ) -> Result<Reached, Status> {
        let mut not = None;
        for _ in 0..HOPS {
            let route = match self.places.look(key, not.as_deref()).await? {
                Looked::Here(pipe) => {
                    caller.require(pipe.access.needed(end))?;
                    return Ok(Reached::Here(pipe));
                }
                Looked::Unheld(access) => {
                    caller.require(access.needed(end))?;
                    return Ok(Reached::Unheld(access));
                }
                Looked::Unknown => return Ok(Reached::Unknown),
                Looked::Closed => return Ok(Reached::Closed),
                Looked::There(route) => route,
            };
            let calls = || stream::iter([call.clone()]);
            match self.ask(key, &route, (caller, end), calls).await? {
                Asked::Answer(answers) => return Ok(Reached::Answer(only(answers).await?)),
                Asked::Elsewhere => not = Some(route.replica),
            }
        }
        Err(PipeError::Contended.into())
    }
}

/// What came of looking for a pipe.
enum Reached {
    Here(Arc<Pipe>),
    Answer(Answer),
    Unheld(Access),
    Closed,
    Unknown,
}

fn unexpected() -> Status {
    Status::internal("another replica gave an answer of the wrong kind")
}

/// Answers of one kind; what else comes is the end.
fn of_kind<T: Send + 'static>(
    answers: Streaming<pb::BridgeResponse>,
    kind: fn(Answer) -> Option<T>,
) -> Answers<T> {
    let answers = answers.map(move |answer| {
        let answer = answer?.answer.and_then(kind);
        answer.ok_or_else(unexpected)
    });
    Box::pin(answers)
}

#[tonic::async_trait]
impl PipesService for Pipes {
    async fn announce(
        &self,
        request: Request<pb::AnnounceRequest>,
    ) -> Result<Response<pb::AnnounceResponse>, Status> {
        let permission = request.get_ref().permission();
        if !OF_USERS.contains(&permission) {
            return Err(Status::invalid_argument(
                "pipes are not for this permission",
            ));
        }
        let caller = Caller::of(&request, permission)?;
        let key = Places::key(&caller.org_id, &request.get_ref().pipe_id)?;
        let access = Access {
            permission,
            opener: caller.subject,
        };
        self.places.announce(&key, access).await?;
        Ok(Response::new(pb::AnnounceResponse {}))
    }

    type AttachStream = Answers<pb::AttachResponse>;

    async fn attach(
        &self,
        request: Request<Streaming<pb::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let caller = known(&request)?;
        let mut incoming = request.into_inner();
        let hello = check_hello(incoming.message().await?)?;
        let end = hello.end();
        if end == pb::End::Probe {
            // Before anybody looks for the pipe.
            caller.require(Permission::Report)?;
        }
        let key = Places::key(&caller.org_id, &hello.pipe_id)?;
        // Whoever carries the call takes what follows the hello; nobody has before an answer came.
        let rest = Arc::new(Mutex::new(incoming));
        let calls = || {
            let hello = pb::AttachRequest {
                message: Some(Message::Hello(hello.clone())),
                received: 0,
            };
            let rest = calls::rest_of(Arc::clone(&rest));
            stream::once(future::ready(hello))
                .chain(rest)
                .map(Call::Attach)
        };
        let answers: Self::AttachStream = match self.way(&key, &caller, end, calls).await? {
            Way::Here(pipe) => {
                if end != pb::End::Probe {
                    let use_ = Use::attached(&pipe, &caller);
                    self.attend(&key, &pipe, &caller, use_).await?;
                }
                let incoming = Box::pin(calls::rest_of(rest));
                let attached = attach(pipe, &caller, Attachment { hello, incoming })?;
                Box::pin(ReceiverStream::new(attached))
            }
            Way::There(answers) => of_kind(*answers, |answer| match answer {
                Answer::Attach(answer) => Some(answer),
                _ => None,
            }),
        };
        Ok(Response::new(answers))
    }

    type ReadStream = Answers<pb::ReadResponse>;

    async fn read(
        &self,
        request: Request<pb::ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let caller = known(&request)?;
        let read = request.into_inner();
        let key = Places::key(&caller.org_id, &read.pipe_id)?;
        let calls = || stream::iter([Call::Read(read.clone())]);
        let answers = match self.way(&key, &caller, pb::End::User, calls).await? {
            Way::Here(pipe) => {
                self.attend(&key, &pipe, &caller, Use::READS).await?;
                calls::read(pipe, read.from_offset)
            }
            Way::There(answers) => of_kind(*answers, |answer| match answer {
                Answer::Read(answer) => Some(answer),
                _ => None,
            }),
        };
        Ok(Response::new(answers))
    }

    async fn write(
        &self,
        request: Request<pb::WriteRequest>,
    ) -> Result<Response<pb::WriteResponse>, Status> {
        let caller = known(&request)?;
        let write = request.into_inner();
        check_size(&write.data)?;
        if write.writer_id.is_empty() || write.writer_id.len() > 64 {
            return Err(Status::invalid_argument(
                "the writer id must have 1 to 64 bytes",
            ));
        }
        let key = Places::key(&caller.org_id, &write.pipe_id)?;
        let calls = || stream::iter([Call::Write(write.clone())]);
        match self.way(&key, &caller, pb::End::User, calls).await? {
            Way::Here(pipe) => {
                pipe.access.check_write(&caller)?;
                self.attend(&key, &pipe, &caller, Use::TYPES).await?;
                calls::write(&pipe, write).await?;
            }
            Way::There(answers) => drop(only(*answers).await?),
        }
        Ok(Response::new(pb::WriteResponse {}))
    }

    async fn get_pipe(
        &self,
        request: Request<pb::GetPipeRequest>,
    ) -> Result<Response<pb::GetPipeResponse>, Status> {
        let caller = known(&request)?;
        let get = request.into_inner();
        let key = Places::key(&caller.org_id, &get.pipe_id)?;
        let reached = self.reach(&key, (&caller, pb::End::User), Call::GetPipe(get));
        Ok(Response::new(match reached.await? {
            Reached::Here(pipe) => calls::get(&pipe, &caller),
            Reached::Answer(Answer::GetPipe(answer)) => answer,
            Reached::Answer(_) => return Err(unexpected()),
            Reached::Unheld(access) => pb::GetPipeResponse {
                may_write: access.may_write(&caller),
                ..pb::GetPipeResponse::default()
            },
            Reached::Closed => return Err(PipeError::Closed.into()),
            Reached::Unknown => return Err(PipeError::Unknown.into()),
        }))
    }

    async fn close_pipe(
        &self,
        request: Request<pb::ClosePipeRequest>,
    ) -> Result<Response<pb::ClosePipeResponse>, Status> {
        let caller = known(&request)?;
        let close = request.into_inner();
        let (key, end) = (Places::key(&caller.org_id, &close.pipe_id)?, close.end());
        if end == pb::End::Probe {
            caller.require(Permission::Report)?;
        }
        let reached = self.reach(&key, (&caller, end), Call::ClosePipe(close));
        match reached.await? {
            Reached::Here(pipe) => {
                let closing = Closing::asked(end, &caller);
                self.places.close_held(key, pipe, closing).await;
            }
            Reached::Unheld(_) => {
                let closing = Closing::asked(end, &caller);
                self.places.close_unheld(&key, closing).await?;
            }
            // Its probe may be faster than the announcement.
            Reached::Unknown if end == pb::End::Probe => self.places.close_early(&key).await?,
            Reached::Unknown | Reached::Closed | Reached::Answer(_) => {}
        }
        Ok(Response::new(pb::ClosePipeResponse {}))
    }
}
