//! People log in with links that they get by mail, from a real mail server.

use std::time::Duration;

use anyhow::{Context, ensure};
use proto::users::v1 as pb;
use proto::users::v1::users_service_client::UsersServiceClient;
use serde_json::json;
use tests::{Sandbox, Server};
use tokio::time::{sleep, timeout};

use super::login::{JSON, from_page, logged_in, open, session};
use super::{admin, ask, channel};

/// A Weft that believes nobody without a credential and sends mail through this server, and the flags that it was told so with.
pub(super) async fn mailing(server: &Server, more: &[&str]) -> anyhow::Result<Sandbox> {
    let password = server.folder().join("password");
    std::fs::write(&password, "test:testtest\n")?;
    let smtp = format!(
        "{}?tls=none&credentials={}",
        server.url(),
        password.display()
    );
    let flags = [
        "--demand-credentials",
        "--smtp",
        &smtp,
        "--mail-from",
        "Weft <weft@a.example>",
    ];
    let flags: Vec<&str> = flags.iter().chain(more).copied().collect();
    Sandbox::start_with(&flags).await
}

async fn ask_for_mail(weft: &Sandbox, email: &str) -> anyhow::Result<u16> {
    let body = json!({ "email": email }).to_string();
    let answer = ask(
        &weft.address,
        "POST",
        "/api/users/login/mail",
        &[JSON],
        &body,
    )
    .await?;
    ensure!(
        answer.body.is_empty() || answer.status != 202,
        "{}",
        answer.text()
    );
    Ok(answer.status.as_u16())
}

/// The secret in the next mail, which is the one after so many, and who it went to.
pub(crate) async fn next_mail(server: &Server, after: usize) -> anyhow::Result<(String, String)> {
    let arrived = async {
        loop {
            let mails = server.mails().await?;
            if let Some(mail) = mails.get(after) {
                return anyhow::Ok(mail.clone());
            }
            // A mail server's mail can only be polled.
            sleep(Duration::from_millis(20)).await;
        }
    };
    let mail = timeout(Duration::from_secs(30), arrived)
        .await
        .context("no mail")??;
    // Quoted-printable breaks long lines with `=`.
    let text = mail["text"]
        .as_str()
        .context("a text")?
        .replace("=\r\n", "");
    let at = text.find("/login#").context("a link")? + "/login#".len();
    let secret = text[at..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
    let to = mail["to"][0].as_str().context("a recipient")?;
    Ok((secret.collect(), to.to_owned()))
}

#[tokio::test]
async fn mailed_link_logs_in_once_whom_somebody_invited() -> anyhow::Result<()> {
    let server = Server::smtp().await?;
    let weft = mailing(&server, &[]).await?;
    admin(&weft, "org create amber").await?;
    admin(&weft, "member set amber ada@amber.example --role admin").await?;
    let options = ask(&weft.address, "GET", "/api/users/login", &[], "")
        .await?
        .json();
    ensure!(
        options
            == json!({ "possible": true, "mail": true, "oidc": [], "passkeys": false, "signUp": false }),
        "{options}"
    );

    // The same answer for everybody; only who has an account gets mail.
    ensure!(ask_for_mail(&weft, "stranger@amber.example").await? == 202);
    ensure!(ask_for_mail(&weft, "no address").await? == 400);
    ensure!(ask_for_mail(&weft, "Ada@Amber.example").await? == 202);
    let (secret, to) = next_mail(&server, 0).await?;
    ensure!(to == "ada@amber.example", "{to}");
    let link = format!("/login#{secret}");
    ensure!(
        ask(&weft.address, "GET", &link, &[], "").await?.status == 200,
        "scanners only look"
    );
    let opened = open(&weft.address, &secret, "", &[]).await?;
    ensure!(
        opened.json()["user"]["email"] == "ada@amber.example",
        "{}",
        opened.text()
    );
    let cookie = session(&opened)?;
    let headers = [("cookie", cookie.as_str())];
    let seen = ask(&weft.address, "GET", "/api/topology", &headers, "").await?;
    ensure!(seen.status == 200, "{}", seen.status);
    ensure!(
        open(&weft.address, &secret, "", &[]).await?.status == 401,
        "twice"
    );
    ensure!(
        server
            .mails()
            .await?
            .as_array()
            .is_some_and(|mails| mails.len() == 1)
    );
    Ok(())
}

#[tokio::test]
async fn anybody_signs_up_where_that_is_allowed_and_nobody_is_flooded() -> anyhow::Result<()> {
    let server = Server::smtp().await?;
    let weft = mailing(&server, &["--sign-up", "anybody"]).await?;
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(ask_for_mail(&weft, "new@people.example").await?);
    }
    ensure!(
        statuses[..5].iter().all(|status| *status == 202),
        "{statuses:?}"
    );
    ensure!(
        statuses[5..].iter().all(|status| *status != 202),
        "{statuses:?}"
    );
    let (secret, _) = next_mail(&server, 4).await?;
    let opened = open(&weft.address, &secret, "", &[]).await?;
    ensure!(opened.json()["user"]["name"] == "new", "{}", opened.text());
    Ok(())
}

#[tokio::test]
async fn who_is_invited_is_told_by_mail_and_accepts() -> anyhow::Result<()> {
    let server = Server::smtp().await?;
    let weft = mailing(&server, &[]).await?;
    admin(&weft, "org create amber --name Amber").await?;
    let cookie = logged_in(&weft, "amber", "boss@amber.example").await?;
    let mut users = UsersServiceClient::new(channel(&weft.address)?);
    let invite = pb::SetMemberRequest {
        email: "New@People.example".to_owned(),
        role: pb::Role::Viewer.into(),
        permissions: vec![],
    };
    users.set_member(from_page(&weft, &cookie, invite)?).await?;
    let arrived = async {
        loop {
            if let Some(mail) = server.mails().await?.get(0) {
                return anyhow::Ok(mail.clone());
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let mail = timeout(Duration::from_secs(30), arrived).await??;
    let text = mail["text"]
        .as_str()
        .context("a text")?
        .replace("=\r\n", "");
    ensure!(mail["to"][0] == "new@people.example", "{mail}");
    for said in [
        "boss@amber.example invites you",
        "Amber",
        "viewer",
        "/login",
    ] {
        ensure!(text.contains(said), "{said}: {text}");
    }
    ensure!(
        !text.contains("weftlnk_"),
        "a secret that works for a week: {text}"
    );

    ensure!(ask_for_mail(&weft, "new@people.example").await? == 202);
    let (secret, _) = next_mail(&server, 1).await?;
    let cookie = session(&open(&weft.address, &secret, "", &[]).await?)?;
    let received = users
        .list_received_invitations(from_page(
            &weft,
            &cookie,
            pb::ListReceivedInvitationsRequest {},
        )?)
        .await?
        .into_inner()
        .invitations;
    let answer = pb::AnswerInvitationRequest {
        invitation_id: received.first().context("an invitation")?.id.clone(),
        accept: true,
    };
    let answered = users
        .answer_invitation(from_page(&weft, &cookie, answer)?)
        .await?;
    ensure!(answered.into_inner().member.is_some(), "no member");
    Ok(())
}

/// Without STARTTLS, which this server does not have, a link would be readable on its way.
#[tokio::test]
async fn nothing_is_mailed_in_the_clear() -> anyhow::Result<()> {
    let server = Server::smtp().await?;
    let flags = [
        "--demand-credentials",
        "--sign-up",
        "anybody",
        "--smtp",
        &server.url(),
        "--mail-from",
        "w@a.example",
    ];
    let weft = Sandbox::start_with(&flags).await?;
    ensure!(ask_for_mail(&weft, "new@people.example").await? == 202);
    let failed = async {
        loop {
            let metrics = tests::http::get(&weft.admin, "/metrics").await?.text();
            if metrics.contains("weft_users_mails_total{outcome=\"failed\"} 1") {
                return anyhow::Ok(());
            }
            // It is tried again for more than a minute if the server might take it later.
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(30), failed)
        .await
        .context("it goes on trying")??;
    ensure!(server.mails().await? == json!([]));
    Ok(())
}
