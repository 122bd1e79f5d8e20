//! One replica of controls among others.

mod clocks;
mod hold;
mod invoke;
mod mail;
mod outbox;
mod peers;
mod presence;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use proto::controls::v1::reply::Outcome;
use proto::controls::v1::{ControlCall, ControlResult};
use runtime::Runtime;
use stores::Queues;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::connections::Connections;
use crate::directory::{Connected, Directory, Probe};
use crate::metrics::Metrics;

pub(crate) use invoke::InvokeError;

/// Commands of other replicas that may run at once.
const RUNNING: usize = 1024;
/// How long answers may still go out after shutdown began: as long as the connections of probes last.
const LINGER: Duration = Duration::from_millis(1200);
/// How long each of the last two calls may take.
const LAST_CALL: Duration = Duration::from_millis(1200);

/// This replica: its connections, what it knows of the others, and the calls that wait for them.
#[derive(Debug)]
pub(crate) struct Replica {
    /// 24 hexadecimal digits, 16 of them new with every start; also the name of its queue.
    id: String,
    rt: Runtime,
    queues: Queues,
    outbox: outbox::Outbox,
    heartbeat: Duration,
    metrics: Metrics,
    started: Instant,
    directory: Mutex<Directory>,
    connections: Connections,
    /// Epochs of own connections that have begun or ended since the others were told.
    changes: Mutex<Vec<u64>>,
    changed: Notify,
    peers: Mutex<peers::Peers>,
    heard: Notify,
    rejoined: Notify,
    /// Who holds what is known.
    synced: watch::Sender<bool>,
    waiting: Mutex<HashMap<u64, mpsc::Sender<Outcome>>>,
    seen: Mutex<hold::Seen>,
    running: Arc<Semaphore>,
}

/// A probe's connection, until this is let go of.
#[derive(Debug)]
pub(crate) struct Registration {
    replica: Arc<Replica>,
    epoch: u64,
}

impl Replica {
    /// Starts it. It leaves when the process shuts down.
    pub(crate) fn start(
        queues: Queues,
        heartbeat: Duration,
        metrics: Metrics,
        rt: &Runtime,
    ) -> Arc<Replica> {
        let id = presence::new_id(&rt.key);
        let replica = Arc::new(Replica {
            rt: rt.clone(),
            outbox: outbox::Outbox::new(queues.clone()),
            queues,
            heartbeat,
            metrics,
            started: Instant::now(),
            directory: Mutex::new(Directory::new(&id)),
            connections: Connections::default(),
            changes: Mutex::default(),
            changed: Notify::new(),
            peers: Mutex::default(),
            heard: Notify::new(),
            rejoined: Notify::new(),
            synced: watch::Sender::new(false),
            waiting: Mutex::default(),
            seen: Mutex::default(),
            running: Arc::new(Semaphore::new(RUNNING)),
            id,
        });
        rt.spawn_draining("replica of controls", Arc::clone(&replica).run());
        replica
    }

    async fn run(self: Arc<Self>) {
        let leaving = async {
            self.rt.shutdown.cancelled().await;
            let _ = timeout(LAST_CALL, self.say_goodbye()).await;
            sleep(LINGER).await;
        };
        tokio::select! {
            () = leaving => {}
            _ = async { tokio::join!(self.receive(), self.presence()) } => {}
        }
        match timeout(LAST_CALL, self.queues.remove(&self.id)).await {
            Ok(Ok(())) => {}
            // Another replica sweeps it.
            _ => tracing::warn!(
                queue = self.id,
                "the queue of this replica could not be deleted"
            ),
        }
    }

    /// Makes this the newest connection of the probe; its calls.
    pub(crate) fn open(
        self: &Arc<Self>,
        probe: Probe,
        version: &str,
    ) -> (Registration, mpsc::Receiver<ControlCall>) {
        let date = self.rt.clock.now().duration_since(UNIX_EPOCH);
        let date = u64::try_from(date.unwrap_or_default().as_millis()).unwrap_or(0);
        let (epoch, calls) = {
            let mut directory = self.directory();
            let epoch = directory.open(probe.clone(), version, date);
            // Before anybody can look it up.
            (epoch, self.connections.open(probe, epoch))
        };
        self.note_change(epoch);
        let registration = Registration {
            replica: Arc::clone(self),
            epoch,
        };
        (registration, calls)
    }

    /// The connected probes of an organisation, ordered by id.
    pub(crate) fn connected(&self, org: &str) -> Vec<Connected> {
        self.directory().of_org(org)
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn note_change(&self, epoch: u64) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push(epoch);
        drop(changes);
        self.changed.notify_one();
        self.metrics.probes(self.directory().held(&self.id));
    }

    /// This replica's clock, in milliseconds.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Registration {
    /// Delivers an answer of the probe.
    pub(crate) fn answer(&self, sequence: u64, result: ControlResult) {
        self.replica
            .connections
            .answer(self.epoch, sequence, result);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.replica.connections.close(self.epoch);
        self.replica.directory().close(self.epoch);
        self.replica.note_change(self.epoch);
    }
}
