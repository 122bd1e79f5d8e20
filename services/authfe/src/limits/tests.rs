use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use client::Key;
use tower::ServiceExt;

use super::*;

const NOBODY: Limits = Limits {
    client: 0,
    failures: 0,
    credential: 0,
    organisation: 0,
    probe: 0,
};

fn limiter(limits: &Limits) -> Limiter {
    let rt = Runtime::new(runtime::Config::default(), Key::generate());
    Limiter::new(limits, true, &rt)
}

/// Believes `good` and nothing else.
fn router(limiter: &Limiter) -> Router {
    let believe = |request: Request| async move {
        match request.headers().get(AUTHORIZATION) {
            Some(token) if token == "good" => StatusCode::OK,
            _ => StatusCode::UNAUTHORIZED,
        }
    };
    let layer = from_fn_with_state(limiter.clone(), of_client);
    Router::new().fallback(believe).layer(layer)
}

fn request(client: &str, credential: &str) -> Request {
    let mut request = Request::get("/api/topology");
    if !credential.is_empty() {
        request = request.header(AUTHORIZATION, credential);
    }
    let mut request = request.body(Body::empty()).expect("a request");
    let client = SocketAddr::new(client.parse().expect("an address"), 1);
    request.extensions_mut().insert(ConnectInfo(client));
    request
}

async fn ask(router: &Router, client: &str, credential: &str) -> u16 {
    let response = router.clone().oneshot(request(client, credential)).await;
    response.expect("infallible").status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn clients_are_bounded_each_by_itself() {
    let limiter = limiter(&Limits {
        client: 1,
        ..NOBODY
    });
    let router = router(&limiter);
    for n in 0..10 {
        // Addresses of one customer are one client.
        assert_eq!(ask(&router, &format!("2001:db8::{n}"), "good").await, 200);
    }
    assert_eq!(ask(&router, "2001:db8::ffff", "good").await, 429);
    assert_eq!(ask(&router, "2001:db8:0:1::", "good").await, 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&router, "2001:db8::1", "good").await, 200);
    assert_eq!(ask(&router, "2001:db8::1", "good").await, 429);
    assert_eq!(limiter.limited.with_label_values(&["client"]).get(), 2);
}

#[tokio::test(start_paused = true)]
async fn only_this_machine_without_a_credential_is_not_counted() {
    let router = router(&limiter(&Limits {
        client: 1,
        ..NOBODY
    }));
    for _ in 0..50 {
        assert_eq!(ask(&router, "127.0.0.1", "").await, 401, "let through");
    }
    for _ in 0..10 {
        assert_eq!(ask(&router, "127.0.0.1", "good").await, 200);
    }
    assert_eq!(ask(&router, "127.0.0.1", "good").await, 429);
}

#[tokio::test(start_paused = true)]
async fn guessing_ends_soon_and_harms_nobody_else() {
    let limiter = limiter(&Limits {
        failures: 5,
        ..NOBODY
    });
    let router = router(&limiter);
    limiter
        .seen
        .insert(limiter.hasher.hash_one(&b"good"[..]), true);
    for n in 0..5 {
        assert_eq!(ask(&router, "192.0.2.1", &format!("guess {n}")).await, 401);
    }
    assert_eq!(ask(&router, "192.0.2.1", "guess 6").await, 429);
    assert_eq!(
        ask(&router, "192.0.2.1", "good").await,
        200,
        "known already"
    );
    assert_eq!(ask(&router, "192.0.2.1", "").await, 401, "guesses nothing");
    assert_eq!(ask(&router, "192.0.2.2", "guess 6").await, 401, "elsewhere");
    tokio::time::advance(FORGIVEN / 5).await;
    assert_eq!(ask(&router, "192.0.2.1", "guess 7").await, 401);
    assert_eq!(ask(&router, "192.0.2.1", "guess 8").await, 429);
}

#[tokio::test(start_paused = true)]
async fn same_wrong_credential_is_one_guess() {
    let limiter = limiter(&Limits {
        failures: 2,
        ..NOBODY
    });
    let router = router(&limiter);
    for _ in 0..50 {
        assert_eq!(ask(&router, "192.0.2.1", "revoked").await, 401);
    }
    assert_eq!(ask(&router, "192.0.2.1", "other").await, 401);
}

#[tokio::test(start_paused = true)]
async fn credentials_are_bounded_wherever_they_come_from() {
    let router = router(&limiter(&Limits {
        credential: 1,
        ..NOBODY
    }));
    for n in 0..10 {
        assert_eq!(ask(&router, &format!("192.0.2.{n}"), "good").await, 200);
    }
    assert_eq!(ask(&router, "192.0.2.99", "good").await, 429);
    assert_eq!(ask(&router, "192.0.2.1", "other").await, 401);
}

#[tokio::test(start_paused = true)]
async fn organisations_and_probes_are_bounded() {
    let limiter = limiter(&Limits {
        organisation: 2,
        probe: 1,
        ..NOBODY
    });
    let post = |probe: &'static str| {
        let request = Request::post("/api/app/x/api/report").header("x-scope-probe-id", probe);
        request.body(Body::empty()).expect("a request")
    };
    let anybody = Counted {
        client: IpAddr::from([192, 0, 2, 1]),
        credential: None,
    };
    let limit = |org: &str, request: &Request| {
        let noted = limiter.after_identity(anybody, org, request);
        noted.err().map(|(limit, _)| limit)
    };
    for _ in 0..10 {
        assert_eq!(limit("amber", &post("one")), None);
    }
    assert_eq!(limit("amber", &post("one")), Some("probe"));
    assert_eq!(limit("birch", &post("one")), None);
    for _ in 0..9 {
        assert_eq!(limit("amber", &post("two")), None);
    }
    assert_eq!(limit("amber", &post("two")), Some("organisation"));
    assert_eq!(limit("birch", &post("two")), None);
}

#[tokio::test]
async fn refusals_say_when_to_come_back() {
    let wait = Duration::from_millis(1200);
    let response = refusal(&request("192.0.2.1", ""), "probe", wait);
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "2");
    for kind in ["application/grpc", "application/grpc-web+proto"] {
        let mut request = request("192.0.2.1", "");
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, kind.parse().expect("a value"));
        let response = refusal(&request, "client", wait);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], kind);
        let status = Status::from_header_map(response.headers()).expect("a status");
        assert_eq!(status.code(), Code::ResourceExhausted);
        let info = status.get_details_retry_info().expect("when");
        assert_eq!(info.retry_delay, Some(wait));
    }
}
