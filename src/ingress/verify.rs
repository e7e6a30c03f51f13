//! Authenticates callers: tokens of Mattermost, signatures of plugNmeet.

mod jwt;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::domain::Timestamp;

use super::observe::Rejected;

/// How far plugNmeet's clock may differ from ours. plugNmeet's own verifier allows the same difference.
const LEEWAY: Duration = Duration::from_secs(60);
/// Longest signature that is checked, in bytes; real ones have about 300.
const SIGNATURE_BYTES_MAX: usize = 4096;
/// Most values of one header that are checked.
const VALUES_MAX: usize = 4;

/// The tokens that are valid for one kind of call. There may be several, so that they can be rotated. Clones share
/// them.
#[derive(Clone)]
pub(super) struct Tokens(Arc<ArcSwap<Vec<[u8; 32]>>>);

impl Tokens {
    /// The given tokens; empty ones are ignored.
    pub(super) fn new(tokens: &[SecretString]) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(digests(tokens))))
    }

    /// Replaces all tokens, from the next call on.
    pub(super) fn replace(&self, tokens: &[SecretString]) {
        self.0.store(Arc::new(digests(tokens)));
    }

    /// Whether the presented token is one of these. The time of the comparison does not depend on the result.
    pub(super) fn admit(&self, presented: &str) -> bool {
        let presented = digest(presented);
        let found = self.0.load().iter().fold(Choice::from(0), |found, token| {
            found | token.ct_eq(&presented)
        });
        found.into()
    }
}

fn digests(tokens: &[SecretString]) -> Vec<[u8; 32]> {
    let tokens = tokens.iter().map(ExposeSecret::expose_secret);
    tokens
        .filter(|token| !token.is_empty())
        .map(digest)
        .collect()
}

/// The digest of a token. Digests have equal lengths, so the comparison does not reveal the length of the token.
fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The API key with which plugNmeet signs its webhooks, and every secret that is valid for it. Clones share them.
#[derive(Clone)]
pub(super) struct WebhookKey(Arc<ArcSwap<WebhookKeys>>);

struct WebhookKeys {
    /// The current secret first, then the earlier ones: plugNmeet signs an event once and repeats it with the same
    /// signature.
    secrets: Vec<jwt::JwtKey>,
    issuer: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    sha256: String,
}

impl WebhookKey {
    pub(super) fn new(api_key: &str, secret: &SecretString, previous: &[SecretString]) -> Self {
        let keys = WebhookKeys::new(api_key, secret, previous);
        Self(Arc::new(ArcSwap::from_pointee(keys)))
    }

    /// Replaces the key and all secrets, from the next webhook on.
    pub(super) fn replace(&self, api_key: &str, secret: &SecretString, previous: &[SecretString]) {
        self.0
            .store(Arc::new(WebhookKeys::new(api_key, secret, previous)));
    }

    /// Checks that one of the two headers holds a valid signature over exactly this body. Proxies overwrite or remove
    /// `Authorization`, so plugNmeet repeats it in `Hash-Token` (src/plugnmeet/README.md, "Webhook tokens").
    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Rejected> {
        self.0.load().verify(headers, body, now)
    }
}

impl WebhookKeys {
    fn new(api_key: &str, secret: &SecretString, previous: &[SecretString]) -> Self {
        let secrets = std::iter::once(secret).chain(previous);
        Self {
            secrets: secrets.map(jwt::JwtKey::new).collect(),
            issuer: api_key.to_owned(),
        }
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Rejected> {
        let hash = STANDARD.encode(Sha256::digest(body));
        let mut reason = Rejected::BadSignature;
        for name in [header::AUTHORIZATION.as_str(), "hash-token"] {
            for value in headers.get_all(name).iter().take(VALUES_MAX) {
                match self.verify_one(value.to_str().unwrap_or_default(), &hash, now) {
                    Ok(()) => return Ok(()),
                    Err(Rejected::Stale) => reason = Rejected::Stale,
                    Err(_) => {}
                }
            }
        }
        Err(reason)
    }

    fn verify_one(&self, value: &str, hash: &str, now: Timestamp) -> Result<(), Rejected> {
        let bad = Rejected::BadSignature;
        if value.len() > SIGNATURE_BYTES_MAX {
            return Err(bad);
        }
        let token = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => value,
        };
        let mut secrets = self.secrets.iter();
        let claims: Claims = secrets.find_map(|secret| secret.claims(token)).ok_or(bad)?;
        let is_ours = bool::from(claims.iss.as_bytes().ct_eq(self.issuer.as_bytes()));
        let is_over_body = bool::from(claims.sha256.as_bytes().ct_eq(hash.as_bytes()));
        if !is_ours || !is_over_body {
            return Err(bad);
        }
        let earliest = now.minus(LEEWAY);
        let latest = now.plus(LEEWAY);
        let begins = claims.nbf.into_iter().chain(claims.iat);
        let is_fresh = Timestamp::from_seconds(claims.exp) >= earliest
            && begins
                .map(Timestamp::from_seconds)
                .all(|begin| begin <= latest);
        if is_fresh {
            Ok(())
        } else {
            Err(Rejected::Stale)
        }
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey([redacted])")
    }
}

#[cfg(test)]
mod tests;
