//! HTTP requests as probes and scripts make them: a connection each, or one for many.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
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
    let mut sender = connect(address).await?;
    read(sender.send_request(request).await?).await
}

async fn connect(address: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn read(response: http::Response<Incoming>) -> anyhow::Result<Answer> {
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

/// A connection that is opened again when the server has closed it.
#[derive(Debug)]
pub struct Connection {
    address: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// To this `host:port`.
    #[must_use]
    pub fn to(address: &str) -> Connection {
        Connection {
            address: address.to_owned(),
            sender: None,
        }
    }

    /// Sends a request; `Host` is added.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        if !request.headers().contains_key("host") {
            let host = self.address.parse()?;
            request.headers_mut().insert("host", host);
        }
        let mut open = self.sender.take();
        if let Some(sender) = &mut open
            && sender.ready().await.is_err()
        {
            open = None;
        }
        let mut sender = match open {
            Some(sender) => sender,
            None => connect(&self.address).await?,
        };
        let answer = read(sender.send_request(request).await?).await?;
        self.sender = Some(sender);
        Ok(answer)
    }
}
