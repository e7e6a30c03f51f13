//! Where things are: listen addresses, base URLs, host names, the queue.

use std::fmt;
use std::net::SocketAddr;

use secrecy::SecretString;
use url::Url;

use super::{Mismatch, Raw, Setting, quoted};

impl Setting for SocketAddr {
    fn type_name() -> String {
        "address:port".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let text = String::read(raw)?;
        text.trim().parse().map_err(|_| {
            Mismatch::text(
                &text,
                "is no address with a port",
                "write one like \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::1]:8080\"",
            )
        })
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

/// A base URL: http or https, a host, perhaps a path. Its path always ends in one `/`, so that `Url::join` adds to it.
impl Setting for Url {
    fn type_name() -> String {
        "URL".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        const INSTEAD: &str = "write one like \"https://host.example.org\"";
        let text = String::read(raw)?;
        let mut url = Self::parse(text.trim())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Mismatch {
                what: "is no http or https URL".to_owned(),
                instead: INSTEAD.to_owned(),
            })?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(Mismatch {
                what: "holds a user name, a query (?) or a fragment (#)".to_owned(),
                instead: INSTEAD.to_owned(),
            });
        }
        let segments = url.path().split('/').filter(|segment| !segment.is_empty());
        let mut path: String = segments.map(|segment| format!("/{segment}")).collect();
        path.push('/');
        url.set_path(&path);
        Ok(url)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

/// A host, perhaps with a port, as it stands in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The host in lower case, with `:port` if it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for HostName {
    const IS_ONE_WORD: bool = true;

    fn type_name() -> String {
        "host".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let text = String::read(raw)?;
        let parsed = Url::parse(&format!("https://{text}/"));
        let is_host = parsed.is_ok_and(|url| {
            url.path() == "/" && url.username().is_empty() && url.host_str().is_some()
        });
        if !is_host || text.contains(['/', '?', '#', '@', ';', ',', ' ']) {
            return Err(Mismatch::text(
                &text,
                "is no host",
                "write one like \"files.example.org\", without scheme and path",
            ));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// An exact http or https address that may hold a secret, like that of an incoming webhook: only its origin shows.
#[derive(Debug, Clone)]
pub struct SecretUrl {
    /// Scheme, host and port, for people.
    origin: String,
    address: SecretString,
}

impl SecretUrl {
    /// The whole address.
    pub fn address(&self) -> &SecretString {
        &self.address
    }
}

impl Setting for SecretUrl {
    const IS_SECRET: bool = true;

    fn type_name() -> String {
        "secret URL".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let text = String::read(raw)?;
        let url = Url::parse(text.trim()).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        let url = url.ok_or_else(|| Mismatch {
            what: "is no http or https URL, or holds a user name or a fragment (#)".to_owned(),
            instead: "write the whole address, like \"https://host.example.org/hooks/...\""
                .to_owned(),
        })?;
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            address: String::from(url).into(),
        })
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&format!("{}/[redacted]", self.origin)))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.address.is_same(&other.address)
    }
}

/// The queue's back end.
#[derive(Debug, Clone)]
pub enum QueueUrl {
    /// Files of this process.
    Embedded,
    /// RabbitMQ.
    Amqp(AmqpUrl),
}

impl QueueUrl {
    /// For people: without a password.
    pub fn shown(&self) -> &str {
        match self {
            Self::Embedded => "embedded",
            Self::Amqp(amqp) => amqp.shown(),
        }
    }
}

/// Where a broker is and who the relay is there; only the password is hidden.
#[derive(Debug, Clone)]
pub struct AmqpUrl {
    shown: String,
    url: SecretString,
}

impl AmqpUrl {
    /// The URL with its password.
    pub fn url(&self) -> &SecretString {
        &self.url
    }

    /// Without the password and without the query, for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Reads one like `amqp://user:password@host:5672/vhost`; why it cannot be read is not told, as it may hold a
    /// password.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let is_tls = match url.scheme() {
            "amqp" => false,
            "amqps" => true,
            _ => return None,
        };
        let is_plain = url.fragment().is_none() && url.path().matches('/').count() <= 1;
        let port = url.port().unwrap_or(if is_tls { 5671 } else { 5672 });
        let user = match url.username() {
            "" => String::new(),
            user => format!("{user}@"),
        };
        let shown = format!("{}://{user}{host}:{port}{}", url.scheme(), url.path());
        is_plain.then(|| Self {
            shown,
            url: text.into(),
        })
    }
}

impl Setting for QueueUrl {
    // It holds a password, so it is never repeated in a complaint and may come from a file.
    const IS_SECRET: bool = true;

    fn type_name() -> String {
        "\"embedded\" or \"amqp://user:password@host:5672/vhost\" (\"amqps://\" for TLS)".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let text = String::read(raw)?;
        match text.trim() {
            "embedded" => Ok(Self::Embedded),
            url => AmqpUrl::parse(url)
                .map(Self::Amqp)
                .ok_or_else(|| Mismatch {
                    what: "is no queue that this version knows".to_owned(),
                    instead: "write \"embedded\" or one like \
                              \"amqp://user:password@host:5672/vhost\", special characters percent-encoded"
                        .to_owned(),
                }),
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.shown()))
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Amqp(one), Self::Amqp(other)) => one.url.is_same(&other.url),
            (one, other) => one.shown() == other.shown(),
        }
    }
}
