//! Telling pipes of the pipes that controls answer with, and asking who may resize them.

use std::collections::HashMap;
use std::time::Duration;

use client::{Caller, Channel, Key, authorise_for};
use proto::controls::v1::ControlResult;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use proto::pipes::v1::{AnnounceRequest, GetPipeRequest};
use proto::tenant::v1::Permission;
use tonic::{Code, Request, Status};

/// How long a try may take, and how many there are while pipes is away: all together less than the 10 s that a probe's end
/// waits for them.
const TRY: Duration = Duration::from_millis(2500);
const TRIES: u32 = 3;
/// The argument of controls that are for a terminal: those that resize it.
const PIPE: &str = "pipeID";

/// Announces pipes, which cannot be attached before that.
#[derive(Debug, Clone)]
pub(crate) struct Announcer {
    pipes: Option<PipesServiceClient<Channel>>,
    key: Key,
}

impl Announcer {
    pub(crate) fn new(pipes: Option<Channel>, key: Key) -> Self {
        Announcer {
            pipes: pipes.map(PipesServiceClient::new),
            key,
        }
    }

    /// Announces the pipe of an answer, if it has one, to the caller's organisation and for the permission of the control.
    pub(crate) async fn announce(
        &self,
        caller: &Caller,
        permission: Permission,
        result: &ControlResult,
    ) -> Result<(), Status> {
        if result.pipe_id.is_empty() {
            return Ok(());
        }
        let mut tried = 0;
        loop {
            let announced = self.once(caller, permission, &result.pipe_id).await;
            tried += 1;
            match announced {
                Err(status) if status.code() == Code::Unavailable && tried < TRIES => {}
                announced => return announced,
            }
        }
    }

    /// Fails if a control is for a terminal that the caller may only watch.
    pub(crate) async fn check_writer(
        &self,
        caller: &Caller,
        permission: Permission,
        arguments: &HashMap<String, String>,
    ) -> Result<(), Status> {
        let Some(pipe_id) = arguments.get(PIPE) else {
            return Ok(());
        };
        let pipe_id = pipe_id.clone();
        let request = self.signed(caller, permission, GetPipeRequest { pipe_id });
        let found = self.pipes()?.get_pipe(request).await;
        match found {
            Ok(found) if found.get_ref().may_write => Ok(()),
            Ok(_) => Err(Status::permission_denied(
                "only who opened this terminal resizes it; you may watch",
            )),
            Err(status) => Err(status),
        }
    }

    fn pipes(&self) -> Result<PipesServiceClient<Channel>, Status> {
        self.pipes.clone().ok_or_else(|| {
            Status::failed_precondition(
                "controls knows no pipes service, so that nothing can be attached; see --pipes",
            )
        })
    }

    fn signed<T>(&self, caller: &Caller, permission: Permission, message: T) -> Request<T> {
        let mut request = authorise_for(Request::new(message), &self.key, caller, &[permission]);
        request.set_timeout(TRY);
        request
    }

    async fn once(&self, caller: &Caller, permission: Permission, id: &str) -> Result<(), Status> {
        let message = AnnounceRequest {
            pipe_id: id.to_owned(),
            permission: permission.into(),
        };
        let request = self.signed(caller, permission, message);
        let announced = self.pipes()?.announce(request).await;
        announced.map(drop).map_err(|status| {
            tracing::warn!(%status, pipe = id, "a pipe could not be announced");
            match status.code() {
                Code::AlreadyExists => Status::unavailable("the session has ended already"),
                Code::ResourceExhausted => status,
                _ => Status::unavailable("the session cannot be opened right now; try again"),
            }
        })
    }
}
