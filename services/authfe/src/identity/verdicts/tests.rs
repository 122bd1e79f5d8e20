use std::sync::atomic::AtomicUsize;

use client::Key;
use futures_util::future::join_all;
use tonic::body::Body;

use super::*;

/// A users that says the same about everybody, and counts.
#[derive(Clone)]
struct Fake {
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<Result<pb::AuthenticateResponse, Status>>>,
}

impl Fake {
    fn new() -> Self {
        Fake {
            asked: Arc::default(),
            answer: Arc::new(Mutex::new(Ok(known()))),
        }
    }

    fn say(&self, answer: Result<pb::AuthenticateResponse, Status>) {
        *self.answer.lock().expect("a lock") = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn verdicts(&self) -> Verdicts {
        let fake = self.clone();
        let channel = Channel::local(tower::service_fn(move |_: http::Request<Body>| {
            let fake = fake.clone();
            async move {
                fake.asked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(10)).await;
                let answer = fake.answer.lock().expect("a lock").clone();
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(response(answer))
            }
        }));
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        Verdicts::new(
            UsersServiceClient::new(channel),
            Duration::from_secs(300),
            &rt,
        )
    }
}

/// An answer as it is on the wire.
fn response(answer: Result<pb::AuthenticateResponse, Status>) -> http::Response<Body> {
    use bytes::BufMut;
    use prost::Message;

    match answer {
        Err(status) => status.into_http(),
        Ok(answer) => {
            let message = answer.encode_to_vec();
            let mut frame = vec![0];
            frame.put_u32(u32::try_from(message.len()).expect("a short message"));
            frame.extend(message);
            let trailers = http::HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                http::HeaderValue::from_static("0"),
            )]);
            let frames = [
                Ok::<_, Status>(http_body::Frame::data(bytes::Bytes::from(frame))),
                Ok(http_body::Frame::trailers(trailers)),
            ];
            let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
            let response = http::Response::builder().header("content-type", "application/grpc");
            response.body(Body::new(body)).expect("a response")
        }
    }
}

fn known() -> pb::AuthenticateResponse {
    pb::AuthenticateResponse {
        assertion: Some(Assertion {
            org_id: "org".to_owned(),
            subject: "usr_1".to_owned(),
            permissions: vec![
                Permission::View.into(),
                Permission::Control.into(),
                Permission::Admin.into(),
            ],
            ..Assertion::default()
        }),
        token_id: "tok_1".to_owned(),
        user_id: "usr_1".to_owned(),
        refusal: None,
    }
}

fn token(text: &str) -> Credential {
    Credential::Token(text.to_owned())
}

async fn code(verdicts: &Verdicts) -> Code {
    match verdicts.of("", token("a")).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

#[tokio::test(start_paused = true)]
async fn many_requests_ask_once_and_yes_lasts_longer_than_no() {
    let fake = Fake::new();
    let verdicts = fake.verdicts();
    let all = join_all((0..1000).map(|_| code(&verdicts))).await;
    assert!(all.iter().all(|code| *code == Code::Ok));
    assert_eq!(fake.asked(), 1);
    tokio::time::advance(Duration::from_secs(26)).await;
    assert_eq!((code(&verdicts).await, fake.asked()), (Code::Ok, 1));
    tokio::time::advance(Duration::from_secs(8)).await;
    fake.say(Err(Status::unauthenticated("no")));
    assert_eq!(
        (code(&verdicts).await, fake.asked()),
        (Code::Unauthenticated, 2)
    );
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(
        (code(&verdicts).await, fake.asked()),
        (Code::Unauthenticated, 2)
    );
    tokio::time::advance(Duration::from_secs(2)).await;
    fake.say(Ok(known()));
    assert_eq!((code(&verdicts).await, fake.asked()), (Code::Ok, 3));
}

#[tokio::test(start_paused = true)]
async fn organisations_and_credentials_are_kept_apart() {
    let fake = Fake::new();
    let verdicts = fake.verdicts();
    for (org, secret) in [("", "a"), ("b", "a"), ("", "ba"), ("b", ""), ("", "a")] {
        verdicts.of(org, token(secret)).await.expect("known");
    }
    assert_eq!(fake.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn revocation_ends_what_it_concerns_at_once() {
    let revocation = |token: &str, user: &str, org: &str| pb::Revocation {
        token_id: token.to_owned(),
        user_id: user.to_owned(),
        org_id: org.to_owned(),
    };
    for (revocation, ends) in [
        (revocation("tok_1", "", ""), true),
        (revocation("", "", "org"), true),
        (revocation("", "usr_1", "org"), true),
        (revocation("tok_2", "", ""), false),
        (revocation("", "usr_1", "other"), false),
    ] {
        let fake = Fake::new();
        let verdicts = fake.verdicts();
        let before = verdicts.of("", token("a")).await.expect("known");
        verdicts.revoke(&revocation);
        assert_eq!(before.ended.is_cancelled(), ends, "{revocation:?}");
        fake.say(Err(Status::unauthenticated("no")));
        let expected = if ends {
            Code::Unauthenticated
        } else {
            Code::Ok
        };
        assert_eq!(code(&verdicts).await, expected, "{revocation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_opened_ends_with_its_credential() {
    for (left, ends) in [(None, false), (Some(3600), false), (Some(0), true)] {
        let fake = Fake::new();
        let mut known = known();
        known.assertion.as_mut().expect("one").expires_at =
            left.map(|s| (SystemTime::now() + Duration::from_secs(s)).into());
        fake.say(Ok(known));
        let verdicts = fake.verdicts();
        let opened = verdicts.of("", token("a")).await.expect("known");
        verdicts.end_expired();
        assert_eq!(opened.ended.is_cancelled(), ends, "{left:?} s left");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_opened_ends_when_users_says_no_later() {
    let fake = Fake::new();
    let verdicts = fake.verdicts();
    let opened = verdicts.of("", token("a")).await.expect("known");
    fake.say(Err(Status::unauthenticated("no")));
    assert_eq!(code(&verdicts).await, Code::Ok, "it is remembered");
    assert!(!opened.ended.is_cancelled());
    tokio::time::advance(2 * FRESH).await;
    assert_eq!(code(&verdicts).await, Code::Unauthenticated);
    assert!(opened.ended.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn answer_that_a_revocation_overtook_is_not_believed() {
    let fake = Fake::new();
    let verdicts = fake.verdicts();
    let asking = verdicts.of("", token("a"));
    let revoking = async {
        // Users has read the store by now, and its answer is on its way.
        tokio::time::sleep(Duration::from_millis(15)).await;
        verdicts.revoke(&pb::Revocation::default());
        fake.say(Err(Status::unauthenticated("no")));
    };
    let (asked, ()) = tokio::join!(asking, revoking);
    assert_eq!(
        asked.err().map(|status| status.code()),
        Some(Code::Unauthenticated)
    );
    assert_eq!(fake.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_opened_before_a_reset_still_ends_with_a_revocation() {
    let fake = Fake::new();
    let verdicts = fake.verdicts();
    let opened = verdicts.of("", token("a")).await.expect("known");
    verdicts.reset();
    assert!(!opened.ended.is_cancelled());
    assert_eq!((code(&verdicts).await, fake.asked()), (Code::Ok, 2));
    verdicts.reset();
    verdicts.revoke(&pb::Revocation::default());
    assert!(opened.ended.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn known_callers_go_on_without_users_but_not_with_everything() {
    let fake = Fake::new();
    let verdicts = fake.verdicts();
    assert_eq!(code(&verdicts).await, Code::Ok);
    fake.say(Err(Status::internal("a bug")));
    tokio::time::advance(Duration::from_secs(60)).await;
    let believed = verdicts.of("", token("a")).await.expect("known");
    assert_eq!(
        believed.assertion.permissions,
        [i32::from(Permission::View)]
    );
    let suspended = [Permission::Control, Permission::Admin].map(i32::from);
    assert_eq!(believed.suspended, suspended);
    let stranger = verdicts.of("", token("b")).await.expect_err("unknown");
    assert_eq!(stranger.code(), Code::Unavailable);
    let asked = fake.asked();
    assert!(
        join_all((0..100).map(|_| code(&verdicts)))
            .await
            .iter()
            .all(|c| *c == Code::Ok)
    );
    assert_eq!(fake.asked(), asked, "users is left alone for a while");

    tokio::time::advance(Duration::from_secs(400)).await;
    assert_eq!(code(&verdicts).await, Code::Unavailable, "never 401");
    fake.say(Ok(known()));
    tokio::time::advance(AWAY).await;
    let believed = verdicts.of("", token("a")).await.expect("known");
    assert!(believed.suspended.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_verdict_outlives_the_credential() {
    let fake = Fake::new();
    let verdicts = fake.verdicts();
    let mut ending = known();
    let end = verdicts.0.rt.clock.now() + Duration::from_secs(10);
    ending.assertion.as_mut().expect("one").expires_at = Some(end.into());
    fake.say(Ok(ending));
    assert_eq!(code(&verdicts).await, Code::Ok);
    fake.say(Err(Status::unavailable("away")));
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(code(&verdicts).await, Code::Ok);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(code(&verdicts).await, Code::Unavailable);
}
