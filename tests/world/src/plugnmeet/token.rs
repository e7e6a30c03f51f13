//! The JWTs of the real server: join, download, webhook; all HS256 over the API secret
//! (src/plugnmeet/README.md, "Joining", "Downloads" and "Webhook tokens").

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
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
pub fn sign(secret: &str, claims: &impl Serialize) -> String {
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(mac(secret, &signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Expired,
    Malformed,
    Signature,
    Other,
}

/// The server's leeway, in seconds.
const LEEWAY: i64 = 60;

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Registered {
    iss: String,
    exp: i64,
    nbf: Option<i64>,
}

/// Checks signature, issuer, `nbf` and `exp` with the server's 60 s leeway.
pub(crate) fn verify<T: DeserializeOwned>(
    key: &str,
    secret: &str,
    token: &str,
) -> Result<T, Refused> {
    let claims = claims(secret, token)?;
    let read: Registered = serde_json::from_slice(&claims).map_err(|_| Refused::Other)?;
    let now = jiff::Timestamp::now().as_second();
    if read.exp < now - LEEWAY {
        return Err(Refused::Expired);
    }
    if read.iss != key || read.nbf.is_some_and(|begin| begin > now + LEEWAY) {
        return Err(Refused::Other);
    }
    serde_json::from_slice(&claims).map_err(|_| Refused::Other)
}

/// The claims of a token with this secret's signature, as they were signed.
fn claims(secret: &str, token: &str) -> Result<Vec<u8>, Refused> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return Err(Refused::Malformed);
    };
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Other);
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Refused::Other)?;
    if header.alg != "HS256" {
        return Err(Refused::Other);
    }
    let signed = token.strip_suffix(signature).unwrap_or_default();
    mac(secret, signed.trim_end_matches('.'))
        .verify_slice(&decoded(signature)?)
        .map_err(|_| Refused::Signature)?;
    decoded(payload)
}

fn mac(secret: &str, signed: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    mac.expect("HMAC takes keys of any length")
        .chain_update(signed)
}
