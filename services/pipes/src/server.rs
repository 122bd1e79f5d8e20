use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client::Caller;
use prometheus::IntGauge;
use proto::pipes::v1 as pb;
use proto::pipes::v1::attach_request::Message;
use proto::pipes::v1::pipes_service_server::PipesService;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::pipe::{MESSAGE_BYTES, Pipe, WriteError};
use crate::registry::{PipeError, Registry};

/// How often abandoned pipes are looked for.
const COLLECT: Duration = Duration::from_secs(30);

/// The service.
#[derive(Debug)]
pub struct Pipes {
    registry: Registry,
}

impl Pipes {
    pub(crate) fn new(rt: &Runtime) -> Result<Self, prometheus::Error> {
        let open = IntGauge::new("weft_pipes_open_pipes", "Open pipes.")?;
        rt.registry.register(Box::new(open.clone()))?;
        let registry = Registry::default();
        let collected = registry.clone();
        rt.spawn("collect pipes", async move {
            let mut tick = tokio::time::interval(COLLECT);
            loop {
                tick.tick().await;
                collected.collect();
                open.set(i64::try_from(collected.len()).unwrap_or(i64::MAX));
            }
        });
        Ok(Pipes { registry })
    }
}

impl From<PipeError> for Status {
    fn from(error: PipeError) -> Self {
        let text = error.to_string();
        match error {
            PipeError::Closed | PipeError::Unknown => Status::not_found(text),
            PipeError::BadId => Status::invalid_argument(text),
            PipeError::TooMany => Status::resource_exhausted(text),
        }
    }
}

impl From<WriteError> for Status {
    fn from(error: WriteError) -> Self {
        let text = error.to_string();
        match error {
            WriteError::Closed => Status::not_found(text),
            WriteError::Gap => Status::aborted(text),
            WriteError::Writers => Status::resource_exhausted(text),
        }
    }
}

/// Terminals and logs need one of three permissions; which of them the pipe is for, only the control knew.
fn user<T>(request: &Request<T>) -> Result<Caller, Status> {
    Caller::of(request, Permission::Exec)
        .or_else(|_| Caller::of(request, Permission::HostExec))
        .or_else(|_| Caller::of(request, Permission::Logs))
}

fn check_size(data: &Bytes) -> Result<(), Status> {
    if data.len() <= MESSAGE_BYTES {
        return Ok(());
    }
    Err(Status::invalid_argument("more than 64 KiB in one message"))
}

type AttachResult = Result<pb::AttachResponse, Status>;

#[tonic::async_trait]
impl PipesService for Pipes {
    type AttachStream = Pin<Box<dyn Stream<Item = AttachResult> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<pb::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let as_probe = Caller::of(&request, Permission::Report);
        let as_user = user(&request);
        let mut incoming = request.into_inner();
        let Some(Message::Hello(hello)) = incoming.message().await?.and_then(|m| m.message) else {
            return Err(Status::invalid_argument("the first message must be hello"));
        };
        let caller = match hello.end() {
            pb::End::Probe => as_probe?,
            pb::End::User => as_user?,
            pb::End::Unspecified => {
                return Err(Status::invalid_argument("hello must name an end"));
            }
        };
        let pipe = self.registry.open(&caller.org_id, &hello.pipe_id)?;
        let (sender, receiver) = mpsc::channel(1);
        // Says that the attachment stands, before any byte does.
        let _ = sender.send(Ok(pb::AttachResponse::default())).await;
        match hello.end() {
            pb::End::Probe => tokio::spawn(probe_end(pipe, incoming, sender)),
            pb::End::User | pb::End::Unspecified => tokio::spawn(user_end(pipe, incoming, sender)),
        };
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type ReadStream = Pin<Box<dyn Stream<Item = Result<pb::ReadResponse, Status>> + Send>>;

    async fn read(
        &self,
        request: Request<pb::ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let caller = user(&request)?;
        let request = request.into_inner();
        let pipe = self.registry.open(&caller.org_id, &request.pipe_id)?;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(read(pipe, request.from_offset, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn write(
        &self,
        request: Request<pb::WriteRequest>,
    ) -> Result<Response<pb::WriteResponse>, Status> {
        let caller = user(&request)?;
        let request = request.into_inner();
        check_size(&request.data)?;
        if request.writer_id.is_empty() || request.writer_id.len() > 64 {
            return Err(Status::invalid_argument(
                "the writer id must have 1 to 64 bytes",
            ));
        }
        let pipe = self.registry.find(&caller.org_id, &request.pipe_id)?;
        pipe.write_numbered(&request.writer_id, request.sequence, request.data)
            .await?;
        Ok(Response::new(pb::WriteResponse {}))
    }

    async fn get_pipe(
        &self,
        request: Request<pb::GetPipeRequest>,
    ) -> Result<Response<pb::GetPipeResponse>, Status> {
        let caller = user(&request)?;
        let pipe = self
            .registry
            .find(&caller.org_id, &request.get_ref().pipe_id)?;
        let (user_connections, probe_connections) = pipe.connections();
        Ok(Response::new(pb::GetPipeResponse {
            user_connections,
            probe_connections,
        }))
    }

    async fn close_pipe(
        &self,
        request: Request<pb::ClosePipeRequest>,
    ) -> Result<Response<pb::ClosePipeResponse>, Status> {
        let caller = user(&request).or_else(|_| Caller::of(&request, Permission::Report))?;
        self.registry
            .close(&caller.org_id, &request.get_ref().pipe_id)?;
        Ok(Response::new(pb::ClosePipeResponse {}))
    }
}

/// The bytes of the next message; none when the sender is done or breaks the rules.
async fn next_data(incoming: &mut Streaming<pb::AttachRequest>) -> Option<Bytes> {
    match incoming.message().await {
        Ok(Some(pb::AttachRequest {
            message: Some(Message::Data(data)),
        })) if data.len() <= MESSAGE_BYTES => Some(data),
        _ => None,
    }
}

/// Process output into the pipe, key strokes out of it, until either side or the pipe ends.
async fn probe_end(
    pipe: Arc<Pipe>,
    mut incoming: Streaming<pb::AttachRequest>,
    sender: mpsc::Sender<AttachResult>,
) {
    let _connected = pipe.connect(pb::End::Probe);
    let replaced = pipe.take_probe_end();
    let output = async {
        while let Some(data) = next_data(&mut incoming).await {
            pipe.output.write(&data).await;
        }
    };
    let input = async {
        // The permit comes first: bytes are only taken when they can be handed on.
        while let Ok(permit) = sender.reserve().await {
            let Some(data) = pipe.next_input().await else {
                return;
            };
            permit.send(Ok(pb::AttachResponse { data }));
        }
    };
    tokio::select! {
        () = output => {}
        () = input => {}
        () = replaced.cancelled() => {}
        () = sender.closed() => {}
        () = pipe.closed.cancelled() => {}
    }
}

/// Key strokes into the pipe, process output out of it, until either side or the pipe ends.
async fn user_end(
    pipe: Arc<Pipe>,
    mut incoming: Streaming<pb::AttachRequest>,
    sender: mpsc::Sender<AttachResult>,
) {
    let _connected = pipe.connect(pb::End::User);
    let input = async {
        while let Some(data) = next_data(&mut incoming).await {
            if pipe.write(data).await.is_err() {
                return;
            }
        }
    };
    let mut reader = pipe.output.reader(0);
    let output = async {
        while let Ok(permit) = sender.reserve().await {
            let (_, data) = reader.read().await;
            permit.send(Ok(pb::AttachResponse { data }));
        }
    };
    tokio::select! {
        () = input => {}
        () = output => {}
        () = sender.closed() => {}
        () = pipe.closed.cancelled() => {}
    }
}

async fn read(pipe: Arc<Pipe>, from: u64, sender: mpsc::Sender<Result<pb::ReadResponse, Status>>) {
    let _connected = pipe.connect(pb::End::User);
    let mut reader = pipe.output.reader(from);
    let opening = pb::ReadResponse {
        data: Bytes::new(),
        offset: reader.offset(),
    };
    if sender.send(Ok(opening)).await.is_err() {
        return;
    }
    let output = async {
        while let Ok(permit) = sender.reserve().await {
            let (offset, data) = reader.read().await;
            permit.send(Ok(pb::ReadResponse { data, offset }));
        }
    };
    tokio::select! {
        () = output => {}
        () = sender.closed() => {}
        () = pipe.closed.cancelled() => {}
    }
}
