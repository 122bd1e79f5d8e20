use report::decode::DecodeError;
use tonic::Status;

use crate::log::AppendError;

/// Why a report is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error("the request holds no report")]
    Missing,
    #[error("the report's format must be Scope msgpack or Scope JSON")]
    Format,
    #[error("the report's compression must be none or gzip")]
    Compression,
    #[error("the probe id is longer than 64 bytes")]
    ProbeId,
    #[error("the report has {0} bytes, more than the {1} allowed")]
    TooLarge(usize, usize),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("checking the report failed")]
    Check(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Log(#[from] AppendError),
}

impl SubmitError {
    /// Whether the report is at fault, not this replica.
    pub(crate) fn is_the_senders(&self) -> bool {
        !matches!(self, SubmitError::Check(_) | SubmitError::Log(_))
    }
}

impl From<SubmitError> for Status {
    fn from(error: SubmitError) -> Self {
        let text = error.to_string();
        match error {
            SubmitError::Missing
            | SubmitError::Format
            | SubmitError::Compression
            | SubmitError::ProbeId => Status::invalid_argument(text),
            SubmitError::TooLarge(..) => Status::out_of_range(text),
            SubmitError::Decode(e) if e.is_too_large() => Status::out_of_range(text),
            SubmitError::Decode(_) => Status::invalid_argument(text),
            SubmitError::Log(AppendError::Full(_)) => Status::resource_exhausted(text),
            SubmitError::Log(AppendError::Io(_) | AppendError::Closed) => {
                Status::unavailable("the log cannot be written; try again later")
            }
            SubmitError::Check(e) => {
                tracing::error!(error = %e, "the check of a report panicked");
                Status::internal("internal error")
            }
        }
    }
}
