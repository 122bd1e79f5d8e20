//! What the edge makes of a request: vectors 1 to 6, 10, 17 and 18.

use anyhow::{Context, ensure};
use http::HeaderValue;
use prost::Message;
use proto::controls::v1 as controls;
use proto::users::v1 as users;
use rustix::process::{Pid, Signal, kill_process};
use tests::http::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tonic::Code;

use super::world::{LIST, PATIENCE, World, bearer, everywhere, everywhere_apart};
use crate::accounts::admin;
use crate::accounts::edge::base64_of;

const CURRENT: &str = "/weft.users.v1.UsersService/GetCurrentUser";
const INVOKE: &str = "/weft.controls.v1.ControlsService/Invoke";

#[tokio::test]
async fn v01_three_token_forms_are_taken_and_no_other() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let secret = world.amber("view").await?;
        let forms: [(Vec<u8>, bool); 9] = [
            (format!("Scope-Probe token={secret}").into(), true),
            (format!("Bearer {secret}").into(), true),
            (
                format!("Basic {}", base64_of(&format!("any:{secret}"))).into(),
                true,
            ),
            (format!("Digest {secret}").into(), false),
            (
                format!("Basic {}", base64_of(&format!("{secret}:any"))).into(),
                false,
            ),
            (secret.clone().into(), false),
            (b"Bearer \xfc\xff".to_vec(), false),
            (b"Bearer ".to_vec(), false),
            (Vec::new(), false),
        ];
        for (form, good) in forms {
            let value = HeaderValue::from_bytes(&form)?;
            let headers = || vec![("authorization", value.clone())];
            let answer = world.send(("GET", "/api/topology"), headers(), "").await?;
            let expected = if good { 200 } else { 401 };
            ensure!(answer.status == expected, "{form:?}: {}", answer.status);
            let (code, _) = world.call(&format!("/weft.{LIST}"), headers(), &[]).await?;
            let expected = if good {
                Code::Ok
            } else {
                Code::Unauthenticated
            };
            ensure!(code == expected, "{form:?}: {code:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v02_paths_name_an_organisation_in_one_way_only() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let secret = world.amber("view").await?;
        admin(&world.weft, "org create birch").await?;
        for (path, expected) in [
            ("/api/app/amber/api/topology", 200),
            ("/api/app/AMBER/api/topology", 200),
            ("/api/app/birch/api/topology", 401),
            ("/api/app/amb%65r/api/topology", 401),
            ("/api/app/amber%2fapi/topology", 404),
            ("/api/app/birch/../amber/api/topology", 404),
            ("/api/app/amber//api/topology", 404),
            ("/api//topology", 404),
            ("/api%2ftopology", 404),
        ] {
            let answer = world.get(path, &secret).await?;
            ensure!(answer.status == expected, "{path}: {}", answer.status);
        }
        for path in [
            "/weft.query.v1.QueryService%2FListTopologies",
            "/weft.query.v1.QueryService//ListTopologies",
            "//weft.query.v1.QueryService/ListTopologies",
            "/weft.query.v1.QueryService/../QueryService/ListTopologies",
        ] {
            let (code, _) = world.call(path, vec![bearer(&secret)?], &[]).await?;
            let refused = [Code::Unimplemented, Code::Unknown].contains(&code);
            ensure!(refused, "{path}: {code:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v03_nobody_outside_says_who_they_are() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let secret = world.amber("view").await?;
        admin(&world.weft, "org create birch").await?;
        for name in [
            "x-scope-orgid",
            "x-scope-userid",
            "x-featureflags",
            "x_scope_orgid",
            "weft-assertion-bin",
            "weft_assertion_bin",
        ] {
            let forged = || (name, HeaderValue::from_static("birch"));
            let headers = vec![bearer(&secret)?, forged()];
            let (code, answer) = world.call(CURRENT, headers, &[]).await?;
            ensure!(code == Code::Ok, "{name}: {code:?}");
            let current = users::GetCurrentUserResponse::decode(answer)?;
            let org = current.organisation.context("an organisation")?.id;
            ensure!(org == "amber", "{name}: {org}");
            let alone = world.send(("GET", "/api/topology"), vec![forged()], "");
            ensure!(alone.await?.status == 401, "{name} alone");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v04_refused_access_and_refused_upload_are_apart() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let viewer = world.amber("view,admin").await?;
        let probe = world.amber("report").await?;
        let manage = "users.v1.UsersService/ListTokens";
        for (flags, view, post) in [
            ("refuse amber --access --reason unpaid", 403, 200),
            ("refuse amber --upload --reason unpaid", 200, 403),
            ("allow amber", 200, 200),
        ] {
            admin(&world.weft, &format!("org {flags}")).await?;
            world.until("/api/topology", &viewer, view).await?;
            if view == 403 {
                let said = world.get("/api/topology", &viewer).await?.text();
                ensure!(said.contains("unpaid"), "{said}");
            }
            world.until_report(&probe, post).await.context(flags)?;
            let code = world.rpc(LIST, &viewer).await?;
            ensure!((code == Code::Ok) == (view == 200), "{flags}: {code:?}");
            let code = world.rpc(manage, &viewer).await?;
            ensure!(code == Code::Ok, "{flags}: {manage} is {code:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v05_users_away_is_never_a_wrong_credential() -> anyhow::Result<()> {
    everywhere_apart(async |mut world: World| {
        let known = world.amber("view").await?;
        let unknown = world.amber("view").await?;
        ensure!(world.get("/api/topology", &known).await?.status == 200);
        if let Some(database) = &mut world.database {
            database.kill();
            let answer = world.get("/api/topology", &unknown).await?;
            ensure!(answer.status == 503, "no database: {}", answer.status);
        }
        world.weft.kill_users().await?;
        for (secret, expected, code) in [
            (known.as_str(), 200, Code::Ok),
            (&unknown, 503, Code::Unavailable),
            ("nonsense", 503, Code::Unavailable),
        ] {
            let answer = world.get("/api/topology", secret).await?;
            ensure!(answer.status == expected, "{expected}: {}", answer.status);
            let later = answer.headers.contains_key("retry-after");
            ensure!(later == (expected == 503), "when to come again");
            secured(&answer)?;
            let found = world.rpc(LIST, secret).await?;
            ensure!(found == code, "{code:?}: {found:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v06_no_spelling_of_a_control_gets_a_viewer_through() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let viewer = world.amber("view").await?;
        let bearer_text = format!("Bearer {viewer}");
        let headers = [("authorization", bearer_text.as_str())];
        for path in [
            "/api/control/p/n/host_exec",
            "/api/control/p/n/host%5Fexec",
            "/api/control/p/n/host_exec;x",
            "/api/control/p/n/HOST_EXEC",
            "/api/control/p/n/./host_exec",
            "/api/app/amber/api/control/p/n/host_exec",
            "/API/control/p/n/host_exec",
            "/api/topology/../control/p/n/host_exec",
            "/api/./control/p/n/host_exec",
        ] {
            let answer = world.ask(("POST", path), &headers, "").await?;
            let refused = [400, 403, 404, 405].contains(&answer.status.as_u16());
            let reached = answer.text().contains("is not connected");
            ensure!(
                refused && !reached,
                "{path}: {} {}",
                answer.status,
                answer.text()
            );
        }
        for control in [
            "host_exec",
            "HOST_EXEC",
            "host%5Fexec",
            "host_exec;x",
            " host_exec",
        ] {
            let request = controls::InvokeRequest {
                probe_id: "p".to_owned(),
                control: control.to_owned(),
                ..controls::InvokeRequest::default()
            };
            let message = request.encode_to_vec();
            let (code, _) = world.call(INVOKE, vec![bearer(&viewer)?], &message).await?;
            ensure!(code == Code::PermissionDenied, "{control}: {code:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v10_what_is_not_there_is_said_not_to_be() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let secret = world.amber("view,control,report,admin").await?;
        for path in [
            "/weft.query.v1.QueryService/Nothing",
            "/weft.nothing.v1.NothingService/Get",
            // What is for services alone looks the same.
            "/weft.users.v1.OperatorService/FindOrganisations",
            "/weft.users.v1.AuditService/RecordEvents",
        ] {
            let (code, _) = world.call(path, vec![bearer(&secret)?], &[]).await?;
            ensure!(code == Code::Unimplemented, "{path}: {code:?}");
        }
        for path in ["/api/nowhere", "/api/prom/push", "/admin/users", "/metrics"] {
            let answer = world.get(path, &secret).await?;
            ensure!(answer.status == 404, "{path}: {}", answer.status);
        }
        let bearer_text = format!("Bearer {secret}");
        let headers = [("authorization", bearer_text.as_str())];
        let put = world.ask(("PUT", "/api/topology"), &headers, "").await?;
        ensure!(put.status == 405, "{}", put.status);
        Ok(())
    })
    .await
}

fn secured(answer: &Answer) -> anyhow::Result<()> {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
    ] {
        let found: Vec<_> = answer.headers.get_all(name).into_iter().collect();
        ensure!(found == [value], "{name} is {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn v17_every_answer_has_security_headers() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let viewer = world.amber("view").await?;
        let bearer_text = format!("Bearer {viewer}");
        let mine = ("authorization", bearer_text.as_str());
        let foreign = ("origin", "https://evil.example");
        for (method, path, headers, status) in [
            ("GET", "/", vec![], 200),
            ("GET", "/api", vec![], 200),
            ("GET", "/api/topology", vec![mine], 200),
            ("GET", "/api/report?timestamp=never", vec![mine], 400),
            ("GET", "/api/topology", vec![], 401),
            ("POST", "/api/report", vec![mine], 403),
            ("GET", "/api/topology", vec![mine, foreign], 403),
            ("GET", "/api/nowhere", vec![mine], 404),
            ("PUT", "/api/topology", vec![mine], 405),
        ] {
            let answer = world.ask((method, path), &headers, "").await?;
            ensure!(
                answer.status == status,
                "{method} {path}: {}",
                answer.status
            );
            secured(&answer).with_context(|| format!("{method} {path}"))?;
        }
        if world.is_behind_nginx() {
            let edge = world.weft.edge_pid().and_then(|pid| pid.try_into().ok());
            let edge = edge.and_then(Pid::from_raw).context("an edge")?;
            kill_process(edge, Signal::KILL)?;
            let answer = world.get("/api/topology", &viewer).await?;
            ensure!(answer.status == 502, "no edge: {}", answer.status);
            secured(&answer).context("what nginx says")?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn v18_an_address_is_not_what_strangers_say() -> anyhow::Result<()> {
    everywhere(&[], async |world: World| {
        let secret = world.amber("control").await?;
        let bearer_text = format!("Bearer {secret}");
        let headers = [
            ("authorization", bearer_text.as_str()),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-real-ip", "203.0.113.9"),
            ("forwarded", "for=203.0.113.9"),
        ];
        let path = "/api/control/p/n/docker_stop_container";
        world.ask(("POST", path), &headers, "").await?;
        let listed = admin(&world.weft, "audit list amber --limit 1").await?;
        ensure!(listed[0]["action"] == "control.run", "{listed}");
        ensure!(listed[0]["address"] == "127.0.0.1", "{listed}");
        if !world.is_behind_nginx() {
            let mut io = world.connect("http/1.1").await?;
            let host = world.host();
            let request = format!(
                "PROXY TCP4 203.0.113.9 192.0.2.9 1 443\r\nGET /api HTTP/1.1\r\nHost: {host}\r\n\r\n"
            );
            io.write_all(request.as_bytes()).await?;
            let mut said = Vec::new();
            let _ = timeout(PATIENCE, io.read_to_end(&mut said)).await?;
            let said = String::from_utf8_lossy(&said);
            ensure!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
        }
        Ok(())
    })
    .await
}
