//! Replicas, and probes that are connected to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use client::{Key, authorise};
use proto::controls::v1 as pb;
use proto::controls::v1::connect_request::Message;
use proto::tenant::v1::Permission;
use runtime::{Recorder, Runtime};
use stores::Queues;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Status};

use crate::{Client, Config, Peers, start};

/// How long anything may take, on a machine that is busy building.
pub(super) const SOON: Duration = Duration::from_secs(60);
/// How often one looks.
const LOOK: Duration = Duration::from_millis(5);
/// Seldom enough that nobody is believed dead on such a machine.
const HEARTBEAT: Duration = Duration::from_secs(2);

pub(super) struct World {
    key: Key,
    replicas: Vec<(Runtime, Client)>,
}

/// A connected probe, until it is dropped.
pub(super) struct FakeProbe {
    counted: Arc<AtomicUsize>,
    version: String,
    _connection: DropGuard,
}

impl FakeProbe {
    /// How many times it was asked to count.
    pub(super) fn counted(&self) -> usize {
        self.counted.load(Ordering::SeqCst)
    }
}

impl World {
    pub(super) fn new(key: Key) -> Self {
        World {
            key,
            replicas: Vec::new(),
        }
    }

    pub(super) fn runtime(&self) -> Runtime {
        Runtime::new(runtime::Config::default(), self.key.clone())
    }

    /// Starts a replica; its number.
    pub(super) async fn add(&mut self, open: &impl AsyncFn(&Runtime) -> Queues) -> usize {
        let rt = self.runtime();
        let config = Config {
            heartbeat: HEARTBEAT,
        };
        let peers = Peers {
            recorder: Recorder::nowhere(&rt).expect("the first"),
            pipes: None,
        };
        let server = start(config, open(&rt).await, peers, &rt).expect("started");
        let client = Client::new(runtime::local(server, &rt));
        self.replicas.push((rt, client));
        self.replicas.len() - 1
    }

    pub(super) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// Shuts a replica down; how long that took.
    pub(super) async fn leave(&mut self, at: usize) -> Duration {
        let (rt, _client) = self.replicas.remove(at);
        let asked = Instant::now();
        rt.shutdown.cancel();
        rt.drained().await;
        asked.elapsed()
    }

    pub(super) async fn queues(&self, open: &impl AsyncFn(&Runtime) -> Queues) -> Vec<String> {
        let rt = self.runtime();
        let listed = open(&rt).await.list().await.expect("listed");
        rt.shutdown.cancel();
        listed
    }

    fn request<T>(&self, org: &str, message: T) -> Request<T> {
        let all = [Permission::Report, Permission::Control, Permission::View];
        authorise(Request::new(message), &self.key, org, "test", &all)
    }

    pub(super) async fn invoke(
        &self,
        from: usize,
        org: &str,
        request: pb::InvokeRequest,
    ) -> Result<pb::ControlResult, Status> {
        let mut client = self.replicas[from].1.clone();
        let answer = client.invoke(self.request(org, request)).await?;
        Ok(answer.into_inner().result.unwrap_or_default())
    }

    async fn listed(&self, at: usize, org: &str) -> Vec<pb::ConnectedProbe> {
        let mut client = self.replicas[at].1.clone();
        let request = self.request(org, pb::ListConnectedProbesRequest {});
        let listed = client.list_connected_probes(request).await;
        listed.expect("listed").into_inner().probes
    }

    /// Waits until every replica says so of the probes of this organisation.
    async fn until(&self, org: &str, what: &str, is: impl Fn(&[pb::ConnectedProbe]) -> bool) {
        let all = async {
            for at in 0..self.replicas.len() {
                while !is(&self.listed(at, org).await) {
                    sleep(LOOK).await;
                }
            }
        };
        let all = timeout(SOON, all).await;
        all.unwrap_or_else(|_| panic!("every replica lists {what}"));
    }

    pub(super) async fn until_listed(&self, org: &str, probes: &[&str]) {
        self.until(org, &format!("{probes:?}"), |listed| {
            listed
                .iter()
                .map(|p| p.probe_id.as_str())
                .eq(probes.iter().copied())
        })
        .await;
    }

    /// Waits until every replica knows that this is the probe's newest connection.
    pub(super) async fn until_newest(&self, org: &str, probe: &str, newest: &FakeProbe) {
        self.until(org, &newest.version, |listed| {
            listed
                .iter()
                .any(|p| p.probe_id == probe && p.version == newest.version)
        })
        .await;
    }

    /// Waits until every replica hears of every other one.
    pub(super) async fn until_met(&self) {
        let mut probes = Vec::new();
        let ids: Vec<String> = (0..self.replicas.len())
            .map(|at| format!("m{at}"))
            .collect();
        for (at, id) in ids.iter().enumerate() {
            probes.push(self.probe(at, "met", id).await);
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.until_listed("met", &ids).await;
        drop(probes);
        self.until_listed("met", &[]).await;
    }

    /// Connects a probe to a replica.
    pub(super) async fn probe(&self, at: usize, org: &str, id: &str) -> FakeProbe {
        static VERSIONS: AtomicUsize = AtomicUsize::new(0);
        let version = VERSIONS.fetch_add(1, Ordering::SeqCst).to_string();
        let (up, receiver) = mpsc::channel(16);
        let hello = Message::Hello(pb::ProbeHello {
            probe_id: id.to_owned(),
            version: version.clone(),
        });
        let _ = up.try_send(pb::ConnectRequest {
            message: Some(hello),
        });
        let request = self.request(org, ReceiverStream::new(receiver));
        let mut client = self.replicas[at].1.clone();
        let calls = client
            .connect(request)
            .await
            .expect("connected")
            .into_inner();
        let (counted, ended) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
        let answers = answer(calls, up, format!("{org} {id}"), Arc::clone(&counted));
        tokio::spawn(ended.clone().run_until_cancelled_owned(answers));
        FakeProbe {
            counted,
            version,
            _connection: ended.drop_guard(),
        }
    }
}

async fn answer(
    mut calls: tonic::Streaming<pb::ConnectResponse>,
    up: mpsc::Sender<pb::ConnectRequest>,
    name: String,
    counted: Arc<AtomicUsize>,
) {
    while let Ok(Some(pb::ConnectResponse { call: Some(call) })) = calls.message().await {
        let mut result = pb::ControlResult::default();
        match call.control.as_str() {
            "echo" => result.value_json = format!("\"{name} {}\"", call.node_id),
            "count" => drop(counted.fetch_add(1, Ordering::SeqCst)),
            "fail" => result.error = "no such control".to_owned(),
            "large" => result.value_json = "1".repeat(128 << 10),
            _ => continue,
        }
        let answer = Message::Answer(pb::ControlAnswer {
            sequence: call.sequence,
            result: Some(result),
        });
        let message = Some(answer);
        if up.send(pb::ConnectRequest { message }).await.is_err() {
            return;
        }
    }
}
