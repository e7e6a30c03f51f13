//! Where the store is.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::{Mismatch, Raw, Setting, quoted};

/// The store's back end.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// One SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(PostgresUrl),
}

/// Whether the connection to PostgreSQL is encrypted. Where it is, the certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// If the server can.
    Prefer,
    /// Always.
    Require,
}

impl SslMode {
    /// The words of PostgreSQL's own clients. A certificate is always verified, so three of them are one here.
    fn of(word: &str) -> Option<Self> {
        match word {
            "disable" => Some(Self::Disable),
            "allow" | "prefer" => Some(Self::Prefer),
            "require" | "verify-ca" | "verify-full" => Some(Self::Require),
            _ => None,
        }
    }
}

/// Where a database is and who the relay is there; only the password is hidden.
#[derive(Debug, Clone)]
pub struct PostgresUrl {
    shown: String,
    /// A name or an address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who the relay is there.
    pub user: String,
    /// Its password, if there is one.
    pub password: Option<SecretString>,
    /// The database.
    pub database: String,
    /// Whether the connection is encrypted.
    pub ssl_mode: SslMode,
}

impl PostgresUrl {
    /// Without the password, for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Reads one like `postgres://user:password@host:5432/database?sslmode=require`.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is no URL")?;
        if !matches!(url.scheme(), "postgres" | "postgresql") || url.fragment().is_some() {
            return Err("is no store that this version knows");
        }
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() || host.contains(',') {
            return Err("names no host, or several");
        }
        let host = host.trim_matches(['[', ']']);
        let decoded = |part: &str| {
            let decoded = percent_decode_str(part).decode_utf8();
            let text = decoded.map_err(|_| "holds a character that is no UTF-8")?;
            match text.contains('\0') {
                true => Err("holds a character that cannot be there"),
                false => Ok(text.into_owned()),
            }
        };
        let database = url.path().trim_start_matches('/');
        if url.username().is_empty() || database.is_empty() || database.contains('/') {
            return Err("names no user or no database");
        }
        let mut ssl_mode = SslMode::Prefer;
        for (key, value) in url.query_pairs() {
            if key != "sslmode" {
                return Err("has another option than sslmode");
            }
            ssl_mode = SslMode::of(&value)
                .ok_or("has an sslmode that is none of disable, prefer, require, verify-full")?;
        }
        let (port, user) = (url.port().unwrap_or(5432), url.username());
        let shown_host = url.host_str().unwrap_or_default();
        let query = url.query().map(|query| format!("?{query}"));
        Ok(Self {
            shown: format!(
                "postgres://{user}@{shown_host}:{port}/{database}{}",
                query.unwrap_or_default()
            ),
            host: decoded(host)?,
            port,
            user: decoded(user)?,
            password: url.password().map(decoded).transpose()?.map(Into::into),
            database: decoded(database)?,
            ssl_mode,
        })
    }
}

impl Setting for StoreUrl {
    // It may hold a password, so it is never repeated in a complaint and may come from a file.
    const IS_SECRET: bool = true;

    fn type_name() -> String {
        "\"sqlite:PATH\" or \"postgres://user:password@host:5432/database\"".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let text = String::read(raw)?;
        let text = text.trim();
        let what = match text.strip_prefix("sqlite:") {
            Some(path) if path.starts_with("//") => "has // behind sqlite:, where a path follows",
            Some("") => "names no file",
            Some(path) => return Ok(Self::Sqlite(path.into())),
            None if text.starts_with("postgres") => match PostgresUrl::parse(text) {
                Ok(url) => return Ok(Self::Postgres(url)),
                Err(what) => what,
            },
            None => "is no store that this version knows",
        };
        Err(Mismatch {
            what: what.to_owned(),
            instead: "write one like \"sqlite:data/meetrelay.db\" or \
                      \"postgres://user:password@host:5432/database?sslmode=require\", special characters \
                      percent-encoded"
                .to_owned(),
        })
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.shown()))
    }
}

impl StoreUrl {
    /// For people: without a password.
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => url.shown().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn every_part_is_read_and_decoded() {
        let url =
            PostgresUrl::parse("postgresql://re%40lay:p%2Fw%3A@db.example.org:6432/meet%20relay")
                .unwrap();
        assert_eq!(url.host, "db.example.org");
        assert_eq!((url.port, url.user.as_str()), (6432, "re@lay"));
        assert_eq!(url.password.as_ref().unwrap().expose_secret(), "p/w:");
        assert_eq!(url.database, "meet relay");
        assert_eq!(url.ssl_mode, SslMode::Prefer);
        insta::assert_snapshot!(url.shown(), @"postgres://re%40lay@db.example.org:6432/meet%20relay");
    }

    #[test]
    fn address_of_ip_version_6_stands_without_brackets() {
        let url = PostgresUrl::parse("postgres://relay@[::1]/meetrelay?sslmode=disable").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 5432));
        assert!(url.password.is_none());
        insta::assert_snapshot!(url.shown(), @"postgres://relay@[::1]:5432/meetrelay?sslmode=disable");
    }

    #[test]
    fn words_for_encryption_are_those_of_other_clients() {
        let mode = |word: &str| {
            PostgresUrl::parse(&format!("postgres://a@h/d?sslmode={word}")).map(|url| url.ssl_mode)
        };
        assert_eq!(mode("disable"), Ok(SslMode::Disable));
        assert_eq!(mode("prefer"), Ok(SslMode::Prefer));
        for word in ["require", "verify-ca", "verify-full"] {
            assert_eq!(mode(word), Ok(SslMode::Require));
        }
        assert!(mode("on").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for text in [
            "postgres://relay:CANARY@/d",
            "postgres://relay:CANARY@h",
            "postgres://relay:CANARY@h1,h2/d",
            "postgres://:CANARY@h/d",
            "postgres://relay:CANARY@h/d?sslmode=maybe",
            "postgres://relay:CANARY@h/d?pool=3",
            "postgres://relay:CANARY%00@h/d",
            "postgres:CANARY",
            "mysql://relay:CANARY@h/d",
        ] {
            let raw = Raw::String(text.to_owned());
            let mismatch = StoreUrl::read(&raw).unwrap_err();
            let told = format!("{mismatch:?}");
            assert!(!told.contains("CANARY"), "{told}");
        }
    }
}
