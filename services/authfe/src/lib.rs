//! The edge: the one public port.
//!
//! ```text
//! gRPC, gRPC-web ──────────▶ grpc: forwarded as it is ─┐
//! Scope probes, UI, curl ──▶ scope: HTTP and WebSocket ├─▶ + signed assertion ─▶ users, collection, query, controls, pipes
//! browsers ────────────────▶ assets                    ┘
//! ```
//!
//! Every request passes [`limits`] and [`identity`] first. The latter asks users who the caller is, checks the rule of the
//! RPC or route in [`policy`], and signs what it learned. Nothing that a client says about identity goes further: headers that do are removed.
//!
//! **Invariant:** HTTP and WebSocket end here. What is behind speaks protobuf, and this crate holds no state but caches.

mod assets;
mod buffered;
mod check;
mod error;
mod events;
mod grpc;
mod identity;
mod limits;
mod login;
mod policy;
mod revocable;
mod scope;
mod selection;
mod timed;

use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::middleware::from_fn_with_state;
use client::Channel;
use runtime::Runtime;
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

use crate::buffered::Buffered;
use crate::events::Events;
use crate::identity::{Identity, Site};
use crate::limits::Limiter;

pub use limits::Limits;

/// What the edge can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Names this deployment to probes: the same on every replica and after every restart, or probes drop their
    /// connections. Hexadecimal by custom.
    pub app_id: String,
    /// What Scope's clients are told the host is called.
    pub hostname: String,
    /// Web origins, besides the edge's own, that may use gRPC-web: `https://ui.example.com`.
    pub cors_origins: Vec<HeaderValue>,
    /// What this site is called from outside, for cookies: `https://weft.example`. Without it people log in on loopback
    /// alone.
    pub public_url: Option<Url>,
    /// Whether callers on this machine, asking for this machine, need no credential. True by default.
    pub trust_loopback: bool,
    /// How long callers that are known go on reading and reporting while users is away. 5 minutes by default.
    pub users_outage: Duration,
    /// A sidecar that takes an event of every request over Fluentd's forward protocol, as `host:port`. None by default.
    pub events: Option<String>,
    /// How often callers may ask.
    pub limits: Limits,
    /// A report's largest size as sent, in bytes. 16 MiB by default.
    pub report_bytes: usize,
    /// All reports that are being received at once, in bytes; more are refused with 503. 64 MiB by default.
    pub buffered_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            app_id: "1".to_owned(),
            hostname: "weft".to_owned(),
            cors_origins: Vec::new(),
            public_url: None,
            trust_loopback: true,
            users_outage: Duration::from_secs(300),
            events: None,
            limits: Limits::default(),
            report_bytes: 16 << 20,
            buffered_bytes: 64 << 20,
        }
    }
}

/// Ways to the services behind the edge.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Who callers are.
    pub users: Channel,
    /// Where reports go.
    pub collection: Channel,
    /// Where views come from.
    pub query: Channel,
    /// The way to probes.
    pub controls: Channel,
    /// Byte streams.
    pub pipes: Channel,
    /// Health and reflection, which need no identity.
    pub open: Channel,
}

/// What handlers share.
#[derive(Debug, Clone)]
struct Edge {
    config: Config,
    peers: Peers,
    identity: Identity,
    site: Site,
    buffered: Buffered,
    rt: Runtime,
}

/// What the edge serves.
#[derive(Debug)]
pub struct Routers {
    /// For the port that everybody reaches.
    pub public: Router,
    /// For a port that only services reach: `GET /auth`, whether a request to something else may pass.
    pub private: Router,
}

/// Starts the edge.
pub fn start(config: Config, peers: Peers, rt: &Runtime) -> Routers {
    let cors = cors(&config.cors_origins);
    let limiter = Limiter::new(&config.limits, config.trust_loopback, rt);
    let events = config.events.clone();
    let events = events.map(|sidecar| Events::start(sidecar, rt));
    let edge = Edge {
        identity: Identity::new(peers.users.clone(), &config, rt),
        site: Site::new(config.public_url.as_ref()),
        buffered: Buffered::new(config.buffered_bytes),
        config,
        peers,
        rt: rt.clone(),
    };
    let private = check::router(&edge.identity, &limiter, rt);
    let router = Router::new()
        .merge(scope::router(&edge))
        .merge(login::router(&edge))
        .fallback_service(grpc::or_else(assets::router(), &edge))
        // The last layer is the outermost.
        .layer(from_fn_with_state(limiter.clone(), limits::of_organisation))
        .layer(from_fn_with_state(
            edge.identity.clone(),
            identity::identify,
        ))
        .layer(from_fn_with_state(limiter, limits::of_client))
        .layer(cors);
    let public = match events {
        Some(events) => router.layer(from_fn_with_state(events, events::note)),
        None => router,
    };
    Routers { public, private }
}

/// Lets pages of other origins in the list use gRPC-web. No cookie is ever accepted across origins.
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    use axum::http::Method;
    use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderName};

    let exposed = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
    let allowed = [
        "x-grpc-web",
        "x-user-agent",
        "grpc-timeout",
        "authorization",
        "weft-org",
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::POST])
        .allow_headers(
            allowed
                .map(HeaderName::from_static)
                .into_iter()
                .chain([CONTENT_TYPE, ACCEPT])
                .collect::<Vec<_>>(),
        )
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(Duration::from_secs(3600))
}
