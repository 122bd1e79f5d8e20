//! Where pipes are: which replica holds each, and which replicas there are.

mod consul;
mod memory;

use std::sync::Arc;

use prost::Message;
use proto::storage::v1::PipePlace;
use runtime::Runtime;
use url::Url;

use crate::address::Address;
use crate::calls::Calls;
use crate::{OpenError, StoreError};

/// A pipe's place, as it was at a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Where it is.
    pub place: PipePlace,
    /// Grows with every change; never 0.
    pub version: u64,
}

/// A pipe: its organisation and its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipeKey {
    /// The organisation.
    pub org: String,
    /// The pipe's id.
    pub id: String,
}

/// This process as one of the replicas, until it leaves, dies or is evicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Unique for ever.
    pub name: String,
    session: String,
}

/// Places of pipes, and the replicas that hold them.
///
/// A process opens its ends once and clones them.
#[derive(Debug, Clone)]
pub struct Ends {
    backend: Arc<dyn Backend>,
    calls: Calls,
}

#[async_trait::async_trait]
trait Backend: std::fmt::Debug + Send + Sync {
    async fn get(&self, key: &PipeKey) -> Result<Option<(Vec<u8>, u64)>, StoreError>;
    /// Replaces what has this version, 0 for nothing; false if it has another one. `None` removes, which is true of what is
    /// not there.
    async fn swap(
        &self,
        key: &PipeKey,
        version: u64,
        value: Option<Vec<u8>>,
    ) -> Result<bool, StoreError>;
    async fn list(&self) -> Result<Vec<(PipeKey, Vec<u8>, u64)>, StoreError>;
    /// Makes a session, and a member in it whose value is this address.
    async fn join(&self, name: &str, address: &str) -> Result<String, StoreError>;
    /// False when the session is gone.
    async fn renew(&self, session: &str) -> Result<bool, StoreError>;
    async fn leave(&self, session: &str) -> Result<(), StoreError>;
    /// The member's session and address.
    async fn member(&self, name: &str) -> Result<Option<(String, String)>, StoreError>;
    /// Returns when the member may have gone; at the latest after a while.
    async fn watch(&self, name: &str) -> Result<(), StoreError>;
    async fn members(&self) -> Result<Vec<String>, StoreError>;
    /// Whether it answers.
    async fn probe(&self) -> Result<(), StoreError>;
}

impl Ends {
    /// Opens `memory:` (this process alone) or `consul://host:port/prefix?credentials=/file&tls=true`, the file with a token.
    /// What is away at this moment is no error.
    ///
    /// # Errors
    /// If the URL is wrong, or ends are open already.
    pub async fn open(url: &Url, rt: &Runtime) -> Result<Self, OpenError> {
        let backend: Arc<dyn Backend> = match url.scheme() {
            "memory" => {
                Address::parse(url, &[])?;
                Arc::new(memory::Memory::default())
            }
            "consul" => {
                let address = Address::parse(url, &consul::PARAMETERS)?;
                Arc::new(consul::Consul::open(&address)?)
            }
            other => {
                return Err(OpenError::Url(format!(
                    "{other}: keeps no ends of pipes; memory: and consul://host:port/prefix do"
                )));
            }
        };
        let calls = Calls::register("ends", rt)?;
        let probed = Arc::clone(&backend);
        calls.probe(rt, move || {
            let backend = Arc::clone(&probed);
            async move { backend.probe().await }
        });
        Ok(Ends { backend, calls })
    }

    /// Where this pipe is; nothing if it is unknown.
    ///
    /// # Errors
    /// If the store is away, or holds something else there.
    pub async fn get(&self, key: &PipeKey) -> Result<Option<Place>, StoreError> {
        let found = self.calls.read("get", self.backend.get(key)).await?;
        found
            .map(|(value, version)| decode(&value, version))
            .transpose()
    }

    /// Writes a pipe's place if it has this version, 0 for a pipe that is unknown; whether it had.
    ///
    /// # Errors
    /// If the store is away; it may have been written then.
    pub async fn put(
        &self,
        key: &PipeKey,
        place: &PipePlace,
        version: u64,
    ) -> Result<bool, StoreError> {
        let value = Some(place.encode_to_vec());
        let put = self.backend.swap(key, version, value);
        self.calls.write("put", put).await
    }

    /// Forgets a pipe if its place has this version; whether it is unknown now.
    ///
    /// # Errors
    /// If the store is away; it may have been forgotten then.
    pub async fn forget(&self, key: &PipeKey, version: u64) -> Result<bool, StoreError> {
        let forget = self.backend.swap(key, version, None);
        self.calls.write("forget", forget).await
    }

    /// All pipes. What is no pipe is left out.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn list(&self) -> Result<Vec<(PipeKey, Place)>, StoreError> {
        let all = self.calls.read("list", self.backend.list()).await?;
        let places = all.into_iter().filter_map(|(key, value, version)| {
            let place = decode(&value, version).ok()?;
            Some((key, place))
        });
        Ok(places.collect())
    }

    /// Makes this process a replica that others reach at this address, for [`REPLICA_LIFETIME`] after each [`Ends::renew`].
    ///
    /// # Errors
    /// If the store is away.
    pub async fn join(&self, address: &str) -> Result<Member, StoreError> {
        let name = format!("{:032x}", rand::random::<u128>());
        let join = self.backend.join(&name, address);
        let session = self.calls.write("join", join).await?;
        Ok(Member { name, session })
    }

    /// Says that it still runs; false when it counts as dead already.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn renew(&self, member: &Member) -> Result<bool, StoreError> {
        let renew = self.backend.renew(&member.session);
        self.calls.write("renew", renew).await
    }

    /// Says that it leaves. It is no member from then on.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn leave(&self, member: &Member) -> Result<(), StoreError> {
        let leave = self.backend.leave(&member.session);
        self.calls.write("leave", leave).await
    }

    /// The address of a replica; nothing when it left, was evicted, or was not heard of for too long.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn address(&self, name: &str) -> Result<Option<String>, StoreError> {
        let member = self.calls.read("member", self.backend.member(name)).await?;
        Ok(member.map(|(_, address)| address))
    }

    /// Ends a replica of which the caller knows that it is dead.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn evict(&self, name: &str) -> Result<(), StoreError> {
        let member = self.calls.read("member", self.backend.member(name)).await?;
        match member {
            Some((session, _)) => {
                let leave = self.backend.leave(&session);
                self.calls.write("evict", leave).await
            }
            None => Ok(()),
        }
    }

    /// Returns when this replica is no longer a member, soon after that.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn until_gone(&self, name: &str) -> Result<(), StoreError> {
        while self.address(name).await?.is_some() {
            // Not measured: it waits.
            self.backend.watch(name).await?;
        }
        Ok(())
    }

    /// The names of all replicas.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn members(&self) -> Result<Vec<String>, StoreError> {
        self.calls.read("members", self.backend.members()).await
    }
}

/// How long a replica that is not heard of counts as running: the shortest that Consul allows, which takes up to twice as
/// long.
pub const REPLICA_LIFETIME: std::time::Duration = std::time::Duration::from_secs(10);

fn decode(value: &[u8], version: u64) -> Result<Place, StoreError> {
    let place = PipePlace::decode(value)
        .map_err(|error| StoreError::Refused(format!("this is no place of a pipe: {error}")))?;
    Ok(Place { place, version })
}
