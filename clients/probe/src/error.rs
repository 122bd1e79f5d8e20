//! What can go wrong for good. What can only go wrong for now is logged and tried again.

use std::io;
use std::path::PathBuf;

/// Why the probe cannot run with its configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The app's URL is not one that a probe can use.
    #[error("not an http or https URL of an app: {url:?}")]
    InvalidUrl {
        /// The URL, without user information.
        url: String,
    },
    /// The token cannot be sent.
    #[error("the token contains characters that cannot be sent in a header")]
    InvalidToken,
    /// There are no processes where they were to be found.
    #[error("cannot read processes from {}", path.display())]
    Proc {
        /// The root of the procfs.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}
