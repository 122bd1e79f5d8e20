//! `weft login`: from a command line, through somebody's browser, to a token in a file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use proto::users::v1 as pb;
use proto::users::v1::users_service_client::UsersServiceClient;
use tempfile::TempDir;
use tests::{Sandbox, Topology};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::login::{from_page, logged_in};
use super::{admin, channel, get};

/// How long a program may take: it polls every 5 s.
const PATIENCE: Duration = Duration::from_secs(60);

fn weft_cli(home: &Path, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(tests::binary()?);
    command
        .args(arguments)
        .env("XDG_CONFIG_HOME", home)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// What it says, and whether that is good news.
async fn say(home: &Path, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let output = timeout(PATIENCE, weft_cli(home, arguments)?.output()).await??;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// Runs `weft login`, and answers what it shows in the browser of this session; what it said in the end.
async fn log_in(
    weft: &Sandbox,
    home: &Path,
    cookie: &str,
    approve: bool,
) -> anyhow::Result<(bool, String)> {
    let url = format!("http://{}", weft.address);
    let arguments = [
        "login",
        &url,
        "--permissions",
        "view,admin",
        "--expires",
        "2h",
    ];
    let mut child = weft_cli(home, &arguments)?.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("output")?).lines();
    let code = timeout(PATIENCE, async {
        loop {
            let line = lines.next_line().await?.context("no code")?;
            if let Some((_, code)) = line.split_once("/device#") {
                return anyhow::Ok(code.trim().to_owned());
            }
        }
    })
    .await??;
    let mut users = UsersServiceClient::new(channel(&weft.address)?);
    let look = pb::GetDeviceLoginRequest {
        user_code: code.clone(),
    };
    let shown = users
        .get_device_login(from_page(weft, cookie, look)?)
        .await?;
    let shown = shown.into_inner().login.context("a login")?;
    ensure!(shown.address == "127.0.0.1", "{shown:?}");
    ensure!(shown.client.starts_with("weft on "), "{shown:?}");
    let answer = pb::AnswerDeviceLoginRequest {
        user_code: code,
        approve,
    };
    users
        .answer_device_login(from_page(weft, cookie, answer)?)
        .await?;
    let status = timeout(PATIENCE, child.wait()).await??;
    let mut said = String::new();
    while let Some(line) = lines.next_line().await? {
        said.push_str(&line);
        said.push('\n');
    }
    let mut errors = child.stderr.take().context("errors")?;
    errors.read_to_string(&mut said).await?;
    Ok((status.success(), said))
}

#[tokio::test]
async fn program_logs_in_through_a_browser_and_out_again() -> anyhow::Result<()> {
    let weft = Sandbox::strict(Topology::Direct, None).await?;
    admin(&weft, "org create amber").await?;
    let cookie = logged_in(&weft, "amber", "ada@amber.example").await?;
    let home = TempDir::new()?;
    let home = home.path();
    let (well, said) = say(home, &["whoami"]).await?;
    ensure!(!well && said.contains("weft login URL"), "{said}");
    let (well, said) = log_in(&weft, home, &cookie, false).await?;
    ensure!(!well && said.contains("not approved"), "{said}");
    let (well, said) = log_in(&weft, home, &cookie, true).await?;
    ensure!(well && said.contains("ada@amber.example"), "{said}");
    ensure!(
        said.contains("in amber") && said.contains("view admin"),
        "{said}"
    );

    let file = home.join("weft/login.json");
    let mode = std::fs::metadata(&file)?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "{mode:o}");
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    let token = kept["token"].as_str().context("a token")?.to_owned();
    ensure!(!said.contains(&token), "it is shown");
    ensure!(get(&weft.address, "/api/topology", &token).await?.status == 200);
    let (well, said) = say(home, &["whoami"]).await?;
    ensure!(well && said.contains("ada@amber.example"), "{said}");
    let url = format!("http://{}", weft.address);
    let (well, said) = say(home, &["login", &url]).await?;
    ensure!(!well && said.contains("weft logout"), "{said}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    let (well, said) = say(home, &["whoami"]).await?;
    ensure!(!well && said.contains("others may read"), "{said}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;

    let (well, said) = say(home, &["logout"]).await?;
    ensure!(well, "{said}");
    ensure!(!file.exists(), "the file is still there");
    let until = tokio::time::Instant::now() + Duration::from_secs(1);
    while get(&weft.address, "/api/topology", &token).await?.status != 401 {
        ensure!(tokio::time::Instant::now() < until, "the token still works");
    }
    Ok(())
}
