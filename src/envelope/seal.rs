//! The signature of an envelope. Write access to the broker's queues is not enough to make the relay act.
//!
//! The signature is the last field of the envelope's JSON: `,"mac":"1.<base64url>"}` replaces the closing brace, and
//! all bytes before it are signed. A relay without signatures ignores the field, so that the wire version stays.
//! The signature does not prevent a replay: the dedup keys of events and the rounds of jobs handle a copy of a signed
//! message.

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

/// Derives the key of envelopes from a signing secret. The same secret signs links, with a key of its own.
const KEY_PURPOSE: &[u8] = b"meetrelay envelope v1";
/// Prefix of the signed bytes; it is not part of the message.
const PURPOSE: &[u8] = b"meetrelay envelope 1\0";
/// Separates the signed bytes from the signature. A JSON string cannot hold it, because its quotation marks would be
/// escaped there.
const OPENING: &[u8] = b",\"mac\":\"1.";
/// Follows the signature and ends the JSON.
const CLOSING: &[u8] = b"\"}";
/// Length of an HMAC-SHA256 in base64url without padding.
const MAC_CHARS: usize = 43;

/// Why a message is not processed. The text becomes the reason of its dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The message has no signature.
    #[error(
        "it is not signed: somebody else wrote it, or a relay of a version before signatures; replay it only if you \
         know where it comes from"
    )]
    Unsigned,
    /// No key of this relay made its signature.
    #[error(
        "it is not signed with this relay's key: somebody else wrote it, or server.signing_secret was changed without \
         server.previous_signing_secrets; replay it only if you know where it comes from"
    )]
    Wrong,
}

/// Signs envelopes and verifies signatures. Clones share their state.
#[derive(Clone)]
pub struct EnvelopeSigner(Arc<watch::Sender<SignerState>>);

#[derive(Clone)]
struct SignerState {
    /// The first key signs. All keys verify, so that waiting messages stay valid when the secret is rotated.
    keys: Vec<Hmac<Sha256>>,
    /// Whether messages without a signature are read. `None`: the store has not answered yet.
    reads_unsigned: Option<bool>,
}

impl EnvelopeSigner {
    /// A signer with the present signing secret and the previous ones. It reads nothing until
    /// [`Self::set_reads_unsigned`] is called.
    pub fn new(present: &SecretString, previous: &[SecretString]) -> Self {
        let state = SignerState {
            keys: keys(present, previous),
            reads_unsigned: None,
        };
        Self(Arc::new(watch::Sender::new(state)))
    }

    /// Replaces all secrets, for example after the configuration was reloaded.
    pub fn replace_secrets(&self, present: &SecretString, previous: &[SecretString]) {
        let keys = keys(present, previous);
        self.0.send_modify(|state| state.keys = keys);
    }

    /// Sets whether messages without a signature are read: those that a relay of an older version left in the queue.
    /// From now on messages can be read.
    pub fn set_reads_unsigned(&self, reads_unsigned: bool) {
        self.0
            .send_modify(|state| state.reads_unsigned = Some(reads_unsigned));
    }

    /// Waits until [`Self::set_reads_unsigned`] was called.
    pub async fn can_read(&self) {
        let mut state = self.0.subscribe();
        // The wait fails only without a sender, and `self` holds one.
        drop(state.wait_for(|state| state.reads_unsigned.is_some()).await);
    }

    /// Writes an envelope as a signed message.
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

    /// Verifies and reads a message.
    ///
    /// # Errors
    /// The reason for a dead letter. It never holds the message's content.
    pub fn decode(&self, bytes: &[u8]) -> Result<Envelope, String> {
        let refusal = self.verify(bytes).err();
        let decoded = decode(bytes).map_err(|error| error.to_string());
        match refusal {
            None => decoded,
            // Bytes that are not an envelope have no signature either; the reason reports the first.
            Some(refusal) => Err(decoded.err().unwrap_or_else(|| refusal.to_string())),
        }
    }

    /// Adds the signature to `json`, which ends with a brace.
    pub fn sign(&self, json: &[u8]) -> Vec<u8> {
        let content = json.strip_suffix(b"}").unwrap_or(json);
        let mac = self.0.borrow().keys.first().map(|key| {
            let mac = mac_of(key, content).finalize().into_bytes();
            URL_SAFE_NO_PAD.encode(mac)
        });
        let mac = mac.unwrap_or_default();
        [content, OPENING, mac.as_bytes(), CLOSING].concat()
    }

    /// Checks that one of the secrets signed the message, or that it may be unsigned.
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
        // Each comparison takes constant time. Which of the keys matches is not secret.
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

/// The MAC over the whole envelope. `content` lacks its closing brace, which is added here.
fn mac_of(key: &Hmac<Sha256>, content: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(PURPOSE);
    mac.update(content);
    mac.update(b"}");
    mac
}

/// Splits a message into the signed bytes and the signature. `None`: there is no signature.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_suffix(CLOSING)?;
    let (rest, mac) = rest.split_at_checked(rest.len().checked_sub(MAC_CHARS)?)?;
    Some((rest.strip_suffix(OPENING)?, mac))
}

#[cfg(test)]
mod tests;
