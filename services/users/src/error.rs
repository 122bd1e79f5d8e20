use sea_orm::{DbErr, SqlErr};
use tonic::Status;

/// Why the users' store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no store of users. The message does not quote it.
    #[error("{0}")]
    Url(String),
    /// A file cannot be used.
    #[error("cannot open {0}: {1}")]
    Io(String, std::io::Error),
    /// The database refuses.
    #[error("cannot open the users' store: {0}")]
    Database(#[from] DbErr),
    /// Its metrics are registered already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Invalid(&'static str),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("{0}")]
    Exists(&'static str),
    #[error("{0}")]
    Precondition(&'static str),
    #[error("{0}")]
    Denied(&'static str),
    /// What was presented proves nothing.
    #[error("{0}")]
    Unproven(&'static str),
    #[error("{0}")]
    Exhausted(&'static str),
    /// Another service, which is not the store, cannot be asked.
    #[error("{0}")]
    Away(&'static str),
    /// The store was away when this process started and has not come since.
    #[error("the users' store has not been reached yet")]
    NotReady,
    #[error(transparent)]
    Store(#[from] DbErr),
}

impl Error {
    /// Whether the store is to blame, and not the request.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Error::NotReady | Error::Store(_))
    }

    /// Whether another row has the same key.
    pub(crate) fn is_duplicate(&self) -> bool {
        let Error::Store(error) = self else {
            return false;
        };
        matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        match error {
            Error::Invalid(_) => Status::invalid_argument(error.to_string()),
            Error::NotFound(_) => Status::not_found(error.to_string()),
            Error::Exists(_) => Status::already_exists(error.to_string()),
            Error::Precondition(_) => Status::failed_precondition(error.to_string()),
            Error::Denied(_) => Status::permission_denied(error.to_string()),
            Error::Unproven(_) => Status::unauthenticated(error.to_string()),
            Error::Away(_) => Status::unavailable(error.to_string()),
            Error::Exhausted(_) => Status::resource_exhausted(error.to_string()),
            // Also for what looks like a bug: no failure of the store may look like a wrong credential.
            Error::NotReady | Error::Store(_) => {
                tracing::warn!(%error, "the users' store failed");
                Status::unavailable("the users' store cannot be reached; try again later")
            }
        }
    }
}
