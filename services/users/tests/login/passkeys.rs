//! People register passkeys and log in with them.

use std::time::Duration;

use client::LOGIN_TOO_OLD;
use proto::users::v1 as pb;
use proto::users::v1::login_service_client::LoginServiceClient;
use proto::users::v1::users_service_client::UsersServiceClient;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use url::Url;
use users::LoginConfig;

use super::Service;
use super::authenticator::Authenticator;

const NOW: Duration = Duration::ZERO;

async fn service() -> Service {
    Service::start(LoginConfig {
        public_url: Some(Url::parse("https://weft.example").expect("a URL")),
        ..LoginConfig::default()
    })
    .await
}

impl Service {
    pub(crate) async fn person(&self, email: &str) -> pb::Login {
        let secret = self.link().await.secret;
        let opened = self.open(&secret, email, "192.0.2.1").await;
        opened.expect("logged in")
    }

    async fn start_registration(
        &self,
        login: &pb::Login,
    ) -> Result<pb::StartPasskeyRegistrationResponse, Status> {
        let message = pb::StartPasskeyRegistrationRequest {};
        let started = UsersServiceClient::new(self.users.clone())
            .start_passkey_registration(self.in_session(login, NOW, message))
            .await;
        Ok(started?.into_inner())
    }

    async fn finish_registration(
        &self,
        login: &pb::Login,
        binding: &str,
        credential_json: String,
    ) -> Result<pb::Passkey, Status> {
        let message = pb::FinishPasskeyRegistrationRequest {
            credential_json,
            binding: binding.to_owned(),
            name: "my key".to_owned(),
        };
        let finished = UsersServiceClient::new(self.users.clone())
            .finish_passkey_registration(self.in_session(login, NOW, message))
            .await;
        Ok(finished?.into_inner().passkey.expect("a passkey"))
    }

    async fn register(&self, login: &pb::Login, device: &mut Authenticator) -> pb::Passkey {
        let started = self.start_registration(login).await.expect("started");
        let credential = device.create(&started.options_json);
        let finished = self.finish_registration(login, &started.binding, credential);
        finished.await.expect("registered")
    }

    async fn start_login(
        &self,
        again: Option<&pb::Login>,
    ) -> Result<pb::StartPasskeyLoginResponse, Status> {
        let message = pb::StartPasskeyLoginRequest {
            browser: Some(pb::Browser {
                session: again.map_or_else(String::new, |login| login.secret.clone()),
                ..pb::Browser::default()
            }),
            again: again.is_some(),
        };
        let started = LoginServiceClient::new(self.logins.clone())
            .start_passkey_login(message)
            .await;
        Ok(started?.into_inner())
    }

    async fn finish_login(
        &self,
        binding: &str,
        credential_json: String,
    ) -> Result<pb::Login, Status> {
        let message = pb::FinishPasskeyLoginRequest {
            credential_json,
            binding: binding.to_owned(),
            browser: None,
        };
        let finished = LoginServiceClient::new(self.logins.clone())
            .finish_passkey_login(message)
            .await;
        Ok(finished?.into_inner().login.expect("a login"))
    }

    async fn log_in(&self, device: &mut Authenticator) -> Result<pb::Login, Status> {
        let started = self.start_login(None).await?;
        let credential = device.get(&started.options_json);
        self.finish_login(&started.binding, credential).await
    }

    async fn passkeys(&self, login: &pb::Login) -> Vec<pb::Passkey> {
        let message = pb::ListPasskeysRequest {};
        let listed = UsersServiceClient::new(self.users.clone())
            .list_passkeys(self.in_session(login, NOW, message))
            .await;
        listed.expect("listed").into_inner().passkeys
    }

    async fn remove(&self, login: &pb::Login, id: &str) -> Result<(), Status> {
        let message = pb::RemovePasskeyRequest {
            passkey_id: id.to_owned(),
        };
        let removed = UsersServiceClient::new(self.users.clone())
            .remove_passkey(self.in_session(login, NOW, message))
            .await;
        removed.map(drop)
    }

    /// What the audit log says happened, newest first.
    async fn actions(&self, login: &pb::Login) -> Vec<String> {
        let message = pb::ListAuditEventsRequest::default();
        let listed = UsersServiceClient::new(self.users.clone())
            .list_audit_events(self.in_session(login, NOW, message))
            .await;
        let events = listed.expect("listed").into_inner().events.into_iter();
        events.map(|event| event.action).collect()
    }
}

pub(crate) fn check<T: std::fmt::Debug>(refused: Result<T, Status>, code: Code, says: &str) {
    let status = refused.expect_err(says);
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(says), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passkey_logs_its_person_in_without_a_name() {
    let service = service().await;
    let ada = service.person("ada@a.example").await;
    let bob = service.person("bob@a.example").await;
    let (mut hers, mut his) = (Authenticator::new(), Authenticator::new());
    let made = service.register(&ada, &mut hers).await;
    service.register(&bob, &mut his).await;
    assert_eq!(made.name, "my key");
    assert_eq!(made.last_used_at, None);
    for (device, person) in [(&mut hers, &ada), (&mut his, &bob)] {
        let login = service.log_in(device).await.expect("logged in");
        assert_eq!(login.user, person.user);
        assert_eq!(login.session.expect("a session").method, "passkey");
    }
    let used = &service.passkeys(&ada).await[0];
    assert!(used.last_used_at.is_some(), "{used:?}");
    let actions = service.actions(&ada).await;
    assert!(actions.contains(&"passkey.add".to_owned()), "{actions:?}");
    let stranger = service.log_in(&mut Authenticator::new()).await;
    check(stranger, Code::Unauthenticated, "not known here");
}

#[tokio::test(flavor = "multi_thread")]
async fn ceremony_ends_once_where_it_began() {
    let service = service().await;
    let ada = service.person("ada@a.example").await;
    let bob = service.person("bob@a.example").await;
    let mut device = Authenticator::new();
    let started = service.start_registration(&ada).await.expect("started");
    let credential = device.create(&started.options_json);
    let other = service.finish_registration(&bob, &started.binding, credential.clone());
    check(other.await, Code::Unauthenticated, "not begun");
    // It was used up by the wrong one.
    let late = service.finish_registration(&ada, &started.binding, credential);
    check(late.await, Code::Unauthenticated, "not begun");
    let first = service.start_registration(&ada).await.expect("started");
    service.register(&ada, &mut device).await;
    let void =
        service.finish_registration(&ada, &first.binding, device.create(&first.options_json));
    check(void.await, Code::Unauthenticated, "not begun");
    let again = service.start_registration(&ada).await.expect("started");
    assert!(again.options_json.contains(&device.id()), "it is excluded");
    let twice =
        service.finish_registration(&ada, &again.binding, device.create(&again.options_json));
    check(twice.await, Code::InvalidArgument, "makes no passkey");

    let started = service.start_login(None).await.expect("started");
    let elsewhere = service.start_login(None).await.expect("started");
    let signed = device.get(&started.options_json);
    // Another browser's binding does not fit what was signed, and is used up.
    let mixed = service.finish_login(&elsewhere.binding, signed.clone());
    check(mixed.await, Code::Unauthenticated, "not known here");
    let forged = format!("{}x", started.binding);
    for binding in ["", "x.y", &forged, &again.binding] {
        let refused = service.finish_login(binding, signed.clone()).await;
        check(refused, Code::Unauthenticated, "not begun");
    }
    let finished = service.finish_login(&started.binding, signed.clone());
    assert_eq!(finished.await.expect("logged in").user, ada.user);
    let replayed = service.finish_login(&started.binding, signed).await;
    check(replayed, Code::Unauthenticated, "not begun");
    let started = service.start_login(None).await.expect("started");
    let long = service.finish_login(&started.binding, "x".repeat(20_000));
    check(long.await, Code::InvalidArgument, "cannot be read");
    // A key that is somebody's does not become somebody else's.
    let started = service.start_registration(&bob).await.expect("started");
    let taken =
        service.finish_registration(&bob, &started.binding, device.create(&started.options_json));
    check(taken.await, Code::AlreadyExists, "registered already");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_and_absent_people_are_refused() {
    let service = service().await;
    let ada = service.person("ada@a.example").await;
    let mut device = Authenticator::new();
    let started = service.start_registration(&ada).await.expect("started");
    device.origin = "https://weft.example.evil.example";
    let phished = device.create(&started.options_json);
    let refused = service.finish_registration(&ada, &started.binding, phished);
    check(refused.await, Code::InvalidArgument, "for this site");
    device.origin = "https://weft.example";
    service.register(&ada, &mut device).await;
    let changes: [fn(&mut Authenticator); 5] = [
        |device| device.origin = "https://evil.example",
        |device| device.origin = "http://weft.example",
        |device| device.origin = "https://weft.example:8443",
        |device| device.site = "evil.example",
        // Somebody touched it and did not show who it was.
        |device| device.flags = 0x01,
    ];
    for change in changes {
        let good = (device.origin, device.site, device.flags);
        change(&mut device);
        let refused = service.log_in(&mut device).await;
        check(refused, Code::Unauthenticated, "not known here");
        (device.origin, device.site, device.flags) = good;
    }
    service.log_in(&mut device).await.expect("logged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_passkey_is_refused_and_noted() {
    let service = service().await;
    let ada = service.person("ada@a.example").await;
    let mut device = Authenticator::new();
    service.register(&ada, &mut device).await;
    device.counter = 41;
    service.log_in(&mut device).await.expect("logged in");
    // The copy has signed less often.
    device.counter = 20;
    let copied = service.log_in(&mut device).await;
    check(copied, Code::Unauthenticated, "may have been copied");
    let actions = service.actions(&ada).await;
    assert_eq!(actions[0], "passkey.copied");
    device.counter = 42;
    service.log_in(&mut device).await.expect("the right one");
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_in_again_takes_a_passkey_of_the_same_person() {
    let service = service().await;
    let ada = service.person("ada@a.example").await;
    let bob = service.person("bob@a.example").await;
    let (mut hers, mut his) = (Authenticator::new(), Authenticator::new());
    let none = service.start_login(Some(&ada)).await;
    check(none, Code::FailedPrecondition, "no passkey");
    service.register(&ada, &mut hers).await;
    service.register(&bob, &mut his).await;
    let started = service.start_login(Some(&ada)).await.expect("started");
    assert!(started.options_json.contains(&hers.id()));
    assert!(!started.options_json.contains(&his.id()));
    let other = his.get(&started.options_json);
    let refused = service.finish_login(&started.binding, other).await;
    check(refused, Code::Unauthenticated, "not known here");
    let started = service.start_login(Some(&ada)).await.expect("started");
    let signed = hers.get(&started.options_json);
    let again = service.finish_login(&started.binding, signed).await;
    assert_eq!(again.expect("logged in").user, ada.user);
    let nobody = pb::Login::default();
    let refused = service.start_login(Some(&nobody)).await;
    check(refused, Code::Unauthenticated, "nobody is logged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn last_way_in_stays_and_changes_need_a_recent_login() {
    let service = service().await;
    let ada = service.person("ada@a.example").await;
    let bob = service.person("bob@a.example").await;
    let first = service.register(&ada, &mut Authenticator::new()).await;
    let last = service.remove(&ada, &first.id).await;
    check(last, Code::FailedPrecondition, "only way");
    let second = service.register(&ada, &mut Authenticator::new()).await;
    let stranger = service.remove(&bob, &first.id).await;
    check(stranger, Code::NotFound, "no such passkey");
    let mut users = UsersServiceClient::new(service.users.clone());
    let old = Duration::from_secs(16 * 60);
    let remove = pb::RemovePasskeyRequest {
        passkey_id: first.id.clone(),
    };
    let start = pb::StartPasskeyRegistrationRequest {};
    for refused in [
        users
            .remove_passkey(service.in_session(&ada, old, remove))
            .await
            .err(),
        users
            .start_passkey_registration(service.in_session(&ada, old, start))
            .await
            .err(),
    ] {
        let status = refused.expect("refused");
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, LOGIN_TOO_OLD);
    }
    let message = pb::RenamePasskeyRequest {
        passkey_id: second.id.clone(),
        name: "phone".to_owned(),
    };
    let renamed = users
        .rename_passkey(service.in_session(&ada, old, message))
        .await;
    let renamed = renamed.expect("renamed").into_inner().passkey;
    assert_eq!(renamed.expect("a passkey").name, "phone");
    service.remove(&ada, &first.id).await.expect("removed");
    let left = service.passkeys(&ada).await;
    assert!(left.len() == 1 && left[0].id == second.id, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_without_a_name_have_no_passkeys() {
    for url in [None, Some("http://127.0.0.1:4040"), Some("https://[::1]")] {
        let service = Service::start(LoginConfig {
            public_url: url.map(|url| Url::parse(url).expect("a URL")),
            ..LoginConfig::default()
        })
        .await;
        let options = LoginServiceClient::new(service.logins.clone())
            .get_login_options(pb::GetLoginOptionsRequest {})
            .await;
        assert!(!options.expect("asked").into_inner().passkeys, "{url:?}");
        let refused = service.start_login(None).await;
        check(refused, Code::FailedPrecondition, "--public-url");
        let ada = service.person("ada@a.example").await;
        let refused = service.start_registration(&ada).await;
        check(refused, Code::FailedPrecondition, "--public-url");
    }
}
