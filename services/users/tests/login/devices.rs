//! Programs without a browser get tokens of people who approve them.

use std::time::Duration;

use client::LOGIN_TOO_OLD;
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use proto::users::v1::DeviceLoginState as State;
use proto::users::v1::login_service_client::LoginServiceClient;
use proto::users::v1::users_service_client::UsersServiceClient;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use url::Url;
use users::LoginConfig;

use super::Service;
use super::passkeys::check;

const NOW: Duration = Duration::ZERO;

async fn service() -> Service {
    Service::start(LoginConfig {
        public_url: Some(Url::parse("https://weft.example").expect("a URL")),
        ..LoginConfig::default()
    })
    .await
}

fn wanted(permissions: &[Permission], seconds: i64) -> pb::StartDeviceLoginRequest {
    pb::StartDeviceLoginRequest {
        client: "weft on laptop".to_owned(),
        address: "192.0.2.7".to_owned(),
        permissions: permissions.iter().map(|&one| one.into()).collect(),
        token_lifetime: Some(prost_types::Duration { seconds, nanos: 0 }),
    }
}

impl Service {
    async fn start_device(
        &self,
        message: pb::StartDeviceLoginRequest,
    ) -> Result<pb::StartDeviceLoginResponse, Status> {
        let mut logins = LoginServiceClient::new(self.logins.clone());
        Ok(logins.start_device_login(message).await?.into_inner())
    }

    async fn poll(&self, code: &str) -> Result<pb::PollDeviceLoginResponse, Status> {
        let message = pb::PollDeviceLoginRequest {
            device_code: code.to_owned(),
            address: "192.0.2.7".to_owned(),
        };
        let mut logins = LoginServiceClient::new(self.logins.clone());
        Ok(logins.poll_device_login(message).await?.into_inner())
    }

    async fn look(&self, login: &pb::Login, code: &str) -> Result<pb::DeviceLogin, Status> {
        let message = pb::GetDeviceLoginRequest {
            user_code: code.to_owned(),
        };
        let found = UsersServiceClient::new(self.users.clone())
            .get_device_login(self.in_session(login, NOW, message))
            .await;
        Ok(found?.into_inner().login.expect("a login"))
    }

    async fn answer(
        &self,
        login: &pb::Login,
        age: Duration,
        code: &str,
        approve: bool,
    ) -> Result<(), Status> {
        let message = pb::AnswerDeviceLoginRequest {
            user_code: code.to_owned(),
            approve,
        };
        let answered = UsersServiceClient::new(self.users.clone())
            .answer_device_login(self.in_session(login, age, message))
            .await;
        answered.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn program_gets_a_token_of_who_approves_it_once() {
    let service = service().await;
    let ada = service.person("ada@a.example").await;
    let want = [Permission::View, Permission::Report];
    let started = service.start_device(wanted(&want, 3600)).await;
    let started = started.expect("started");
    assert_eq!(started.verification_uri, "https://weft.example/device");
    let shown = service.look(&ada, &started.user_code.to_lowercase()).await;
    let shown = shown.expect("found");
    assert_eq!(
        (&*shown.client, &*shown.address),
        ("weft on laptop", "192.0.2.7")
    );
    assert_eq!(shown.permissions, want.map(i32::from));

    let first = service.poll(&started.device_code).await.expect("asked");
    assert_eq!((first.state(), &*first.secret), (State::Pending, ""));
    let soon = service.poll(&started.device_code).await.expect("asked");
    assert_eq!(soon.state(), State::SlowDown);
    let old = Duration::from_secs(16 * 60);
    let late = service.answer(&ada, old, &started.user_code, true).await;
    let info = late.expect_err("refused").get_details_error_info();
    assert_eq!(info.expect("a reason").reason, LOGIN_TOO_OLD);
    let approved = service.answer(&ada, NOW, &started.user_code, true).await;
    approved.expect("approved");
    let again = service.answer(&ada, NOW, &started.user_code, false).await;
    check(again, Code::NotFound, "no such code");

    let granted = service.poll(&started.device_code).await.expect("asked");
    assert_eq!(granted.state(), State::Granted);
    assert!(granted.secret.starts_with("weftusr_"));
    let token = granted.token.expect("a token");
    assert_eq!(token.user_id, ada.user.expect("a user").id);
    assert_eq!(token.name, "weft on laptop");
    assert_eq!(token.permissions, want.map(i32::from));
    let (from, until) = (
        token.created_at.expect("set"),
        token.expires_at.expect("set"),
    );
    assert!((3599..=3601).contains(&(until.seconds - from.seconds)));
    let told = service.poll(&started.device_code).await;
    check(told, Code::Unauthenticated, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_foreign_and_made_up_codes_give_nothing() {
    let service = service().await;
    let ada = service.person("ada@a.example").await;
    let started = service.start_device(wanted(&[Permission::View], 60)).await;
    let started = started.expect("started");
    let denied = service.answer(&ada, Duration::from_secs(3600), &started.user_code, false);
    denied.await.expect("saying no needs no recent login");
    let polled = service.poll(&started.device_code).await.expect("asked");
    assert_eq!(polled.state(), State::Denied);
    for code in ["", "weftdev_x", &started.user_code, &ada.secret] {
        check(service.poll(code).await, Code::Unauthenticated, "expired");
    }
    // The test's session lacks these.
    let more = service.start_device(wanted(&[Permission::Exec], 60)).await;
    let more = more.expect("started").user_code;
    let refused = service.answer(&ada, NOW, &more, true).await;
    check(refused, Code::PermissionDenied, "nobody gives");
    for (bad, says) in [
        (wanted(&[], 60), "needs permissions"),
        (wanted(&[Permission::Operate], 60), "no such permission"),
        (
            wanted(&[Permission::View], 59),
            "between a minute and a year",
        ),
        (
            wanted(&[Permission::View], i64::MAX),
            "between a minute and a year",
        ),
    ] {
        check(service.start_device(bad).await, Code::InvalidArgument, says);
    }
    let mut last = Code::Ok;
    for _ in 0..30 {
        let guessed = service.look(&ada, "BBBB-BBBB").await;
        last = guessed.expect_err("refused").code();
    }
    assert_eq!(last, Code::ResourceExhausted, "guesses are counted");
}
