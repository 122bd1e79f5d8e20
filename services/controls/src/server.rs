use std::pin::Pin;
use std::time::Duration;

use client::Caller;
use futures_util::StreamExt;
use prometheus::{IntCounterVec, Opts};
use proto::controls::v1 as pb;
use proto::controls::v1::connect_request::Message;
use proto::controls::v1::controls_service_server::ControlsService;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::registry::{CallError, Registration, Registry};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// What a probe may say in an error.
const ERROR_BYTES: usize = 4096;

/// The service.
#[derive(Debug)]
pub struct Controls {
    registry: Registry,
    invoked: IntCounterVec,
}

impl Controls {
    pub(crate) fn new(rt: &Runtime) -> Result<Self, prometheus::Error> {
        let invoked = IntCounterVec::new(
            Opts::new("weft_controls_invocations_total", "Controls invoked."),
            &["outcome"],
        )?;
        rt.registry.register(Box::new(invoked.clone()))?;
        Ok(Controls {
            registry: Registry::default(),
            invoked,
        })
    }
}

/// What a caller must be allowed to do to invoke this control.
fn permission(control: &str) -> Permission {
    match control {
        "host_exec" | "host_resize_exec_tty" => Permission::HostExec,
        "docker_exec_container" | "docker_attach_container" | "docker_resize_exec_tty" => {
            Permission::Exec
        }
        "kubernetes_get_logs" | "kubernetes_describe" => Permission::Logs,
        _ => Permission::Control,
    }
}

fn check(request: &pb::InvokeRequest) -> Result<(), Status> {
    let too_long =
        |what, limit| Status::invalid_argument(format!("the {what} is longer than {limit} bytes"));
    if request.probe_id.len() > 64 {
        return Err(too_long("probe id", 64));
    }
    if request.node_id.len() > 1024 {
        return Err(too_long("node id", 1024));
    }
    if request.control.is_empty() || request.control.len() > 256 {
        return Err(Status::invalid_argument(
            "the control's id must have 1 to 256 bytes",
        ));
    }
    if request.arguments.len() > 32 {
        return Err(Status::invalid_argument("more than 32 arguments"));
    }
    let long = |(k, v): (&String, &String)| k.len() > 64 || v.len() > 4096;
    if request.arguments.iter().any(long) {
        return Err(too_long("argument", 4096));
    }
    Ok(())
}

fn wait(request: &pb::InvokeRequest) -> Result<Duration, Status> {
    let Some(asked) = request.timeout else {
        return Ok(DEFAULT_TIMEOUT);
    };
    Duration::try_from(asked)
        .ok()
        .filter(|t| (TIMEOUTS.0..=TIMEOUTS.1).contains(t))
        .ok_or_else(|| Status::invalid_argument("the timeout must be 0.1 s to 60 s"))
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotConnected(_) => Status::unavailable(error.to_string()),
            CallError::Busy(_) => Status::resource_exhausted(error.to_string()),
        }
    }
}

#[tonic::async_trait]
impl ControlsService for Controls {
    async fn invoke(
        &self,
        request: Request<pb::InvokeRequest>,
    ) -> Result<Response<pb::InvokeResponse>, Status> {
        let permission = permission(&request.get_ref().control);
        let caller = Caller::of(&request, permission)?;
        if permission == Permission::HostExec {
            caller.require_recent_login()?;
        }
        let request = request.into_inner();
        check(&request)?;
        let (wait, probe) = (wait(&request)?, request.probe_id);
        let call = pb::ControlCall {
            sequence: 0,
            node_id: request.node_id,
            control: request.control,
            arguments: request.arguments,
        };
        tracing::info!(
            subject = caller.subject,
            probe,
            control = call.control,
            node = call.node_id,
            "control"
        );
        let outcome = async {
            let mut waiting = self.registry.call(&caller.org_id, &probe, call)?;
            match timeout(wait, &mut waiting.answer).await {
                Ok(Ok(result)) if result.error.is_empty() => Ok(result),
                Ok(Ok(result)) => Err(Status::failed_precondition(result.error)),
                Ok(Err(_)) => Err(Status::unavailable(format!(
                    "probe {probe} went away before it answered"
                ))),
                Err(_) => Err(Status::deadline_exceeded(format!(
                    "probe {probe} did not answer within {} s",
                    wait.as_secs_f64()
                ))),
            }
        };
        let outcome = outcome.await;
        let label = match &outcome {
            Ok(_) => "answered",
            Err(status) => match status.code() {
                tonic::Code::FailedPrecondition => "failed",
                tonic::Code::DeadlineExceeded => "timed_out",
                _ => "unreachable",
            },
        };
        self.invoked.with_label_values(&[label]).inc();
        Ok(Response::new(pb::InvokeResponse {
            result: Some(outcome?),
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
        let (registration, calls) =
            self.registry
                .register(&caller.org_id, &hello.probe_id, &hello.version);
        let calls =
            ReceiverStream::new(calls).map(|call| Ok(pb::ConnectResponse { call: Some(call) }));
        let answers = deliver(incoming, registration);
        // The registration lives in `answers`: when the probe's side ends, so does the stream of calls, and the other way
        // round, because dropping this stream drops both.
        Ok(Response::new(Box::pin(calls.take_until(Box::pin(answers)))))
    }

    async fn list_connected_probes(
        &self,
        request: Request<pb::ListConnectedProbesRequest>,
    ) -> Result<Response<pb::ListConnectedProbesResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let probes = self.registry.connected(&caller.org_id);
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
        let mut result = answer.result.unwrap_or_default();
        truncate(&mut result.error, ERROR_BYTES);
        registration.answer(answer.sequence, result);
    }
}

fn truncate(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|&i| text.is_char_boundary(i));
        text.truncate(end.unwrap_or(0));
    }
}
