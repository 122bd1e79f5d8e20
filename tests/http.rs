//! HTTP requests as probes and scripts make them: a connection each.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The `Content-Type`, or nothing.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Gets a path.
///
/// # Errors
/// When the connection breaks.
pub async fn get(address: &str, path: &str) -> anyhow::Result<Answer> {
    send(address, Request::get(path).body(Full::default())?).await
}

/// Posts a body with these headers.
///
/// # Errors
/// When the connection breaks.
pub async fn post(
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> anyhow::Result<Answer> {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(address, request.body(Full::new(body.into()))?).await
}

/// Sends a request; `Host` is added.
///
/// # Errors
/// When the connection breaks.
pub async fn send(address: &str, mut request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    if !request.headers().contains_key("host") {
        request.headers_mut().insert("host", address.parse()?);
    }
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let content_type = head.headers.get("content-type");
    let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or("");
    let content_type = content_type.to_owned();
    Ok(Answer {
        status: head.status,
        content_type,
        headers: head.headers,
        body: body.collect().await?.to_bytes(),
    })
}
