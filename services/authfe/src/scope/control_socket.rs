//! `GET /api/control/ws`: a probe's hold on the line for controls.
//!
//! Each RPC message is two text messages, header then body, each an object with the members `Request`, `Response` and
//! `Value`.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use proto::controls::v1 as pb;
use proto::controls::v1::connect_request::Message as Up;
use proto::controls::v1::controls_service_client::ControlsServiceClient;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::Edge;
use crate::error::ApiError;
use crate::identity::Signed;
use crate::scope::control::from_json;
use crate::scope::report::probe_id;
use crate::scope::socket::{MESSAGE_BYTES, Socket};

const METHOD: &str = "control.Handle";
/// Answers on their way to controls.
const QUEUE: usize = 16;
/// Calls that wait for the socket: as many as controls hands out at once.
const CALLS: usize = 64;

pub(crate) async fn connect(
    State(edge): State<Edge>,
    Extension(signed): Extension<Signed>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let probe = probe_id(&headers);
    if probe.is_empty() {
        return Err(ApiError::bad_request("X-Scope-Probe-ID"));
    }
    let version = headers.get("x-scope-probe-version");
    let version = version.and_then(|v| v.to_str().ok()).unwrap_or("");
    let (answers, receiver) = mpsc::channel(QUEUE);
    let hello = pb::ProbeHello {
        probe_id: probe,
        version: version.to_owned(),
    };
    // The queue is empty, so this cannot fail.
    let _ = answers.try_send(up(Up::Hello(hello)));
    let request = signed.request(ReceiverStream::new(receiver))?;
    let calls = ControlsServiceClient::new(edge.peers.controls.clone())
        .connect(request)
        .await?
        .into_inner();
    let ends = [signed.ended(), edge.rt.shutdown.clone()];
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES)
        .on_upgrade(async move |socket| run(Socket::new(socket, ends), calls, answers).await))
}

fn up(message: Up) -> pb::ConnectRequest {
    pb::ConnectRequest {
        message: Some(message),
    }
}

/// A call, and when it came.
struct Arrived {
    call: pb::ControlCall,
    at: Instant,
}

impl Arrived {
    /// Whether its caller may have been told already that nothing was done.
    fn is_late(&self) -> bool {
        let within = self.call.start_within;
        let within = within.and_then(|within| Duration::try_from(within).ok());
        within.is_some_and(|within| self.at.elapsed() > within)
    }
}

/// Takes calls in as they come, however slow the probe is, so that it is known how old they are.
fn arrivals(mut calls: Streaming<pb::ConnectResponse>) -> mpsc::Receiver<Arrived> {
    let (sender, receiver) = mpsc::channel(CALLS);
    tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                message = calls.message() => message,
                () = sender.closed() => return,
            };
            let Ok(Some(pb::ConnectResponse { call: Some(call) })) = message else {
                return;
            };
            let at = Instant::now();
            // A probe that reads so little is better off with a new connection.
            if sender.try_send(Arrived { call, at }).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn run(
    mut socket: Socket,
    calls: Streaming<pb::ConnectResponse>,
    answers: mpsc::Sender<pb::ConnectRequest>,
) {
    let mut calls = arrivals(calls);
    // The number of the answer whose body comes next.
    let mut header: Option<Header> = None;
    loop {
        tokio::select! {
            arrived = calls.recv() => {
                let Some(arrived) = arrived else { break };
                if arrived.is_late() {
                    continue;
                }
                for text in envelope(&arrived.call) {
                    if socket.send(Message::Text(text.into())).await.is_none() {
                        return;
                    }
                }
            }
            message = socket.next() => {
                let Some(message) = message else { break };
                let Ok(value) = serde_json::from_slice::<Value>(&message.into_data()) else { break };
                match header.take() {
                    None => match Header::read(&value) {
                        Some(read) => header = Some(read),
                        None => break,
                    },
                    Some(header) => {
                        let answer = up(Up::Answer(header.answer(&value["Value"])));
                        if answers.send(answer).await.is_err() {
                            break;
                        }
                    }
                }
            }
        }
    }
    socket.close("").await;
}

/// The first half of an answer.
struct Header {
    sequence: u64,
    error: String,
}

impl Header {
    fn read(value: &Value) -> Option<Header> {
        let response = value.get("Response")?;
        Some(Header {
            sequence: response.get("Seq")?.as_u64()?,
            error: response["Error"].as_str().unwrap_or("").to_owned(),
        })
    }

    fn answer(self, value: &Value) -> pb::ControlAnswer {
        let mut result = from_json(value);
        if !self.error.is_empty() {
            result.error = self.error;
        }
        pb::ControlAnswer {
            sequence: self.sequence,
            result: Some(result),
        }
    }
}

fn envelope(call: &pb::ControlCall) -> [String; 2] {
    let header = json!({
        "Request": { "ServiceMethod": METHOD, "Seq": call.sequence },
        "Response": null,
        "Value": null,
    });
    let body = json!({
        "Request": null,
        "Response": null,
        "Value": {
            "AppID": "",
            "NodeID": call.node_id,
            "Control": call.control,
            "ControlArgs": call.arguments,
        },
    });
    [header.to_string(), body.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_is_two_messages() {
        let [header, body] = envelope(&pb::ControlCall {
            sequence: 7,
            node_id: "h;<host>".to_owned(),
            control: "host_exec".to_owned(),
            arguments: [("a".to_owned(), "b".to_owned())].into(),
            start_within: None,
        });
        let expected = r#"{"Request":{"Seq":7,"ServiceMethod":"control.Handle"},"Response":null,"Value":null}"#;
        assert_eq!(header, expected);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["Value"]["ControlArgs"]["a"], "b");
    }

    #[tokio::test(start_paused = true)]
    async fn call_is_late_when_its_time_has_passed() {
        let arrived = |start_within: Option<Duration>| Arrived {
            call: pb::ControlCall {
                start_within: start_within.and_then(|within| within.try_into().ok()),
                ..pb::ControlCall::default()
            },
            at: Instant::now(),
        };
        let (limited, unlimited) = (arrived(Some(Duration::from_secs(3))), arrived(None));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(!limited.is_late() && !unlimited.is_late());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(limited.is_late() && !unlimited.is_late());
    }

    #[test]
    fn rpc_error_is_the_answers_error() {
        let header = json!({"Response": {"Seq": 3, "Error": "no such method"}});
        let answer = Header::read(&header).expect("a header").answer(&json!({}));
        assert_eq!(answer.sequence, 3);
        assert_eq!(answer.result.expect("a result").error, "no such method");
        assert!(Header::read(&json!({"Value": {}})).is_none());
    }
}
