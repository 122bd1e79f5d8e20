//! An authenticator that keeps passkeys, as WebAuthn describes one (level 2, sections 6.1 and 6.5): P-256 keys, no attestation.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Somebody is there, and showed to be its owner.
const VERIFIED: u8 = 0x05;
/// The key follows.
const WITH_KEY: u8 = 0x40;

pub(crate) struct Authenticator {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    id: [u8; 16],
    owner: String,
    /// How often it has signed.
    pub(crate) counter: u32,
    /// What the browser says it shows.
    pub(crate) origin: &'static str,
    /// The site that it makes keys for.
    pub(crate) site: &'static str,
    pub(crate) flags: u8,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random);
        Authenticator {
            pair: pair.expect("a key"),
            random,
            id: rand::random(),
            owner: String::new(),
            counter: 0,
            origin: "https://weft.example",
            site: "weft.example",
            flags: VERIFIED,
        }
    }

    /// What it answers to a site that wants a passkey.
    pub(crate) fn create(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("JSON");
        let options = &options["publicKey"];
        assert_eq!(
            options["authenticatorSelection"]["residentKey"], "required",
            "{options}"
        );
        assert_eq!(
            options["authenticatorSelection"]["userVerification"],
            "required"
        );
        self.owner = options["user"]["id"].as_str().expect("a handle").to_owned();
        let client = self.client_data("webauthn.create", &options["challenge"]);
        let mut data = self.authenticator_data(self.flags | WITH_KEY);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("short").to_be_bytes());
        data.extend(self.id);
        data.extend(self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": …}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("short"));
        object.extend(data);
        let id = URL_SAFE_NO_PAD.encode(self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key",
            "response": {
                "attestationObject": URL_SAFE_NO_PAD.encode(object),
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
            },
            "clientExtensionResults": { "credProps": { "rk": true } },
        })
        .to_string()
    }

    /// What it signs for a site that wants to know who is there.
    pub(crate) fn get(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("JSON");
        assert_eq!(
            options["mediation"],
            Value::Null,
            "a person pressed a button"
        );
        let options = &options["publicKey"];
        assert_eq!(options["userVerification"], "required", "{options}");
        self.counter += 1;
        let client = self.client_data("webauthn.get", &options["challenge"]);
        let data = self.authenticator_data(self.flags);
        let signed = [&data[..], &Sha256::digest(&client)].concat();
        let signature = self.pair.sign(&self.random, &signed).expect("signed");
        let id = self.id();
        json!({
            "id": id, "rawId": id, "type": "public-key",
            "response": {
                "authenticatorData": URL_SAFE_NO_PAD.encode(data),
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
                "signature": URL_SAFE_NO_PAD.encode(signature),
                "userHandle": self.owner,
            },
            "clientExtensionResults": {},
        })
        .to_string()
    }

    pub(crate) fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.id)
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(self.site).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// {1: 2, 3: -7, -1: 1, -2: x, -3: y}: an elliptic curve, ES256, P-256.
    fn cose_key(&self) -> Vec<u8> {
        // 4, x, y
        let point = self.pair.public_key().as_ref();
        let mut key = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".to_vec();
        key.extend(&point[1..33]);
        key.extend(b"\x22\x58\x20");
        key.extend(&point[33..]);
        key
    }
}
