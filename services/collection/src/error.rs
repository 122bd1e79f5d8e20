use report::decode::DecodeError;
use tonic::Status;

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
            SubmitError::Check(e) => {
                tracing::error!(error = %e, "the check of a report panicked");
                Status::internal("internal error")
            }
        }
    }
}
