//! Controls: what users do to this host and its containers through the app.
//!
//! The probe keeps one WebSocket open to the app, which sends requests over it; see `rpc` for their form.

pub(crate) mod rpc;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message;

use self::rpc::{Call, Request, Response};
use crate::app::{App, Socket, is_ordinary_end};
use crate::backoff::Backoff;
use crate::docker::DockerControls;
use crate::pipe::Pipes;
use crate::shell::Shells;

/// Requests that may be under way at once.
const MAX_REQUESTS: usize = 32;
const PING_EVERY: Duration = Duration::from_secs(33);
/// A socket on which nothing arrives for so long, not even an answer to a ping, is dead.
const SILENCE: Duration = Duration::from_secs(70);

/// What carries out controls.
#[derive(Debug)]
pub(crate) struct Controls {
    pub(crate) docker: Option<DockerControls>,
    pub(crate) shells: Shells,
    pub(crate) pipes: Arc<Pipes>,
}

impl Controls {
    async fn handle(&self, request: Request) -> Response {
        tracing::info!(control = request.control, node = request.node_id, "control");
        match request.control.as_str() {
            "host_exec" => match self.shells.open(&self.pipes) {
                Ok(pipe) => Response::terminal(pipe, "host_resize_exec_tty"),
                Err(error) => Response::error(error),
            },
            "host_resize_exec_tty" => match request.size() {
                Ok(size) => self
                    .shells
                    .resize(size.pipe, size.rows, size.columns)
                    .into(),
                Err(error) => Response::error(error),
            },
            other => match &self.docker {
                Some(docker) if other.starts_with("docker_") => docker.handle(&request).await,
                _ => Response::error(format!("Control {other:?} not recognised")),
            },
        }
    }
}

/// Keeps a control socket to the app, for ever. `connected` hears of each new one.
pub(crate) async fn serve(app: Arc<App>, controls: Arc<Controls>, connected: Arc<Notify>) {
    let mut backoff = Backoff::default();
    loop {
        match app.socket("/api/control/ws").await {
            Ok(socket) => {
                tracing::info!("control connection established");
                connected.notify_one();
                let start = Instant::now();
                serve_socket(socket, &controls).await;
                // Dialled again at once, unless the app accepts only to drop.
                if start.elapsed() > Duration::from_secs(1) {
                    backoff.reset();
                    continue;
                }
            }
            Err(error) => tracing::warn!(error = error.chain(), "no control connection"),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn serve_socket(socket: Socket, controls: &Arc<Controls>) {
    let (mut sink, mut stream) = socket.split();
    let (answers, mut to_send) = mpsc::channel::<[String; 2]>(MAX_REQUESTS);
    let slots = Arc::new(Semaphore::new(MAX_REQUESTS));
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = tokio::time::Instant::now();
    let mut pending: VecDeque<String> = VecDeque::new();
    loop {
        let sent = tokio::select! {
            message = stream.next() => {
                heard = tokio::time::Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => pending.push_back(text.as_str().to_owned()),
                    Some(Ok(Message::Binary(bytes))) => pending.push_back(String::from_utf8_lossy(&bytes).into_owned()),
                    Some(Ok(Message::Close(_))) | None => return,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        if !is_ordinary_end(&error) {
                            tracing::warn!(%error, "control connection failed");
                        }
                        return;
                    }
                }
                Ok(())
            }
            Some([header, body]) = to_send.recv() => {
                // The two messages of an answer are always adjacent.
                match sink.feed(Message::text(header)).await {
                    Ok(()) => sink.send(Message::text(body)).await,
                    Err(error) => Err(error),
                }
            }
            _ = ping.tick() => sink.send(Message::Ping(Bytes::new())).await,
            () = tokio::time::sleep_until(heard + SILENCE) => return,
        };
        if sent.is_err() {
            return;
        }
        if let [header, body] = pending.make_contiguous() {
            let call = match Call::parse(header, body) {
                Ok(call) => call,
                Err(error) => {
                    tracing::warn!(%error, "control connection: not a request");
                    return;
                }
            };
            pending.clear();
            dispatch(call, controls, &slots, &answers);
        }
    }
}

/// Carries out a request on the side; its answer goes to `answers`.
fn dispatch(
    call: Call,
    controls: &Arc<Controls>,
    slots: &Arc<Semaphore>,
    answers: &mpsc::Sender<[String; 2]>,
) {
    let slot = Arc::clone(slots).try_acquire_owned();
    let (controls, answers) = (Arc::clone(controls), answers.clone());
    tokio::spawn(async move {
        let answer = match (call.request, slot) {
            (Some(request), Ok(_slot)) => {
                let response = controls.handle(request).await;
                rpc::answer(&call.method, call.sequence, &response)
            }
            (Some(_), Err(_)) => rpc::answer(
                &call.method,
                call.sequence,
                &Response::error("the probe is busy with other controls"),
            ),
            (None, _) => rpc::unknown_method(&call.method, call.sequence),
        };
        // Fails only when the socket is gone, and the caller with it.
        let _ = answers.send(answer).await;
    });
}
