//! Secrets as their owners hold them: a prefix, 256 random bits, and a checksum.
//!
//! The prefix lets scanners find lost tokens; the checksum tells a typing error from a token without asking the store.

use std::fmt;

use rand::Rng;
use rand::distr::Uniform;
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 43 digits of base 62 hold 256 bits.
const RANDOM: usize = 43;
/// 6 digits of base 62 hold 32 bits.
const CHECKSUM: usize = 6;

/// What a secret is for, which its prefix tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A token of an organisation.
    Organisation,
    /// A token of a person.
    Personal,
    /// The cookie of a session.
    Session,
    /// A link that logs one person in, once.
    Link,
    /// As [`Kind::Link`], for somebody who says at opening who that is.
    Bootstrap,
    /// What a browser holds between beginning and end of a registration or login with a passkey.
    Ceremony,
    /// What a program holds that waits for a person to say that it may have a token.
    Device,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Organisation => "weftorg_",
            Kind::Personal => "weftusr_",
            Kind::Session => "weftses_",
            Kind::Link => "weftlnk_",
            Kind::Bootstrap => "weftboo_",
            Kind::Ceremony => "weftcer_",
            Kind::Device => "weftdev_",
        }
    }
}

/// A secret in clear. It is handed out once and never kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What is kept of it: SHA-256 is enough for something that cannot be guessed. Equal digests are compared by the store's
/// index; how long that takes tells nothing of use about a secret that hashes to one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digested(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for Digested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digested(…)")
    }
}

impl Secret {
    /// A new token of an organisation.
    #[must_use]
    pub fn generate() -> Self {
        Secret::of(Kind::Organisation)
    }

    pub(crate) fn of(kind: Kind) -> Self {
        let mut text = kind.prefix().to_owned();
        // Drawn one by one, so that none is likelier than another.
        let digits = Uniform::new(0, ALPHABET.len()).expect("a range");
        let random = rand::rng().sample_iter(digits).take(RANDOM);
        text.extend(random.map(|digit| char::from(ALPHABET[digit])));
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Secret(text)
    }

    /// A token as a caller presents it; none if it cannot be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Secret::parse_as(&[Kind::Organisation, Kind::Personal], text)
    }

    /// A secret of one of these kinds; none if it cannot be one.
    pub(crate) fn parse_as(kinds: &[Kind], text: &str) -> Option<Self> {
        let kind = kinds.iter().find(|kind| text.starts_with(kind.prefix()))?;
        let split = kind.prefix().len() + RANDOM;
        let sound = text.len() == split + CHECKSUM && text.is_ascii();
        (sound && text[split..] == checksum(&text[..split])).then(|| Secret(text.to_owned()))
    }

    /// In clear, for its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> Digested {
        Digested::of(&self.0)
    }
}

impl Digested {
    /// Of a text that holds a secret.
    pub(crate) fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Digested(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// CRC-32 of what stands before it, most significant digit first.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[rest % ALPHABET.len()];
        rest /= ALPHABET.len();
    }
    digits.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_recognised_and_typing_errors_are_not() {
        let secret = Secret::of(Kind::Personal);
        assert_eq!(Secret::parse(secret.reveal()), Some(secret.clone()));
        for at in 0..secret.0.len() {
            let mut typo = secret.0.clone().into_bytes();
            typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
            let typo = String::from_utf8(typo).expect("ASCII");
            assert_eq!(Secret::parse(&typo), None, "{at}");
        }
        let session = Secret::of(Kind::Session);
        assert_eq!(Secret::parse(session.reveal()), None, "it is no token");
        assert!(Secret::parse_as(&[Kind::Session], session.reveal()).is_some());
        for text in ["", "weftorg_", "weftorg_ü", &secret.0[1..], "ghp_abc"] {
            assert_eq!(Secret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn tokens_differ_and_do_not_show() {
        let (one, other) = (Secret::generate(), Secret::generate());
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), 57);
        assert!(one.reveal().starts_with("weftorg_"));
        let shown = format!("{one:?} {:?}", one.digest());
        assert!(!shown.contains(&one.reveal()[8..]), "{shown}");
        assert_eq!(one.digest().as_str().len(), 64);
    }
}
