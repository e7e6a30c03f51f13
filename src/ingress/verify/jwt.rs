//! Verifies the tokens of plugNmeet's webhooks: JWTs in the compact serialization of RFC 7515, signed with HS256
//! (src/plugnmeet/README.md, "Webhook tokens"). No other algorithm is supported, so a token cannot choose a weaker one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use sha2::Sha256;

/// A secret with which tokens are signed.
pub(super) struct JwtKey(Hmac<Sha256>);

#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that a verifier must support. This one supports none.
    crit: Option<IgnoredAny>,
}

impl JwtKey {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub(super) fn new(secret: &SecretString) -> Self {
        let secret = secret.expose_secret().as_bytes();
        Self(Hmac::new_from_slice(secret).expect("any key length is good"))
    }

    /// The claims of the token, if this key has signed it. The caller must check the times.
    pub(super) fn claims<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = part(header)?;
        if header.alg != "HS256" || header.crit.is_some() {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let mut mac = self.0.clone();
        mac.update(signed.as_bytes());
        mac.verify_slice(&signature).ok()?;
        part(claims)
    }
}

fn part<T: DeserializeOwned>(encoded: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    serde_json::from_slice(&json).ok()
}
