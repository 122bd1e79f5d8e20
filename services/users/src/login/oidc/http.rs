//! Requests to providers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::config::is_safe;

/// How long a provider may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(8);
/// No answer is longer: metadata and keys have some kilobytes.
const ANSWER_BYTES: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the provider names an address without TLS")]
    Unsafe,
    #[error("the provider cannot be reached: {0}")]
    Connection(#[from] hyper_util::client::legacy::Error),
    #[error("the provider's answer broke off, or is too long")]
    Answer,
    #[error("the provider did not answer in time")]
    Timeout,
}

/// HTTP/1.1 over TLS, with the certificates that this machine believes. Redirections are not followed.
#[derive(Debug, Clone)]
pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    pub(super) fn new() -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows the versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Http(Client::builder(TokioExecutor::new()).build(connector))
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).ok();
        if !url.is_some_and(|url| is_safe(&url)) {
            return Err(HttpError::Unsafe);
        }
        let request = http::Request::from_parts(head, Full::from(body));
        let answer = async {
            let (head, body) = self.0.request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await;
            let body = body.map_err(|_| HttpError::Answer)?.to_bytes();
            Ok(http::Response::from_parts(head, body.to_vec()))
        };
        let answer = tokio::time::timeout(TIMEOUT, answer).await;
        answer.map_err(|_| HttpError::Timeout)?
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
