//! Other people's edges, which ask Weft whether a request may pass.

use std::process::Stdio;

use anyhow::ensure;
use tests::{Port, Sandbox};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::accounts::{admin, ask, get, token};

const FLAGS: [&str; 3] = ["--demand-credentials", "--max-failures-per-client", "5"];

#[tokio::test]
async fn question_is_answered_as_for_weft_itself() -> anyhow::Result<()> {
    let weft = Sandbox::start_with(&FLAGS).await?;
    admin(&weft, "org create amber").await?;
    let (viewer, id) = token(&weft, "amber viewer --permissions view").await?;
    for (path, secret, status) in [
        ("/auth", viewer.as_str(), 200),
        ("/auth?permission=view", &viewer, 200),
        ("/auth?permission=control", &viewer, 403),
        ("/auth?permission=everything", &viewer, 400),
        ("/auth", "wrong", 401),
    ] {
        let answer = get(&weft.admin, path, secret).await?;
        ensure!(answer.status == status, "{path}: {}", answer.status);
    }
    // The edge that asks is on this machine, and whoever it asks for is not.
    let nobody = ask(&weft.admin, "GET", "/auth", &[("host", "localhost")], "").await?;
    ensure!(nobody.status == 401, "{}", nobody.status);
    ensure!(
        get(&weft.address, "/auth", &viewer).await?.status == 404,
        "public"
    );
    // Guessers are counted by the address that the edge saw.
    let guess = async |n: usize, client: &str| {
        let bearer = format!("Bearer guess-{client}-{n}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-forwarded-for", client),
        ];
        let answer = ask(&weft.admin, "GET", "/auth", &headers, "").await?;
        anyhow::Ok(answer.status.as_u16())
    };
    let mut statuses = Vec::new();
    for n in 0..10 {
        statuses.push(guess(n, "192.0.2.1").await?);
    }
    ensure!(
        statuses[..5] == [401; 5] && statuses[9] == 429,
        "{statuses:?}"
    );
    ensure!(guess(0, "192.0.2.2").await? == 401);
    ensure!(!id.is_empty());
    Ok(())
}

#[tokio::test]
async fn nginx_protects_something_else_with_it() -> anyhow::Result<()> {
    let weft = Sandbox::start_with(&FLAGS).await?;
    admin(&weft, "org create amber").await?;
    let (viewer, _) = token(&weft, "amber viewer --permissions view").await?;
    let (probe, _) = token(&weft, "amber probes").await?;
    let dir = tempfile::TempDir::new()?;
    let port = Port::reserve()?;
    std::fs::write(dir.path().join("page"), "something else")?;
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
            server {{
                listen {};
                location / {{
                    auth_request /weft-auth;
                    auth_request_set $org $upstream_http_weft_org;
                    add_header X-Org $org;
                    root .;
                }}
                location = /weft-auth {{
                    internal;
                    proxy_pass http://{}/auth?permission=view;
                    proxy_pass_request_body off;
                    proxy_set_header Content-Length '';
                    proxy_set_header Host $http_host;
                    proxy_set_header X-Forwarded-For $remote_addr;
                }}
            }}
        }}",
        port.address(),
        weft.admin
    );
    std::fs::write(dir.path().join("nginx.conf"), config)?;
    let _nginx = Command::new("/usr/sbin/nginx")
        .arg("-p")
        .arg(dir.path())
        .args(["-c", "nginx.conf", "-e", "stderr"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    while TcpStream::connect(port.address()).await.is_err() {
        tokio::task::yield_now().await;
    }
    let passed = get(&port.address(), "/page", &viewer).await?;
    ensure!(passed.status == 200, "{}", passed.status);
    ensure!(passed.text() == "something else", "{}", passed.text());
    for (secret, status) in [("wrong", 401), (probe.as_str(), 403)] {
        let answer = get(&port.address(), "/page", secret).await?;
        ensure!(answer.status == status, "{}", answer.status);
        ensure!(!answer.text().contains("something else"));
    }
    Ok(())
}
