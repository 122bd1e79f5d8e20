//! `weft admin`, for people and for programs.

use anyhow::{Context, ensure};
use serde_json::Value;
use tests::Sandbox;

use super::{admin, ask, everywhere, get, login, report, run, token};

#[tokio::test]
async fn operators_manage_organisations_members_and_tokens() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        let made = admin(weft, "org create Brisk-Loom").await?;
        ensure!(
            made["id"] == "brisk-loom" && made["name"] == "Brisk Loom",
            "{made}"
        );
        let made_up = admin(weft, "org create").await?;
        ensure!(
            made_up["id"]
                .as_str()
                .is_some_and(|id| id.split('-').count() == 3),
            "{made_up}"
        );
        let again = run(weft, "org create brisk-loom", true).await?;
        let said = String::from_utf8_lossy(&again.stderr);
        ensure!(
            !again.status.success() && said.contains("there is an organisation of this id"),
            "{said}"
        );

        admin(weft, "member set brisk-loom Ada@Team.example --role admin").await?;
        admin(
            weft,
            "member set brisk-loom bob@team.example --role custom --permission view,logs",
        )
        .await?;
        let members = admin(weft, "member list brisk-loom").await?;
        ensure!(
            members[0]["email"] == "ada@team.example" && members[0]["role"] == "admin",
            "{members}"
        );
        ensure!(
            members[1]["permissions"] == serde_json::json!(["view", "logs"]),
            "{members}"
        );
        let last = run(weft, "member remove brisk-loom ada@team.example", true).await?;
        ensure!(!last.status.success(), "the last admin stays");
        admin(weft, "member remove brisk-loom bob@team.example").await?;

        tokens(weft).await?;
        deletion(weft).await
    })
    .await
}

async fn tokens(weft: &Sandbox) -> anyhow::Result<()> {
    let (secret, id) = token(weft, "brisk-loom probes --expires-in 90d").await?;
    ensure!(
        secret.starts_with("weftorg_") && id.starts_with("tok_"),
        "{id}"
    );
    ensure!(report(&weft.address, &secret, "{}").await? == 200);
    let listed = admin(weft, "token list brisk-loom").await?;
    ensure!(
        listed[0]["id"] == id && listed[0]["permissions"] == serde_json::json!(["report"]),
        "{listed}"
    );
    ensure!(!listed.to_string().contains(&secret), "shown twice");
    let used = wait_for(weft, |token| token["lastUsedAt"].is_string()).await?;
    ensure!(
        used["lastUsedAt"]
            .as_str()
            .is_some_and(|at| at.ends_with(":00Z")),
        "{used}"
    );

    let rotated = admin(weft, &format!("token rotate brisk-loom {id} --overlap 0s")).await?;
    let new = rotated["secret"].as_str().context("a secret")?;
    ensure!(report(&weft.address, new, "{}").await? == 200);
    let gone = async {
        while report(&weft.address, &secret, "{}")
            .await
            .is_ok_and(|status| status != 401)
        {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), gone).await?;
    let shown = run(weft, "token list brisk-loom", false).await?;
    let shown = String::from_utf8(shown.stdout)?;
    ensure!(
        shown.starts_with("ID ") && shown.lines().count() == 2,
        "{shown}"
    );

    let (personal, _) = token(
        weft,
        "brisk-loom mine --permissions view,report --for ada@team.example",
    )
    .await?;
    ensure!(personal.starts_with("weftusr_"));
    ensure!(get(&weft.address, "/api/topology", &personal).await?.status == 200);
    let nobody = token(weft, "brisk-loom mine --for nobody@team.example").await;
    ensure!(nobody.is_err_and(|error| error.to_string().contains("no such member")));
    Ok(())
}

/// The first token as it is listed once it is so.
async fn wait_for(weft: &Sandbox, so: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let listed = async {
        loop {
            let listed = admin(weft, "token list brisk-loom").await?;
            if so(&listed[0]) {
                return anyhow::Ok(listed[0].clone());
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), listed).await?
}

async fn deletion(weft: &Sandbox) -> anyhow::Result<()> {
    let (secret, _) = token(weft, "brisk-loom viewer --permissions view").await?;
    let status = async || {
        anyhow::Ok(
            get(&weft.address, "/api/topology", &secret)
                .await?
                .status
                .as_u16(),
        )
    };
    ensure!(status().await? == 200);
    admin(weft, "org delete brisk-loom").await?;
    let until = async |wanted| {
        let reached = async { while status().await.is_ok_and(|status| status != wanted) {} };
        tokio::time::timeout(std::time::Duration::from_secs(10), reached).await
    };
    until(401)
        .await
        .context("deleted organisations let nobody in")?;
    let all = admin(weft, "org list").await?;
    ensure!(!all.to_string().contains("brisk-loom"), "{all}");
    let all = admin(weft, "org list --deleted").await?;
    ensure!(all.to_string().contains("brisk-loom"), "{all}");
    admin(weft, "org restore brisk-loom").await?;
    let events = admin(weft, "audit list brisk-loom --limit 2").await?;
    let actions = (
        &events[0]["action"],
        &events[1]["action"],
        &events[1]["actor"],
    );
    ensure!(
        actions.0 == "organisation.restore" && actions.1 == "organisation.remove",
        "{events}"
    );
    ensure!(actions.2 == "operator", "{events}");
    let checked = admin(weft, "audit check").await?;
    ensure!(
        checked["sound"].as_u64().is_some_and(|sound| sound > 10),
        "{checked}"
    );
    until(200).await.context("restored ones do again")?;
    Ok(())
}

#[tokio::test]
async fn operators_export_and_erase_people() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        admin(weft, "org create amber").await?;
        admin(weft, "member set amber boss@a.example --role admin").await?;
        let cookie = login::logged_in(weft, "amber", "ada@a.example").await?;
        let (secret, _) = token(weft, "amber mine --for ada@a.example --permissions view").await?;
        ensure!(get(&weft.address, "/api/topology", &secret).await?.status == 200);

        let kept = admin(weft, "user export Ada@A.example").await?;
        ensure!(kept["memberships"][0]["orgId"] == "amber", "{kept}");
        ensure!(kept["sessions"][0]["address"] == "127.0.0.1", "{kept}");
        ensure!(kept["tokens"][0]["name"] == "mine", "{kept}");
        ensure!(
            kept["events"]
                .as_array()
                .is_some_and(|events| events.len() > 1),
            "{kept}"
        );
        ensure!(!kept.to_string().contains(&secret), "a secret is exported");

        let erased = admin(weft, "user erase ada@a.example").await?;
        ensure!(erased["userId"] == kept["id"], "{erased}");
        ensure!(erased["redactedEvents"].as_u64() > Some(0), "{erased}");
        let gone = async {
            let headers = [("cookie", cookie.as_str())];
            loop {
                let by_token = get(&weft.address, "/api/topology", &secret).await?.status;
                let by_session = ask(&weft.address, "GET", "/api/topology", &headers, "").await?;
                if by_token == 401 && by_session.status == 401 {
                    return anyhow::Ok(());
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(5), gone).await??;
        admin(weft, "audit check").await?;
        let all = admin(weft, "audit list amber").await?.to_string();
        ensure!(!all.contains("ada@a.example"), "{all}");
        ensure!(all.contains(kept["id"].as_str().context("an id")?), "{all}");
        let again = run(weft, "user export ada@a.example", true).await?;
        ensure!(!again.status.success(), "it is still there");
        Ok(())
    })
    .await
}
