//! Submitters: small reports, each of which can be told from all others.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use proto::collection::v1 as pb;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::{Code, Status};

use crate::collection::Caller;

/// Whose reports they are.
pub const ORGS: [&str; 3] = ["amber", "birch", "cedar"];
/// Submitters at once.
const SUBMITTERS: u64 = 6;
/// Every so many reports one is large, so that the log is written for longer than an instant.
const LARGE: u64 = 40;
/// Padding of small and large reports in bytes.
const PADDING: (u64, usize) = (1500, 600 << 10);
/// Every so many reports one is announced at once.
const SHORTCUT: u64 = 4;
/// Numbers of later loads never meet those of earlier ones.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A report that is made from its number alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made(pub u64);

impl Made {
    /// One that was never made before in this process.
    #[must_use]
    pub fn next() -> Made {
        Made(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A large one: a good half MiB.
    #[must_use]
    pub fn next_large() -> Made {
        loop {
            let made = Made::next();
            if made.0.is_multiple_of(LARGE) {
                return made;
            }
        }
    }

    /// Its organisation.
    #[must_use]
    pub fn org(self) -> &'static str {
        ORGS[(self.0 % 3) as usize]
    }

    /// The report in Scope's msgpack: an id, whether it is a shortcut, and a field that nobody knows, of noise.
    #[must_use]
    pub fn body(self) -> Bytes {
        let padding = match self.0 % LARGE {
            0 => PADDING.1,
            n => (n * 37 % PADDING.0) as usize,
        };
        self.padded(padding)
    }

    /// The same with so much noise.
    #[must_use]
    pub fn padded(self, padding: usize) -> Bytes {
        let id = format!("{:016x}", self.0);
        let urgent = [0xc2 + u8::from(self.0.is_multiple_of(SHORTCUT))];
        let parts = [b"\x83\xa2ID\xb0", id.as_bytes(), b"\xa8Shortcut", &urgent];
        let mut body = [&parts.concat()[..], b"\xa5noise\xc6"].concat();
        // Less than 4 GiB by far.
        body.extend_from_slice(&(padding as u32).to_be_bytes());
        let start = body.len();
        body.resize(start + padding, 0);
        StdRng::seed_from_u64(self.0).fill_bytes(&mut body[start..]);
        body.into()
    }

    /// As a probe sends it.
    ///
    /// # Panics
    /// Never: a vector takes what is written.
    #[must_use]
    pub fn raw(self) -> pb::RawReport {
        let body = self.body();
        let zipped = self.0.is_multiple_of(5);
        let (body, compression) = if zipped {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            std::io::Write::write_all(&mut gzip, &body).expect("a vector");
            let body = gzip.finish().expect("a vector");
            (body.into(), pb::Compression::Gzip)
        } else {
            (body, pb::Compression::None)
        };
        pb::RawReport {
            body,
            format: pb::ReportFormat::ScopeMsgpack.into(),
            compression: compression.into(),
            probe_id: format!("probe-{}", self.0 % 7),
        }
    }

    /// Submits it.
    ///
    /// # Errors
    /// As collection answers.
    pub async fn submit(self, caller: &mut Caller) -> Result<Acked, Status> {
        let sent = unix_nanos();
        let report = Some(self.raw());
        let request = caller.request(self.org(), pb::SubmitRequest { report });
        let answer = caller.client.submit(request).await?.into_inner();
        Ok(Acked {
            org: self.org().to_owned(),
            report_id: answer.report_id,
            said: said(&self.body()),
            sent,
        })
    }
}

/// A report that collection has promised to keep. No two of an organisation say the same.
#[derive(Debug, Clone)]
pub struct Acked {
    /// Whose it is.
    pub org: String,
    /// Its name; empty if the sender was not told.
    pub report_id: String,
    /// What it says: [`said`] of its body.
    pub said: u64,
    /// When it was sent, in Unix nanoseconds.
    pub sent: i64,
}

/// What tells a body from all others.
#[must_use]
pub fn said(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

/// Submitters that go on until they are told to stop, or collection is gone.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<anyhow::Result<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    acked: Mutex<Vec<Acked>>,
    refused: AtomicU64,
}

impl Load {
    /// Starts submitters that post one report after another, with so long a pause between them.
    #[must_use]
    pub fn start(caller: &Caller, pause: Duration) -> Load {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for _ in 0..SUBMITTERS {
            tasks.spawn(submit(caller.clone(), Arc::clone(&shared), pause));
        }
        Load { shared, tasks }
    }

    /// How many reports were acknowledged so far.
    #[must_use]
    pub fn acked(&self) -> usize {
        self.shared.acked().len()
    }

    /// How many were refused so far because the log was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Stops the submitters; what was acknowledged.
    ///
    /// # Errors
    /// When a report was rejected.
    pub async fn stop(mut self) -> anyhow::Result<Vec<Acked>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(std::mem::take(&mut *self.shared.acked()))
    }
}

impl Shared {
    fn acked(&self) -> MutexGuard<'_, Vec<Acked>> {
        self.acked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn submit(mut caller: Caller, shared: Arc<Shared>, pause: Duration) -> anyhow::Result<()> {
    while !shared.stop.load(Ordering::Relaxed) {
        match Made::next().submit(&mut caller).await {
            Ok(acked) => shared.acked().push(acked),
            Err(status) if status.code() == Code::ResourceExhausted => {
                shared.refused.fetch_add(1, Ordering::Relaxed);
            }
            // It was killed. Whether it has kept this report is not known.
            Err(status) if is_gone(&status) => return Ok(()),
            Err(status) => return Err(status.into()),
        }
        sleep(pause).await;
    }
    Ok(())
}

/// A call that a break cuts off is cancelled, which [`client::Channel`] takes for the end of its time.
fn is_gone(status: &Status) -> bool {
    use Code::{DeadlineExceeded, Internal, Unavailable, Unknown};
    matches!(
        status.code(),
        DeadlineExceeded | Internal | Unavailable | Unknown
    )
}

/// Now.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn unix_nanos() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.expect("a date after 1970").as_nanos();
    i64::try_from(nanos).expect("a date before 2262")
}
