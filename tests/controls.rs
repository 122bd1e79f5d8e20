//! Replicas of controls as processes that share SQS, and probes that are connected to them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use client::{Channel, Key, authorise};
use proto::controls::v1 as pb;
use proto::controls::v1::connect_request::Message;
use proto::controls::v1::controls_service_client::ControlsServiceClient;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use stores::Queues;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use crate::{FaultProxy, Port, Process, Server, http};

/// How long a probe waits before it connects again.
const RECONNECT: Duration = Duration::from_millis(50);
/// Probes that share a connection: HTTP/2 servers take some 200 streams.
const SHARING: usize = 100;

/// Replicas of controls.
#[derive(Debug)]
pub struct Cluster {
    /// SQS.
    pub sqs: Server,
    /// What is between the replicas and SQS.
    pub network: FaultProxy,
    /// Users, which keeps the audit log, and where it is.
    users: (Process, String),
    replicas: Vec<Replica>,
    key: Key,
    heartbeat: String,
    dir: TempDir,
}

#[derive(Debug)]
struct Replica {
    process: Option<Process>,
    /// It listens there after every start.
    port: Port,
}

async fn users(dir: &Path, key: &Path) -> anyhow::Result<(Process, String)> {
    let (data, key) = (dir.to_string_lossy(), key.to_string_lossy());
    let flags = ["users", "--data-dir", &data, "--key-file", &key];
    let mut process = Process::spawn(&flags, None, None)?;
    let address = process.ready().await?;
    Ok((process, format!("http://{address}")))
}

impl Cluster {
    /// Starts so many replicas whose sign of life comes so often, such as `1s`.
    ///
    /// # Errors
    /// When something does not get ready.
    pub async fn start(replicas: usize, heartbeat: &str) -> anyhow::Result<Cluster> {
        let dir = TempDir::new()?;
        let (key, sqs) = (dir.path().join("assertion.key"), Server::moto().await?);
        let mut cluster = Cluster {
            network: FaultProxy::start(&sqs.address()).await?,
            sqs,
            users: users(dir.path(), &key).await?,
            replicas: Vec::new(),
            key: Key::open(&key)?,
            heartbeat: heartbeat.to_owned(),
            dir,
        };
        for at in 0..replicas {
            cluster.replicas.push(Replica {
                process: None,
                port: Port::reserve()?,
            });
            cluster.start_replica(at).await?;
        }
        Ok(cluster)
    }

    fn queues_url(&self, address: &str) -> anyhow::Result<String> {
        let credentials = self.sqs.credentials_file()?;
        let credentials = credentials.display();
        Ok(format!(
            "sqs://weft-controls?endpoint=http://{address}&credentials={credentials}"
        ))
    }

    /// Starts a replica where it was before.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start_replica(&mut self, at: usize) -> anyhow::Result<()> {
        let queues = self.queues_url(self.network.address())?;
        let key = self.dir.path().join("assertion.key");
        let key = key.to_string_lossy().into_owned();
        let replica = &mut self.replicas[at];
        let listen = replica.port.address();
        let flags = ["controls", "--listen", &listen, "--key-file", &key];
        let more = [
            "--controls-queues",
            &queues,
            "--controls-heartbeat",
            &self.heartbeat,
            "--users",
            &self.users.1,
        ];
        let mut process = Process::spawn(&[&flags[..], &more[..]].concat(), None, None)?;
        process.ready().await?;
        replica.process = Some(process);
        Ok(())
    }

    /// Kills a replica as nothing can prevent.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self, at: usize) -> anyhow::Result<()> {
        let process = self.replicas[at].process.take();
        process.context("it runs")?.kill().await
    }

    /// Interrupts all replicas, and waits until they have ended.
    ///
    /// # Errors
    /// When one does not end in time.
    pub async fn interrupt(&mut self) -> anyhow::Result<()> {
        for replica in &mut self.replicas {
            if let Some(process) = replica.process.take() {
                process.interrupt(Duration::from_secs(20)).await?;
            }
        }
        Ok(())
    }

    /// The names of the queues that there are.
    ///
    /// # Errors
    /// When SQS does not tell.
    pub async fn queues(&self) -> anyhow::Result<Vec<String>> {
        let rt = Runtime::new(runtime::Config::default(), self.key.clone());
        let url = self.queues_url(&self.sqs.address())?;
        let queues = Queues::open(&url.parse()?, &rt).await?;
        let listed = queues.list().await;
        rt.shutdown.cancel();
        Ok(listed?)
    }

    /// How to call replicas, also after they were killed and started again.
    ///
    /// # Errors
    /// When an address is none.
    pub fn callers(&self) -> anyhow::Result<Callers> {
        let address = |replica: &Replica| Ok(format!("http://{}", replica.port.address()).parse()?);
        let addresses = self.replicas.iter().map(address);
        Ok(Callers {
            addresses: addresses.collect::<anyhow::Result<_>>()?,
            key: self.key.clone(),
        })
    }

    /// Calls of SQS that a replica has made, by what they did.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn sqs_calls(&self, at: usize) -> anyhow::Result<HashMap<String, u64>> {
        let metrics = http::get(&self.replicas[at].port.address(), "/metrics")
            .await?
            .text();
        let mut calls = HashMap::new();
        let lines = metrics
            .lines()
            .filter(|line| line.contains(r#"store="queues""#));
        for line in lines {
            let count = line.strip_prefix("weft_store_operation_seconds_count");
            let operation = count.and_then(|l| l.split(r#"operation=""#).nth(1));
            let operation = operation.and_then(|rest| rest.split('"').next());
            if let (Some(operation), Some((_, value))) = (operation, line.rsplit_once(' ')) {
                *calls.entry(operation.to_owned()).or_default() += value.parse::<u64>()?;
            }
        }
        Ok(calls)
    }
}

/// Ways to the replicas, on behalf of any organisation.
#[derive(Debug, Clone)]
pub struct Callers {
    addresses: Vec<::http::Uri>,
    key: Key,
}

impl Callers {
    /// A way to one replica.
    #[must_use]
    pub fn to(&self, at: usize) -> ControlsServiceClient<Channel> {
        ControlsServiceClient::new(Channel::connect(self.addresses[at].clone()))
    }

    /// A request that may do everything with probes of this organisation.
    pub fn request<T>(&self, org: &str, message: T) -> Request<T> {
        let all = [Permission::Report, Permission::Control, Permission::View];
        authorise(Request::new(message), &self.key, org, "test", &all)
    }

    /// The probes of an organisation that a replica knows of.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn listed(&self, at: usize, org: &str) -> Result<usize, Status> {
        let request = self.request(org, pb::ListConnectedProbesRequest {});
        let listed = self.to(at).list_connected_probes(request).await?;
        Ok(listed.into_inner().probes.len())
    }
}

/// Probes that answer every call with who they are and the node, and count what they ran. They connect again, to the next
/// replica, when their connection ends. All of them go when this is dropped.
#[derive(Debug)]
pub struct Probes {
    callers: Callers,
    channels: HashMap<usize, (ControlsServiceClient<Channel>, usize)>,
    ran: Arc<Mutex<HashMap<String, u32>>>,
    tasks: JoinSet<()>,
}

impl Probes {
    /// None yet.
    #[must_use]
    pub fn new(callers: Callers) -> Self {
        Probes {
            callers,
            channels: HashMap::new(),
            ran: Arc::default(),
            tasks: JoinSet::new(),
        }
    }

    /// Connects one, first to this replica.
    pub fn connect(&mut self, at: usize, org: &str, id: &str) {
        let (client, users) = self
            .channels
            .entry(at)
            .or_insert_with(|| (self.callers.to(at), 0));
        *users += 1;
        if *users > SHARING {
            (*client, *users) = (self.callers.to(at), 1);
        }
        let probe = Probe {
            callers: self.callers.clone(),
            org: org.to_owned(),
            id: id.to_owned(),
            ran: Arc::clone(&self.ran),
        };
        self.tasks.spawn(probe.run(at, client.clone()));
    }

    /// How often each node's call was run, by node.
    #[must_use]
    pub fn ran(&self) -> HashMap<String, u32> {
        self.ran
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct Probe {
    callers: Callers,
    org: String,
    id: String,
    ran: Arc<Mutex<HashMap<String, u32>>>,
}

impl Probe {
    async fn run(self, mut at: usize, mut client: ControlsServiceClient<Channel>) {
        loop {
            let (up, receiver) = mpsc::channel(64);
            let hello = Message::Hello(pb::ProbeHello {
                probe_id: self.id.clone(),
                version: String::new(),
            });
            let _ = up.try_send(pb::ConnectRequest {
                message: Some(hello),
            });
            let request = self
                .callers
                .request(&self.org, ReceiverStream::new(receiver));
            if let Ok(calls) = client.connect(request).await {
                self.answer(calls.into_inner(), up).await;
            }
            sleep(RECONNECT).await;
            at = (at + 1) % self.callers.addresses.len();
            client = self.callers.to(at);
        }
    }

    async fn answer(
        &self,
        mut calls: Streaming<pb::ConnectResponse>,
        up: mpsc::Sender<pb::ConnectRequest>,
    ) {
        while let Ok(Some(pb::ConnectResponse { call: Some(call) })) = calls.message().await {
            {
                let mut ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
                *ran.entry(call.node_id.clone()).or_default() += 1;
            }
            let value_json = answer_of(&self.org, &self.id, &call.node_id);
            let answer = Message::Answer(pb::ControlAnswer {
                sequence: call.sequence,
                result: Some(pb::ControlResult {
                    value_json,
                    ..pb::ControlResult::default()
                }),
            });
            let message = Some(answer);
            if up.send(pb::ConnectRequest { message }).await.is_err() {
                return;
            }
        }
    }
}

/// What a probe answers to a call for this node.
#[must_use]
pub fn answer_of(org: &str, probe: &str, node: &str) -> String {
    format!("\"{org} {probe} {node}\"")
}

/// A call for this node.
#[must_use]
pub fn call(probe: &str, node: &str, timeout: Duration) -> pb::InvokeRequest {
    pb::InvokeRequest {
        probe_id: probe.to_owned(),
        node_id: node.to_owned(),
        control: "any".to_owned(),
        timeout: timeout.try_into().ok(),
        ..pb::InvokeRequest::default()
    }
}
