//! What S3, DynamoDB and SQS have in common: how they are reached, how long a call may take, what their errors mean.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::config::HttpClient;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

use crate::address::Address;
use crate::{OpenError, StoreError};

/// The parameters of all.
pub(crate) const PARAMETERS: [&str; 3] = ["endpoint", "region", "credentials"];

const CONNECT: Duration = Duration::from_secs(2);
pub(crate) const ATTEMPT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(15);
/// The slowest link that large bodies get through, in bytes per second.
const SLOWEST: u64 = 1 << 20;
/// Reading again costs nothing but time.
const READ_ATTEMPTS: u32 = 3;
/// The caller tries again by itself, with more patience.
const WRITE_ATTEMPTS: u32 = 2;

/// How to reach the service that an address names. Credentials come from the file that it names, or else from where AWS's
/// tools look for them: environment, profile, web identity, container, instance.
pub(crate) async fn config(address: &Address<'_>) -> Result<SdkConfig, OpenError> {
    let tls = tls::Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls);
    let http = http.build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS))
        .timeout_config(timeouts(0));
    let endpoint = address.endpoint()?;
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    match (address.get("region"), endpoint) {
        (Some(region), _) => loader = loader.region(Region::new(region.to_owned())),
        // Who is not AWS has no regions, but signatures have one.
        (None, Some(_)) => loader = loader.region(Region::from_static("us-east-1")),
        (None, None) => {}
    }
    if let Some(file) = address.credentials() {
        loader = loader.credentials_provider(credentials(file, http)?);
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(OpenError::Url(
            "which region? add region=… to the URL, or set AWS_REGION".to_owned(),
        ));
    }
    Ok(config)
}

/// The default profile of a file as AWS's tools write it.
fn credentials(file: &Path, http: impl HttpClient + 'static) -> Result<FromFile, OpenError> {
    std::fs::metadata(file)
        .map_err(|error| OpenError::Io(format!("credentials {}", file.display()), error))?;
    let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, file);
    Ok(FromFile {
        files: files.build(),
        // The file may send us to a service for the credential.
        provider: ProviderConfig::without_region().with_http_client(http),
    })
}

/// Reads the file whenever a credential is needed and the last one is not good any more: AWS's own provider reads it once,
/// and a process that came upon a file half written would stay without a credential.
#[derive(Debug)]
struct FromFile {
    files: EnvConfigFiles,
    provider: ProviderConfig,
}

impl ProvideCredentials for FromFile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let once = ProfileFileCredentialsProvider::builder()
                .configure(&self.provider)
                .profile_files(self.files.clone())
                .profile_name("default")
                .build();
            once.provide_credentials().await
        })
    }
}

/// For calls that change something.
pub(crate) fn write_retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(WRITE_ATTEMPTS)
}

/// How long a call may take whose body has so many bytes.
pub(crate) fn timeouts(bytes: usize) -> TimeoutConfig {
    let body = time_for(bytes);
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT + body)
        .operation_timeout(WHOLE + body * WRITE_ATTEMPTS)
        .build()
}

/// How long a body of so many bytes may take.
pub(crate) fn time_for(bytes: usize) -> Duration {
    Duration::from_millis(bytes as u64 * 1000 / SLOWEST)
}

/// What an error means. `advice` knows codes that somebody can do something about.
pub(crate) fn classify<E>(
    error: &SdkError<E>,
    advice: impl Fn(&str) -> Option<String>,
) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or_default();
            let message = service.err().message().unwrap_or_default();
            by_code(status, code, message, advice)
        }
        SdkError::TimeoutError(_) => StoreError::Unavailable("no answer in time".to_owned()),
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            StoreError::Unavailable(format!("an answer that makes no sense, status {status}"))
        }
        _ => match credentials_error(error) {
            Some(CredentialsError::CredentialsNotLoaded(_)) => StoreError::Refused(
                "there is no credential: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                name a file with credentials=…"
                    .to_owned(),
            ),
            Some(CredentialsError::InvalidConfiguration(_)) => {
                StoreError::Refused(format!("the credential is no good: {}", told(error)))
            }
            _ if matches!(error, SdkError::ConstructionFailure(_)) => {
                StoreError::Refused(told(error))
            }
            _ => StoreError::Unavailable(told(error)),
        },
    }
}

/// The same, of one part of an answer that otherwise succeeded.
pub(crate) fn by_code(
    status: u16,
    code: &str,
    message: &str,
    advice: impl Fn(&str) -> Option<String>,
) -> StoreError {
    let message: String = message.chars().take(200).collect();
    let text = format!("{code} {message} ({status})").trim().to_owned();
    match code {
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "LimitExceededException"
        | "BandwidthLimitExceeded" => StoreError::Throttled(text),
        "RequestTimeout"
        | "RequestTimeoutException"
        | "InternalError"
        | "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "OperationAborted" => StoreError::Unavailable(text),
        _ => match (advice(code), status) {
            (Some(advice), _) => StoreError::Refused(format!("{advice}: {text}")),
            (None, 429) => StoreError::Throttled(text),
            (None, 500 | 502..) => StoreError::Unavailable(text),
            (None, _) => StoreError::Refused(text),
        },
    }
}

/// What everybody is advised of.
pub(crate) fn advice(code: &str) -> Option<String> {
    let advice = match code {
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => {
            "give the credential the right to do this"
        }
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId" => "the credential is no good",
        "RequestTimeTooSkewed" => "set this machine's clock",
        "PermanentRedirect" | "AuthorizationHeaderMalformed" => "region=… names the wrong region",
        _ => return None,
    };
    Some(advice.to_owned())
}

fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    causes(error).iter().find_map(|cause| cause.downcast_ref())
}

/// An error and its causes. Not `DisplayErrorContext`, which shows the request, too.
fn told(error: &(dyn Error + 'static)) -> String {
    let causes: Vec<_> = causes(error).iter().map(ToString::to_string).collect();
    causes.join(": ")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes = vec![error];
    let mut last = error;
    while let Some(cause) = last.source() {
        causes.push(cause);
        last = cause;
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn file_that_was_no_good_is_read_again() -> Result<(), Box<dyn Error>> {
        let file = tempfile::NamedTempFile::new()?;
        let http = aws_smithy_http_client::Builder::new().build_http();
        let credentials = credentials(file.path(), http)?;
        let empty = credentials.provide_credentials().await;
        assert!(
            matches!(empty, Err(CredentialsError::CredentialsNotLoaded(_))),
            "{empty:?}"
        );
        for key in ["one", "two"] {
            let profile = format!("[default]\naws_access_key_id={key}\naws_secret_access_key=s\n");
            std::fs::write(file.path(), profile)?;
            assert_eq!(
                credentials.provide_credentials().await?.access_key_id(),
                key
            );
        }
        Ok(())
    }
}
