//! TLS by certificate and key in files, read again when they change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Runtime;

/// How often the files are looked at. Whoever renews certificates does so days ahead.
const LOOK: Duration = Duration::from_secs(2);
/// No chain of certificates and no key is larger.
const FILE_BYTES: u64 = 1 << 20;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A file holds something else.
    #[error("{path} is no PEM file with {what}: {error}")]
    Pem {
        /// Which.
        path: String,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        error: rustls::pki_types::pem::Error,
    },
    /// A file holds no certificate.
    #[error("{path} holds no certificate")]
    Empty {
        /// Which.
        path: String,
    },
    /// Certificate and key do not make a pair, or are of a kind that is not supported.
    #[error("certificate and key cannot be used together: {0}")]
    Pair(#[from] rustls::Error),
}

/// A certificate and its key. Connections that are open keep theirs when the files change.
#[derive(Debug, Clone)]
pub struct Tls {
    files: Files,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

#[derive(Debug, Clone)]
struct Files {
    certificates: PathBuf,
    key: PathBuf,
}

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl Current {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, pair: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
    }
}

impl Tls {
    /// TLS 1.2 and 1.3, offering HTTP/2 and HTTP/1.1, with the chain of certificates in one PEM file and the key in another.
    ///
    /// # Errors
    /// When they cannot be read or used.
    pub fn open(certificates: &Path, key: &Path) -> Result<Tls, TlsError> {
        let files = Files {
            certificates: certificates.to_owned(),
            key: key.to_owned(),
        };
        let current = Arc::new(Current(RwLock::new(Arc::new(files.read()?))));
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls {
            files,
            current,
            config: Arc::new(config),
        })
    }

    /// Reads the files again whenever they change, until shutdown. What cannot be used changes nothing: whoever writes two
    /// files writes one before the other.
    pub fn follow(&self, rt: &Runtime) {
        let tls = self.clone();
        rt.spawn("certificates", async move {
            let mut seen = tls.files.times();
            loop {
                tokio::time::sleep(LOOK).await;
                let now = tls.files.times();
                if now == seen {
                    continue;
                }
                match tls.files.read() {
                    Ok(pair) => {
                        tls.current.set(pair);
                        tracing::info!("new certificates are in use");
                    }
                    Err(error) => tracing::warn!(%error, "the old certificates stay in use"),
                }
                seen = now;
            }
        });
    }

    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(Arc::clone(&self.config))
            .accept(stream)
            .await
    }
}

impl Files {
    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let certificates = read(&self.certificates)?;
        let pem = |path: &Path, what, error| TlsError::Pem {
            path: path.display().to_string(),
            what,
            error,
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| pem(&self.certificates, "certificates", error))?;
        if chain.is_empty() {
            return Err(TlsError::Empty {
                path: self.certificates.display().to_string(),
            });
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|error| pem(&self.key, "a private key", error))?;
        Ok(CertifiedKey::from_der(
            chain,
            key,
            &ring::default_provider(),
        )?)
    }

    /// When each was written last, and how long it is. A link that was turned to another file counts as a change.
    fn times(&self) -> [Option<(std::time::SystemTime, u64)>; 2] {
        [&self.certificates, &self.key].map(|path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    use std::io::Read;

    let file = |error| TlsError::File {
        path: path.display().to_string(),
        error,
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).map_err(file)?;
    opened
        .take(FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(file)?;
    Ok(bytes)
}
