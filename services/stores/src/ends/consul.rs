//! Places in the key-value store of Consul, replicas under sessions.
//!
//! ```text
//! prefix/pipes/<organisation in hex>/<id in hex>   a PipePlace, changed by check-and-set
//! prefix/replicas/<name>                           its address, deleted with its session
//! ```
//!
//! The client library stays in this file. It sets no time-outs, encodes keys twice, fails on empty values, tells of each
//! missing key as an error in the log, and drops the headers of answers that are errors: hence what stands around its calls.

use std::error::Error;
use std::time::Duration;

use consulrs::api::features::{Blocking, ConsistencyMode};
use consulrs::api::kv::common::KVPair;
use consulrs::api::kv::requests::{DeleteKeyRequest, ReadKeyRequest, SetKeyRequest};
use consulrs::api::session::requests::CreateSessionRequest;
use consulrs::api::{self, ApiResponse, Features};
use consulrs::client::{ConsulClient, ConsulClientSettingsBuilder};
use consulrs::error::ClientError;
use consulrs::{kv, session};
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::{Backend, PipeKey, REPLICA_LIFETIME};
use crate::address::Address;
use crate::{OpenError, StoreError};

pub(super) const PARAMETERS: [&str; 2] = ["credentials", "tls"];

/// How long a call may take.
const CALL: Duration = Duration::from_secs(3);
/// How long Consul may wait for a change, to which it adds up to a sixteenth.
const WAIT: Duration = Duration::from_secs(60);
/// Consul's own, for a server that needs none in the URL.
const PORT: u16 = 8500;

pub(super) struct Consul {
    client: ConsulClient,
    server: String,
    prefix: String,
}

impl std::fmt::Debug for Consul {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consul({}/{})", self.server, self.prefix)
    }
}

impl Consul {
    pub(super) fn open(address: &Address<'_>) -> Result<Self, OpenError> {
        let (server, prefix) = place(address)?;
        let token = address.credentials().map(|file| {
            let io = |error| OpenError::Io(format!("credentials {}", file.display()), error);
            let text = std::fs::read_to_string(file).map_err(io)?;
            Ok::<_, OpenError>(text.trim().to_owned())
        });
        let scheme = if address.flag("tls")? {
            "https"
        } else {
            "http"
        };
        let mut settings = ConsulClientSettingsBuilder::default();
        settings
            .address(format!("{scheme}://{server}"))
            .verify(true);
        if let Some(token) = token.transpose()? {
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                let problem = "the file of credentials= holds no token of Consul";
                return Err(OpenError::Other(problem.to_owned()));
            }
            settings.token(token);
        }
        let settings = settings.build();
        let settings = settings.map_err(|error| OpenError::Other(error.to_string()))?;
        let client = ConsulClient::new(settings);
        let client = client.map_err(|error| OpenError::Other(chain(&error)))?;
        Ok(Consul {
            client,
            server,
            prefix,
        })
    }

    fn pipe(&self, key: &PipeKey) -> String {
        format!("{}/pipes/{}/{}", self.prefix, hex(&key.org), hex(&key.id))
    }

    fn replica(&self, name: &str) -> String {
        format!("{}/replicas/{name}", self.prefix)
    }

    /// Makes a call that answers within [`CALL`] or fails.
    async fn call<T>(
        &self,
        call: impl Future<Output = Result<ApiResponse<T>, ClientError>>,
    ) -> Result<Option<T>, StoreError> {
        self.within(CALL, call).await
    }

    /// Makes a call; nothing if there is no such thing.
    async fn within<T>(
        &self,
        time: Duration,
        call: impl Future<Output = Result<ApiResponse<T>, ClientError>>,
    ) -> Result<Option<T>, StoreError> {
        let answer = timeout(time, call.with_subscriber(NoSubscriber::default())).await;
        let server = &self.server;
        let unavailable = |why: String| StoreError::Unavailable(format!("{server}: {why}"));
        match answer {
            Err(_) => Err(unavailable("no answer in time".to_owned())),
            Ok(Ok(answer)) => Ok(Some(answer.response)),
            Ok(Err(ClientError::APIError { code: 404, .. })) => Ok(None),
            Ok(Err(ClientError::APIError { code, message })) => {
                let why = format!("{code} {}", message.unwrap_or_default().trim());
                Err(match code {
                    429 => StoreError::Throttled(format!("{server}: {why}")),
                    400..=499 => StoreError::Refused(format!("{server}: {why}")),
                    _ => unavailable(why),
                })
            }
            Ok(Err(error)) => Err(unavailable(chain(&error))),
        }
    }

    /// The pairs at this key, or below it.
    async fn read(&self, key: String, below: bool) -> Result<Vec<KVPair>, StoreError> {
        let features = Features {
            mode: Some(ConsistencyMode::CONSISTENT),
            ..Features::default()
        };
        let mut request = ReadKeyRequest::builder();
        request.features(features);
        if below {
            request.recurse(true);
        }
        let read = kv::read(&self.client, &key, Some(&mut request));
        Ok(self.call(read).await?.unwrap_or_default())
    }

    async fn set(&self, request: SetKeyRequest) -> Result<bool, StoreError> {
        if request.value.is_empty() {
            return Err(StoreError::Refused("an empty value".to_owned()));
        }
        let set = self.call(api::exec_with_result(&self.client, request));
        Ok(set.await?.unwrap_or(false))
    }
}

/// `host:port` and the prefix of all keys, without a slash at its end.
fn place(address: &Address<'_>) -> Result<(String, String), OpenError> {
    let wrong = || {
        OpenError::Url(
            "consul: needs a server and a prefix of letters, digits, dashes and slashes, as in \
             consul://host:8500/weft"
                .to_owned(),
        )
    };
    let prefix = address.path().trim_matches('/');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    let prefix_fits = (1..=128).contains(&prefix.len()) && prefix.bytes().all(fits);
    if !prefix_fits || prefix.contains("//") {
        return Err(wrong());
    }
    let server = address.host_and_port(PORT).ok_or_else(wrong)?;
    Ok((server, prefix.to_owned()))
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<String> {
    let digits = |i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
    String::from_utf8(bytes?).ok()
}

/// An error with all its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn value(pair: KVPair) -> Option<(Vec<u8>, u64)> {
    let bytes = pair.value?.try_into().ok()?;
    Some((bytes, pair.modify_index))
}

#[async_trait::async_trait]
impl Backend for Consul {
    async fn get(&self, key: &PipeKey) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let pairs = self.read(self.pipe(key), false).await?;
        Ok(pairs.into_iter().next().and_then(value))
    }

    async fn swap(
        &self,
        key: &PipeKey,
        version: u64,
        value: Option<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let key = self.pipe(key);
        let Some(value) = value else {
            let mut request = DeleteKeyRequest::builder();
            request.cas(version);
            let delete = kv::delete(&self.client, &key, Some(&mut request));
            return Ok(self.call(delete).await?.unwrap_or(false));
        };
        let request = SetKeyRequest {
            key,
            value,
            cas: Some(version),
            ..SetKeyRequest::default()
        };
        self.set(request).await
    }

    async fn list(&self) -> Result<Vec<(PipeKey, Vec<u8>, u64)>, StoreError> {
        let below = format!("{}/pipes/", self.prefix);
        let pairs = self.read(below.clone(), true).await?;
        let all = pairs.into_iter().filter_map(|pair| {
            let (org, id) = pair.key.strip_prefix(&below)?.split_once('/')?;
            let key = PipeKey {
                org: unhex(org)?,
                id: unhex(id)?,
            };
            let (value, version) = value(pair)?;
            Some((key, value, version))
        });
        Ok(all.collect())
    }

    async fn join(&self, name: &str, address: &str) -> Result<String, StoreError> {
        let mut request = CreateSessionRequest::builder();
        request
            .name("weft pipes")
            .behavior("delete")
            .lock_delay("0s")
            // Else it would end with the health of Consul's own agent.
            .node_checks(Vec::<String>::new())
            .ttl(format!("{}s", REPLICA_LIFETIME.as_secs()));
        let created = session::create(&self.client, Some(&mut request));
        let none = || StoreError::Refused("it makes no sessions".to_owned());
        let session = self.call(created).await?.ok_or_else(none)?.id;
        let request = SetKeyRequest {
            key: self.replica(name),
            value: address.as_bytes().to_vec(),
            acquire: Some(session.clone()),
            ..SetKeyRequest::default()
        };
        if self.set(request).await? {
            return Ok(session);
        }
        Err(StoreError::Unavailable(
            "the new session is gone".to_owned(),
        ))
    }

    async fn renew(&self, session: &str) -> Result<bool, StoreError> {
        let renewed = session::renew(&self.client, session, None);
        Ok(self.call(renewed).await?.is_some())
    }

    async fn leave(&self, session: &str) -> Result<(), StoreError> {
        self.call(session::delete(&self.client, session, None))
            .await?;
        Ok(())
    }

    async fn member(&self, name: &str) -> Result<Option<(String, String)>, StoreError> {
        let pairs = self.read(self.replica(name), false).await?;
        Ok(pairs.into_iter().next().and_then(|mut pair| {
            let session = pair.session.take()?;
            let (address, _) = value(pair)?;
            Some((session, String::from_utf8(address).ok()?))
        }))
    }

    async fn watch(&self, name: &str) -> Result<(), StoreError> {
        let pairs = self.read(self.replica(name), false).await?;
        let Some(pair) = pairs.into_iter().next() else {
            return Ok(());
        };
        let features = Features {
            blocking: Some(Blocking {
                index: pair.modify_index,
                wait: Some(format!("{}s", WAIT.as_secs())),
            }),
            ..Features::default()
        };
        let mut request = ReadKeyRequest::builder();
        request.features(features);
        let read = kv::read(&self.client, &pair.key, Some(&mut request));
        self.within(WAIT + WAIT / 16 + CALL, read).await?;
        Ok(())
    }

    async fn members(&self) -> Result<Vec<String>, StoreError> {
        let below = self.replica("");
        let pairs = self.read(below.clone(), true).await?;
        let names = pairs
            .iter()
            .filter_map(|pair| pair.key.strip_prefix(&below));
        Ok(names.map(str::to_owned).collect())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        // A read that the leader confirms: what pipes need is that changes are agreed on.
        self.read(self.replica("0"), false).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn place_of(url: &str) -> Option<(String, String)> {
        let url = Url::parse(url).expect("a URL");
        place(&Address::parse(&url, &PARAMETERS).expect("an address")).ok()
    }

    #[test]
    fn url_names_a_server_and_a_prefix() {
        let both = |server: &str, prefix: &str| Some((server.to_owned(), prefix.to_owned()));
        assert_eq!(place_of("consul://h/weft"), both("h:8500", "weft"));
        assert_eq!(place_of("consul://h:1/a/b-c/"), both("h:1", "a/b-c"));
        for wrong in [
            "consul://h",
            "consul:/weft",
            "consul://h/a//b",
            "consul://h/%C3%BC",
        ] {
            assert_eq!(place_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keys_are_of_harmless_characters_and_come_back() {
        for text in ["local", "a/b", "ü 組", "", "%2F"] {
            let hex = hex(text);
            assert!(hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert_eq!(unhex(&hex).as_deref(), Some(text));
        }
        for wrong in ["a", "zz", "ff", "é1"] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
