//! Scope's HTTP API and the probe protocol, as bridges onto RPCs.

mod control;
mod control_socket;
mod document;
mod handshake;
#[cfg(test)]
mod hostile_paths;
mod pipe;
mod report;
mod socket;
mod watch;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use crate::Edge;
use crate::error::ApiError;
use crate::selection::unescape;

/// As in Scope's app: what is smaller is not worth compressing.
const COMPRESS_FROM: u64 = 1400;

pub(crate) fn router(edge: &Edge) -> Router {
    let routes = routes(edge);
    Router::new()
        .nest("/api/app/{org}", routes.clone())
        .merge(routes)
}

fn routes(edge: &Edge) -> Router {
    let documents = Router::new()
        .route("/api", get(handshake::handshake))
        .route("/api/report", get(document::report))
        .route("/api/probes", get(document::probes))
        .route("/api/topology", get(document::topologies))
        .route("/api/topology/{topology}", get(document::topology))
        .route("/api/topology/{topology}/{node}", get(document::node))
        // A malformed report may have a node without an id.
        .route("/api/topology/{topology}/", get(document::node))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESS_FROM)));
    let streams = Router::new()
        .route("/api/report", post(report::submit))
        .route("/api/topology/{topology}/ws", get(watch::watch))
        .route("/api/control/ws", get(control_socket::connect))
        .route(
            "/api/control/{probe}/{node}/{control}",
            post(control::invoke),
        )
        .route("/api/pipe/{pipe}/check", get(pipe::check))
        .route("/api/pipe/{pipe}/probe", get(pipe::probe))
        .route(
            "/api/pipe/{pipe}",
            get(pipe::user).delete(pipe::close).post(pipe::close),
        )
        // Bodies are bounded where they are read.
        .layer(DefaultBodyLimit::disable());
    documents
        .merge(streams)
        .route("/api/{*unknown}", any(document::unknown))
        .with_state(edge.clone())
}

/// The segments of a raw path after `/api/…/` that hold opaque ids, each decoded as Scope does: query unescaping, so that
/// `+` is a blank and `%2F` a slash inside an id.
fn segments<const N: usize>(path: &str) -> Result<[Vec<u8>; N], ApiError> {
    let start = path
        .rfind("/api/topology/")
        .or_else(|| path.rfind("/api/control/"));
    let rest = &path[start.ok_or_else(ApiError::not_found)? + "/api/".len()..];
    let decoded: Option<Vec<_>> = rest.split('/').skip(1).map(unescape).collect();
    let decoded = decoded.ok_or_else(|| ApiError::bad_request("a broken escape in the path"))?;
    decoded.try_into().map_err(|_| ApiError::not_found())
}

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_paths_are_decoded_one_by_one() {
        let [topology, node] = segments("/api/topology/hosts/a%2Fb+%3Chost%3E").expect("two");
        assert_eq!(
            (&topology[..], &node[..]),
            (&b"hosts"[..], &b"a/b <host>"[..])
        );
        assert!(segments::<2>("/api/topology/hosts").is_err());
        assert!(segments::<2>("/api/topology/hosts/a/b").is_err());
        assert!(segments::<2>("/api/topology/hosts/%zz").is_err());
        assert!(segments::<3>("/api/app/x/api/control/p/n/c").is_ok());
    }
}
