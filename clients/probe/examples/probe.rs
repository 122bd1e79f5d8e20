//! The probe alone, to measure or profile it: `cargo run --release -p probe --example probe -- URL [TOKEN]`.

use probe::{Config, Token};
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), probe::Error> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or_else(|| "http://127.0.0.1:4040".to_owned());
    let config = Config {
        token: arguments.next().map(Token::from),
        ..Config::new(url)
    };
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        // Without signals, the probe runs until it is killed.
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    probe::run(config, shutdown).await
}
