//! Fluentd's forward protocol, version 1: batches of events in MessagePack over TCP, each acknowledged.
//!
//! The format is that of <https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1>, "Forward Mode".

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prometheus::IntCounterVec;
use rmp::encode::{write_array_len, write_ext_meta, write_map_len, write_str, write_uint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Event;

/// What sidecars sort events by.
const TAG: &str = "weft.requests";
/// Events of one batch, and how long the first one waits for others.
const BATCH: usize = 500;
const GATHER: Duration = Duration::from_millis(500);
/// How long the sidecar may take to accept a connection, and to acknowledge a batch.
const CONNECT: Duration = Duration::from_secs(3);
const ACKNOWLEDGE: Duration = Duration::from_secs(10);
/// How long to wait before the next try, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long requests that end during shutdown are still noted.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// The longest acknowledgement.
const ACK_BYTES: usize = 256;

/// Sends events until there are no more, or the process ends. A batch that was not acknowledged is sent again, so that an
/// event may arrive twice, and is lost only if the queue runs over or the process ends first.
pub(super) async fn run(
    mut queue: mpsc::Receiver<Event>,
    sidecar: String,
    counted: IntCounterVec,
    shutdown: CancellationToken,
) {
    let mut link = Link {
        sidecar,
        stream: None,
        failing: false,
    };
    let mut batch = Vec::with_capacity(BATCH);
    let closing = async {
        shutdown.cancelled().await;
        sleep(LAST_EVENTS).await;
    };
    tokio::pin!(closing);
    loop {
        batch.clear();
        tokio::select! {
            found = queue.recv_many(&mut batch, 1) => if found == 0 { return },
            () = &mut closing, if !queue.is_closed() => {
                queue.close();
                continue;
            }
        }
        if !shutdown.is_cancelled() {
            sleep(GATHER).await;
        }
        while batch.len() < BATCH
            && let Ok(event) = queue.try_recv()
        {
            batch.push(event);
        }
        let outcome = match link.deliver(&batch, &shutdown).await {
            true => "sent",
            false => "dropped",
        };
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        counted.with_label_values(&[outcome]).inc_by(count);
    }
}

/// The way to the sidecar.
struct Link {
    sidecar: String,
    stream: Option<TcpStream>,
    failing: bool,
}

impl Link {
    /// Tries until the sidecar has it; false if the process ends first.
    async fn deliver(&mut self, batch: &[Event], shutdown: &CancellationToken) -> bool {
        let chunk = STANDARD.encode(rand::random::<[u8; 16]>());
        let message = encode(batch, &chunk);
        let mut pause = RETRY.0;
        loop {
            match self.attempt(&message, &chunk).await {
                Ok(()) => {
                    if std::mem::take(&mut self.failing) {
                        tracing::info!(sidecar = self.sidecar, "events are sent again");
                    }
                    return true;
                }
                Err(error) => {
                    self.stream = None;
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::warn!(%error, sidecar = self.sidecar, "events cannot be sent");
                    }
                }
            }
            if shutdown.run_until_cancelled(sleep(pause)).await.is_none() {
                return false;
            }
            pause = (pause * 2).min(RETRY.1);
        }
    }

    async fn attempt(&mut self, message: &[u8], chunk: &str) -> io::Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let connected = timeout(CONNECT, TcpStream::connect(&self.sidecar)).await??;
                self.stream.insert(connected)
            }
        };
        timeout(ACKNOWLEDGE, async {
            stream.write_all(message).await?;
            acknowledged(stream, chunk).await
        })
        .await?
    }
}

/// Reads `{"ack": chunk}`.
async fn acknowledged(stream: &mut TcpStream, chunk: &str) -> io::Result<()> {
    let mut answer = Vec::with_capacity(ACK_BYTES);
    loop {
        if let Some(ack) = ack(&answer) {
            return match ack == chunk {
                true => Ok(()),
                false => Err(io::Error::other("another batch was acknowledged")),
            };
        }
        if answer.len() >= ACK_BYTES {
            return Err(io::Error::other("what came is no acknowledgement"));
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Which batch it is about; none if there is more to come.
fn ack(mut answer: &[u8]) -> Option<&str> {
    if rmp::decode::read_map_len(&mut answer).ok()? != 1 {
        return None;
    }
    let (key, rest) = rmp::decode::read_str_from_slice(answer).ok()?;
    let (value, _) = rmp::decode::read_str_from_slice(rest).ok()?;
    (key == "ack").then_some(value)
}

/// `[tag, [[time, record], …], {"chunk": …, "size": …}]`
fn encode(batch: &[Event], chunk: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 * batch.len());
    // Writing into a vector does not fail.
    let written = write(&mut out, batch, chunk);
    debug_assert!(written.is_ok());
    out
}

type Written = Result<(), rmp::encode::ValueWriteError<io::Error>>;

fn write(out: &mut Vec<u8>, batch: &[Event], chunk: &str) -> Written {
    let size = u32::try_from(batch.len()).unwrap_or(u32::MAX);
    write_array_len(out, 3)?;
    write_str(out, TAG)?;
    write_array_len(out, size)?;
    for event in batch {
        write_array_len(out, 2)?;
        write_time(out, event)?;
        write_record(out, event)?;
    }
    write_map_len(out, 2)?;
    write_str(out, "chunk")?;
    write_str(out, chunk)?;
    write_str(out, "size")?;
    write_uint(out, size.into())?;
    Ok(())
}

/// Seconds and nanoseconds since 1970, as extension type 0.
fn write_time(out: &mut Vec<u8>, event: &Event) -> Written {
    let since = event.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
    write_ext_meta(out, 8, 0)?;
    out.extend(seconds.to_be_bytes());
    out.extend(since.subsec_nanos().to_be_bytes());
    Ok(())
}

fn write_record(out: &mut Vec<u8>, event: &Event) -> Written {
    let client = event.client.map_or_else(String::new, |ip| ip.to_string());
    let texts = [
        ("event", event.path.as_str()),
        ("product", product(event)),
        ("method", &event.method),
        ("ip_address", &client),
        ("user_agent", &event.user_agent),
        ("client_id", &event.probe),
        ("version", &event.probe_version),
        ("org_id", &event.org),
        ("user_id", &event.subject),
        ("grpc_status", event.grpc_status.as_deref().unwrap_or("")),
    ];
    let numbers = [
        ("status", u64::from(event.status)),
        ("latency_us", event.micros),
        ("bytes", event.bytes),
    ];
    let said = texts.iter().filter(|(_, text)| !text.is_empty());
    let length = said.clone().count() + numbers.len();
    write_map_len(out, u32::try_from(length).unwrap_or(u32::MAX))?;
    for (name, text) in said {
        write_str(out, name)?;
        write_str(out, text)?;
    }
    for (name, number) in numbers {
        write_str(out, name)?;
        write_uint(out, number)?;
    }
    Ok(())
}

/// As the service of old called them, for whoever has reports on its events.
fn product(event: &Event) -> &'static str {
    match event.probe.is_empty() {
        true => "scope-ui",
        false => "scope-probe",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::SystemTime;

    use super::*;

    pub(in super::super) fn event(path: &str) -> Event {
        Event {
            at: SystemTime::UNIX_EPOCH,
            method: "GET".to_owned(),
            path: path.to_owned(),
            client: None,
            user_agent: String::new(),
            probe: String::new(),
            probe_version: String::new(),
            org: String::new(),
            subject: String::new(),
            status: 200,
            grpc_status: None,
            micros: 1,
            bytes: 2,
        }
    }

    #[test]
    fn acknowledgements_are_read_when_they_are_whole() {
        let whole = b"\x81\xa3ack\xa4abcd";
        for length in 0..whole.len() {
            assert_eq!(ack(&whole[..length]), None);
        }
        assert_eq!(ack(whole), Some("abcd"));
        assert_eq!(ack(b"\x81\xa3ack\xd9\x04abcd"), Some("abcd"));
        assert_eq!(ack(b"\x81\xa3nak\xa4abcd"), None);
        assert_eq!(ack(b"\xc0"), None);
    }
}
