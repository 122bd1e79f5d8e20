//! Who people are and what is theirs: vectors 11 to 16.

use anyhow::{Context, ensure};
use http::HeaderValue;
use prost::Message;
use proto::users::v1 as pb;
use serde_json::json;
use tests::Server;
use tests::http::Answer;
use tonic::Code;

use super::world::{World, everywhere};
use crate::accounts::mail::next_mail;
use crate::accounts::{admin, canary, token};

const JSON: (&str, &str) = ("content-type", "application/json");
const ALL: &str = "view,view-secrets,report,control,exec,logs,admin,host-exec";

/// A call of a service for users as a page of the site makes it.
async fn from_page<A: Message + Default>(
    world: &World,
    cookie: &str,
    (rpc, message): (&str, &impl Message),
) -> anyhow::Result<Result<A, Code>> {
    let headers = vec![
        ("cookie", HeaderValue::from_str(cookie)?),
        ("origin", HeaderValue::from_str(&world.origin())?),
    ];
    let path = format!("/weft.users.v1.UsersService/{rpc}");
    let (code, answer) = world.call(&path, headers, &message.encode_to_vec()).await?;
    Ok(match code {
        Code::Ok => Ok(A::decode(answer)?),
        code => Err(code),
    })
}

async fn ask_for_mail(world: &World, email: &str) -> anyhow::Result<Answer> {
    let body = json!({ "email": email }).to_string();
    let path = ("POST", "/api/users/login/mail");
    world.ask(path, &[JSON], &body).await
}

#[tokio::test]
async fn v11_links_by_mail_work_once_and_tell_nothing() -> anyhow::Result<()> {
    let server = Server::smtp().await?;
    let password = server.folder().join("password");
    std::fs::write(&password, "test:testtest\n")?;
    let smtp = format!(
        "{}?tls=none&credentials={}",
        server.url(),
        password.display()
    );
    let flags = ["--smtp", &smtp, "--mail-from", "Weft <weft@a.example>"];
    everywhere(&flags, async |world: World| {
        admin(&world.weft, "org create amber").await?;
        // All worlds have the same mail server.
        let (_, port) = world.weft.admin.split_once(':').context("a port")?;
        let [ada, stranger] = ["ada", "stranger"].map(|name| format!("{name}@of{port}.example"));
        let member = format!("member set amber {ada} --role admin");
        admin(&world.weft, &member).await?;
        let unknown = ask_for_mail(&world, &stranger).await?;
        let known = ask_for_mail(&world, &ada).await?;
        let statuses = [known.status, unknown.status];
        ensure!(statuses == [202, 202], "{statuses:?}");
        ensure!(known.body == unknown.body, "the answers differ");
        let mut mails = 0;
        let secret = loop {
            let (secret, to) = next_mail(&server, mails).await?;
            ensure!(to != stranger, "a mail to somebody unknown");
            if to == ada {
                break secret;
            }
            mails += 1;
        };
        // In another browser than the one that asked, which has no cookie of it.
        let opened = world.open_link(&secret, "").await?;
        let cookie = world.session(&opened)?;
        let again = world.open_link(&secret, "").await?;
        ensure!(again.status == 401, "a link worked twice");
        let unsent = world.open_link(&secret.replace('a', "b"), "").await?;
        ensure!(
            unsent.text() == again.text(),
            "used and unknown links differ"
        );
        let current = ("GetCurrentUser", &pb::GetCurrentUserRequest {});
        let current: pb::GetCurrentUserResponse = from_page(&world, &cookie, current)
            .await?
            .map_err(|code| anyhow::anyhow!("{code:?}"))?;
        let email = current.user.context("a user")?.email;
        ensure!(email == ada, "{email}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v12_unsound_logins_at_providers_are_refused() -> anyhow::Result<()> {
    let provider = Server::oidc().await?;
    let secret = provider.folder().join("secret");
    std::fs::write(&secret, "testtesttesttesttesttesttesttest\n")?;
    let config = format!(
        "corp={}?client_id=weft&credentials={}&name=Corp",
        provider.url(),
        secret.display()
    );
    // What a provider itself can get wrong is tried in `accounts/oidc.rs`, where it can send the browser back.
    everywhere(&["--oidc", &config], async |world: World| {
        let begun = world
            .ask(("POST", "/api/users/login/oidc/corp"), &[JSON], "{}")
            .await?;
        let url: url::Url = begun.json()["url"].as_str().context("a URL")?.parse()?;
        let asked = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs.find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
        };
        ensure!(
            asked("code_challenge_method").as_deref() == Some("S256"),
            "{url}"
        );
        ensure!(
            asked("nonce").is_some_and(|nonce| nonce.len() >= 16),
            "{url}"
        );
        let state = asked("state").context("a state")?;
        let redirect = asked("redirect_uri").context("a redirect")?;
        ensure!(redirect.starts_with(&world.origin()), "{redirect}");
        let cookie = begun
            .headers
            .get("set-cookie")
            .context("a cookie")?
            .to_str()?;
        let own = cookie.split(';').next().unwrap_or_default();
        for (what, state, cookie) in [
            ("another browser", state.as_str(), ""),
            ("a tampered state", "x", own),
            ("a made-up code", &state, own),
        ] {
            let path = format!("/api/users/login/oidc/callback?code=made-up&state={state}");
            let answer = world.ask(("GET", &path), &[("cookie", cookie)], "").await?;
            let location = answer.headers.get("location");
            let location = location.and_then(|l| l.to_str().ok()).unwrap_or_default();
            ensure!(location.starts_with("/login#error="), "{what}: {location}");
            ensure!(world.session(&answer).is_err(), "{what}: a session");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v13_the_last_admin_stays_and_invitations_are_the_same_twice() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        admin(&world.weft, "org create amber").await?;
        let cookie = world.logged_in("amber", "ada@amber.example").await?;
        let listed = ("ListMembers", &pb::ListMembersRequest {});
        let listed: pb::ListMembersResponse = from_page(&world, &cookie, listed)
            .await?
            .map_err(|code| anyhow::anyhow!("{code:?}"))?;
        let user = listed.members[0].user.clone().context("a user")?;
        let remove = pb::RemoveMemberRequest { user_id: user.id };
        let removed: Result<pb::RemoveMemberResponse, _> =
            from_page(&world, &cookie, ("RemoveMember", &remove)).await?;
        ensure!(removed == Err(Code::FailedPrecondition), "{removed:?}");
        let set = |email: &str, role: pb::Role| pb::SetMemberRequest {
            email: email.to_owned(),
            role: role.into(),
            permissions: vec![],
        };
        let lower = set("ada@amber.example", pb::Role::Viewer);
        let lowered: Result<pb::SetMemberResponse, _> =
            from_page(&world, &cookie, ("SetMember", &lower)).await?;
        ensure!(lowered == Err(Code::FailedPrecondition), "{lowered:?}");
        for _ in 0..2 {
            let invite = set("bob@amber.example", pb::Role::Viewer);
            let invited: Result<pb::SetMemberResponse, _> =
                from_page(&world, &cookie, ("SetMember", &invite)).await?;
            ensure!(
                invited.is_ok_and(|i| i.member.is_none()),
                "a member unasked"
            );
        }
        let listed = ("ListInvitations", &pb::ListInvitationsRequest {});
        let listed: pb::ListInvitationsResponse = from_page(&world, &cookie, listed)
            .await?
            .map_err(|code| anyhow::anyhow!("{code:?}"))?;
        ensure!(listed.invitations.len() == 1, "{listed:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v14_ids_are_lower_case_reserved_for_ever_and_names_bounded() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let made = admin(&world.weft, "org create Brisk-Loom").await?;
        ensure!(made["id"] == "brisk-loom", "{made}");
        let (secret, _) = token(&world.weft, "BRISK-LOOM t --permissions view").await?;
        for path in [
            "/api/app/brisk-loom/api/topology",
            "/api/app/Brisk-LOOM/api/topology",
        ] {
            let answer = world.get(path, &secret).await?;
            ensure!(answer.status == 200, "{path}: {}", answer.status);
        }
        admin(&world.weft, "org delete brisk-loom").await?;
        let again = admin(&world.weft, "org create brisk-loom").await;
        ensure!(
            again.is_err(),
            "the id of a deleted organisation was given again"
        );

        admin(&world.weft, "org create amber").await?;
        let cookie = world.logged_in("amber", "ada@amber.example").await?;
        for (characters, expected) in [(100, None), (101, Some(Code::InvalidArgument))] {
            let create = pb::CreateOrganisationRequest {
                name: "ä".repeat(characters),
            };
            let made: Result<pb::CreateOrganisationResponse, _> =
                from_page(&world, &cookie, ("CreateOrganisation", &create)).await?;
            ensure!(made.err() == expected, "{characters} characters");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v15_deleted_organisations_are_gone_until_they_are_restored() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        admin(&world.weft, "org create amber").await?;
        let (viewer, _) = token(&world.weft, "amber t --permissions view").await?;
        let (probe, _) = token(&world.weft, "amber probes").await?;
        for (command, status, code) in [
            ("delete", 401, Code::Unauthenticated),
            ("restore", 200, Code::Ok),
        ] {
            admin(&world.weft, &format!("org {command} amber")).await?;
            world.until("/api/topology", &viewer, status).await?;
            let found = world
                .rpc("query.v1.QueryService/ListTopologies", &viewer)
                .await?;
            ensure!(found == code, "{command}: {found:?}");
            // A no is believed for 5 s.
            world
                .until("/api/app/amber/api/topology", &viewer, status)
                .await?;
            world.until_report(&probe, status).await.context(command)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v16_no_credential_is_in_a_store_or_a_log_of_nginx() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        admin(&world.weft, "org create amber").await?;
        let (secret, _) = token(&world.weft, &format!("amber t --permissions {ALL}")).await?;
        let (revoked, id) = token(&world.weft, "amber r --permissions view").await?;
        admin(&world.weft, &format!("token revoke amber {id}")).await?;
        let cookie = world.logged_in("amber", "ada@amber.example").await?;
        let (_, session) = cookie.split_once('=').context("a cookie")?;
        for secret in [&secret, &revoked] {
            world.get("/api/topology", secret).await?;
            world.get("/api/nowhere", secret).await?;
            world.report(secret).await?;
            world
                .rpc("controls.v1.ControlsService/Invoke", secret)
                .await?;
        }
        let mut files = Vec::new();
        for folder in world.folders() {
            canary::everything(&folder, &mut files)?;
        }
        let place = |part: &[u8]| {
            let holds = |bytes: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            let found = files.iter().find(|(_, bytes)| holds(bytes));
            found.map(|(place, _)| place)
        };
        let address = place(b"ada@amber.example");
        ensure!(address.is_some(), "what is no secret is not found either");
        for secret in [secret.as_str(), &revoked, session] {
            // Without its prefix, and in part.
            let found = place(&secret.as_bytes()[8..28]);
            ensure!(found.is_none(), "a secret is in {found:?}");
        }
        Ok(())
    })
    .await
}
