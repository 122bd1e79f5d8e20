//! Envoy, which asks Weft over gRPC whether a request may pass.

use std::process::Stdio;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tests::{Port, Sandbox, tool};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::PATIENCE;
use crate::accounts::{admin, ask, token};

/// Envoy before something else, which says what it was told of the caller. Stopped when this is dropped.
struct Envoy {
    port: Port,
    _dir: TempDir,
    _run: Child,
}

impl Envoy {
    /// It asks this edge.
    async fn start(weft: &Sandbox) -> anyhow::Result<Envoy> {
        let dir = TempDir::new()?;
        let port = Port::reserve()?;
        let (host, number) = weft.admin.rsplit_once(':').context("an address")?;
        let config = CONFIG
            .replace("LISTEN", &port.number().to_string())
            .replace("EDGE_HOST", host)
            .replace("EDGE_PORT", number);
        let file = dir.path().join("envoy.yaml");
        std::fs::write(&file, config)?;
        let log = dir.path().join("log");
        let run = Command::new(tool("bin/envoy")?)
            .arg("-c")
            .arg(&file)
            .args(["--use-dynamic-base-id", "--disable-hot-restart"])
            .args(["--concurrency", "1", "--log-level", "warning"])
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let started = timeout(PATIENCE, async {
            while TcpStream::connect(port.address()).await.is_err() {
                tokio::task::yield_now().await;
            }
        });
        if started.await.is_err() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            anyhow::bail!("Envoy did not start: {said}");
        }
        Ok(Envoy {
            port,
            _dir: dir,
            _run: run,
        })
    }
}

#[tokio::test]
async fn envoy_protects_something_else_with_it() -> anyhow::Result<()> {
    let weft = Sandbox::start_with(&["--demand-credentials"]).await?;
    admin(&weft, "org create amber").await?;
    let (viewer, _) = token(&weft, "amber viewer --permissions view").await?;
    let (probe, _) = token(&weft, "amber probes").await?;
    let envoy = Envoy::start(&weft).await?;
    let ask = async |path: &str, secret: &str| {
        let bearer = format!("Bearer {secret}");
        let headers = [
            ("host", "something.example"),
            ("authorization", bearer.as_str()),
            ("weft-subject", "forged"),
        ];
        ask(&envoy.port.address(), "GET", path, &headers, "").await
    };
    for (path, secret, status) in [
        ("/page", viewer.as_str(), 200),
        ("/control", &viewer, 403),
        ("/page", &probe, 403),
        ("/page", "wrong", 401),
        // A permission that is none lets nobody through.
        ("/everything", &viewer, 403),
    ] {
        let answer = ask(path, secret).await?;
        ensure!(answer.status == status, "{path}: {}", answer.status);
        let passed = answer.text().contains("something else");
        ensure!(passed == (status == 200), "{path}: {}", answer.text());
    }
    let passed = ask("/page", &viewer).await?;
    let caller = passed.headers.get("x-caller").context("who it is")?;
    ensure!(
        caller.to_str()?.starts_with("amber tok_"),
        "passed on: {caller:?}"
    );
    let refused = ask("/page", "wrong").await?;
    ensure!(
        refused.headers.contains_key("www-authenticate"),
        "{:?}",
        refused.headers
    );
    Ok(())
}

const CONFIG: &str = r#"
static_resources:
  listeners:
    - address: { socket_address: { address: 127.0.0.1, port_value: LISTEN } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: front
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      response_headers_to_add:
                        - header: { key: x-caller, value: "%REQ(weft-org)% %REQ(weft-subject)%" }
                      routes:
                        - match: { prefix: /control }
                          direct_response: { status: 200, body: { inline_string: something else } }
                          typed_per_filter_config:
                            envoy.filters.http.ext_authz:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                              check_settings: { context_extensions: { permission: control } }
                        - match: { prefix: /everything }
                          direct_response: { status: 200, body: { inline_string: something else } }
                          typed_per_filter_config:
                            envoy.filters.http.ext_authz:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                              check_settings: { context_extensions: { permission: everything } }
                        - match: { prefix: / }
                          direct_response: { status: 200, body: { inline_string: something else } }
                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      transport_api_version: V3
                      grpc_service: { envoy_grpc: { cluster_name: weft }, timeout: 10s }
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: weft
      connect_timeout: 5s
      type: STATIC
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
      load_assignment:
        cluster_name: weft
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: EDGE_HOST, port_value: EDGE_PORT } } }
"#;
