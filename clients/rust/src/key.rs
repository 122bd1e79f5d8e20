//! Signing and verifying who a caller is.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, fs, io};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, Mac};
use http::HeaderValue;
use prost::Message;
use proto::tenant::v1::Assertion;
use sha2::Sha256;

use crate::Caller;

/// How long an assertion is good for.
const LIFETIME: Duration = Duration::from_secs(60);

/// Clocks of two machines may differ by this much.
const LEEWAY: Duration = Duration::from_secs(5);

const TAG_BYTES: usize = 32;

/// No assertion is longer; what is longer is not even hashed.
const MAX_HEADER_BYTES: usize = 4096;

/// The secret that all services of one deployment share. 32 random bytes.
#[derive(Clone)]
pub struct Key(Arc<[u8; 32]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why a key file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or made.
    #[error("cannot open the key file {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("the key file {0} does not hold 32 bytes in base64")]
    Malformed(String),
}

/// Why an assertion is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It was not made with this key, or was changed.
    #[error("the assertion's signature does not match")]
    Signature,
    /// Its time has passed, or lies too far ahead.
    #[error("the assertion has expired")]
    Expired,
    /// It is not an assertion.
    #[error("the assertion cannot be read")]
    Malformed,
}

impl Key {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Key(Arc::new(rand::random()))
    }

    /// The key in this file, which is made (mode 0600) if it does not exist.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds something else.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let io_error = |source| KeyError::Io {
            path: path.display().to_string(),
            source,
        };
        match fs::read_to_string(path) {
            Ok(text) => {
                let bytes = STANDARD.decode(text.trim()).ok();
                bytes
                    .and_then(|b| b.try_into().ok())
                    .map(|b| Key(Arc::new(b)))
                    .ok_or_else(|| KeyError::Malformed(path.display().to_string()))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let key = Key::generate();
                match write_secret(path, &STANDARD.encode(*key.0)) {
                    Ok(()) => Ok(key),
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Key::open(path),
                    Err(e) => Err(io_error(e)),
                }
            }
            Err(e) => Err(io_error(e)),
        }
    }

    /// The value of [`crate::ASSERTION_HEADER`] for this assertion, good for a minute.
    #[must_use]
    pub fn sign(&self, mut assertion: Assertion, now: SystemTime) -> HeaderValue {
        assertion.expires_at = Some((now + LIFETIME).into());
        let mut bytes = assertion.encode_to_vec();
        let tag = self.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        HeaderValue::from_str(&STANDARD_NO_PAD.encode(bytes))
            .unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The caller that this header value stands for.
    ///
    /// # Errors
    /// When it was not signed with this key within the last minute.
    pub fn verify(&self, header: &HeaderValue, now: SystemTime) -> Result<Caller, VerifyError> {
        let text = header.as_bytes();
        if text.len() > MAX_HEADER_BYTES {
            return Err(VerifyError::Malformed);
        }
        let end = text.iter().rposition(|&b| b != b'=').map_or(0, |i| i + 1);
        let bytes = STANDARD_NO_PAD
            .decode(&text[..end])
            .map_err(|_| VerifyError::Malformed)?;
        let split = bytes
            .len()
            .checked_sub(TAG_BYTES)
            .ok_or(VerifyError::Malformed)?;
        let (body, tag) = bytes.split_at(split);
        self.mac(body)
            .verify_slice(tag)
            .map_err(|_| VerifyError::Signature)?;
        let assertion = Assertion::decode(body).map_err(|_| VerifyError::Malformed)?;
        let expires: SystemTime = assertion
            .expires_at
            .and_then(|t| t.try_into().ok())
            .ok_or(VerifyError::Malformed)?;
        if expires + LEEWAY < now || expires > now + LIFETIME + LEEWAY {
            return Err(VerifyError::Expired);
        }
        Ok(Caller::from_assertion(assertion, now))
    }

    /// These bytes with a tag that only this key makes, for one purpose: what was sealed for another is not opened.
    #[must_use]
    pub fn seal(&self, purpose: &str, bytes: &[u8]) -> Vec<u8> {
        let tag = self.for_purpose(purpose, bytes).finalize().into_bytes();
        [bytes, &tag].concat()
    }

    /// What was sealed with this key for this purpose; nothing if it was not, or was changed.
    #[must_use]
    pub fn unseal<'a>(&self, purpose: &str, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let split = sealed.len().checked_sub(TAG_BYTES)?;
        let (bytes, tag) = sealed.split_at(split);
        let mac = self.for_purpose(purpose, bytes);
        mac.verify_slice(tag).ok().map(|()| bytes)
    }

    /// With a key of its own for every purpose, none of which says anything about this one.
    fn for_purpose(&self, purpose: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let own: [u8; 32] = self.mac(purpose.as_bytes()).finalize().into_bytes().into();
        Key(Arc::new(own)).mac(bytes)
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&*self.0)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(bytes);
        mac
    }
}

/// Written beside the file and then linked to it, so that of several processes that start together one makes the key and
/// nobody reads half of it.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assertion() -> Assertion {
        Assertion {
            org_id: "local".to_owned(),
            subject: "someone".to_owned(),
            permissions: vec![1],
            ..Assertion::default()
        }
    }

    #[test]
    fn signed_assertion_is_believed_for_a_minute() {
        let (key, now) = (Key::generate(), SystemTime::now());
        let header = key.sign(assertion(), now);
        assert_eq!(key.verify(&header, now).expect("valid").org_id, "local");
        let later = now + LIFETIME + LEEWAY + Duration::from_secs(1);
        assert_eq!(key.verify(&header, later), Err(VerifyError::Expired));
    }

    #[test]
    fn what_is_sealed_is_opened_for_its_purpose_alone() {
        let key = Key::generate();
        let mut sealed = key.seal("a", b"hello");
        assert_eq!(key.unseal("a", &sealed), Some(&b"hello"[..]));
        assert_eq!(key.unseal("b", &sealed), None);
        assert_eq!(Key::generate().unseal("a", &sealed), None);
        assert_eq!(key.unseal("a", &sealed[..TAG_BYTES - 1]), None);
        sealed[0] ^= 1;
        assert_eq!(key.unseal("a", &sealed), None);
    }

    #[test]
    fn changed_or_foreign_assertion_is_not_believed() {
        let (key, now) = (Key::generate(), SystemTime::now());
        let header = key.sign(assertion(), now);
        assert_eq!(
            Key::generate().verify(&header, now),
            Err(VerifyError::Signature)
        );
        let mut text = header.as_bytes().to_vec();
        text[3] = if text[3] == b'A' { b'B' } else { b'A' };
        let changed = HeaderValue::from_bytes(&text).expect("ASCII");
        assert_eq!(key.verify(&changed, now), Err(VerifyError::Signature));
        let short = HeaderValue::from_static("AAAA");
        assert_eq!(key.verify(&short, now), Err(VerifyError::Malformed));
    }
}
