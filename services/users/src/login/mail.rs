//! Mail, over SMTP.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Url;

/// How long a server may take for each answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why mail cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The URL names no server. The message does not quote it.
    #[error("{0}")]
    Url(&'static str),
    /// The sender is no address.
    #[error("{0:?} is no sender such as \"Weft <weft@example.com>\"")]
    Sender(String),
    /// A file cannot be used.
    #[error("cannot open {0}: {1}")]
    Io(String, std::io::Error),
    /// A file holds something else.
    #[error("{0} does not hold {1}")]
    File(String, &'static str),
    /// The library refuses.
    #[error("mail cannot be set up: {0}")]
    Setup(#[from] lettre::transport::smtp::Error),
}

/// A server that takes mail, and who sends it.
#[derive(Clone)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl Mail {
    /// The server behind `smtps://host:465` (TLS from the first byte) or `smtp://host:587` (STARTTLS, without which nothing is
    /// sent). Parameters: `credentials=/file`, which holds `name:password`; `rootcert=/file`, a certificate in PEM that is
    /// believed as well; `tls=none`, for a server on a loopback address alone.
    ///
    /// # Errors
    /// When the URL, the sender or a file makes no sense.
    pub fn open(url: &Url, from: &str) -> Result<Self, MailError> {
        let sender = from.parse::<Mailbox>();
        let from = sender.map_err(|_| MailError::Sender(from.to_owned()))?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(MailError::Url(
            "--smtp needs a host: smtps://mail.example:465",
        ))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(MailError::Url(
                "no secrets in the URL of a server: put name:password into a file, and name that with credentials=/file",
            ));
        }
        let plain = !matches!(url.path(), "" | "/") || url.fragment().is_some();
        if plain {
            return Err(MailError::Url(
                "--smtp takes no path: smtps://mail.example:465",
            ));
        }
        let parameters = Parameters::parse(url)?;
        let tls = parameters.tls(url.scheme(), host)?;
        let port = url.port().unwrap_or(match url.scheme() {
            "smtps" => 465,
            _ => 587,
        });
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some(credentials) = parameters.credentials {
            builder = builder.credentials(credentials);
        }
        Ok(Mail {
            transport: builder.build(),
            from,
        })
    }

    /// Sends a text. None if the address is one that no mail goes to.
    pub(super) async fn send(
        &self,
        text: &Text<'_>,
    ) -> Option<Result<(), lettre::transport::smtp::Error>> {
        let to = text.to.parse::<Address>().ok()?;
        let automatic = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(text.subject)
            .message_id(None)
            .header(ContentType::TEXT_PLAIN)
            .raw_header(automatic)
            .header(header::ContentTransferEncoding::QuotedPrintable)
            .body(text.body.clone())
            .ok()?;
        Some(self.transport.send(message).await.map(drop))
    }
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Text<'a> {
    pub(super) to: &'a str,
    pub(super) subject: &'a str,
    pub(super) body: String,
}

/// What the URL of a server says behind `?`.
#[derive(Debug, Default)]
struct Parameters {
    credentials: Option<Credentials>,
    rootcert: Option<Certificate>,
    without_tls: bool,
}

impl Parameters {
    fn parse(url: &Url) -> Result<Self, MailError> {
        let mut found = Parameters::default();
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("credentials", file) => {
                    let text = read(file)?;
                    let text = String::from_utf8_lossy(&text).into_owned();
                    let pair = text.trim_end_matches(['\r', '\n']).split_once(':');
                    let wrong = || MailError::File(file.to_owned(), "name:password");
                    let (name, password) = pair.ok_or_else(wrong)?;
                    found.credentials =
                        Some(Credentials::new(name.to_owned(), password.to_owned()));
                }
                ("rootcert", file) => {
                    let wrong = |_| MailError::File(file.to_owned(), "a certificate in PEM");
                    found.rootcert = Some(Certificate::from_pem(&read(file)?).map_err(wrong)?);
                }
                ("tls", "none") => found.without_tls = true,
                _ => {
                    return Err(MailError::Url(
                        "--smtp has the parameters credentials=/file, rootcert=/file and tls=none",
                    ));
                }
            }
        }
        Ok(found)
    }

    fn tls(&self, scheme: &str, host: &str) -> Result<Tls, MailError> {
        if self.without_tls {
            let loopback = host == "localhost"
                || host
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback());
            return match (scheme, loopback) {
                ("smtp", true) => Ok(Tls::None),
                _ => Err(MailError::Url(
                    "tls=none is for smtp:// on a loopback address alone",
                )),
            };
        }
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(certificate) = &self.rootcert {
            builder = builder.add_root_certificate(certificate.clone());
        }
        let parameters = builder.build_rustls()?;
        match scheme {
            "smtps" => Ok(Tls::Wrapper(parameters)),
            "smtp" => Ok(Tls::Required(parameters)),
            _ => Err(MailError::Url("--smtp is smtps://host or smtp://host")),
        }
    }
}

fn read(file: &str) -> Result<Vec<u8>, MailError> {
    std::fs::read(Path::new(file)).map_err(|error| MailError::Io(file.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, from: &str) -> Result<Mail, MailError> {
        Mail::open(&Url::parse(url).expect("a URL"), from)
    }

    const FROM: &str = "Weft <weft@a.example>";

    #[tokio::test]
    async fn servers_are_named_without_secrets_and_reached_over_tls() {
        let check = |url: &str, reason: &str| {
            let refused = open(url, FROM).expect_err(url);
            let text = format!("{refused} {refused:?}");
            assert!(text.contains(reason), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        };
        check("smtps://me:hunter2@mail.example", "no secrets");
        check("smtp://mail.example?tls=none", "loopback");
        check("smtps://127.0.0.1?tls=none", "loopback");
        check("smtp://mail.example?speed=hunter2", "has the parameters");
        check("smtp://mail.example?credentials=/not/there", "/not/there");
        check("smtp://mail.example/path", "no path");
        check("http://mail.example", "smtps://host or smtp://host");
        for good in [
            "smtps://mail.example",
            "smtp://mail.example:25",
            "smtp://127.0.0.1:25?tls=none",
        ] {
            assert!(open(good, FROM).is_ok(), "{good}");
        }
        assert!(matches!(
            open("smtps://mail.example", "nobody"),
            Err(MailError::Sender(_))
        ));
    }
}
