//! One pipe, at the replica that holds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::pipes::v1::{CloseReason, End};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Limits;
use crate::access::Access;
use crate::attended::Attended;
use crate::input::Input;
use crate::output::Output;

/// Where the output of a pipe begins whose holder was lost, with all that was known of it: further on by as much as no pipe
/// carries, so that nobody takes it for what was there before.
const LOST: u64 = 1 << 40;

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) access: Access,
    /// How many replicas held it before.
    pub(crate) moves: u32,
    pub(crate) output: Arc<Output>,
    pub(crate) input: Input,
    /// Who is in the audit log for having been here.
    pub(crate) attended: Attended,
    ended: watch::Sender<Option<Ended>>,
    ends: Mutex<Ends>,
    /// When it was announced, as far as this replica's clock goes.
    announced: Instant,
}

/// Why a pipe is no longer served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was closed.
    Closed(CloseReason),
    /// Another replica may hold it.
    Moved,
}

#[derive(Debug)]
struct Ends {
    user: EndState,
    probe: EndState,
    /// Cancelled when a newer probe's end takes over.
    probe_attachment: CancellationToken,
    /// Of each link of a user's end that is attached, the same.
    links: HashMap<String, CancellationToken>,
    /// When a byte last passed.
    used: Instant,
}

#[derive(Debug)]
struct EndState {
    connections: u32,
    last_used: Instant,
}

/// Holds one end as connected.
#[derive(Debug)]
pub(crate) struct Connected {
    pipe: Arc<Pipe>,
    end: End,
}

impl Pipe {
    /// A pipe that was announced so long ago.
    pub(crate) fn new(access: Access, moves: u32, age: Duration) -> Self {
        let now = Instant::now();
        let unused = || EndState {
            connections: 0,
            last_used: now,
        };
        Pipe {
            access,
            moves,
            output: Arc::default(),
            input: Input::default(),
            attended: Attended::default(),
            ended: watch::Sender::new(None),
            ends: Mutex::new(Ends {
                user: unused(),
                probe: unused(),
                probe_attachment: CancellationToken::new(),
                links: HashMap::new(),
                used: now,
            }),
            announced: now.checked_sub(age).unwrap_or(now),
        }
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the output begins if nobody knows more.
    pub(crate) fn base(&self) -> u64 {
        u64::from(self.moves).saturating_mul(LOST)
    }

    /// Marks an end as connected until the guard is dropped.
    pub(crate) fn connect(self: &Arc<Self>, end: End) -> Connected {
        self.ends().of(end).connections += 1;
        Connected {
            pipe: Arc::clone(self),
            end,
        }
    }

    /// Connections of the user's and of the probe's end.
    pub(crate) fn connections(&self) -> (u32, u32) {
        let ends = self.ends();
        (ends.user.connections, ends.probe.connections)
    }

    /// A byte passes.
    pub(crate) fn touch(&self) {
        self.ends().used = Instant::now();
    }

    /// Why it is to be closed now, if it is.
    pub(crate) fn due(&self, limits: &Limits) -> Option<CloseReason> {
        let ends = self.ends();
        let missing = |e: &EndState| e.connections == 0 && e.last_used.elapsed() >= limits.grace;
        // Once the process has ended, only readers are waited for.
        let probe_missing = missing(&ends.probe) && !self.output.is_ended();
        if missing(&ends.user) || probe_missing {
            return Some(CloseReason::Abandoned);
        }
        if ends.used.elapsed() >= limits.idle {
            return Some(CloseReason::Idle);
        }
        (self.announced.elapsed() >= limits.age).then_some(CloseReason::Expired)
    }

    /// Makes this the probe's end; an older one ends. The token is cancelled when a newer one takes over.
    pub(crate) fn take_probe_end(&self) -> CancellationToken {
        let mut ends = self.ends();
        ends.probe_attachment.cancel();
        ends.probe_attachment = CancellationToken::new();
        ends.probe_attachment.clone()
    }

    /// Makes this the attachment of a user's link; an older one, whose stream may hang, ends.
    pub(crate) fn take_link(&self, link: &str) -> CancellationToken {
        let mut ends = self.ends();
        ends.links.retain(|_, token| !token.is_cancelled());
        let token = CancellationToken::new();
        if let Some(older) = ends.links.insert(link.to_owned(), token.clone()) {
            older.cancel();
        }
        token
    }

    /// No end of it is served any longer. The first reason stands.
    pub(crate) fn end(&self, ended: Ended) {
        self.ended.send_if_modified(|now| {
            let first = now.is_none();
            now.get_or_insert(ended);
            first
        });
    }

    /// Waits until it is no longer served.
    pub(crate) async fn ended(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await;
        // The sender is in `self`.
        reason
            .ok()
            .and_then(|reason| *reason)
            .unwrap_or(Ended::Moved)
    }
}

impl Ends {
    fn of(&mut self, end: End) -> &mut EndState {
        match end {
            End::Probe => &mut self.probe,
            End::User | End::Unspecified => &mut self.user,
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut ends = self.pipe.ends();
        let end = ends.of(self.end);
        end.connections -= 1;
        end.last_used = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use proto::tenant::v1::Permission;

    use super::*;

    const LIMITS: Limits = Limits {
        grace: Duration::from_secs(60),
        remember: Duration::from_secs(600),
        idle: Duration::from_secs(3600),
        age: Duration::from_secs(7200),
    };

    fn pipe() -> Arc<Pipe> {
        let access = Access {
            permission: Permission::Exec,
            opener: String::new(),
        };
        Arc::new(Pipe::new(access, 0, Duration::ZERO))
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn pipe_is_abandoned_when_one_end_stays_away() {
        let pipe = pipe();
        let _user = pipe.connect(End::User);
        let probe = pipe.connect(End::Probe);
        pass(61).await;
        assert_eq!(pipe.due(&LIMITS), None);
        drop(probe);
        assert_eq!(pipe.due(&LIMITS), None);
        pass(61).await;
        assert_eq!(pipe.due(&LIMITS), Some(CloseReason::Abandoned));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_and_old_pipes_are_closed() {
        let pipe = pipe();
        let _ends = (pipe.connect(End::User), pipe.connect(End::Probe));
        pass(3599).await;
        pipe.touch();
        pass(3599).await;
        assert_eq!(pipe.due(&LIMITS), None);
        pass(1).await;
        assert_eq!(pipe.due(&LIMITS), Some(CloseReason::Idle));
        pipe.touch();
        assert_eq!(pipe.due(&LIMITS), None);
        pass(1).await;
        assert_eq!(pipe.due(&LIMITS), Some(CloseReason::Expired));
    }

    #[tokio::test]
    async fn first_reason_stands() {
        let pipe = pipe();
        pipe.end(Ended::Closed(CloseReason::Closed));
        pipe.end(Ended::Moved);
        assert_eq!(pipe.ended().await, Ended::Closed(CloseReason::Closed));
    }
}
