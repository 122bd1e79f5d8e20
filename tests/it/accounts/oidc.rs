//! People log in at a real OpenID Connect provider, with a browser as far as it takes one.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use http::header::{LOCATION, SET_COOKIE};
use serde_json::json;
use tests::http::Answer;
use tests::{Sandbox, Server};
use url::Url;

use super::login::{JSON, session};
use super::{admin, ask};

/// Keeps cookies, by host and name.
#[derive(Debug, Default)]
struct Browser(BTreeMap<String, BTreeMap<String, String>>);

impl Browser {
    async fn send(
        &mut self,
        method: &str,
        url: &Url,
        body: Option<(&str, &str)>,
    ) -> anyhow::Result<Answer> {
        let host = format!(
            "{}:{}",
            url.host_str().context("a host")?,
            url.port().context("a port")?
        );
        let jar = self.0.entry(host.clone()).or_default();
        let cookies: Vec<_> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("cookie", cookies.as_str())];
        headers.extend(body.map(|(kind, _)| ("content-type", kind)));
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let answer = ask(
            &host,
            method,
            path,
            &headers,
            body.map_or("", |(_, body)| body),
        )
        .await?;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie")?;
            jar.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }

    /// Follows redirections of an answer until one leads to a path that begins like this.
    async fn follow(
        &mut self,
        mut answer: Answer,
        mut at: Url,
        until: &str,
    ) -> anyhow::Result<Url> {
        for _ in 0..10 {
            let location = answer.headers.get(LOCATION);
            let location = location.with_context(|| format!("{at}: {}", answer.status))?;
            at = at.join(location.to_str()?)?;
            if at.path().starts_with(until) {
                return Ok(at);
            }
            answer = self.send("GET", &at, None).await?;
        }
        bail!("it goes round in circles")
    }

    /// Begins a login at Weft; where the provider is to be asked.
    async fn begin(&mut self, weft: &Sandbox) -> anyhow::Result<Url> {
        let start = Url::parse(&format!(
            "http://{}/api/users/login/oidc/corp",
            weft.address
        ))?;
        let body = json!({ "returnTo": "/#after" }).to_string();
        let answer = self.send("POST", &start, Some((JSON.1, &body))).await?;
        let url = answer.json()["url"].as_str().map(str::to_owned);
        Ok(Url::parse(&url.with_context(|| answer.text())?)?)
    }

    /// Logs in at the provider under this name; where that sends the browser.
    async fn at_provider(&mut self, url: &Url, name: &str) -> anyhow::Result<Url> {
        let answer = self.send("GET", url, None).await?;
        let form = self.follow(answer, url.clone(), "/interaction").await?;
        let login = format!("prompt=login&login={name}&password=x");
        let kind = "application/x-www-form-urlencoded";
        let answer = self.send("POST", &form, Some((kind, &login))).await?;
        let form = self.follow(answer, form, "/interaction").await?;
        let answer = self
            .send("POST", &form, Some((kind, "prompt=consent")))
            .await?;
        self.follow(answer, form, "/api/users").await
    }

    /// The whole of it: what Weft answers in the end.
    async fn log_in(&mut self, weft: &Sandbox, name: &str) -> anyhow::Result<Answer> {
        let url = self.begin(weft).await?;
        let back = self.at_provider(&url, name).await?;
        self.send("GET", &back, None).await
    }
}

async fn weft(provider: &Server, more: &[&str]) -> anyhow::Result<Sandbox> {
    let secret = provider.folder().join("secret");
    std::fs::write(&secret, "testtesttesttesttesttesttesttest\n")?;
    let config = format!(
        "corp={}?client_id=weft&credentials={}&name=Corp&role=platform:amber:admin&role=dev:birch:viewer",
        provider.url(),
        secret.display()
    );
    let flags = ["--demand-credentials", "--oidc", &config];
    let flags: Vec<&str> = flags.iter().chain(more).copied().collect();
    let weft = Sandbox::start_with(&flags).await?;
    for org in ["amber", "birch"] {
        admin(&weft, &format!("org create {org}")).await?;
        admin(
            &weft,
            &format!("member set {org} boss@{org}.example --role admin"),
        )
        .await?;
    }
    Ok(weft)
}

fn location(answer: &Answer) -> &str {
    let location = answer.headers.get(LOCATION);
    location
        .and_then(|location| location.to_str().ok())
        .unwrap_or("")
}

async fn roles(weft: &Sandbox, org: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let members = admin(weft, &format!("member list {org}")).await?;
    let members = members.as_array().context("members")?.iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(members
        .map(|member| (text(&member["email"]), text(&member["role"])))
        .collect())
}

#[tokio::test]
async fn groups_of_a_provider_give_roles_and_take_them() -> anyhow::Result<()> {
    let provider = Server::oidc().await?;
    let weft = weft(&provider, &[]).await?;
    let answer = Browser::default().log_in(&weft, "ada.platform.dev").await?;
    ensure!(location(&answer) == "/#after", "{}", location(&answer));
    let cookie = session(&answer)?;
    let headers = [("cookie", cookie.as_str())];
    for (org, status) in [("amber", 200), ("birch", 200), ("local", 403)] {
        let path = format!("/api/app/{org}/api/topology");
        let found = ask(&weft.address, "GET", &path, &headers, "").await?.status;
        ensure!(found == status, "{org}: {found}");
    }
    let ada = "ada@people.example";
    ensure!(roles(&weft, "amber").await?[ada] == "admin");
    ensure!(roles(&weft, "birch").await?[ada] == "viewer");
    // What people gave is not taken; what groups gave is.
    admin(&weft, &format!("member set birch {ada} --role editor")).await?;
    let again = Browser::default().log_in(&weft, "ada.other").await?;
    session(&again)?;
    ensure!(!roles(&weft, "amber").await?.contains_key(ada));
    ensure!(roles(&weft, "birch").await?[ada] == "editor");
    let gone = ask(
        &weft.address,
        "GET",
        "/api/app/amber/api/topology",
        &headers,
        "",
    )
    .await?;
    ensure!(gone.status == 403, "{}", gone.status);
    Ok(())
}

#[tokio::test]
async fn what_is_not_sound_lets_nobody_in() -> anyhow::Result<()> {
    let provider = Server::oidc().await?;
    let weft = weft(&provider, &[]).await?;
    let refused = |answer: &Answer, reason: &str| {
        let found = location(answer);
        ensure!(found == format!("/login#error={reason}"), "{found}");
        ensure!(session(answer).is_err(), "a session");
        Ok(())
    };
    let stranger = Browser::default().log_in(&weft, "nobody").await?;
    refused(&stranger, "not-allowed")?;
    let unverified = Browser::default()
        .log_in(&weft, "unverified.platform")
        .await?;
    refused(&unverified, "not-allowed")?;

    let mut browser = Browser::default();
    let begun = browser.begin(&weft).await?;
    let back = browser.at_provider(&begun, "ada.platform").await?;
    // Another browser has no part in it.
    refused(
        &Browser::default().send("GET", &back, None).await?,
        "failed",
    )?;
    let mut other = Browser::default();
    other.begin(&weft).await?;
    refused(&other.send("GET", &back, None).await?, "failed")?;
    let change = |name: &str, value: &str| {
        let mut changed = back.clone();
        let pairs: Vec<_> = back
            .query_pairs()
            .map(|(n, v)| {
                (
                    n.to_string(),
                    if n == name {
                        value.to_owned()
                    } else {
                        v.to_string()
                    },
                )
            })
            .collect();
        changed.query_pairs_mut().clear().extend_pairs(pairs);
        changed
    };
    for (name, value) in [
        ("state", "x"),
        ("iss", "https://evil.example"),
        ("code", "made-up"),
    ] {
        // A login that failed is over, so the cookie is put back.
        let mut same = Browser(browser.0.clone());
        refused(
            &same.send("GET", &change(name, value), None).await?,
            "failed",
        )?;
    }
    let mut same = Browser(browser.0.clone());
    session(&browser.send("GET", &back, None).await?)?;
    refused(&same.send("GET", &back, None).await?, "failed").context("a code that was used")?;

    let nowhere = json!({ "returnTo": "//evil.example" }).to_string();
    let start = Url::parse(&format!(
        "http://{}/api/users/login/oidc/corp",
        weft.address
    ))?;
    let mut browser = Browser::default();
    let answer = browser
        .send("POST", &start, Some((JSON.1, &nowhere)))
        .await?;
    let url = Url::parse(answer.json()["url"].as_str().context("a URL")?)?;
    let back = browser.at_provider(&url, "ada.platform").await?;
    let answer = browser.send("GET", &back, None).await?;
    ensure!(location(&answer) == "/", "{}", location(&answer));
    Ok(())
}

#[tokio::test]
async fn provider_that_is_away_is_said_to_be() -> anyhow::Result<()> {
    let mut provider = Server::oidc().await?;
    let weft = weft(&provider, &[]).await?;
    let mut browser = Browser::default();
    let begun = browser.begin(&weft).await?;
    let back = browser.at_provider(&begun, "ada.platform").await?;
    provider.kill();
    let answer = browser.send("GET", &back, None).await?;
    ensure!(
        location(&answer) == "/login#error=unavailable",
        "{}",
        location(&answer)
    );
    let options = ask(&weft.address, "GET", "/api/users/login", &[], "")
        .await?
        .json();
    ensure!(
        options["oidc"] == json!([{ "id": "corp", "name": "Corp" }]),
        "{options}"
    );
    Ok(())
}
