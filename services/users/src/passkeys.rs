//! WebAuthn: what browsers are asked for, and whether what they answer is sound.
//!
//! A ceremony takes two calls. What the library must know at the end is kept by the store, and the challenge by the browser
//! alone, in one text with a secret whose digest finds the rest.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Uuid, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::Error;
use crate::secret::{Digested, Kind, Secret};
use crate::store::entity::{ceremonies, passkeys, users};

/// What a browser answers is shorter.
const CREDENTIAL_BYTES: usize = 16 << 10;
/// A secret, a dot, and a challenge.
const BINDING_BYTES: usize = 256;

pub(crate) const NOT_HERE: Error = Error::Precondition(
    "there are no passkeys at this address; they need --public-url with a name, over https or as localhost",
);
/// The same for one that was begun elsewhere, is over, or was made up.
pub(crate) const NOT_BEGUN: Error =
    Error::Unproven("this was not begun in this browser, was ended, or took too long; begin again");
const UNSOUND: Error = Error::Unproven("this passkey is not known here; log in another way");
const BAD_ANSWER: Error =
    Error::Invalid("what the device answered makes no passkey for this site; try another device");
const NOT_KEPT: Error =
    Error::Invalid("this device keeps no passkeys to log in with; try another device");
const BROKEN: Error = Error::Invalid("the passkey's answer cannot be read");

/// What this site is to passkeys. They are made for its name, and count on its pages alone.
#[derive(Debug, Clone)]
pub(crate) struct Passkeys(Webauthn);

/// A ceremony that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    /// For the page.
    pub(crate) options: String,
    /// For the browser, and nobody else.
    pub(crate) binding: Binding,
    /// For the store.
    pub(crate) state: String,
}

/// What a browser holds until the end.
#[derive(Clone)]
pub(crate) struct Binding(String);

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Binding(…)")
    }
}

impl Binding {
    fn new(challenge: &str) -> Self {
        let secret = Secret::of(Kind::Ceremony);
        Binding(format!("{}.{challenge}", secret.reveal()))
    }

    /// As a browser gives it back; none if it cannot be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (secret, _) = text.split_once('.')?;
        let sound =
            text.len() <= BINDING_BYTES && Secret::parse_as(&[Kind::Ceremony], secret).is_some();
        sound.then(|| Binding(text.to_owned()))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> Digested {
        Digested::of(&self.0)
    }

    fn challenge(&self) -> &str {
        self.0
            .split_once('.')
            .map_or("", |(_, challenge)| challenge)
    }
}

/// What a browser presents to log in with.
#[derive(Debug)]
pub(crate) struct Presented {
    credential: PublicKeyCredential,
    /// As the device names it, in base64url.
    pub(crate) credential_id: String,
}

impl Presented {
    pub(crate) fn parse(json: &str) -> Result<Self, Error> {
        let credential: PublicKeyCredential = parse(json)?;
        let credential_id = URL_SAFE_NO_PAD.encode(credential.get_credential_id());
        Ok(Presented {
            credential,
            credential_id,
        })
    }
}

/// Why somebody is not logged in with a passkey.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Its counter went back, so two devices have it.
    Copied,
    Otherwise(Error),
}

impl Passkeys {
    /// None where browsers make no passkeys: by an IP address.
    pub(crate) fn new(site: Option<&Url>) -> Option<Self> {
        let site = site?;
        let name = site.domain()?;
        let built =
            WebauthnBuilder::new(name, site).and_then(|builder| builder.rp_name("Weft").build());
        built.ok().map(Passkeys)
    }

    /// A new passkey of this person, on a device that has none of these.
    pub(crate) fn start_registration(
        &self,
        user: &users::Model,
        others: &[passkeys::Model],
    ) -> Result<Begun, Error> {
        let others = others.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let others = others.iter().map(|other| other.cred_id().clone()).collect();
        let begun = self.0.start_passkey_registration(
            handle(&user.id),
            &user.email,
            &user.name,
            Some(others),
        );
        let (options, state) = begun.map_err(unexpected)?;
        let mut options = value(&options)?;
        // So that it can be found by whoever says no name.
        let selection = &mut options["publicKey"]["authenticatorSelection"];
        selection["residentKey"] = json!("required");
        selection["requireResidentKey"] = json!(true);
        begun_with(&options, value(&state)?, "rs")
    }

    /// The id and what is kept of a new passkey.
    pub(crate) fn finish_registration(
        &self,
        ceremony: &ceremonies::Model,
        binding: &Binding,
        credential_json: &str,
    ) -> Result<(String, String), Error> {
        let credential: RegisterPublicKeyCredential = parse(credential_json)?;
        let properties = credential.extensions.cred_props.as_ref();
        if properties.is_some_and(|properties| properties.rk == Some(false)) {
            return Err(NOT_KEPT);
        }
        let state: PasskeyRegistration = resumed(ceremony, binding, "rs")?;
        let made = self.0.finish_passkey_registration(&credential, &state);
        let passkey = made.map_err(|error| {
            tracing::debug!(%error, "a passkey is not registered");
            BAD_ANSWER
        })?;
        let id = URL_SAFE_NO_PAD.encode(passkey.cred_id());
        Ok((id, text(&passkey)?))
    }

    /// With any passkey, or with one of these.
    pub(crate) fn start_login(&self, among: Option<&[passkeys::Model]>) -> Result<Begun, Error> {
        let begun = self.0.start_discoverable_authentication();
        let (options, state) = begun.map_err(unexpected)?;
        let mut options = value(&options)?;
        if let Some(object) = options.as_object_mut() {
            // A person has pressed a button, and is asked.
            object.remove("mediation");
        }
        if let Some(among) = among {
            let one =
                |key: &passkeys::Model| json!({ "type": "public-key", "id": key.credential_id });
            options["publicKey"]["allowCredentials"] = among.iter().map(one).collect();
        }
        begun_with(&options, value(&state)?, "ast")
    }

    /// What is kept of this passkey from now on, if it has signed.
    pub(crate) fn finish_login(
        &self,
        ceremony: &ceremonies::Model,
        binding: &Binding,
        presented: &Presented,
        known: &passkeys::Model,
    ) -> Result<String, Refused> {
        // A device may leave out whose it is when it was told which to use.
        let owner = presented.credential.get_user_unique_id();
        let named = owner.map_or(!ceremony.user_id.is_empty(), |owner| {
            owner == handle(&known.user_id).as_bytes()
        });
        let own = ceremony.user_id.is_empty() || ceremony.user_id == known.user_id;
        if !named || !own {
            return Err(Refused::Otherwise(UNSOUND));
        }
        let state: DiscoverableAuthentication =
            resumed(ceremony, binding, "ast").map_err(Refused::Otherwise)?;
        let mut passkey = stored(known).map_err(Refused::Otherwise)?;
        let keys = [DiscoverableKey::from(&passkey)];
        let finished =
            self.0
                .finish_discoverable_authentication(&presented.credential, state, &keys);
        match finished {
            Ok(result) => {
                passkey.update_credential(&result);
                text(&passkey).map_err(Refused::Otherwise)
            }
            Err(WebauthnError::CredentialPossibleCompromise) => Err(Refused::Copied),
            Err(error) => {
                tracing::debug!(%error, "a passkey is refused");
                Err(Refused::Otherwise(UNSOUND))
            }
        }
    }
}

/// What a device knows a person by: it tells others nothing.
fn handle(user_id: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(user_id.as_bytes()).into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(half)
}

/// Takes the challenge out of what the store keeps.
fn begun_with(options: &Value, mut state: Value, part: &str) -> Result<Begun, Error> {
    let challenge = state[part]["challenge"].take();
    let challenge = challenge.as_str().ok_or(BROKEN)?;
    Ok(Begun {
        options: options.to_string(),
        binding: Binding::new(challenge),
        state: state.to_string(),
    })
}

/// And puts it back.
fn resumed<T: DeserializeOwned>(
    ceremony: &ceremonies::Model,
    binding: &Binding,
    part: &str,
) -> Result<T, Error> {
    let mut state: Value = serde_json::from_str(&ceremony.state).map_err(|_| NOT_BEGUN)?;
    state[part]["challenge"] = json!(binding.challenge());
    serde_json::from_value(state).map_err(|_| NOT_BEGUN)
}

fn stored(row: &passkeys::Model) -> Result<Passkey, Error> {
    serde_json::from_str(&row.credential).map_err(|error| {
        tracing::error!(id = row.id, %error, "a passkey in the store cannot be read");
        UNSOUND
    })
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    if json.len() > CREDENTIAL_BYTES {
        return Err(BROKEN);
    }
    serde_json::from_str(json).map_err(|_| BROKEN)
}

fn value(of: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(of).map_err(|_| BROKEN)
}

fn text(of: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(of).map_err(|_| BROKEN)
}

fn unexpected(error: WebauthnError) -> Error {
    tracing::error!(%error, "no ceremony of a passkey can be begun");
    NOT_HERE
}
