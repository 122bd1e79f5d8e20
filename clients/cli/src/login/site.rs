//! What Weft answers to programs, over HTTP/1.1, as it reaches them through other people's proxies too.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proto::users::v1 as pb;
use proto::users::v1::users_service_client::UsersServiceClient;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tonic::Status;
use tonic::body::Body;
use tonic_web::{GrpcWebCall, GrpcWebClientLayer, GrpcWebClientService};
use tower::Layer;
use url::{Host, Url, form_urlencoded};

const TIMEOUT: Duration = Duration::from_secs(30);
/// No answer is longer.
const ANSWER_BYTES: usize = 64 << 10;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

type Connector = HttpsConnector<HttpConnector>;
type Web = GrpcWebClientService<Client<Connector, GrpcWebCall<Body>>>;

/// Whether nobody reads along: https, or this machine.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let safe = match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost",
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    };
    let plain = url.path() == "/" && url.query().is_none() && url.username().is_empty();
    match safe && plain && url.password().is_none() {
        true => Ok(url),
        false => Err("expected https://host; http:// for this machine alone".to_owned()),
    }
}

/// A Weft.
pub(super) struct Site {
    url: Url,
    connector: Connector,
}

/// What a login begins with.
#[derive(Deserialize)]
pub(super) struct Started {
    pub(super) device_code: String,
    pub(super) user_code: String,
    pub(super) verification_uri_complete: String,
    /// In seconds, as the interval.
    pub(super) expires_in: u64,
    pub(super) interval: u64,
}

/// What it ends with.
#[derive(Deserialize)]
pub(super) struct Granted {
    pub(super) access_token: String,
    pub(super) token_id: String,
    pub(super) scope: String,
    /// In seconds.
    pub(super) expires_in: u64,
}

pub(super) enum Polled {
    Granted(Granted),
    Pending,
    SlowDown,
    Denied,
    Expired,
}

impl Site {
    pub(super) fn new(url: &Url) -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows the versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Site {
            url: url.clone(),
            connector: HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_or_http()
                .enable_http1()
                .build(),
        }
    }

    pub(super) async fn start(
        &self,
        name: &str,
        scope: &str,
        lifetime: Duration,
    ) -> anyhow::Result<Started> {
        let lifetime = lifetime.as_secs().to_string();
        let fields = [
            ("client_id", name),
            ("scope", scope),
            ("lifetime", &lifetime),
        ];
        let (status, body) = self.post("api/users/login/device", &fields).await?;
        match status {
            StatusCode::OK => read(&body),
            StatusCode::NOT_FOUND => bail!("there is no Weft at {}", self.url),
            // An error is a string.
            _ => match serde_json::from_slice::<String>(&body) {
                Ok(said) => bail!("{} says: {said}", self.url),
                Err(_) => bail!("{} answers {status}", self.url),
            },
        }
    }

    pub(super) async fn poll(&self, device_code: &str) -> anyhow::Result<Polled> {
        #[derive(Deserialize)]
        struct Refused {
            error: String,
        }
        let fields = [("grant_type", GRANT), ("device_code", device_code)];
        let answered = self.post("api/users/login/device/token", &fields).await;
        // A network that is away for a while, and a server that is: section 3.5.
        let Ok((status, body)) = answered else {
            return Ok(Polled::SlowDown);
        };
        if status.is_success() {
            return Ok(Polled::Granted(read(&body)?));
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Ok(Polled::SlowDown);
        }
        let refused: Refused = read(&body)?;
        Ok(match refused.error.as_str() {
            "authorization_pending" => Polled::Pending,
            "slow_down" => Polled::SlowDown,
            "access_denied" => Polled::Denied,
            "expired_token" => Polled::Expired,
            other => bail!("{} refuses: {other}", self.url),
        })
    }

    async fn post(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post(self.url.join(path)?.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from(form))?;
        let client = Client::builder(TokioExecutor::new()).build(self.connector.clone());
        let answer = async {
            let (head, body) = client.request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!(error))?;
            anyhow::Ok((head.status, body.to_bytes()))
        };
        let answer = tokio::time::timeout(TIMEOUT, answer).await;
        let answer = answer.with_context(|| format!("{} does not answer", self.url))?;
        answer.with_context(|| format!("{} cannot be reached", self.url))
    }

    fn users(&self) -> anyhow::Result<UsersServiceClient<Web>> {
        let client = Client::builder(TokioExecutor::new()).build(self.connector.clone());
        let web = GrpcWebClientLayer::new().layer(client);
        let origin: Uri = self.url.origin().ascii_serialization().parse()?;
        Ok(UsersServiceClient::with_origin(web, origin))
    }

    pub(super) async fn current_user(
        &self,
        token: &str,
    ) -> anyhow::Result<pb::GetCurrentUserResponse> {
        let request = bearing(token, pb::GetCurrentUserRequest {})?;
        let answer = self.users()?.get_current_user(request).await;
        let answer = answer.map_err(|status| anyhow::anyhow!("{}", status.message()))?;
        Ok(answer.into_inner())
    }

    pub(super) async fn revoke(&self, token: &str, id: &str) -> Result<(), Status> {
        let message = pb::RevokeTokenRequest {
            token_id: id.to_owned(),
        };
        let wrong = |error: anyhow::Error| Status::invalid_argument(error.to_string());
        let request = bearing(token, message).map_err(wrong)?;
        let mut users = self.users().map_err(wrong)?;
        users.revoke_token(request).await.map(drop)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    // Without the parser's words, which may quote a secret.
    let read = serde_json::from_slice(body).ok();
    read.context("the answer is not that of a Weft")
}

fn bearing<T>(token: &str, message: T) -> anyhow::Result<tonic::Request<T>> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(TIMEOUT);
    let mut value: tonic::metadata::MetadataValue<_> = format!("Bearer {token}")
        .parse()
        .context("the token in the file is none")?;
    value.set_sensitive(true);
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}
