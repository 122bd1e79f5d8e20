//! What other replicas ask of this one.

use std::sync::Arc;

use client::Caller;
use futures_util::{StreamExt, future, stream};
use proto::pipes::v1 as pb;
use proto::pipes::v1::attach_request::Message;
use proto::pipes::v1::bridge_request::Call;
use proto::pipes::v1::bridge_response::Answer;
use proto::pipes::v1::bridge_service_server::BridgeService;
use tokio::sync::Mutex;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::attach::{Attachment, attach};
use crate::attended::{Use, attend};
use crate::calls;
use crate::error::PipeError;
use crate::pipe::Pipe;
use crate::places::{Closing, Places};
use crate::server::{Answers, check_hello};

/// The service for replicas: answers for the pipes that this one holds.
#[derive(Debug)]
pub struct Bridge {
    places: Places,
}

impl Bridge {
    pub(crate) fn new(places: Places) -> Self {
        Bridge { places }
    }

    /// The pipe if this replica holds it and is the one that is meant.
    async fn held(&self, org: &str, id: &str, replica: &str) -> Result<Arc<Pipe>, Status> {
        let key = Places::key(org, id)?;
        let own = self.places.member.borrow().as_ref().map(|m| m.name.clone());
        if own.as_deref() != Some(replica) {
            return Err(PipeError::Elsewhere.into());
        }
        let pipe = self.places.held_after_taking(&key).await;
        Ok(pipe.ok_or(PipeError::Elsewhere)?)
    }
}

fn end_of(call: &Call) -> pb::End {
    match call {
        Call::Attach(pb::AttachRequest {
            message: Some(Message::Hello(hello)),
            ..
        }) => hello.end(),
        Call::ClosePipe(close) => close.end(),
        _ => pb::End::User,
    }
}

/// What a call does with a pipe, for the audit log.
fn use_of(call: &Call, pipe: &Pipe, caller: &Caller) -> Option<Use> {
    match call {
        Call::Attach(_) => Some(Use::attached(pipe, caller)),
        Call::Read(_) => Some(Use::READS),
        Call::Write(_) => Some(Use::TYPES),
        Call::GetPipe(_) | Call::ClosePipe(_) => None,
    }
}

fn pipe_of(call: &Call) -> &str {
    match call {
        Call::Attach(pb::AttachRequest {
            message: Some(Message::Hello(hello)),
            ..
        }) => &hello.pipe_id,
        Call::Attach(_) => "",
        Call::Read(call) => &call.pipe_id,
        Call::Write(call) => &call.pipe_id,
        Call::GetPipe(call) => &call.pipe_id,
        Call::ClosePipe(call) => &call.pipe_id,
    }
}

fn answer(answer: Answer) -> pb::BridgeResponse {
    pb::BridgeResponse {
        answer: Some(answer),
    }
}

fn one(only: Answer) -> Answers<pb::BridgeResponse> {
    Box::pin(stream::iter([Ok(answer(only))]))
}

#[tonic::async_trait]
impl BridgeService for Bridge {
    type BridgeStream = Answers<pb::BridgeResponse>;

    async fn bridge(
        &self,
        request: Request<Streaming<pb::BridgeRequest>>,
    ) -> Result<Response<Self::BridgeStream>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Status::unauthenticated("no valid assertion"))?;
        let mut incoming = request.into_inner();
        let first = incoming.message().await?.unwrap_or_default();
        let nothing = || Status::invalid_argument("the first message must be a call");
        let call = first.call.ok_or_else(nothing)?;
        let (end, id) = (end_of(&call), pipe_of(&call).to_owned());
        let pipe = self.held(&caller.org_id, &id, &first.replica).await?;
        caller.require(pipe.access.needed(end))?;
        if let Call::Write(_) = &call {
            pipe.access.check_write(&caller)?;
        }
        let key = Places::key(&caller.org_id, &id)?;
        let use_ = use_of(&call, &pipe, &caller);
        if let Some(use_) = use_.filter(|_| end != pb::End::Probe) {
            attend(&self.places.recorder, &key, &pipe, &caller, use_).await?;
        }
        let answers: Self::BridgeStream = match call {
            Call::Attach(first) => {
                let hello = check_hello(Some(first))?;
                let rest = calls::rest_of(Arc::new(Mutex::new(incoming)));
                let incoming = Box::pin(rest.filter_map(|request| {
                    future::ready(match request.call {
                        Some(Call::Attach(message)) => Some(message),
                        _ => None,
                    })
                }));
                let attached = attach(pipe, &caller, Attachment { hello, incoming })?;
                let attached = ReceiverStream::new(attached);
                Box::pin(attached.map(|said| said.map(|said| answer(Answer::Attach(said)))))
            }
            Call::Read(call) => {
                let read = calls::read(pipe, call.from_offset);
                Box::pin(read.map(|said| said.map(|said| answer(Answer::Read(said)))))
            }
            Call::ClosePipe(_) => {
                let closing = Closing::asked(end, &caller);
                self.places.close_held(key, pipe, closing).await;
                one(Answer::ClosePipe(pb::ClosePipeResponse {}))
            }
            Call::Write(call) => {
                calls::write(&pipe, call).await?;
                one(Answer::Write(pb::WriteResponse {}))
            }
            Call::GetPipe(_) => one(Answer::GetPipe(calls::get(&pipe, &caller))),
        };
        Ok(Response::new(answers))
    }
}
