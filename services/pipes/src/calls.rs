//! Calls of a pipe that is held here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client::Caller;
use futures_util::{Stream, stream};
use proto::pipes::v1 as pb;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::error::PipeError;
use crate::output::{From, Reader};
use crate::pipe::{Ended, Pipe};
use crate::server::{Answers, check_size};

/// How long a write may wait for the probe's end: calls that wait are counted.
const WRITE: Duration = Duration::from_secs(20);

/// What is left of a stream of messages, until it breaks: for one taker at a time.
pub(crate) fn rest_of<T>(
    messages: Arc<Mutex<Streaming<T>>>,
) -> impl Stream<Item = T> + Send + use<T>
where
    T: Send + 'static,
{
    stream::unfold((messages, None), async |(messages, taken)| {
        let mut taken = match taken {
            Some(taken) => taken,
            None => Arc::clone(&messages).lock_owned().await,
        };
        let next = taken.message().await.ok()??;
        Some((next, (messages, Some(taken))))
    })
}

/// Which ends are connected, and what the caller may.
pub(crate) fn get(pipe: &Pipe, caller: &Caller) -> pb::GetPipeResponse {
    let (user_connections, probe_connections) = pipe.connections();
    pb::GetPipeResponse {
        user_connections,
        probe_connections,
        may_write: pipe.access.may_write(caller),
    }
}

/// Returns when the bytes were passed on to the probe.
pub(crate) async fn write(pipe: &Pipe, call: pb::WriteRequest) -> Result<(), Status> {
    check_size(&call.data)?;
    let pb::WriteRequest {
        writer_id,
        sequence,
        data,
        ..
    } = call;
    if sequence == 0 {
        return Err(Status::invalid_argument(
            "calls of a writer are numbered from 1",
        ));
    }
    pipe.touch();
    let written = async {
        let moved = pipe.moves > 0;
        let pushed = pipe.input.push_numbered(&writer_id, sequence, data, moved);
        pushed.await?;
        pipe.input.passed_on_after(&writer_id, sequence - 1).await;
        Ok(())
    };
    tokio::select! {
        written = timeout(WRITE, written) => written.unwrap_or_else(|_| {
            Err(Status::unavailable("the probe's end is away; call again with the same number"))
        }),
        ended = pipe.ended() => Err(match ended {
            Ended::Closed(_) => PipeError::Closed.into(),
            Ended::Moved => PipeError::Moved.into(),
        }),
    }
}

/// Output from this offset on.
pub(crate) fn read(pipe: Arc<Pipe>, from: u64) -> Answers<pb::ReadResponse> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let _connected = pipe.connect(pb::End::User);
        let reader = pipe.output.reader(From::Offset(from), false);
        let opening = response(reader.offset(), Bytes::new());
        if sender.send(Ok(opening)).await.is_err() {
            return;
        }
        let ended = tokio::select! {
            () = send_output(reader, &sender) => pipe.ended().await,
            () = sender.closed() => return,
            ended = pipe.ended() => ended,
        };
        let last = match ended {
            Ended::Closed(reason) => Ok(pb::ReadResponse {
                closed: reason.into(),
                ..pb::ReadResponse::default()
            }),
            Ended::Moved => Err(PipeError::Moved.into()),
        };
        // Nobody may be listening any more.
        let _ = sender.send(last).await;
    });
    Box::pin(ReceiverStream::new(receiver))
}

fn response(offset: u64, data: Bytes) -> pb::ReadResponse {
    pb::ReadResponse {
        data,
        offset,
        ..pb::ReadResponse::default()
    }
}

/// Returns when all was sent that will ever come.
async fn send_output(mut reader: Reader, sender: &mpsc::Sender<Result<pb::ReadResponse, Status>>) {
    while let Ok(permit) = sender.reserve().await {
        let Some((offset, data)) = reader.read().await else {
            return;
        };
        permit.send(Ok(response(offset, data)));
    }
    std::future::pending().await
}
