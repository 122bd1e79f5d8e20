//! No secret is left anywhere: not in logs, not in files, not in answers.

use std::path::Path;

use anyhow::{Context, ensure};
use proto::users::v1 as pb;
use proto::users::v1::users_service_client::UsersServiceClient;
use tests::Sandbox;

use super::{admin, ask, bearing, channel, get, login, report, token};

/// The bytes of every file below.
pub(crate) fn everything(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            everything(&path, into)?;
        } else {
            into.push((path.display().to_string(), std::fs::read(&path)?));
        }
    }
    Ok(())
}

/// The secrets of a program that logs in, a token at last, and what others are told of it.
async fn program(weft: &Sandbox, cookie: &str) -> anyhow::Result<(Vec<String>, String)> {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let post = async |path: &str, body: &str| {
        let path = format!("/api/users/login/{path}");
        anyhow::Ok(ask(&weft.address, "POST", &path, &form, body).await?.json())
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let started = post("device", "client_id=canary&scope=view").await?;
    let (device, code) = (text(&started["device_code"]), text(&started["user_code"]));
    let poll =
        format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={device}");
    let mut told = post("device/token", &poll).await?.to_string();
    let mut users = UsersServiceClient::new(channel(&weft.address)?);
    let look = pb::GetDeviceLoginRequest {
        user_code: code.clone(),
    };
    let shown = users
        .get_device_login(login::from_page(weft, cookie, look)?)
        .await;
    told.push_str(&format!("{shown:?}"));
    let answer = pb::AnswerDeviceLoginRequest {
        user_code: code.clone(),
        approve: true,
    };
    users
        .answer_device_login(login::from_page(weft, cookie, answer)?)
        .await?;
    let granted = text(&post("device/token", &poll).await?["access_token"]);
    ensure!(granted.starts_with("weftusr_"), "no token: {granted}");
    told.push_str(&post("device/token", &poll).await?.to_string());
    // Without its prefix and its dash.
    let plain = code.replace('-', "");
    Ok((
        vec![
            device,
            granted,
            format!("........{code}"),
            format!("........{plain}"),
        ],
        told,
    ))
}

#[tokio::test]
async fn secrets_are_in_no_log_and_no_file() -> anyhow::Result<()> {
    let weft = Sandbox::talkative().await?;
    admin(&weft, "org create amber").await?;
    admin(&weft, "member set amber ada@a.example --role admin").await?;
    let all = "view,report,control,admin";
    let (good, _) = token(&weft, &format!("amber good --permissions {all}")).await?;
    let (personal, _) = token(
        &weft,
        &format!("amber own --permissions {all} --for ada@a.example"),
    )
    .await?;
    let (revoked, id) = token(&weft, "amber revoked --permissions view,report").await?;
    admin(&weft, &format!("token revoke amber {id}")).await?;
    let unknown = "hunter2hunter2hunter2hunter2".to_owned();

    let mut answers = String::new();
    for secret in [&good, &personal, &revoked, &unknown] {
        report(&weft.address, secret, "{}").await?;
        report(&weft.address, secret, "not a report").await?;
        for path in [
            "/",
            "/api",
            "/api/topology",
            "/api/nowhere",
            "/api/app/birch/api/topology",
        ] {
            answers.push_str(&get(&weft.address, path, secret).await?.text());
        }
        let bearer = format!("Bearer {secret}");
        let headers = [("authorization", bearer.as_str())];
        let control = ask(&weft.address, "POST", "/api/control/p/n/x", &headers, "").await?;
        answers.push_str(&control.text());
        let mut users = UsersServiceClient::new(channel(&weft.address)?);
        let listed = users
            .list_tokens(bearing(secret, pb::ListTokensRequest {})?)
            .await;
        answers.push_str(&format!("{listed:?}"));
        let current = users
            .get_current_user(bearing(secret, pb::GetCurrentUserRequest {})?)
            .await;
        answers.push_str(&format!("{current:?}"));
    }
    let link = login::bootstrap(&weft, "amber").await?;
    let unused = login::bootstrap(&weft, "amber --email bob@a.example").await?;
    let opened = login::open(&weft.address, &link, "eve@a.example", &[]).await?;
    let cookie = login::session(&opened)?;
    let (_, session) = cookie.split_once('=').context("a cookie")?;
    let session = session.to_owned();
    for secret in [&link, &unknown] {
        let refused = login::open(&weft.address, secret, "eve@a.example", &[]).await?;
        answers.push_str(&refused.text());
    }
    answers.push_str(&opened.text());
    let headers = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    for path in [
        "/",
        "/api/topology",
        "/api/nowhere",
        "/api/app/birch/api/topology",
    ] {
        let answer = ask(&weft.address, "GET", path, &headers, "").await?;
        answers.push_str(&answer.text());
    }
    let mut users = UsersServiceClient::new(channel(&weft.address)?);
    let listed = users
        .list_sessions(login::from_page(
            &weft,
            &cookie,
            pb::ListSessionsRequest {},
        )?)
        .await;
    answers.push_str(&format!("{listed:?}"));

    let (mut secrets, told) = program(&weft, &cookie).await?;
    answers.push_str(&told);
    secrets.extend([good, personal, revoked, unknown, link, unused, session]);

    let metrics = tests::http::get(&weft.admin, "/metrics").await?.text();
    ensure!(metrics.contains("weft_authfe_verdicts_total"), "{metrics}");
    answers.push_str(&metrics);

    let mut files = vec![("answers".to_owned(), answers.into_bytes())];
    everything(weft.data_dir(), &mut files)?;
    let named = |name: &str| {
        files
            .iter()
            .find(|(path, _)| path.ends_with(name))
            .map_or(0, |(_, bytes)| bytes.len())
    };
    ensure!(
        named("log.txt") > 10_000 && named("users.sqlite") > 0,
        "nothing was written"
    );
    for (place, bytes) in &files {
        for secret in &secrets {
            // Without its prefix, and in part.
            let secret = secret.as_bytes();
            let canary = &secret[8..secret.len().min(28)];
            let found = bytes.windows(canary.len()).any(|window| window == canary);
            ensure!(!found, "a secret is in {place}");
        }
    }
    Ok(())
}
