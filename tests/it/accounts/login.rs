//! People log in with links, and are logged out again.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http::StatusCode;
use http::header::SET_COOKIE;
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use proto::users::v1::users_service_client::UsersServiceClient;
use serde_json::json;
use tests::http::Answer;
use tests::{Sandbox, Topology};
use tonic::{Code, Request};

use super::{admin, ask, channel, everywhere, token};

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");

/// `name=value` of the session that an answer sets.
pub(super) fn session(answer: &Answer) -> anyhow::Result<String> {
    let cookies = answer.headers.get_all(SET_COOKIE).into_iter();
    let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
    let cookie = cookies.find(|cookie| cookie.starts_with("weft_session="));
    let cookie = cookie.with_context(|| format!("{}: no session", answer.status))?;
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        ensure!(cookie.contains(attribute), "{attribute} is missing");
    }
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

/// The secret of a link for an admin.
pub(crate) async fn bootstrap(weft: &Sandbox, arguments: &str) -> anyhow::Result<String> {
    let made = admin(weft, &format!("bootstrap {arguments}")).await?;
    Ok(made["secret"].as_str().context("a secret")?.to_owned())
}

pub(crate) async fn open(
    address: &str,
    secret: &str,
    email: &str,
    headers: &[(&str, &str)],
) -> anyhow::Result<Answer> {
    let body = json!({ "secret": secret, "email": email }).to_string();
    let headers: Vec<_> = headers.iter().copied().chain([JSON]).collect();
    ask(address, "POST", "/api/users/login/link", &headers, &body).await
}

/// The session of a new admin.
pub(super) async fn logged_in(weft: &Sandbox, org: &str, email: &str) -> anyhow::Result<String> {
    let link = bootstrap(weft, org).await?;
    session(&open(&weft.address, &link, email, &[]).await?)
}

async fn status(address: &str, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<StatusCode> {
    Ok(ask(address, "GET", path, headers, "").await?.status)
}

/// A call as a page of ours makes it.
pub(super) fn from_page<T>(weft: &Sandbox, cookie: &str, message: T) -> anyhow::Result<Request<T>> {
    let mut request = Request::new(message);
    let origin = format!("http://{}", weft.address);
    request.metadata_mut().insert("cookie", cookie.parse()?);
    request.metadata_mut().insert("origin", origin.parse()?);
    Ok(request)
}

#[tokio::test]
async fn link_makes_an_admin_once_and_logout_ends_it() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        let address = weft.address.clone();
        for org in ["amber", "birch"] {
            admin(weft, &format!("org create {org}")).await?;
        }
        let page = ask(&address, "GET", "/login", &[], "").await?;
        ensure!(
            page.status == 200 && page.content_type == "text/html",
            "{page:?}"
        );
        let link = bootstrap(weft, "amber").await?;
        let nameless = open(&address, &link, "", &[]).await?;
        ensure!(nameless.status == 400, "{}", nameless.text());
        let opened = open(&address, &link, "Ada@Amber.example", &[]).await?;
        ensure!(
            opened.json()["user"]["email"] == "ada@amber.example",
            "{}",
            opened.text()
        );
        let cookie = session(&opened)?;
        ensure!(
            open(&address, &link, "eve@amber.example", &[])
                .await?
                .status
                == 401,
            "twice"
        );

        let with = [("cookie", cookie.as_str())];
        for (path, expected) in [
            ("/api/topology", 200),
            ("/api/app/amber/api/topology", 200),
            ("/api/app/birch/api/topology", 403),
        ] {
            let found = status(&address, path, &with).await?;
            ensure!(found == expected, "{path}: {found}");
        }
        let mut users = UsersServiceClient::new(channel(&address)?);
        let current = users
            .get_current_user(from_page(weft, &cookie, pb::GetCurrentUserRequest {})?)
            .await?
            .into_inner();
        ensure!(
            current.permissions.contains(&Permission::HostExec.into()),
            "{current:?}"
        );
        ensure!(current.authenticated_at.is_some(), "{current:?}");
        let listed = users
            .list_sessions(from_page(weft, &cookie, pb::ListSessionsRequest {})?)
            .await?
            .into_inner()
            .sessions;
        ensure!(listed.len() == 1 && listed[0].current, "{listed:?}");
        ensure!(listed[0].address == "127.0.0.1", "{listed:?}");

        let headers = [("cookie", cookie.as_str())];
        let out = ask(&address, "POST", "/api/users/logout", &headers, "").await?;
        ensure!(out.status == 204, "{}", out.text());
        let removed = out.headers.get(SET_COOKIE).context("a cookie")?.to_str()?;
        ensure!(removed.contains("Max-Age=0"), "{removed}");
        let until = Instant::now() + Duration::from_secs(1);
        while status(&address, "/api/topology", &with).await? != 401 {
            ensure!(Instant::now() < until, "still let in");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn session_counts_from_our_own_pages_alone() -> anyhow::Result<()> {
    let weft = Sandbox::strict(Topology::Direct, None).await?;
    admin(&weft, "org create amber").await?;
    let cookie = logged_in(&weft, "amber", "ada@amber.example").await?;
    let own = format!("http://{}", weft.address);
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let control = "/api/control/p/n/docker_stop_container";
    let socket = "/api/topology/hosts/ws";
    for (method, path, headers, expected) in [
        ("GET", "/api/topology", vec![], 200),
        (
            "GET",
            "/api/topology",
            vec![("sec-fetch-site", "none")],
            200,
        ),
        (
            "GET",
            "/api/topology",
            vec![("sec-fetch-site", "cross-site")],
            401,
        ),
        (
            "GET",
            "/api/topology",
            vec![("sec-fetch-site", "same-site")],
            401,
        ),
        ("POST", control, vec![], 401),
        ("POST", control, vec![("sec-fetch-site", "none")], 401),
        ("POST", control, vec![("origin", own.as_str())], 400),
        (
            "POST",
            control,
            vec![("sec-fetch-site", "same-origin")],
            400,
        ),
        (
            "POST",
            control,
            vec![("origin", "http://evil.example")],
            403,
        ),
        ("GET", socket, upgrade.to_vec(), 401),
        (
            "GET",
            socket,
            [&upgrade[..], &[("origin", "http://evil.example")]].concat(),
            403,
        ),
        (
            "GET",
            socket,
            [&upgrade[..], &[("origin", own.as_str())]].concat(),
            101,
        ),
        (
            "POST",
            "/api/users/logout",
            vec![("sec-fetch-site", "cross-site")],
            403,
        ),
        (
            "POST",
            "/api/users/logout",
            vec![("origin", "http://evil.example")],
            403,
        ),
        // Under a name that may be anybody's, a cookie without TLS is nobody's.
        ("GET", "/api/topology", vec![("host", "weft.example")], 401),
    ] {
        let all: Vec<_> = headers
            .iter()
            .copied()
            .chain([("cookie", cookie.as_str())])
            .collect();
        let found = ask(&weft.address, method, path, &all, "").await?.status;
        ensure!(found == expected, "{method} {path} {headers:?}: {found}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let refused = ask(
        &weft.address,
        "POST",
        "/api/users/login/link",
        &form,
        "secret=x",
    )
    .await?;
    ensure!(refused.status == 415, "{}", refused.status);
    Ok(())
}

#[tokio::test]
async fn logging_out_everywhere_is_seen_by_every_edge_within_a_second() -> anyhow::Result<()> {
    let mut weft = Sandbox::strict(Topology::Processes, None).await?;
    let edges = [weft.address.clone(), weft.another_edge().await?];
    admin(&weft, "org create amber").await?;
    let first = logged_in(&weft, "amber", "ada@amber.example").await?;
    let link = bootstrap(&weft, "amber --email ada@amber.example").await?;
    let second = session(&open(&weft.address, &link, "", &[]).await?)?;
    let let_in = async |cookie: &str, edge: &str| {
        anyhow::Ok(status(edge, "/api/topology", &[("cookie", cookie)]).await? == 200)
    };
    for edge in &edges {
        ensure!(let_in(&first, edge).await? && let_in(&second, edge).await?);
    }
    let mut users = UsersServiceClient::new(channel(&weft.address)?);
    let all = pb::RevokeAllSessionsRequest { keep_current: true };
    let ended = users
        .revoke_all_sessions(from_page(&weft, &second, all)?)
        .await?;
    ensure!(ended.into_inner().revoked == 1);
    let revoked = Instant::now();
    for edge in &edges {
        while let_in(&first, edge).await? {
            ensure!(revoked.elapsed() < Duration::from_secs(1), "still let in");
        }
        ensure!(let_in(&second, edge).await?, "the one that was kept");
    }
    Ok(())
}

#[tokio::test]
async fn people_decide_about_their_account_and_belong_where_they_accepted() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        for org in ["amber", "birch"] {
            admin(weft, &format!("org create {org}")).await?;
        }
        let ada = logged_in(weft, "amber", "ada@amber.example").await?;
        let bob = logged_in(weft, "birch", "bob@birch.example").await?;
        let mut users = UsersServiceClient::new(channel(&weft.address)?);
        let message = pb::SetMemberRequest {
            email: "bob@birch.example".to_owned(),
            role: pb::Role::Viewer.into(),
            permissions: vec![],
        };
        let set = users.set_member(from_page(weft, &ada, message)?).await?;
        let invitation = set.into_inner().invitation.context("an invitation")?;
        let answer = pb::AnswerInvitationRequest {
            invitation_id: invitation.id,
            accept: true,
        };
        users
            .answer_invitation(from_page(weft, &bob, answer)?)
            .await?;
        let mut request = from_page(weft, &bob, pb::GetCurrentUserRequest {})?;
        request.metadata_mut().insert("weft-org", "amber".parse()?);
        let current = users.get_current_user(request).await?.into_inner();
        ensure!(
            current.permissions == [i32::from(Permission::View)],
            "{current:?}"
        );
        let message = pb::CreateOrganisationRequest {
            name: "Bob's".to_owned(),
        };
        users
            .create_organisation(from_page(weft, &bob, message)?)
            .await?;

        // A token that may only look decides nothing.
        let (viewer, _) = token(weft, "amber t --permissions view --for ada@amber.example").await?;
        let message = pb::CreateOrganisationRequest {
            name: "More".to_owned(),
        };
        let refused = users
            .create_organisation(super::bearing(&viewer, message)?)
            .await;
        ensure!(refused.is_err_and(|status| status.code() == Code::PermissionDenied));
        Ok(())
    })
    .await
}
