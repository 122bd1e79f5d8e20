//! Takes reports in and hands them on.
//!
//! ```text
//! Submit ─▶ inflate, check ─▶ window of the organisation (as sent) ─▶ Subscribe streams
//! ```
//!
//! A report is validated before it is acknowledged, and kept as the bytes it came in: nothing is decoded that nobody
//! reads. The window holds what a new subscriber needs to see the present.
//!
//! **Invariant:** sequence numbers of an organisation rise by one, and every subscriber gets each number once or is told
//! how many it missed.

mod error;
mod metrics;
mod server;
mod window;

use std::time::Duration;

use client::Channel;
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::collection::v1::collection_service_server::CollectionServiceServer;
use runtime::Runtime;

pub use server::Collection;

/// What the service can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a report is held for new subscribers. 40 s by default: the live window of 15 s, the time that a late
    /// probe's nodes stay, and one more full report of a probe that lost some.
    pub hold: Duration,
    /// A report's largest size as sent, in bytes. 16 MiB by default.
    pub report_bytes: usize,
    /// A report's largest size when inflated, in bytes. 64 MiB by default.
    pub inflated_bytes: usize,
    /// Reports held per organisation, in bytes as sent; the oldest go first. 256 MiB by default.
    pub window_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            hold: Duration::from_secs(40),
            report_bytes: 16 << 20,
            inflated_bytes: 64 << 20,
            window_bytes: 256 << 20,
        }
    }
}

/// The client of other parts.
pub type Client = CollectionServiceClient<Channel>;

/// Starts the service.
///
/// # Errors
/// When its metrics are registered already.
pub fn start(
    config: Config,
    rt: &Runtime,
) -> Result<CollectionServiceServer<Collection>, prometheus::Error> {
    // A report and the message around it.
    let message_bytes = config.report_bytes + (64 << 10);
    let service = Collection::new(config, rt)?;
    Ok(CollectionServiceServer::new(service).max_decoding_message_size(message_bytes))
}
