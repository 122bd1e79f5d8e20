//! The policy and the router see the same path: whatever is sent, a route is served under its own rule or not at all.

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use client::{Channel, Key};
use runtime::Runtime;
use tonic::Status;
use tower::ServiceExt;

use crate::buffered::Buffered;
use crate::identity::Identity;
use crate::{Config, Edge, Peers, policy};

const PATHS: [&str; 58] = [
    "/api",
    "/api/",
    "//api",
    "/API",
    "/api%2F",
    "/api/report",
    "//api/report",
    "/api//report",
    "/api/./report",
    "/api/x/../report",
    "/api/%2e/report",
    "/api/%2e%2e/report",
    "/api/report/",
    "/api/report;x",
    "/api/report%00",
    "/api/report%2f",
    "/api/report%20",
    "/api/%72eport",
    "/api/%2572eport",
    "/API/report",
    "/api/Report",
    "/api\\report",
    "/api/app",
    "/api/app/x",
    "/api/app/x/",
    "/api/app/x/api",
    "/api/app/x/api/report",
    "/api/app//api/report",
    "/api/app/%2f/api/report",
    "/api/app/a%2Fb/api/report",
    "/api/app/x/../y/api/report",
    "/api/app/x/api/app/y/api/report",
    "/api/app/x//api/report",
    "/api/app/api/report",
    "/api/app/x/api/control/p/n/c",
    "/api/control/ws",
    "/api/control/ws/",
    "/api/control//ws",
    "/api/control/%77s",
    "/api/control/ws/n/c",
    "/api/control/p/n/host%5Fexec",
    "/api/control/p/n/c%2f..%2f..%2fws",
    "/api/control/p/n/..",
    "/api/control/p/ws",
    "/api/pipe/x",
    "/api/pipe/probe",
    "/api/pipe//probe",
    "/api/pipe/x/probe",
    "/api/pipe/x/probe/",
    "/api/pipe/x%2Fprobe",
    "/api/pipe/x/%70robe",
    "/api/pipe/x/check",
    "/api/topology/x/ws",
    "/api/topology/x/%77s",
    "/api/topology//",
    "/api/topology/%ff/%00",
    "/api/topology/%c0%af/%252e%252e",
    "/api/topology/x/y%2Fws",
];

fn routes() -> Router {
    let rt = Runtime::new(runtime::Config::default(), Key::generate());
    let nobody = || {
        Channel::local(tower::service_fn(|_| async {
            Ok::<_, std::convert::Infallible>(Status::unavailable("nobody").into_http())
        }))
    };
    let peers = Peers {
        users: nobody(),
        collection: nobody(),
        query: nobody(),
        controls: nobody(),
        pipes: nobody(),
        open: nobody(),
    };
    let config = Config::default();
    let edge = Edge {
        identity: Identity::new(nobody(), &config, &rt),
        site: crate::identity::Site::new(None),
        buffered: Buffered::new(1),
        config,
        peers,
        rt,
    };
    let tell = |matched: MatchedPath, _: Request, _: Next| async move {
        [("route", matched.as_str().to_owned())]
    };
    super::router(&edge).route_layer(from_fn(tell))
}

/// The route that would serve this.
async fn served(routes: &Router, method: &Method, path: &str) -> Option<String> {
    let uri: http::Uri = path.parse().ok()?;
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(Body::empty()).expect("a request");
    let response = routes.clone().oneshot(request).await.expect("infallible");
    if !response.status().is_success() {
        return None;
    }
    let route = response.headers()["route"]
        .to_str()
        .expect("text")
        .to_owned();
    // Which answers 404, whoever asks.
    (!route.contains("{*unknown}")).then_some(route)
}

#[tokio::test]
async fn route_is_served_under_its_own_rule_or_not_at_all() {
    let routes = routes();
    let mut matched = 0;
    for method in [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
    ] {
        for path in PATHS {
            let Some(route) = served(&routes, &method, path).await else {
                continue;
            };
            matched += 1;
            let own = route.replace(['{', '}'], "");
            assert_eq!(
                policy::route(&method, path),
                policy::route(&method, &own),
                "{method} {path} is served as {route}"
            );
        }
    }
    assert!(matched > 40, "only {matched} were served");
}
