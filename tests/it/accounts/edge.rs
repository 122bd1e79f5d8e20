//! What the edge makes of credentials, over HTTP and gRPC.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use proto::query::v1 as query;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::users::v1 as users;
use proto::users::v1::users_service_client::UsersServiceClient;
use tests::{Sandbox, Topology};
use tonic::Code;

use super::{admin, ask, bearing, channel, everywhere, get, report, token};
use crate::tenants;

#[tokio::test]
async fn three_forms_are_taken_and_nothing_else() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        admin(weft, "org create amber").await?;
        let (secret, _) = token(weft, "amber viewer --permissions view").await?;
        let basic = base64_of(&format!("anybody:{secret}"));
        let mut typo = secret.clone();
        typo.replace_range(20..21, if &secret[20..21] == "x" { "y" } else { "x" });
        for (value, status) in [
            (format!("Scope-Probe token={secret}"), 200),
            (format!("Bearer {secret}"), 200),
            (format!("bearer  {secret}"), 200),
            (format!("Basic {basic}"), 200),
            (format!("Digest {secret}"), 401),
            (secret.clone(), 401),
            ("Scope-Probe token=".to_owned(), 401),
            ("Bearer \u{fc}".to_owned(), 401),
            (format!("Bearer {typo}"), 401),
            (format!("Bearer {}", "a".repeat(4000)), 401),
        ] {
            let headers = [("authorization", value.as_str())];
            let answer = ask(&weft.address, "GET", "/api/topology", &headers, "").await?;
            ensure!(answer.status == status, "{}: {value}", answer.status);
            ensure!(!answer.text().contains(&secret), "it comes back");
        }
        let none = ask(&weft.address, "GET", "/api/topology", &[], "").await?;
        ensure!(none.status == 401, "{}", none.status);
        let page = ask(&weft.address, "GET", "/", &[], "").await?;
        ensure!(
            page.status == 200,
            "the page is for everybody, and asks people to log in"
        );
        let probe = ask(&weft.address, "GET", "/api", &[], "").await?;
        ensure!(probe.status == 200, "probes learn whom they talk to");

        let mut client = QueryServiceClient::new(channel(&weft.address)?);
        client
            .list_topologies(bearing(&secret, query::ListTopologiesRequest::default())?)
            .await?;
        let refused = client
            .list_topologies(query::ListTopologiesRequest::default())
            .await;
        ensure!(refused.is_err_and(|status| status.code() == Code::Unauthenticated));
        Ok(())
    })
    .await
}

pub(crate) fn base64_of(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let chunk = |chunk: &[u8]| {
        let mut bits = [0; 3];
        bits[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
        let digit = |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        let digits: String = (0..=chunk.len()).map(digit).collect();
        format!("{digits:=<4}")
    };
    text.as_bytes().chunks(3).map(chunk).collect()
}

#[tokio::test]
async fn organisation_is_the_credentials_and_no_header_or_path_changes_that() -> anyhow::Result<()>
{
    everywhere(async |weft: &mut Sandbox| {
        for org in ["amber", "birch"] {
            admin(weft, &format!("org create {org}")).await?;
            let (secret, _) = token(weft, &format!("{org} probes")).await?;
            let posted = report(&weft.address, &secret, &tenants::report(org, 1)).await?;
            ensure!(posted == 200, "{posted}");
        }
        let (secret, _) = token(weft, "amber viewer --permissions view,view-secrets").await?;
        let bearer = format!("Bearer {secret}");
        for forged in [
            "x-scope-orgid",
            "X_Scope_OrgID",
            "weft-assertion-bin",
            "x-scope-userid",
        ] {
            let headers = [("authorization", bearer.as_str()), (forged, "birch")];
            let answer = ask(&weft.address, "GET", "/api/report", &headers, "").await?;
            ensure!(answer.status == 200, "{}", answer.status);
            let seen = answer.text();
            ensure!(
                seen.contains("secret-of-amber") && !seen.contains("secret-of-birch"),
                "{forged}"
            );
        }
        for (path, status) in [
            ("/api/app/amber/api/topology", 200),
            ("/api/app/AMBER/api/topology", 200),
            ("/api/app/birch/api/topology", 401),
            ("/api/app/nowhere/api/topology", 401),
            ("/api/app/birch/../amber/api/topology", 404),
            ("/api/app/amb%65r/api/topology", 401),
        ] {
            let answer = get(&weft.address, path, &secret).await?;
            ensure!(answer.status == status, "{path}: {}", answer.status);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn refused_organisations_are_told_why() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        admin(weft, "org create amber").await?;
        let (probe, _) = token(weft, "amber probes").await?;
        let (viewer, _) = token(weft, "amber viewer --permissions view,admin").await?;
        let expect = async |view: u16, post: u16| {
            let both = async {
                let seen = get(&weft.address, "/api/topology", &viewer)
                    .await?
                    .status
                    .as_u16();
                anyhow::Ok((seen, report(&weft.address, &probe, "{}").await?))
            };
            let until = Instant::now() + Duration::from_secs(10);
            let mut found = both.await?;
            while found != (view, post) && Instant::now() < until {
                let seen = get(&weft.address, "/api/topology", &viewer)
                    .await?
                    .status
                    .as_u16();
                found = (seen, report(&weft.address, &probe, "{}").await?);
            }
            ensure!(
                found == (view, post),
                "{found:?} instead of {:?}",
                (view, post)
            );
            Ok(())
        };
        expect(200, 200).await?;
        admin(weft, "org refuse amber --access --reason unpaid").await?;
        expect(403, 200).await?;
        let answer = get(&weft.address, "/api/topology", &viewer).await?;
        ensure!(answer.text().contains("unpaid"), "{}", answer.text());
        // What manages the organisation goes on.
        let mut client = UsersServiceClient::new(channel(&weft.address)?);
        client
            .list_tokens(bearing(&viewer, users::ListTokensRequest {})?)
            .await?;
        admin(weft, "org refuse amber --upload").await?;
        expect(200, 403).await?;
        admin(weft, "org allow amber").await?;
        expect(200, 200).await
    })
    .await
}

/// How many tokens are revoked, one after the other. `WEFT_REVOKED` asks for more.
const REVOKED: usize = 25;

#[tokio::test]
async fn revoked_token_is_refused_by_every_edge_within_a_second() -> anyhow::Result<()> {
    let mut weft = Sandbox::strict(Topology::Processes, None).await?;
    let edges = [weft.address.clone(), weft.another_edge().await?];
    admin(&weft, "org create amber").await?;
    let (boss, _) = token(&weft, "amber boss --permissions admin,view").await?;
    let mut client = UsersServiceClient::new(channel(&edges[0])?);
    let mut slowest = Duration::ZERO;
    let count = std::env::var("WEFT_REVOKED")
        .ok()
        .and_then(|n| n.parse().ok());
    let count: usize = count.unwrap_or(REVOKED);
    for n in 0..count {
        let message = users::CreateTokenRequest {
            name: format!("token {n}"),
            permissions: vec![proto::tenant::v1::Permission::View.into()],
            ..users::CreateTokenRequest::default()
        };
        let made = client
            .create_token(bearing(&boss, message)?)
            .await?
            .into_inner();
        for edge in &edges {
            let status = get(edge, "/api/topology", &made.secret).await?.status;
            ensure!(status == 200, "{status}");
        }
        let watched = query::WatchTopologyRequest {
            topology_id: "hosts".to_owned(),
            ..query::WatchTopologyRequest::default()
        };
        let mut query = QueryServiceClient::new(channel(&edges[1])?);
        let mut stream = query
            .watch_topology(bearing(&made.secret, watched)?)
            .await?
            .into_inner();
        stream.message().await?.context("a first answer")?;

        let token_id = made.token.context("a token")?.id;
        client
            .revoke_token(bearing(&boss, users::RevokeTokenRequest { token_id })?)
            .await?;
        let revoked = Instant::now();
        for edge in &edges {
            while get(edge, "/api/topology", &made.secret).await?.status != 401 {
                ensure!(revoked.elapsed() < Duration::from_secs(1), "still let in");
            }
        }
        slowest = slowest.max(revoked.elapsed());
        let ended = async {
            loop {
                match stream.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(status) => return Some(status.code()),
                }
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(1), ended).await;
        let ended = ended.context("what was open goes on")?;
        ensure!(ended == Some(Code::Unauthenticated), "{ended:?}");
    }
    println!("the slowest of {count} revocations was seen by two edges after {slowest:?}");
    Ok(())
}
