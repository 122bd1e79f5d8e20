//! Several replicas of one service behind one channel.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use tokio::net::TcpStream;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::Channel;

/// How often replicas are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A replica that cannot be connected to in this time is down.
const CONNECT: Duration = Duration::from_millis(500);

/// Calls replicas in turn, those that are down left out.
#[derive(Clone)]
pub(crate) struct Replicas {
    all: Arc<All>,
    /// The channel that was found ready.
    ready: Option<(usize, Channel)>,
}

struct All {
    replicas: Vec<Replica>,
    next: AtomicUsize,
}

struct Replica {
    channel: Channel,
    address: Uri,
    up: AtomicBool,
}

impl Replicas {
    /// Looks at them from now on, in the runtime of the caller.
    pub(crate) fn new(addresses: Vec<Uri>, connect: impl Fn(Uri) -> Channel) -> Self {
        let replica = |address: Uri| Replica {
            channel: connect(address.clone()),
            address,
            up: AtomicBool::new(true),
        };
        let all = Arc::new(All {
            replicas: addresses.into_iter().map(replica).collect(),
            next: AtomicUsize::new(0),
        });
        for i in 0..all.replicas.len() {
            tokio::spawn(look(Arc::downgrade(&all), i));
        }
        Replicas { all, ready: None }
    }
}

impl All {
    /// The next of the replicas that are up; any, if none is.
    fn pick(&self) -> usize {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.replicas.len();
        let up = || (0..count).filter(|&i| self.replicas[i].up.load(Ordering::Relaxed));
        // The turns of one that is down are everybody's, not its successor's.
        let picked = up().nth(turn % up().count().max(1));
        picked.unwrap_or(turn % count)
    }
}

/// Notes whether a replica can be connected to, as long as somebody may call it.
async fn look(all: Weak<All>, i: usize) {
    loop {
        let Some(address) = all.upgrade().map(|all| all.replicas[i].address.clone()) else {
            return;
        };
        let host = address.host().unwrap_or_default().trim_matches(['[', ']']);
        let connected = TcpStream::connect((host, address.port_u16().unwrap_or(80)));
        let connected = tokio::time::timeout(CONNECT, connected).await;
        let Some(all) = all.upgrade() else { return };
        let up = matches!(connected, Ok(Ok(_)));
        all.replicas[i].up.store(up, Ordering::Relaxed);
        drop(all);
        tokio::time::sleep(LOOK).await;
    }
}

impl Service<Request<Body>> for Replicas {
    type Response = Response<Body>;
    type Error = Status;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let (_, channel) = self.ready.get_or_insert_with(|| {
            let i = self.all.pick();
            (i, self.all.replicas[i].channel.clone())
        });
        channel.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some((i, mut channel)) = self.ready.take() else {
            return Box::pin(std::future::ready(Err(Status::internal("not ready"))));
        };
        let all = Arc::clone(&self.all);
        let answer = channel.call(request);
        Box::pin(async move {
            let answer = answer.await;
            if answer
                .as_ref()
                .is_err_and(|status| status.code() == tonic::Code::Unavailable)
            {
                all.replicas[i].up.store(false, Ordering::Relaxed);
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_go_around_replicas_that_are_down() {
        let addresses = (1..=3).map(|i| Uri::try_from(format!("http://127.0.0.1:{i}")));
        let addresses: Vec<Uri> = addresses.map(|a| a.expect("an address")).collect();
        let replicas = Replicas::new(addresses, Channel::connect);
        let picks = |n: usize| (0..n).map(|_| replicas.all.pick()).collect::<Vec<_>>();
        assert_eq!(picks(4), [0, 1, 2, 0]);
        replicas.all.replicas[1].up.store(false, Ordering::Relaxed);
        let without = picks(6);
        let calls = [0, 1, 2].map(|i| without.iter().filter(|&&pick| pick == i).count());
        assert_eq!(calls, [3, 0, 3]);
        for replica in &replicas.all.replicas {
            replica.up.store(false, Ordering::Relaxed);
        }
        assert_eq!(picks(3).len(), 3);
    }
}
