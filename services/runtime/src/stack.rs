//! The layers around every generated server, whether it is called over the network or directly.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use client::{ASSERTION_HEADER, Channel};
use proto::tenant::v1::Permission;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::{Service, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::body::{RpcBody, code_in};
use crate::listen::serve_in_memory;
use crate::{Runtime, Wiring};

/// The services that one listener serves.
#[derive(Debug, Clone, Default)]
pub struct Mesh {
    routes: Option<Routes>,
    names: Vec<&'static str>,
}

impl Mesh {
    /// No service.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also serves this generated server.
    #[must_use]
    pub fn with<S>(mut self, server: S) -> Self
    where
        S: Service<http::Request<tonic::body::Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes = Some(match self.routes {
            None => Routes::new(server),
            Some(routes) => routes.add_service(server),
        });
        self
    }

    /// The router: the services behind the stack, and health and reflection (v1 and v1alpha) beside them.
    pub async fn into_router(self, rt: &Runtime) -> Router {
        let health = tonic_health::pb::health_server::HealthServer::new(
            tonic_health::server::HealthService::from_health_reporter(rt.health.clone()),
        );
        for name in &self.names {
            rt.health
                .set_service_status(*name, tonic_health::ServingStatus::Serving)
                .await;
        }
        let open = reflection(Routes::new(health)).prepare().into_axum_router();
        // One of the merged routers answers for unknown paths: the one with the services, or the caller's.
        let open = open.reset_fallback();
        match self.routes {
            None => open,
            Some(routes) => stacked(routes.prepare().into_axum_router(), rt).merge(open),
        }
    }
}

/// A channel to health and reflection alone, which everybody may ask.
pub async fn open(rt: &Runtime) -> Channel {
    let router = Mesh::new().into_router(rt).await;
    Channel::local(tower::service_fn(move |request| {
        call(router.clone(), request)
    }))
}

/// Adds reflection of the whole contract.
fn reflection(routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = match builder().build_v1() {
        Ok(v1) => routes.add_service(v1),
        Err(_) => routes,
    };
    match builder().build_v1alpha() {
        Ok(v1alpha) => routes.add_service(v1alpha),
        Err(_) => routes,
    }
}

/// A channel to this server, through the same stack that a network call passes.
pub fn local<S>(server: S, rt: &Runtime) -> Channel
where
    S: Service<http::Request<tonic::body::Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Response: axum::response::IntoResponse,
    S::Future: Send + 'static,
{
    channel(Routes::new(server), rt)
}

/// As [`local`], to two servers of one process behind one channel.
pub fn local_pair<A, B>(one: A, other: B, rt: &Runtime) -> Channel
where
    A: Service<http::Request<tonic::body::Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    A::Response: axum::response::IntoResponse,
    A::Future: Send + 'static,
    B: Service<http::Request<tonic::body::Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    B::Response: axum::response::IntoResponse,
    B::Future: Send + 'static,
{
    channel(Routes::new(one).add_service(other), rt)
}

fn channel(routes: Routes, rt: &Runtime) -> Channel {
    let router = stacked(routes.prepare().into_axum_router(), rt);
    match rt.config.wiring {
        Wiring::Direct => Channel::local(tower::service_fn(move |request| {
            call(router.clone(), request)
        })),
        Wiring::Http2 => {
            let rt = rt.clone();
            Channel::duplex(move |stream| {
                let (router, rt_of_connection) = (router.clone(), rt.clone());
                rt.spawn_draining("in-memory connection", async move {
                    serve_in_memory(stream, router, &rt_of_connection).await;
                });
            })
        }
    }
}

async fn call(
    router: Router,
    request: http::Request<tonic::body::Body>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let response = router.oneshot(request).await?;
    Ok(response.map(tonic::body::Body::new))
}

#[derive(Clone)]
struct StackState {
    rt: Runtime,
    in_flight: Arc<Semaphore>,
}

fn stacked(router: Router, rt: &Runtime) -> Router {
    let state = StackState {
        rt: rt.clone(),
        in_flight: Arc::new(Semaphore::new(rt.config.calls_in_flight)),
    };
    // The last layer is the outermost.
    router
        .layer(from_fn_with_state(state.clone(), identify))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state, track))
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "a handler panicked");
    refuse(&Status::internal("internal error"))
}

fn refuse(status: &Status) -> Response {
    status.clone().into_http::<Body>()
}

/// Span, metrics, deadline and load shedding.
async fn track(State(state): State<StackState>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut rpc = state.rt.rpc_metrics.begin(&path);
    let span = tracing::info_span!("rpc", path, org = tracing::field::Empty);
    let deadline = timeout_of(&request).map(|t| Instant::now() + t);
    let answer = async {
        let Ok(_permit) = state.in_flight.try_acquire() else {
            return refuse(&Status::resource_exhausted(
                "too many calls at once; try again later",
            ));
        };
        until(deadline, next.run(request)).await
    };
    let response = answer.instrument(span.clone()).await;
    let (parts, body) = response.into_parts();
    if let Some(code) = code_in(&parts.headers) {
        rpc.ended(code);
        if code == Code::Internal || code == Code::Unknown {
            tracing::warn!(parent: &span, ?code, "failed");
        }
        return Response::from_parts(parts, body);
    }
    let shutdown = state.rt.shutdown.clone();
    let body = RpcBody::new(body, rpc, deadline, shutdown, span);
    Response::from_parts(parts, Body::new(body))
}

async fn until(deadline: Option<Instant>, answer: impl Future<Output = Response>) -> Response {
    match deadline {
        None => answer.await,
        Some(deadline) => tokio::time::timeout_at(deadline, answer)
            .await
            .unwrap_or_else(|_| refuse(&Status::deadline_exceeded("the deadline has passed"))),
    }
}

/// The value of `grpc-timeout`: up to eight digits and a unit.
fn timeout_of(request: &Request) -> Option<Duration> {
    let value = request.headers().get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

/// Verifies the assertion, if there is one. Handlers decide what they need of it.
async fn identify(State(state): State<StackState>, mut request: Request, next: Next) -> Response {
    if let Some(header) = request.headers_mut().remove(ASSERTION_HEADER) {
        // By the machine's date, as the signer's: a process's clock knows nothing of the time that the machine slept.
        match state.rt.key.verify(&header, SystemTime::now()) {
            Ok(mut caller) => {
                // Operators call from somewhere, with no edge between.
                let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
                if caller.may(Permission::Operate) && caller.address.is_none() {
                    caller.address = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
                }
                tracing::Span::current().record("org", caller.org_id.as_str());
                request.extensions_mut().insert(caller);
            }
            Err(error) => return refuse(&Status::unauthenticated(error.to_string())),
        }
    }
    next.run(request).await
}
