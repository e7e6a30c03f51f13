//! The signature of an envelope: whoever can write into the broker's queues cannot make the relay act.
//!
//! It is the last field of the envelope's JSON, `,"mac":"1.<base64url>"}` in place of the closing brace, over all
//! bytes before it. Relays that do not know it ignore the field, so that the wire version stays. It does not tell how
//! often a message was sent: a copy of a signed one is met by the dedup keys of events and by the rounds of jobs.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use tokio::sync::watch;

use crate::ports::{Envelope, MESSAGE_BYTES_MAX, Message, PublishError};

use super::{decode, encode};

/// Makes the key of envelopes from a signing secret, which signs links too.
const KEY_PURPOSE: &[u8] = b"meetrelay envelope v1";
/// Stands before the signed bytes.
const PURPOSE: &[u8] = b"meetrelay envelope 1\0";
/// Between the signed bytes and the signature. No JSON text holds this with its quotation marks unescaped.
const OPENING: &[u8] = b",\"mac\":\"1.";
/// After the signature.
const CLOSING: &[u8] = b"\"}";
/// HMAC-SHA256 in base64url without padding.
const MAC_CHARS: usize = 43;

/// Why a message is not worked on. Both are for the dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It has no signature.
    #[error(
        "it is not signed: somebody else wrote it, or a relay of a version before signatures; replay it only if you \
         know where it comes from"
    )]
    Unsigned,
    /// It has a signature of another key.
    #[error(
        "it is not signed with this relay's key: somebody else wrote it, or server.signing_secret was changed without \
         server.previous_signing_secrets; replay it only if you know where it comes from"
    )]
    Wrong,
}

/// Signs envelopes, and knows those that were signed. Clones share their state.
#[derive(Clone)]
pub struct EnvelopeSigner(Arc<watch::Sender<SignerState>>);

#[derive(Clone)]
struct SignerState {
    /// The first signs; all verify, so that what waits outlives a rotation of the secret.
    keys: Vec<Hmac<Sha256>>,
    /// Whether messages without a signature are read; `None`: the store has not told yet.
    reads_unsigned: Option<bool>,
}

impl EnvelopeSigner {
    /// A signer with the signing secret in use and the ones before it. It reads nothing before
    /// [`Self::set_reads_unsigned`].
    pub fn new(present: &SecretString, previous: &[SecretString]) -> Self {
        let state = SignerState {
            keys: keys(present, previous),
            reads_unsigned: None,
        };
        Self(Arc::new(watch::Sender::new(state)))
    }

    /// Other secrets are in force.
    pub fn replace_secrets(&self, present: &SecretString, previous: &[SecretString]) {
        let keys = keys(present, previous);
        self.0.send_modify(|state| state.keys = keys);
    }

    /// All secrets are known, and whether messages without a signature are read: those that a relay of an older
    /// version left behind.
    pub fn set_reads_unsigned(&self, reads_unsigned: bool) {
        self.0
            .send_modify(|state| state.reads_unsigned = Some(reads_unsigned));
    }

    /// Waits until it is known what may be read.
    pub async fn can_read(&self) {
        let mut state = self.0.subscribe();
        // It fails only when there is no sender, and there is one.
        drop(state.wait_for(|state| state.reads_unsigned.is_some()).await);
    }

    /// The signed message of an envelope.
    ///
    /// # Errors
    /// See [`encode`].
    pub fn encode(&self, envelope: &Envelope) -> Result<Message, PublishError> {
        let Message { id, body } = encode(envelope)?;
        let body = self.sign(&body);
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(PublishError::TooLarge { bytes: body.len() });
        }
        Ok(Message {
            id,
            body: body.into(),
        })
    }

    /// The envelope in a message, or why it is not read.
    ///
    /// # Errors
    /// For a dead letter; never the message's content.
    pub fn decode(&self, bytes: &[u8]) -> Result<Envelope, String> {
        let refusal = self.verify(bytes).err();
        let decoded = decode(bytes).map_err(|error| error.to_string());
        match refusal {
            None => decoded,
            // Of what is no envelope at all the reason says that, not that nobody signed it.
            Some(refusal) => Err(decoded.err().unwrap_or_else(|| refusal.to_string())),
        }
    }

    /// `json`, which ends with a brace, with its signature.
    pub fn sign(&self, json: &[u8]) -> Vec<u8> {
        let content = json.strip_suffix(b"}").unwrap_or(json);
        let mac = self.0.borrow().keys.first().map(|key| {
            let mac = mac_of(key, content).finalize().into_bytes();
            URL_SAFE_NO_PAD.encode(mac)
        });
        let mac = mac.unwrap_or_default();
        [content, OPENING, mac.as_bytes(), CLOSING].concat()
    }

    /// Whether the message was signed by one of the secrets, or need not be.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn verify(&self, bytes: &[u8]) -> Result<(), SealError> {
        let state = self.0.borrow();
        let Some((content, mac)) = split(bytes) else {
            return match state.reads_unsigned {
                Some(true) => Ok(()),
                Some(false) | None => Err(SealError::Unsigned),
            };
        };
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| SealError::Wrong)?;
        // Constant time for each key; which of the keys fits is no secret.
        let is_signed = state
            .keys
            .iter()
            .any(|key| mac_of(key, content).verify_slice(&mac).is_ok());
        is_signed.then_some(()).ok_or(SealError::Wrong)
    }
}

impl fmt::Debug for EnvelopeSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.borrow();
        f.debug_struct("EnvelopeSigner")
            .field("keys", &state.keys.len())
            .field("reads_unsigned", &state.reads_unsigned)
            .finish()
    }
}

fn keys(present: &SecretString, previous: &[SecretString]) -> Vec<Hmac<Sha256>> {
    let key = |secret: &SecretString| {
        let mut derived = hmac(secret.expose_secret().as_bytes());
        derived.update(KEY_PURPOSE);
        hmac(&derived.finalize().into_bytes())
    };
    std::iter::once(present).chain(previous).map(key).collect()
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes any key")
}

/// Over the bytes of the whole envelope: `content` without its closing brace, which is put back.
fn mac_of(key: &Hmac<Sha256>, content: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(PURPOSE);
    mac.update(content);
    mac.update(b"}");
    mac
}

/// The signed bytes and the signature; `None`: there is none.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_suffix(CLOSING)?;
    let (rest, mac) = rest.split_at_checked(rest.len().checked_sub(MAC_CHARS)?)?;
    Some((rest.strip_suffix(OPENING)?, mac))
}

#[cfg(test)]
mod tests;
