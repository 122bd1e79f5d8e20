//! How people log in, and what a session may do, by the age of its login.

mod authenticator;
mod devices;
mod passkeys;

use std::time::{Duration, SystemTime};

use client::{ASSERTION_HEADER, Channel, Key, LOGIN_TOO_OLD};
use proto::tenant::v1::{Assertion, Permission};
use proto::users::v1 as pb;
use proto::users::v1::login_service_client::LoginServiceClient;
use proto::users::v1::operator_service_client::OperatorServiceClient;
use proto::users::v1::users_service_client::UsersServiceClient;
use runtime::Runtime;
use tempfile::TempDir;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use url::Url;
use users::{Config, LoginConfig, Started, Store};

const ALL: [Permission; 4] = [
    Permission::View,
    Permission::Report,
    Permission::Admin,
    Permission::HostExec,
];

struct Service {
    users: Channel,
    logins: Channel,
    operator: Channel,
    key: Key,
    _dir: TempDir,
}

impl Service {
    async fn start(login: LoginConfig) -> Service {
        let dir = TempDir::new().expect("a directory");
        let url = format!("sqlite://{}", dir.path().join("users.sqlite").display());
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        let store = Store::open(&Url::parse(&url).expect("a URL"), &rt).await;
        let config = Config {
            login,
            ..Config::default()
        };
        let Started {
            users,
            logins,
            operator,
            ..
        } = users::start(config, store.expect("opened"), &rt);
        Service {
            users: runtime::local(users, &rt),
            logins: runtime::local(logins, &rt),
            operator: runtime::local(operator, &rt),
            key: rt.key.clone(),
            _dir: dir,
        }
    }

    /// A link for an admin of `local`.
    async fn link(&self) -> pb::CreateBootstrapLinkResponse {
        let message = pb::CreateBootstrapLinkRequest {
            org_id: users::LOCAL.to_owned(),
            email: String::new(),
        };
        let request = Request::new(message);
        let operate = [Permission::Operate];
        let request = client::authorise(request, &self.key, users::LOCAL, "operator", &operate);
        let made = OperatorServiceClient::new(self.operator.clone())
            .create_bootstrap_link(request)
            .await;
        made.expect("made").into_inner()
    }

    async fn open(&self, secret: &str, email: &str, address: &str) -> Result<pb::Login, Status> {
        let message = pb::OpenLoginLinkRequest {
            secret: secret.to_owned(),
            email: email.to_owned(),
            browser: Some(pb::Browser {
                address: address.to_owned(),
                user_agent: "a\nbrowser ".repeat(100),
                session: String::new(),
            }),
        };
        let opened = LoginServiceClient::new(self.logins.clone())
            .open_login_link(message)
            .await;
        opened.map(|opened| opened.into_inner().login.expect("a login"))
    }

    /// A request in a session of this age.
    fn in_session<T>(&self, login: &pb::Login, age: Duration, message: T) -> Request<T> {
        let now = SystemTime::now();
        let assertion = Assertion {
            org_id: users::LOCAL.to_owned(),
            subject: login.user.clone().expect("a user").id,
            permissions: ALL.map(i32::from).to_vec(),
            expires_at: None,
            authenticated_at: Some((now - age).into()),
            session_id: login.session.clone().expect("a session").id,
            address: String::new(),
        };
        let mut request = Request::new(message);
        let header = self.key.sign(assertion, now);
        request
            .metadata_mut()
            .as_mut()
            .insert(ASSERTION_HEADER, header);
        request
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_much_needs_a_recent_login() {
    let service = Service::start(LoginConfig::default()).await;
    let secret = service.link().await.secret;
    let login = service.open(&secret, "ada@a.example", "192.0.2.1").await;
    let login = login.expect("logged in");
    let mut users = UsersServiceClient::new(service.users.clone());
    let token = || pb::CreateTokenRequest {
        name: "a token".to_owned(),
        permissions: vec![Permission::View.into()],
        ..pb::CreateTokenRequest::default()
    };
    let member = || pb::SetMemberRequest {
        email: "bob@a.example".to_owned(),
        role: pb::Role::Viewer.into(),
        permissions: vec![],
    };
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let young = |message| service.in_session(&login, minutes(14), message);
    let made = users
        .create_token(young(token()))
        .await
        .expect("young enough");
    let made = made.into_inner().token.expect("a token").id;
    users
        .set_member(service.in_session(&login, minutes(14), member()))
        .await
        .expect("young enough");
    let old = minutes(16);
    let revoke = pb::RevokeTokenRequest { token_id: made };
    let delete = pb::DeleteOrganisationRequest {
        org_id: users::LOCAL.to_owned(),
    };
    for refused in [
        users
            .create_token(service.in_session(&login, old, token()))
            .await
            .err(),
        users
            .set_member(service.in_session(&login, old, member()))
            .await
            .err(),
        users
            .revoke_token(service.in_session(&login, old, revoke))
            .await
            .err(),
        users
            .delete_organisation(service.in_session(&login, old, delete))
            .await
            .err(),
    ] {
        let status = refused.expect("refused");
        assert_eq!(status.code(), Code::PermissionDenied);
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, LOGIN_TOO_OLD);
    }
    // Looking, and logging out, need none.
    users
        .list_tokens(service.in_session(&login, old, pb::ListTokensRequest {}))
        .await
        .expect("listed");
    let listed = users
        .list_sessions(service.in_session(&login, old, pb::ListSessionsRequest {}))
        .await
        .expect("listed")
        .into_inner()
        .sessions;
    assert_eq!(listed.len(), 1);
    assert!(
        listed[0].current && listed[0].user_agent.len() <= 200,
        "{listed:?}"
    );
    assert!(!listed[0].user_agent.contains('\n'), "{listed:?}");
    let all = pb::RevokeAllSessionsRequest {
        keep_current: false,
    };
    let ended = users
        .revoke_all_sessions(service.in_session(&login, old, all))
        .await;
    assert_eq!(ended.expect("ended").into_inner().revoked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_name_the_site_and_guesses_are_counted() {
    let config = LoginConfig {
        public_url: Some(Url::parse("https://weft.example").expect("a URL")),
        ..LoginConfig::default()
    };
    let service = Service::start(config).await;
    let link = service.link().await;
    assert_eq!(
        link.url,
        format!("https://weft.example/login#{}", link.secret)
    );
    let guess = "weftlnk_nothing";
    let mut codes = Vec::new();
    for _ in 0..40 {
        let guessed = service.open(guess, "", "2001:db8::1").await;
        codes.push(guessed.expect_err("refused").code());
    }
    assert_eq!(codes[0], Code::Unauthenticated);
    assert_eq!(codes[39], Code::ResourceExhausted, "{codes:?}");
    // The same customer with another address, and another one.
    let near = service.open(guess, "", "2001:db8::2").await;
    assert_eq!(near.expect_err("refused").code(), Code::ResourceExhausted);
    let opened = service
        .open(&link.secret, "ada@a.example", "2001:db8:1::1")
        .await;
    opened.expect("somebody else is not held up");
}
