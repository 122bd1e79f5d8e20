use std::pin::Pin;
use std::sync::Arc;

use client::Caller;
use futures_util::StreamExt;
use proto::controls::v1 as pb;
use proto::controls::v1::connect_request::Message;
use proto::controls::v1::controls_service_server::ControlsService;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::announce::Announcer;
use crate::directory::Probe;
use crate::metrics::Metrics;
use crate::replica::{InvokeError, Registration, Replica};
use crate::request::{check, limited, permission, truncate, wait};

/// What a probe may say about its version.
const VERSION_BYTES: usize = 64;

/// The service.
#[derive(Debug)]
pub struct Controls {
    announcer: Announcer,
    replica: Arc<Replica>,
    metrics: Metrics,
    rt: Runtime,
}

impl Controls {
    pub(crate) fn new(
        announcer: Announcer,
        replica: Arc<Replica>,
        metrics: Metrics,
        rt: Runtime,
    ) -> Self {
        Controls {
            announcer,
            replica,
            metrics,
            rt,
        }
    }
}

impl From<InvokeError> for Status {
    fn from(error: InvokeError) -> Self {
        let text = error.to_string();
        match error {
            InvokeError::NotConnected(_)
            | InvokeError::Alone(_)
            | InvokeError::Late(_)
            | InvokeError::Gone(_)
            | InvokeError::Silent(_)
            | InvokeError::Unsent(_) => Status::unavailable(text),
            InvokeError::Busy(_) => Status::resource_exhausted(text),
            InvokeError::TimedOut { .. } => Status::deadline_exceeded(text),
        }
    }
}

/// How a call is counted.
fn outcome(result: &Result<pb::ControlResult, InvokeError>) -> &'static str {
    match result {
        Ok(result) if result.error.is_empty() => "answered",
        Ok(_) => "failed",
        Err(InvokeError::NotConnected(_) | InvokeError::Alone(_)) => "unreachable",
        Err(InvokeError::Busy(_)) => "busy",
        Err(InvokeError::Late(_)) => "late",
        Err(InvokeError::Gone(_) | InvokeError::Silent(_) | InvokeError::Unsent(_)) => "lost",
        Err(InvokeError::TimedOut { .. }) => "timed_out",
    }
}

/// The caller, if it may run this control and what it asks for makes sense. The log has it either way.
fn allowed(request: &Request<pb::InvokeRequest>) -> Result<Caller, Status> {
    let asked = request.get_ref();
    let needs = permission(&asked.control);
    let caller = Caller::of(request, needs).and_then(|caller| {
        if needs == Permission::HostExec {
            caller.require_recent_login()?;
        }
        Ok(caller)
    });
    let sound = check(asked);
    // What is longer than its limit is not written anywhere.
    if sound.is_ok() {
        let known = request.extensions().get::<Caller>();
        tracing::info!(
            org = known.map_or("", |caller| &caller.org_id),
            subject = known.map_or("", |caller| &caller.subject),
            probe = asked.probe_id,
            control = asked.control,
            node = asked.node_id,
            allowed = caller.is_ok(),
            "control"
        );
    }
    let caller = caller?;
    sound.map(|()| caller)
}

#[tonic::async_trait]
impl ControlsService for Controls {
    async fn invoke(
        &self,
        request: Request<pb::InvokeRequest>,
    ) -> Result<Response<pb::InvokeResponse>, Status> {
        let caller = allowed(&request)?;
        let request = request.into_inner();
        let wait = wait(&request)?;
        let probe = Probe::new(&caller.org_id, &request.probe_id);
        let needs = permission(&request.control);
        let call = pb::ControlCall {
            sequence: 0,
            node_id: request.node_id,
            control: request.control,
            arguments: request.arguments,
            start_within: None,
        };
        let result = self.replica.invoke(&probe, call, wait).await;
        self.metrics.invoked(outcome(&result));
        let result = result?;
        if !result.error.is_empty() {
            return Err(Status::failed_precondition(result.error));
        }
        let announced = self.announcer.announce(&caller, needs, &result);
        announced.await?;
        Ok(Response::new(pb::InvokeResponse {
            result: Some(result),
        }))
    }

    type ConnectStream = Pin<Box<dyn Stream<Item = Result<pb::ConnectResponse, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<pb::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let caller = Caller::of(&request, Permission::Report)?;
        let mut incoming = request.into_inner();
        let Some(Message::Hello(hello)) = incoming.message().await?.and_then(|m| m.message) else {
            return Err(Status::invalid_argument("the first message must be hello"));
        };
        if hello.probe_id.is_empty() || hello.probe_id.len() > 64 {
            return Err(Status::invalid_argument(
                "the probe id must have 1 to 64 bytes",
            ));
        }
        let mut version = hello.version;
        truncate(&mut version, VERSION_BYTES);
        let probe = Probe::new(&caller.org_id, &hello.probe_id);
        let (registration, calls) = self.replica.open(probe, &version);
        // A task of its own: a probe that is writing answers need not be reading calls. When its side ends, the registration
        // and with it the stream of calls does, too.
        let ended = CancellationToken::new();
        let answers = deliver(incoming, registration);
        let answers = ended.clone().run_until_cancelled_owned(answers);
        self.rt.spawn_draining("answers of a probe", async {
            answers.await;
        });
        // And the other way round.
        let ended = ended.drop_guard();
        let calls = ReceiverStream::new(calls).map(move |call| {
            let _ = &ended;
            Ok(pb::ConnectResponse { call: Some(call) })
        });
        Ok(Response::new(Box::pin(calls)))
    }

    async fn list_connected_probes(
        &self,
        request: Request<pb::ListConnectedProbesRequest>,
    ) -> Result<Response<pb::ListConnectedProbesResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let probes = self.replica.connected(&caller.org_id);
        let probes = probes.into_iter().map(|p| pb::ConnectedProbe {
            probe_id: p.probe,
            version: p.version,
            connected_for: p.since.elapsed().try_into().ok(),
        });
        Ok(Response::new(pb::ListConnectedProbesResponse {
            probes: probes.collect(),
        }))
    }
}

/// Reads the probe's answers until its side ends.
async fn deliver(mut incoming: Streaming<pb::ConnectRequest>, registration: Registration) {
    while let Ok(Some(message)) = incoming.message().await {
        let Some(Message::Answer(answer)) = message.message else {
            return;
        };
        let result = limited(answer.result.unwrap_or_default());
        registration.answer(answer.sequence, result);
    }
}
