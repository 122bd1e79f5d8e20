/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL does not parse, or names no store of this kind.
    #[error("{0}")]
    Url(String),
    /// It is a file or directory that cannot be used.
    #[error("cannot open {0}: {1}")]
    Io(String, std::io::Error),
    /// It is what the message says.
    #[error("{0}")]
    Other(String),
    /// Its metrics are registered already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("there is no object {0}")]
    NotFound(String),
    /// The store asks for patience.
    #[error("the store is throttling: {0}")]
    Throttled(String),
    /// It cannot be reached or fails; another try may succeed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It refuses, and will again until somebody changes something: rights, a missing bucket or table, a full disk.
    #[error("the store refuses: {0}")]
    Refused(String),
}

impl StoreError {
    /// Whether the same call may succeed a little later without anybody doing something.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Throttled(_) | StoreError::Unavailable(_))
    }
}
