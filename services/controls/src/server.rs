use std::pin::Pin;
use std::sync::Arc;

use client::Caller;
use futures_util::StreamExt;
use proto::controls::v1 as pb;
use proto::controls::v1::connect_request::Message;
use proto::controls::v1::controls_service_server::ControlsService;
use proto::tenant::v1::Permission;
use runtime::{Event, Recorder, Runtime};
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
    recorder: Recorder,
    replica: Arc<Replica>,
    metrics: Metrics,
    rt: Runtime,
}

impl Controls {
    pub(crate) fn new(
        (announcer, recorder): (Announcer, Recorder),
        replica: Arc<Replica>,
        metrics: Metrics,
        rt: Runtime,
    ) -> Self {
        Controls {
            announcer,
            recorder,
            replica,
            metrics,
            rt,
        }
    }

    /// The caller, if it may run this control, what it asks for makes sense, and that is in the audit log. Refusals get there
    /// later.
    async fn allowed(&self, request: &Request<pb::InvokeRequest>) -> Result<Caller, Status> {
        let asked = request.get_ref();
        let needs = permission(&asked.control);
        let caller = Caller::of(request, needs).and_then(|caller| {
            if needs == Permission::HostExec {
                caller.require_recent_login()?;
            }
            Ok(caller)
        });
        // What is longer than its limit is not written anywhere.
        check(asked)?;
        let caller = match caller {
            Ok(caller) => {
                let writes = self
                    .announcer
                    .check_writer(&caller, needs, &asked.arguments);
                writes.await.map(|()| caller)
            }
            refused => refused,
        };
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
        match &caller {
            Ok(caller) => {
                let run = recorded("control.run", asked, None);
                self.recorder.record(run.by(caller)).await?;
            }
            Err(status) => {
                let refused = recorded("control.refuse", asked, Some(status.message()));
                if let Some(caller) = known {
                    self.recorder.record_refused(refused.by(caller));
                }
            }
        }
        caller
    }
}

/// What the audit log says of a call.
fn recorded(action: &'static str, asked: &pb::InvokeRequest, refused: Option<&str>) -> Event {
    let pb::InvokeRequest {
        probe_id,
        node_id,
        control,
        ..
    } = asked;
    let reason = refused.map_or_else(String::new, |reason| format!(": {reason}"));
    Event {
        action,
        target: node_id.clone(),
        detail: format!("{control} on probe {probe_id}{reason}"),
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

#[tonic::async_trait]
impl ControlsService for Controls {
    async fn invoke(
        &self,
        request: Request<pb::InvokeRequest>,
    ) -> Result<Response<pb::InvokeResponse>, Status> {
        let wait = wait(request.get_ref())?;
        let caller = self.allowed(&request).await?;
        let request = request.into_inner();
        let opened = format!(
            "by {} on {}, probe {}",
            request.control, request.node_id, request.probe_id
        );
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
        if !result.pipe_id.is_empty() {
            // Before anybody can attach to it.
            let opened = Event {
                action: "terminal.open",
                target: result.pipe_id.clone(),
                detail: opened,
            };
            self.recorder.record(opened.by(&caller)).await?;
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
