//! What things are called: ids of organisations, names, e-mail addresses, opaque ids.

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::Error;

const ID_BYTES: usize = 64;
const NAME_CHARACTERS: usize = 100;
const REASON_CHARACTERS: usize = 200;
const EMAIL_BYTES: usize = 254;
const USER_AGENT_CHARACTERS: usize = 200;

const ADJECTIVES: [&str; 48] = [
    "able", "agile", "ample", "azure", "brave", "brief", "bright", "brisk", "broad", "calm",
    "clear", "clever", "cosy", "crisp", "deft", "eager", "early", "fair", "fine", "firm", "fleet",
    "fresh", "gentle", "glad", "golden", "grand", "green", "handy", "hardy", "keen", "kind",
    "light", "lively", "lucid", "mellow", "mild", "neat", "noble", "plain", "proud", "quick",
    "quiet", "ready", "sharp", "smooth", "steady", "sunny", "warm",
];
const NOUNS: [&str; 48] = [
    "acorn", "alder", "anchor", "arbor", "aspen", "basin", "beacon", "birch", "bobbin", "brook",
    "canal", "cedar", "cliff", "cloud", "clover", "cove", "delta", "dune", "fern", "field",
    "fjord", "forge", "garden", "glade", "grove", "harbor", "heath", "hill", "island", "lake",
    "linen", "loom", "maple", "meadow", "mill", "moor", "orchard", "pine", "pond", "reed", "ridge",
    "river", "shore", "shuttle", "spindle", "thread", "valley", "willow",
];

/// An id that is easy to say: `brisk-loom-4711`. 20 million of them; who makes one checks that it is new.
pub(crate) fn made_up_org_id() -> String {
    let mut random = rand::rng();
    let adjective = ADJECTIVES.choose(&mut random).unwrap_or(&"new");
    let noun = NOUNS.choose(&mut random).unwrap_or(&"org");
    format!("{adjective}-{noun}-{}", random.random_range(1000..10_000))
}

/// The id of an organisation as it is kept: lower case.
pub(crate) fn org_id(text: &str) -> Result<String, Error> {
    let id = text.to_ascii_lowercase();
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if id.is_empty() || id.len() > ID_BYTES || !id.bytes().all(allowed) {
        return Err(Error::Invalid(
            "an organisation's id has 1 to 64 characters of a to z, 0 to 9 and -",
        ));
    }
    Ok(id)
}

/// `brisk-loom-4711` as `Brisk Loom 4711`.
pub(crate) fn name_of(org_id: &str) -> String {
    let mut name = String::new();
    for word in org_id.split('-').filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        let space = if name.is_empty() { "" } else { " " };
        name.extend([space, &first.to_ascii_uppercase(), rest]);
    }
    if name.is_empty() {
        org_id.to_owned()
    } else {
        name
    }
}

/// A name for display.
pub(crate) fn name(text: &str) -> Result<String, Error> {
    let text = text.trim();
    let fits = (1..=NAME_CHARACTERS).contains(&text.chars().count());
    if !fits || text.chars().any(char::is_control) {
        return Err(Error::Invalid(
            "a name has 1 to 100 characters, none of them control characters",
        ));
    }
    Ok(text.to_owned())
}

/// Why something is refused, as callers are told: it goes into a header.
pub(crate) fn reason(text: &str) -> Result<String, Error> {
    if text.chars().count() > REASON_CHARACTERS || text.chars().any(char::is_control) {
        return Err(Error::Invalid(
            "a reason has at most 200 characters, none of them control characters",
        ));
    }
    Ok(text.trim().to_owned())
}

/// An e-mail address as it is kept: lower case. Whether it exists only a mail can tell.
pub(crate) fn email(text: &str) -> Result<String, Error> {
    let address = text.trim().to_lowercase();
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;:\\\"()[]".contains(c);
    let sound = match address.rsplit_once('@') {
        None => false,
        Some((local, domain)) => {
            !local.is_empty()
                && !local.contains('@')
                && domain.split('.').count() >= 2
                && domain.split('.').all(|label| !label.is_empty())
        }
    };
    if !sound || address.len() > EMAIL_BYTES || !address.chars().all(plain) {
        return Err(Error::Invalid("that is no e-mail address"));
    }
    Ok(address)
}

/// What a browser calls itself, as it is kept.
pub(crate) fn user_agent(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(USER_AGENT_CHARACTERS).collect()
}

/// An opaque id, its kind before it, so that ids of two kinds never meet.
pub(crate) fn id(kind: &str) -> String {
    format!("{kind}_{:032x}", rand::random::<u128>())
}

pub(crate) const USER: &str = "usr";
pub(crate) const TOKEN: &str = "tok";
pub(crate) const INVITATION: &str = "inv";
pub(crate) const SESSION: &str = "ses";
pub(crate) const PASSKEY: &str = "key";

/// Whether this is a person's id.
pub(crate) fn is_user(id: &str) -> bool {
    id.strip_prefix(USER)
        .is_some_and(|rest| rest.starts_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_organisations_are_lower_case_and_short() {
        let check = |text: &str, id: Option<&str>| assert_eq!(org_id(text).ok().as_deref(), id);
        check("Brisk-Loom-1", Some("brisk-loom-1"));
        check(&"a".repeat(64), Some(&"a".repeat(64)));
        check(&"a".repeat(65), None);
        for bad in ["", "a b", "a_b", "a/b", "ä", "a\n"] {
            check(bad, None);
        }
        assert!(org_id(&made_up_org_id()).is_ok());
        assert_eq!(name_of("brisk-loom-4711"), "Brisk Loom 4711");
        assert_eq!(name_of("-"), "-");
    }

    #[test]
    fn names_have_up_to_100_characters() {
        assert!(name(&"ü".repeat(100)).is_ok());
        assert!(name(&"u".repeat(101)).is_err());
        assert!(name("  ").is_err());
        assert!(name("a\nb").is_err());
        assert_eq!(name(" a b ").ok().as_deref(), Some("a b"));
    }

    #[test]
    fn addresses_are_lower_case() {
        assert_eq!(email(" A@B.example ").ok().as_deref(), Some("a@b.example"));
        for bad in [
            "", "a", "a@b", "@b.c", "a@b..c", "a@@b.c", "a b@c.d", "<a@b.c>",
        ] {
            assert!(email(bad).is_err(), "{bad}");
        }
    }
}
