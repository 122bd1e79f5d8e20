//! TLS on the public port.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tests::Sandbox;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::PATIENCE;

/// Writes a new self-signed certificate for `localhost` and its key; the certificate.
pub(super) fn certify(dir: &Path) -> anyhow::Result<CertificateDer<'static>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(dir.join("cert.pem"), made.cert.pem())?;
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem())?;
    Ok(made.cert.der().clone())
}

async fn start(dir: &Path) -> anyhow::Result<Sandbox> {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let (cert, key) = (cert.to_string_lossy(), key.to_string_lossy());
    Sandbox::start_with(&["--tls-cert", &cert, "--tls-key", &key]).await
}

/// What trusts this certificate and asks for this protocol.
pub(super) fn connector(
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn connect(
    address: &str,
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let connector = connector(trusted, protocol)?;
    Ok(connector.connect("localhost".try_into()?, stream).await?)
}

fn request(version: &str) -> anyhow::Result<hyper::Request<Empty<Bytes>>> {
    // Loopback and a loopback name: no credential is needed.
    let request = match version {
        "h2" => hyper::Request::get("https://localhost/api/topology"),
        _ => hyper::Request::get("/api/topology").header("host", "localhost"),
    };
    Ok(request.body(Empty::new())?)
}

#[tokio::test]
async fn both_versions_are_spoken_over_tls_and_none_without() -> anyhow::Result<()> {
    let dir = tempfile::TempDir::new()?;
    let trusted = certify(dir.path())?;
    let weft = start(dir.path()).await?;

    let stream = connect(&weft.address, &trusted, "h2").await?;
    ensure!(stream.get_ref().1.alpn_protocol() == Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request("h2")?).await?;
    ensure!(answer.status() == 200, "{}", answer.status());

    let stream = connect(&weft.address, &trusted, "http/1.1").await?;
    ensure!(stream.get_ref().1.alpn_protocol() == Some(&b"http/1.1"[..]));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request("1.1")?).await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    answer.into_body().collect().await?;

    let plain = tests::http::get(&weft.address, "/api").await;
    ensure!(plain.is_err(), "clear text was answered");
    Ok(())
}

#[tokio::test]
async fn new_certificate_is_used_and_old_connections_stay() -> anyhow::Result<()> {
    let dir = tempfile::TempDir::new()?;
    let old = certify(dir.path())?;
    let weft = start(dir.path()).await?;
    let stream = connect(&weft.address, &old, "h2").await?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    ensure!(sender.send_request(request("h2")?).await?.status() == 200);

    // A broken file changes nothing.
    std::fs::write(dir.path().join("cert.pem"), "half a certificate")?;
    connect(&weft.address, &old, "h2").await?;
    let new = certify(dir.path())?;
    let started = Instant::now();
    while let Err(error) = connect(&weft.address, &new, "h2").await {
        if started.elapsed() > PATIENCE {
            bail!(error.context("the new certificate is not in use"));
        }
    }
    ensure!(
        connect(&weft.address, &old, "h2").await.is_err(),
        "the old one is"
    );
    let answer = sender.send_request(request("h2")?).await;
    ensure!(answer.context("the old connection")?.status() == 200);
    Ok(())
}

#[tokio::test]
async fn certificate_without_its_key_is_an_error_at_once() -> anyhow::Result<()> {
    let dir = tempfile::TempDir::new()?;
    certify(dir.path())?;
    let key = std::fs::read(dir.path().join("key.pem"))?;
    certify(dir.path())?;
    std::fs::write(dir.path().join("key.pem"), key)?;
    ensure!(start(dir.path()).await.is_err(), "a pair that is none");
    Ok(())
}
