//! The JWTs of the real server: join, download, webhook; all HS256 over the API secret (plugnmeet.md 1, 3, 4.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a join token says. Members in the order of the recorded ones; false ones are left out.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct JoinClaims {
    pub(crate) exp: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_admin: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_hidden: bool,
    pub(crate) iss: String,
    pub(crate) name: String,
    pub(crate) nbf: i64,
    pub(crate) room_id: String,
    pub(crate) sub: String,
    pub(crate) user_id: String,
}

/// What a download token says; `sub` is the file's path. Any JWT of this key is read as one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DownloadClaims {
    pub(crate) exp: i64,
    pub(crate) iss: String,
    #[serde(default)]
    pub(crate) nbf: i64,
    #[serde(default)]
    pub(crate) sub: String,
}

#[derive(Serialize)]
struct WebhookClaims<'a> {
    iss: &'a str,
    exp: i64,
    nbf: i64,
    iat: i64,
    sha256: String,
}

/// The token of one webhook: bound to the raw body, good for 300 s.
pub fn sign_webhook(key: &str, secret: &str, body: &[u8], now: i64) -> String {
    let sha256 = STANDARD.encode(Sha256::digest(body));
    sign(
        secret,
        &WebhookClaims {
            iss: key,
            exp: now + 300,
            nbf: now,
            iat: now,
            sha256,
        },
    )
}

/// Signs any claims with HS256.
pub(crate) fn sign(secret: &str, claims: &impl Serialize) -> String {
    jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .unwrap_or_default()
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Expired,
    Malformed,
    Signature,
    Other,
}

/// Checks signature, issuer, `nbf` and `exp` with the server's 60 s leeway.
pub(crate) fn verify<T: serde::de::DeserializeOwned + Clone>(
    key: &str,
    secret: &str,
    token: &str,
) -> Result<T, Refused> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.leeway = 60;
    rules.validate_nbf = true;
    rules.validate_aud = false;
    rules.set_issuer(&[key]);
    let key = DecodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::decode::<T>(token, &key, &rules)
        .map(|data| data.claims)
        .map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => Refused::Expired,
            ErrorKind::InvalidToken => Refused::Malformed,
            ErrorKind::InvalidSignature => Refused::Signature,
            _ => Refused::Other,
        })
}
