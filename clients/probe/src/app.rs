//! The app, as the probe sees it: four HTTP requests, two of which become WebSockets.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT,
};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tower::ServiceExt as _;

use crate::config::{Config, Token};
use crate::error::Error;
use crate::target::Target;

/// For a whole request, as the app's other probes allow.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;
/// Most bytes of a WebSocket message that are accepted.
const MAX_MESSAGE: usize = 1024 * 1024;

/// An established WebSocket to the app.
pub(crate) type Socket = WebSocketStream<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>;

type Connector = HttpsConnector<HttpConnector>;

/// A client of the app.
#[derive(Debug)]
pub(crate) struct App {
    target: Target,
    headers: HeaderMap,
    http: Client<Connector, Full<Bytes>>,
    connector: Connector,
}

/// Why a request failed; all of it may pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the app answered {status}: {text}")]
    Status { status: StatusCode, text: String },
    #[error("no answer in time")]
    Timeout,
    #[error("cannot talk to the app")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is not that of an app")]
    NotAnApp,
}

impl RequestError {
    fn transport(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Transport(error.into())
    }

    /// Whether the app says that what was asked for is no more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(
            self,
            Self::Status {
                status: StatusCode::NOT_FOUND,
                ..
            }
        )
    }

    /// The error and its causes in one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

/// What the app says about itself.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Details {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) version: String,
}

impl App {
    pub(crate) fn new(config: &Config, probe_id: &str) -> Result<Self, Error> {
        let (target, url_token) = Target::parse(&config.url)?;
        let token = config.token.clone().or(url_token);
        let connector = connector()?;
        let http = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(1)
            .build(connector.clone());
        Ok(Self {
            target,
            headers: headers(config, probe_id, token.as_ref())?,
            http,
            connector,
        })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Asks the app who it is.
    pub(crate) async fn details(&self) -> Result<Details, RequestError> {
        let answer = self.request(Method::GET, "/api", &[], Bytes::new()).await?;
        serde_json::from_slice(&answer).map_err(|_| RequestError::NotAnApp)
    }

    /// Submits a report: gzip'd msgpack.
    pub(crate) async fn report(&self, body: Bytes) -> Result<(), RequestError> {
        let msgpack = (
            CONTENT_TYPE,
            HeaderValue::from_static("application/msgpack"),
        );
        let gzip = (CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        self.request(Method::POST, "/api/report", &[msgpack, gzip], body)
            .await
            .map(|_| ())
    }

    /// Ends a pipe.
    pub(crate) async fn delete_pipe(&self, id: &str) -> Result<(), RequestError> {
        self.request(
            Method::DELETE,
            &format!("/api/pipe/{id}"),
            &[],
            Bytes::new(),
        )
        .await
        .map(|_| ())
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(http::HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Bytes, RequestError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.target.http(path).map_err(RequestError::transport)?;
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().extend(headers.iter().cloned());
        let exchange = async {
            let response = self
                .http
                .request(request)
                .await
                .map_err(RequestError::transport)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await;
            let body = body.map_err(RequestError::Transport)?.to_bytes();
            if status.is_success() {
                Ok(body)
            } else {
                Err(refusal(status, &body))
            }
        };
        timeout(REQUEST_TIMEOUT, exchange)
            .await
            .unwrap_or(Err(RequestError::Timeout))
    }

    /// Opens a WebSocket.
    pub(crate) async fn socket(&self, path: &str) -> Result<Socket, RequestError> {
        timeout(REQUEST_TIMEOUT, self.upgrade(path))
            .await
            .unwrap_or(Err(RequestError::Timeout))
    }

    async fn upgrade(&self, path: &str) -> Result<Socket, RequestError> {
        let uri = self
            .target
            .websocket(path)
            .map_err(RequestError::transport)?;
        let mut request = uri.into_client_request().map_err(RequestError::transport)?;
        request.headers_mut().extend(self.headers.clone());
        let address = self.target.http(path).map_err(RequestError::transport)?;
        let stream = self
            .connector
            .clone()
            .oneshot(address)
            .await
            .map_err(RequestError::Transport)?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        match tokio_tungstenite::client_async_with_config(
            request,
            TokioIo::new(stream),
            Some(limits),
        )
        .await
        {
            Ok((socket, _)) => Ok(socket),
            Err(WsError::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(refusal(response.status(), body))
            }
            Err(error) => Err(RequestError::transport(error)),
        }
    }
}

/// The beginning of what the app says, which goes to the log.
fn refusal(status: StatusCode, body: &[u8]) -> RequestError {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    RequestError::Status {
        status,
        text: text.trim().escape_debug().to_string(),
    }
}

fn headers(config: &Config, probe_id: &str, token: Option<&Token>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Error::InvalidToken);
    let token = token.map_or("", Token::expose);
    let mut authorization = value(&format!("Scope-Probe token={token}"))?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(
        USER_AGENT,
        value(&format!("Scope_Probe/{}", config.version))?,
    );
    headers.insert("x-scope-probe-id", value(probe_id)?);
    headers.insert("x-scope-probe-version", value(&config.version)?);
    Ok(headers)
}

/// Connects over TCP, and TLS for `https`. Certificates are checked against the roots of this machine and Mozilla's:
/// the one for private authorities, the other for images without any files.
fn connector() -> Result<Connector, Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(Error::Tls)?
    .with_root_certificates(roots)
    .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_nodelay(true);
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp))
}

/// Whether the end of a WebSocket is an ordinary one.
pub(crate) fn is_ordinary_end(error: &WsError) -> bool {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed | WsError::Protocol(_) => true,
        WsError::Io(error) => {
            matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
            )
        }
        _ => false,
    }
}
