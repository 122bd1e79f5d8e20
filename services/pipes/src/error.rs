use stores::StoreError;
use tonic::Status;

use crate::input::WriteError;

/// Open pipes that a replica holds for one organisation.
pub(crate) const PIPES: usize = 1000;

/// Why a pipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipeError {
    #[error("the pipe was closed")]
    Closed,
    #[error("there is no such pipe")]
    Unknown,
    #[error("the pipe's id must be 1 to 128 characters of A-Z, a-z, 0-9, dot, underscore and dash")]
    BadId,
    #[error("the organisation has {PIPES} open pipes at this replica; close some")]
    TooMany,
    #[error("the pipe was announced for something else or by somebody else, or closed")]
    Taken,
    #[error("only who opened this terminal types in it; you may watch")]
    WatchOnly,
    #[error("this replica does not hold the pipe")]
    Elsewhere,
    #[error("this replica is leaving, or not known to the others yet; try again")]
    NoMember,
    #[error("the replica that holds the pipe does not answer; try again")]
    HolderAway,
    #[error("the pipe is changing hands; try again")]
    Contended,
    #[error("another connection took over the probe's end")]
    Replaced,
    #[error("what this link has read or sent before is no longer known; attach with a new link")]
    Gap,
    #[error("this moved to another replica; attach again")]
    Moved,
    #[error("where pipes are cannot be found out: {0}")]
    Store(#[from] StoreError),
}

impl From<PipeError> for Status {
    fn from(error: PipeError) -> Self {
        let text = error.to_string();
        match error {
            PipeError::Closed | PipeError::Unknown => Status::not_found(text),
            PipeError::BadId => Status::invalid_argument(text),
            PipeError::TooMany => Status::resource_exhausted(text),
            PipeError::Taken => Status::already_exists(text),
            PipeError::WatchOnly => Status::permission_denied(text),
            PipeError::Elsewhere => Status::failed_precondition(text),
            PipeError::Replaced => Status::aborted(text),
            PipeError::Gap => Status::out_of_range(text),
            PipeError::NoMember
            | PipeError::HolderAway
            | PipeError::Contended
            | PipeError::Moved => Status::unavailable(text),
            PipeError::Store(error) => {
                tracing::debug!(%error, "the store of ends");
                Status::unavailable("where pipes are cannot be found out right now; try again")
            }
        }
    }
}

impl From<WriteError> for Status {
    fn from(error: WriteError) -> Self {
        let text = error.to_string();
        match error {
            WriteError::Gap => Status::aborted(text),
            WriteError::Writers => Status::resource_exhausted(text),
            WriteError::Unknown => Status::out_of_range(text),
        }
    }
}
