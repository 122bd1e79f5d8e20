//! Pipes: bytes between something on this machine and a user's terminal, by way of the app.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::app::{App, Socket};
use crate::backoff::Backoff;

/// Most bytes sent in one message.
const CHUNK: usize = 4096;
/// How long output is still read after what wrote it has ended.
const DRAIN: Duration = Duration::from_millis(200);
/// How long the app may take to confirm that it has read everything.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a pipe that cannot reach the app is kept: after 60 s without an end, the app has given it up too.
const MAX_UNREACHABLE: Duration = Duration::from_secs(90);
const PING_EVERY: Duration = Duration::from_secs(33);
/// Most pipes that may be open at once.
const MAX_PIPES: usize = 64;

/// This machine's end of a pipe.
pub(crate) struct Local {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Cancelled by whoever made the pipe when there will be no more output.
    pub(crate) ended: CancellationToken,
    /// Cancelled by the pipe when it is no more.
    pub(crate) closed: CancellationToken,
}

/// The pipes of a probe.
#[derive(Debug)]
pub(crate) struct Pipes {
    app: Arc<App>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// There are too many pipes already.
#[derive(Debug, thiserror::Error)]
#[error("too many terminals are open on this host")]
pub(crate) struct TooManyPipes;

impl Pipes {
    pub(crate) fn new(app: Arc<App>, shutdown: CancellationToken) -> Self {
        Self {
            app,
            shutdown,
            tasks: TaskTracker::new(),
        }
    }

    /// An id that nobody can guess, in the form that apps expect.
    pub(crate) fn new_id() -> String {
        format!("pipe-{}", rand::random::<u64>() >> 1)
    }

    pub(crate) fn check_room(&self) -> Result<(), TooManyPipes> {
        if self.tasks.len() < MAX_PIPES {
            Ok(())
        } else {
            Err(TooManyPipes)
        }
    }

    /// Connects `local` to the app's pipe `id`, in the background.
    pub(crate) fn open(&self, id: String, local: Local) {
        let guard = local.closed.clone().drop_guard();
        let pipe = Pipe {
            app: Arc::clone(&self.app),
            id,
            _guard: guard,
        };
        let shutdown = self.shutdown.clone();
        self.tasks
            .spawn(async move { pipe.run(local, shutdown).await });
    }

    /// Runs `work`, and has `drained` wait for it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Waits until all pipes have ended, which they do on shutdown.
    pub(crate) async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct Pipe {
    app: Arc<App>,
    id: String,
    _guard: DropGuard,
}

/// Why bytes stopped flowing.
enum End {
    /// There is nothing more to send: the pipe is to be closed.
    Local,
    /// The connection ended, but the pipe goes on.
    Remote,
}

impl Pipe {
    async fn run(self, mut local: Local, shutdown: CancellationToken) {
        tokio::select! {
            gone = self.carry(&mut local) => if gone { return },
            () = shutdown.cancelled() => {}
        }
        // Whoever made the pipe hears of its end first: the app may be slow, or away.
        local.closed.cancel();
        let _ = timeout(FAREWELL, self.app.delete_pipe(&self.id)).await;
    }

    /// Carries bytes until either end is done; true when the app has closed the pipe.
    async fn carry(&self, local: &mut Local) -> bool {
        let path = format!("/api/pipe/{}/probe", self.id);
        let mut backoff = Backoff::default();
        let mut unsent = None;
        let mut reached = Instant::now();
        loop {
            match self.app.socket(&path).await {
                Ok(mut socket) => {
                    let connected = Instant::now();
                    let end = pump(&mut socket, local, &mut unsent).await;
                    reached = Instant::now();
                    if let End::Local = end {
                        farewell(&mut socket).await;
                        return false;
                    }
                    if connected.elapsed() > Duration::from_secs(1) {
                        backoff.reset();
                        continue;
                    }
                }
                Err(error) if error.is_gone() => return true,
                Err(error) => {
                    tracing::debug!(
                        pipe = self.id,
                        error = error.chain(),
                        "cannot connect a pipe"
                    );
                    if reached.elapsed() > MAX_UNREACHABLE {
                        return false;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = local.ended.cancelled() => return false,
            }
        }
    }
}

/// Copies both ways. What was read but not sent stays in `unsent` for the next connection.
async fn pump(socket: &mut Socket, local: &mut Local, unsent: &mut Option<Bytes>) -> End {
    let (mut sink, mut stream) = socket.split();
    let Local {
        reader,
        writer,
        ended,
        ..
    } = local;
    let outbound = async {
        let mut buffer = vec![0; CHUNK];
        let mut ping = tokio::time::interval(PING_EVERY);
        loop {
            if let Some(bytes) = &*unsent {
                if sink.send(Message::Binary(bytes.clone())).await.is_err() {
                    return End::Remote;
                }
                *unsent = None;
            }
            let size = tokio::select! {
                size = read(reader, &mut buffer, ended) => size,
                _ = ping.tick() => {
                    if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                        return End::Remote;
                    }
                    continue;
                }
            };
            if size == 0 {
                return End::Local;
            }
            *unsent = Some(Bytes::copy_from_slice(&buffer[..size]));
        }
    };
    let inbound = async {
        loop {
            let data = match stream.next().await {
                Some(Ok(Message::Binary(data))) => data,
                Some(Ok(Message::Text(text))) => text.into(),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Remote,
                Some(Ok(_)) => continue,
            };
            if writer.write_all(&data).await.is_err() || writer.flush().await.is_err() {
                // Nobody reads any more; there may still be output.
                ended.cancelled().await;
                return std::future::pending().await;
            }
        }
    };
    tokio::select! {
        end = outbound => end,
        end = inbound => end,
    }
}

/// Reads some output; 0 when there is no more.
async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
    ended: &CancellationToken,
) -> usize {
    let ending = async {
        ended.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        biased;
        // A terminal whose last process ended fails rather than ends.
        size = reader.read(buffer) => size.unwrap_or(0),
        () = ending => 0,
    }
}

/// Closes the socket and waits for the other side to do so too: then it has read everything.
async fn farewell(socket: &mut Socket) {
    let _ = timeout(FAREWELL, async {
        if socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    })
    .await;
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_that_apps_expect() {
        let id = Pipes::new_id();
        let number: u64 = id
            .strip_prefix("pipe-")
            .and_then(|number| number.parse().ok())
            .expect("a number");
        assert!(number < 1 << 63);
        assert_ne!(id, Pipes::new_id());
    }

    #[tokio::test(start_paused = true)]
    async fn output_is_drained_after_the_end() {
        let (mut reader, mut writer) = tokio::io::duplex(64);
        let ended = CancellationToken::new();
        writer.write_all(b"bye").await.expect("written");
        ended.cancel();
        let mut buffer = [0; 16];
        assert_eq!(read(&mut reader, &mut buffer, &ended).await, 3);
        // The writer is held open by a process in the background, which does not keep the pipe.
        assert_eq!(read(&mut reader, &mut buffer, &ended).await, 0);
    }
}
