//! A Scope probe's side of controls and pipes, small enough to read.

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A WebSocket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a WebSocket with these headers; the status if it is refused.
///
/// # Errors
/// The HTTP status when the server answers with another one than 101.
pub async fn open(address: &str, path: &str, headers: &[(&str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .map_err(|_| 0u16)?;
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| 0u16)?;
        request
            .headers_mut()
            .insert(name, value.parse().map_err(|_| 0u16)?);
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(_) => Err(0),
    }
}

/// Holds a control socket and answers every call with what `answer` makes of it.
///
/// # Errors
/// When the socket is refused.
pub async fn controls<F>(address: &str, probe: &str, answer: F) -> anyhow::Result<()>
where
    F: Fn(&Value) -> Value + Send + 'static,
{
    controls_with(address, &[("x-scope-probe-id", probe)], answer).await
}

/// As [`controls`], with these headers, which name the probe.
///
/// # Errors
/// When the socket is refused.
pub async fn controls_with<F>(
    address: &str,
    headers: &[(&str, &str)],
    answer: F,
) -> anyhow::Result<()>
where
    F: Fn(&Value) -> Value + Send + 'static,
{
    let version = [("x-scope-probe-version", "1.13.2")];
    let headers = [headers, &version].concat();
    let opened = open(address, "/api/control/ws", &headers).await;
    let mut socket = match opened {
        Ok(socket) => socket,
        Err(status) => bail!("the control socket was refused with {status}"),
    };
    tokio::spawn(async move {
        while let Ok(header) = next_json(&mut socket).await {
            let sequence = header["Request"]["Seq"].clone();
            let Ok(body) = next_json(&mut socket).await else {
                return;
            };
            let header = json!({
                "Request": null,
                "Response": {"ServiceMethod": "control.Handle", "Seq": sequence, "Error": ""},
                "Value": null,
            });
            let body = json!({"Request": null, "Response": null, "Value": answer(&body["Value"])});
            for message in [header, body] {
                let message = Message::text(message.to_string());
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(())
}

async fn next_json(socket: &mut Socket) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&next(socket).await?)?)
}

/// The bytes of the next text or binary message.
///
/// # Errors
/// When the socket ends.
pub async fn next(socket: &mut Socket) -> anyhow::Result<Vec<u8>> {
    loop {
        match socket.next().await.context("the socket ended")?? {
            Message::Text(text) => return Ok(text.as_bytes().to_vec()),
            Message::Binary(bytes) => return Ok(bytes.to_vec()),
            Message::Close(_) => bail!("the socket was closed"),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// Echoes everything that comes through a pipe, in capitals.
///
/// # Errors
/// When the pipe is refused.
pub async fn echo(address: &str, pipe: &str) -> Result<(), u16> {
    let headers = [("x-scope-probe-id", "p")];
    let mut socket = open(address, &format!("/api/pipe/{pipe}/probe"), &headers).await?;
    tokio::spawn(async move {
        while let Ok(bytes) = next(&mut socket).await {
            let reply = Message::binary(bytes.to_ascii_uppercase());
            if socket.send(reply).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}
