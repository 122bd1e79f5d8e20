//! Logs.

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line, for machines.
    Json,
}

/// Sends log lines to standard error. `filter` is in the syntax of `RUST_LOG`: `info`, `warn,query=debug`. Does nothing
/// when a subscriber is set already.
pub fn init(filter: &str, format: LogFormat) {
    // It tells every try to connect; that NATS is away is told once, as of every dependency. A later directive wins.
    // At its finest the passkeys' library shows challenges, whoever asks for that.
    let filter = EnvFilter::try_new(format!("async_nats=warn,{filter},webauthn_rs_core=warn"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Fails only if a test set one already, which then stays.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
