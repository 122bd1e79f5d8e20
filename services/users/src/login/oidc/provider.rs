//! One provider: where it sends people, and what it says of them when they come back.

use std::collections::HashMap;
use std::sync::Arc;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, ClaimsVerificationError, Client, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims,
    IdTokenFields, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

use super::Binding;
use super::config::{Grant, OidcConfig};
use super::http::Http;
use crate::{Error, names};

/// How long what a provider says of itself is believed.
const FRESH: Duration = Duration::from_secs(3600);
/// How soon it is asked again because it signed with a key that is not known.
const KEYS_AGAIN: Duration = Duration::from_secs(10);
/// Groups of one person that are looked at.
const GROUPS: usize = 1000;

const AWAY: Error = Error::Away("the provider cannot be asked right now; try again later");
const UNSOUND: Error = Error::Unproven("what the provider says of this login is not sound");

/// Claims that the standard does not name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Extra {
    #[serde(flatten)]
    all: HashMap<String, Value>,
}

impl AdditionalClaims for Extra {}

type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Claims = IdTokenClaims<Extra, CoreGenderClaim>;
type UserInfo = UserInfoClaims<Extra, CoreGenderClaim>;
type Discovered = Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A person, as a provider vouches for it.
#[derive(Debug, Clone)]
pub(in crate::login) struct Returned {
    pub(in crate::login) issuer: String,
    pub(in crate::login) subject: String,
    pub(in crate::login) email: String,
    pub(in crate::login) name: Option<String>,
    /// What its groups have.
    pub(in crate::login) grants: Vec<Grant>,
}

#[derive(Debug)]
pub(in crate::login) struct Provider {
    config: OidcConfig,
    redirect: RedirectUrl,
    http: Http,
    metadata: Mutex<Option<(Arc<CoreProviderMetadata>, Instant)>>,
}

impl Provider {
    pub(in crate::login) fn new(config: OidcConfig, redirect: RedirectUrl) -> Self {
        Provider {
            config,
            redirect,
            http: Http::new(),
            metadata: Mutex::new(None),
        }
    }

    pub(in crate::login) fn id(&self) -> &str {
        &self.config.id
    }

    pub(in crate::login) fn name(&self) -> &str {
        &self.config.name
    }

    /// Where to send the browser.
    pub(in crate::login) async fn url(&self, binding: &Binding) -> Result<String, Error> {
        let client = self.client(FRESH).await?;
        let (state, nonce) = (binding.state(), binding.nonce());
        let verifier = PkceCodeVerifier::new(binding.verifier());
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        let scopes = ["email", "profile"].map(str::to_owned).into_iter();
        for scope in scopes.chain(self.config.scopes.clone()) {
            request = request.add_scope(Scope::new(scope));
        }
        Ok(request.url().0.into())
    }

    /// Who came back with this code.
    pub(in crate::login) async fn returned(
        &self,
        code: String,
        issuer: &str,
        binding: &Binding,
    ) -> Result<Returned, Error> {
        // An answer of another provider, RFC 9207.
        if code.is_empty() || !(issuer.is_empty() || issuer == self.config.issuer.as_str()) {
            return Err(UNSOUND);
        }
        let client = self.client(FRESH).await?;
        let request = client.exchange_code(AuthorizationCode::new(code));
        let request = request.map_err(|_| AWAY)?;
        let tokens = request
            .set_pkce_verifier(PkceCodeVerifier::new(binding.verifier()))
            .request_async(&self.http)
            .await;
        let tokens = tokens.map_err(|error| match error {
            RequestTokenError::ServerResponse(refusal) => {
                tracing::info!(provider = self.config.id, error = ?refusal.error(), "a login was refused");
                UNSOUND
            }
            RequestTokenError::Request(error) => {
                tracing::warn!(provider = self.config.id, %error, "no tokens");
                AWAY
            }
            // Neither of them says what it was: it may hold tokens.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                tracing::warn!(provider = self.config.id, "what the provider answers is no token");
                AWAY
            }
        })?;
        let claims = self.claims(&client, &tokens, binding).await?;
        let info = self.user_info(&client, &tokens, &claims).await?;
        self.person(&claims, info.as_ref())
    }

    /// What the ID token says, once its signature, issuer, audience, time and nonce were checked.
    async fn claims(
        &self,
        client: &Discovered,
        tokens: &Tokens,
        binding: &Binding,
    ) -> Result<Claims, Error> {
        let token = tokens.extra_fields().id_token().ok_or(UNSOUND)?;
        let nonce = Nonce::new(binding.nonce());
        let check = |client: &Discovered| {
            let verifier = client.id_token_verifier().set_allowed_algs(algorithms());
            token.claims(&verifier, &nonce).cloned()
        };
        let unknown_key = |error: &ClaimsVerificationError| {
            matches!(
                error,
                ClaimsVerificationError::SignatureVerification(
                    SignatureVerificationError::NoMatchingKey
                )
            )
        };
        let mut checked = check(client);
        if checked.as_ref().is_err_and(unknown_key) {
            checked = check(&self.client(KEYS_AGAIN).await?);
        }
        checked.map_err(|error| {
            tracing::warn!(provider = self.config.id, %error, "an ID token is not believed");
            UNSOUND
        })
    }

    /// Asked for only what the ID token lacks.
    async fn user_info(
        &self,
        client: &Discovered,
        tokens: &Tokens,
        claims: &Claims,
    ) -> Result<Option<UserInfo>, Error> {
        let groups = claims
            .additional_claims()
            .all
            .contains_key(&self.config.groups);
        let enough = claims.email().is_some() && (groups || self.config.grants.is_empty());
        if enough || client.user_info_url().is_none() {
            return Ok(None);
        }
        // The subject must be the same.
        let subject = Some(claims.subject().clone());
        let request = client.user_info(tokens.access_token().clone(), subject);
        let request = request.map_err(|_| AWAY)?;
        let info: UserInfo = request.request_async(&self.http).await.map_err(|_| {
            tracing::warn!(
                provider = self.config.id,
                "the provider says nothing of the person"
            );
            AWAY
        })?;
        Ok(Some(info))
    }

    fn person(&self, claims: &Claims, info: Option<&UserInfo>) -> Result<Returned, Error> {
        // Address and whether it is verified are of one source.
        let (email, verified) = match (claims.email(), info) {
            (Some(email), _) => (Some(email), claims.email_verified()),
            (None, Some(info)) => (info.email(), info.email_verified()),
            (None, None) => (None, None),
        };
        let email = email.filter(|_| verified == Some(true));
        let email = email.ok_or(Error::Denied(
            "the provider has not verified an e-mail address of yours",
        ))?;
        let extra = &claims.additional_claims().all;
        let groups = extra.get(&self.config.groups);
        let groups = groups.or_else(|| info?.additional_claims().all.get(&self.config.groups));
        let name = claims.name().or_else(|| info?.name());
        let name = name.and_then(|name| name.get(None));
        Ok(Returned {
            issuer: self.config.issuer.as_str().to_owned(),
            subject: claims.subject().as_str().to_owned(),
            email: names::email(email)?,
            name: name.and_then(|name| names::name(name).ok()),
            grants: self.grants(groups),
        })
    }

    fn grants(&self, groups: Option<&Value>) -> Vec<Grant> {
        let listed: Vec<&str> = match groups {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => {
                many.iter().filter_map(Value::as_str).take(GROUPS).collect()
            }
            _ => Vec::new(),
        };
        let grants = self.config.grants.iter();
        let held = grants.filter(|grant| listed.contains(&grant.group.as_str()));
        held.cloned().collect()
    }

    /// The provider as it describes itself, no older than this.
    async fn client(&self, fresh: Duration) -> Result<Discovered, Error> {
        let mut kept = self.metadata.lock().await;
        let known = kept.as_ref().filter(|(_, at)| at.elapsed() < fresh);
        let metadata = match known {
            Some((metadata, _)) => Arc::clone(metadata),
            None => {
                let issuer = self.config.issuer.clone();
                let found = CoreProviderMetadata::discover_async(issuer, &self.http).await;
                let found = found.map_err(|error| {
                    tracing::warn!(provider = self.config.id, %error, "the provider does not describe itself");
                    AWAY
                })?;
                let found = Arc::new(found);
                *kept = Some((Arc::clone(&found), Instant::now()));
                found
            }
        };
        drop(kept);
        let (id, secret) = (self.config.client_id.clone(), self.config.secret.clone());
        let client: Discovered = Client::from_provider_metadata((*metadata).clone(), id, secret);
        Ok(client.set_redirect_uri(self.redirect.clone()))
    }
}

/// What providers sign with; neither nothing, nor a secret that both sides know.
fn algorithms() -> [CoreJwsSigningAlgorithm; 9] {
    [
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
        CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        CoreJwsSigningAlgorithm::RsaSsaPssSha384,
        CoreJwsSigningAlgorithm::RsaSsaPssSha512,
        CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        CoreJwsSigningAlgorithm::EdDsa,
    ]
}
