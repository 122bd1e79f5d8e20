//! A Weft to try a vector on: on SQLite or PostgreSQL, with nginx before it or without, asked over HTTP and gRPC alike.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::try_join_all;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tests::http::Answer;
use tests::{Sandbox, Server};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tonic::Code;

use crate::accounts::{admin, login, token};
use crate::edge::frontend::Frontend;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// An RPC that whoever may see anything may call.
pub(super) const LIST: &str = "query.v1.QueryService/ListTopologies";
/// What browsers call the site behind nginx.
const SITE: &str = "weft.example";

/// A connection, with TLS or without.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(super) type Headers<'a> = [(&'a str, &'a str)];

pub(super) struct World {
    pub(super) weft: Sandbox,
    front: Option<Frontend>,
    name: String,
    pub(super) database: Option<Server>,
}

/// The four worlds.
const WORLDS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

impl World {
    /// On PostgreSQL or SQLite, behind nginx or not; a process for each service or one for all, the edge with these flags.
    pub(super) async fn start(
        (postgres, nginx): (bool, bool),
        apart: bool,
        more: &[&str],
    ) -> anyhow::Result<World> {
        let database = match postgres {
            true => Some(Server::postgres().await?),
            false => None,
        };
        let url = database.as_ref().map(Server::database).transpose()?;
        let site = format!("https://{SITE}");
        let store: Vec<&str> = url.iter().flat_map(|url| ["--users-store", url]).collect();
        let proxied = match nginx {
            true => vec!["--trusted-proxies", "127.0.0.1", "--public-url", &site],
            false => vec![],
        };
        let edge = [&["--demand-credentials"], &proxied[..]].concat();
        let weft = match apart {
            true => Sandbox::apart(&store, &[&edge[..], more].concat()).await?,
            false => Sandbox::start_with(&[&edge[..], &store, more].concat()).await?,
        };
        Ok(World {
            front: match nginx {
                true => Some(Frontend::start(&weft.address).await?),
                false => None,
            },
            name: format!(
                "on {}{}",
                if postgres { "PostgreSQL" } else { "SQLite" },
                if nginx { " behind nginx" } else { "" }
            ),
            weft,
            database,
        })
    }

    /// What the site is called.
    pub(super) fn host(&self) -> &str {
        match self.front {
            Some(_) => SITE,
            None => &self.weft.address,
        }
    }

    pub(super) fn origin(&self) -> String {
        let scheme = if self.front.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.host())
    }

    /// Where anything is written.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let database = self.database.iter().map(Server::folder);
        let front = self.front.iter().map(Frontend::folder);
        let all = database.chain(front).chain([self.weft.data_dir()]);
        all.map(Path::to_path_buf).collect()
    }

    pub(super) fn is_behind_nginx(&self) -> bool {
        self.front.is_some()
    }

    /// A connection to whatever the public reaches.
    pub(super) async fn connect(&self, protocol: &str) -> anyhow::Result<Box<dyn Io>> {
        Ok(match &self.front {
            Some(front) => Box::new(front.connect("127.0.0.1", protocol).await?),
            None => Box::new(TcpStream::connect(&self.weft.address).await?),
        })
    }

    /// A request over HTTP/1.1.
    pub(super) async fn ask(
        &self,
        (method, path): (&str, &str),
        headers: &Headers<'_>,
        body: &str,
    ) -> anyhow::Result<Answer> {
        let named = headers.iter().map(|(n, v)| (*n, HeaderValue::from_str(v)));
        let named: Result<Vec<_>, _> = named.map(|(n, v)| v.map(|v| (n, v))).collect();
        self.send((method, path), named?, body).await
    }

    /// The same with values of any bytes.
    pub(super) async fn send(
        &self,
        (method, path): (&str, &str),
        headers: Vec<(&str, HeaderValue)>,
        body: &str,
    ) -> anyhow::Result<Answer> {
        let request = Request::builder().method(method).uri(path);
        let mut request = request
            .header("host", self.host())
            .body(Full::new(Bytes::from(body.to_owned())))?;
        for (name, value) in headers {
            request
                .headers_mut()
                .append(HeaderName::try_from(name)?, value);
        }
        let io = TokioIo::new(self.connect("http/1.1").await?);
        let (mut sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection);
        let response = timeout(PATIENCE, sender.send_request(request)).await??;
        answer(response).await
    }

    pub(super) async fn get(&self, path: &str, secret: &str) -> anyhow::Result<Answer> {
        let bearer = format!("Bearer {secret}");
        let headers = [("authorization", bearer.as_str())];
        self.ask(("GET", path), &headers, "").await
    }

    /// A token of `amber`, which is made if it is not there.
    pub(super) async fn amber(&self, permissions: &str) -> anyhow::Result<String> {
        let _ = admin(&self.weft, "org create amber").await;
        let of = format!("amber t --permissions {permissions}");
        Ok(token(&self.weft, &of).await?.0)
    }

    /// The status of posting a report.
    pub(super) async fn report(&self, secret: &str) -> anyhow::Result<u16> {
        let token = format!("Scope-Probe token={secret}");
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
            ("x-scope-probe-id", "p"),
        ];
        let answer = self.ask(("POST", "/api/report"), &headers, "{}").await?;
        Ok(answer.status.as_u16())
    }

    /// The code that an RPC is answered with by its path, and the first message of its answer.
    pub(super) async fn call(
        &self,
        path: &str,
        headers: Vec<(&str, HeaderValue)>,
        message: &[u8],
    ) -> anyhow::Result<(Code, Bytes)> {
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len())?);
        framed.put_slice(message);
        let mut request = Request::post(format!("{}{path}", self.origin()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(framed.freeze()))?;
        for (name, value) in headers {
            request
                .headers_mut()
                .append(HeaderName::try_from(name)?, value);
        }
        let io = TokioIo::new(self.connect("h2").await?);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        let response = timeout(PATIENCE, sender.send_request(request)).await??;
        let (head, body) = response.into_parts();
        let body = timeout(PATIENCE, body.collect()).await??;
        let status = body.trailers().and_then(|t| t.get("grpc-status")).cloned();
        let status = status.or_else(|| head.headers.get("grpc-status").cloned());
        let bytes = body.to_bytes();
        let Some(status) = status else {
            // What speaks no gRPC, as nginx where it refuses by itself.
            ensure!(head.status != 200, "an answer without a status");
            return Ok((Code::Unknown, Bytes::new()));
        };
        Ok((
            Code::from_bytes(status.as_bytes()),
            bytes.slice(5.min(bytes.len())..),
        ))
    }

    /// As [`World::call`], with a token and no message.
    pub(super) async fn rpc(&self, name: &str, secret: &str) -> anyhow::Result<Code> {
        let headers = vec![bearer(secret)?];
        Ok(self.call(&format!("/weft.{name}"), headers, &[]).await?.0)
    }

    /// Opens a WebSocket; the status if it is refused.
    pub(super) async fn socket(
        &self,
        path: &str,
        headers: &Headers<'_>,
    ) -> anyhow::Result<Result<WebSocketStream<Box<dyn Io>>, u16>> {
        let mut request = Request::get(format!("ws://{}{path}", self.host()))
            .header("host", self.host())
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let io = self.connect("http/1.1").await?;
        let opened = tokio_tungstenite::client_async(request.body(())?, io).await;
        Ok(match opened {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => return Err(error.into()),
        })
    }

    /// `name=value` of the session that an answer sets.
    pub(super) fn session(&self, answer: &Answer) -> anyhow::Result<String> {
        let cookies = answer.headers.get_all("set-cookie").into_iter();
        let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
        let name = if self.front.is_some() {
            "__Host-weft_session="
        } else {
            "weft_session="
        };
        let cookie = cookies.find(|cookie| cookie.starts_with(name));
        let cookie = cookie.with_context(|| format!("{}: {}", answer.status, answer.text()))?;
        Ok(cookie.split(';').next().unwrap_or_default().to_owned())
    }

    /// The session of a new admin.
    pub(super) async fn logged_in(&self, org: &str, email: &str) -> anyhow::Result<String> {
        let link = login::bootstrap(&self.weft, org).await?;
        self.session(&self.open_link(&link, email).await?)
    }

    pub(super) async fn open_link(&self, secret: &str, email: &str) -> anyhow::Result<Answer> {
        let body = serde_json::json!({ "secret": secret, "email": email }).to_string();
        let headers = [("content-type", "application/json")];
        self.ask(("POST", "/api/users/login/link"), &headers, &body)
            .await
    }

    /// Waits until a report is answered with this status.
    pub(super) async fn until_report(&self, secret: &str, status: u16) -> anyhow::Result<()> {
        let answered = timeout(PATIENCE, async {
            while self.report(secret).await? != status {}
            anyhow::Ok(())
        });
        answered
            .await
            .map_err(|_| anyhow!("a report is never {status}"))?
    }

    /// Waits until a request is answered with this status.
    pub(super) async fn until(&self, path: &str, secret: &str, status: u16) -> anyhow::Result<()> {
        let answered = async {
            while self.get(path, secret).await?.status != status {}
            anyhow::Ok(())
        };
        let answered = timeout(PATIENCE, answered).await;
        answered.map_err(|_| anyhow!("{path} is never {status}"))?
    }
}

pub(super) fn bearer(secret: &str) -> anyhow::Result<(&'static str, HeaderValue)> {
    let value = HeaderValue::from_str(&format!("Bearer {secret}"))?;
    Ok(("authorization", value))
}

async fn answer(response: Response<Incoming>) -> anyhow::Result<Answer> {
    let (head, body) = response.into_parts();
    let content_type = head.headers.get("content-type");
    let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or("");
    Ok(Answer {
        status: head.status,
        content_type: content_type.to_owned(),
        headers: head.headers,
        body: timeout(PATIENCE, body.collect()).await??.to_bytes(),
    })
}

/// Tries a vector in all worlds at once, with these flags.
pub(super) async fn everywhere<F>(more: &[&str], vector: F) -> anyhow::Result<()>
where
    F: AsyncFn(World) -> anyhow::Result<()>,
{
    in_worlds(false, more, vector).await
}

/// The same with a process for each service.
pub(super) async fn everywhere_apart<F>(vector: F) -> anyhow::Result<()>
where
    F: AsyncFn(World) -> anyhow::Result<()>,
{
    in_worlds(true, &[], vector).await
}

async fn in_worlds<F>(apart: bool, more: &[&str], vector: F) -> anyhow::Result<()>
where
    F: AsyncFn(World) -> anyhow::Result<()>,
{
    let vector = &vector;
    let tried = WORLDS.map(async |kind| {
        let world = World::start(kind, apart, more).await?;
        let name = world.name.clone();
        vector(world).await.map_err(|error| error.context(name))
    });
    try_join_all(tried).await?;
    Ok(())
}
