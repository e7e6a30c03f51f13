//! Signed links. A link contains everything that it permits, and only the relay can make one. Links do not expire.
//!
//! A token is `base64url(content ‖ first 16 bytes of HMAC-SHA256(content))`. The content begins with a byte for version
//! and kind. A token always ends in a letter or digit, because programs that detect links omit other characters at the
//! end. If the last character would encode a whole sextet, it could be `-` or `_`; then one more byte of the HMAC is
//! included, so that it encodes only a part of one. Older tokens without that byte stay valid.

mod copied;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::{Origin, Url};
use uuid::Uuid;

use crate::domain::{ArtifactId, ArtifactKind, Identity, RequestId, UserId};

/// Longest token that is verified, in bytes; those that the relay makes are shorter.
pub(crate) const TOKEN_BYTES_MAX: usize = 256;

const TAG_BYTES: usize = 16;
/// Separates these signatures from any other use of the same secret.
const PURPOSE: &[u8] = b"meetrelay link 1\0";
/// The same for guests, so that no link is valid as a guest and no guest as a link. In version 1 the identity in a
/// cookie was the one that everybody in the room saw.
const GUEST_PURPOSE: &[u8] = b"meetrelay guest 2\0";

/// The target of a link.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Link {
    /// The meeting of a request, for everybody who has the link.
    Open(RequestId),
    /// The meeting of a request, for one user of Mattermost.
    Own(RequestId, UserId),
    /// A recording or artifact.
    Artifact(ArtifactId, ArtifactKind),
}

impl Link {
    /// The request whose meeting is the target; `None` for an artifact.
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Open(request) | Self::Own(request, _) => Some(*request),
            Self::Artifact(..) => None,
        }
    }
}

/// Signs links with the signing secret, and verifies them.
#[derive(Clone)]
pub struct Signer {
    /// The first key signs. All keys verify, so that links stay valid after a rotation of the secret.
    keys: Vec<Hmac<Sha256>>,
}

impl Signer {
    /// A signer with the current secret and the previous ones, whose links stay valid.
    pub fn new(current: &SecretString, previous: &[SecretString]) -> Self {
        let keys = std::iter::once(current).chain(previous).map(key).collect();
        Self { keys }
    }

    /// The token for a link.
    pub fn sign(&self, link: &Link) -> String {
        let mut content = encode(link);
        let tag = self
            .keys
            .first()
            .map(|key| purposed(key, PURPOSE, &content).finalize().into_bytes());
        let tag_bytes = tag_bytes(content.len());
        content.extend(tag.iter().flat_map(|tag| &tag[..tag_bytes]));
        URL_SAFE_NO_PAD.encode(content)
    }

    /// The link of a token; `None` if none of this signer's secrets signed it.
    pub fn verify(&self, token: &str) -> Option<Link> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let with_tag_of = |tag_bytes: usize| {
            let (content, tag) = bytes.split_at_checked(bytes.len().checked_sub(tag_bytes)?)?;
            // The check of each key takes constant time; which of the keys matches is not secret.
            self.keys
                .iter()
                .any(|key| is_signed(key, PURPOSE, content, tag))
                .then(|| decode(content))?
        };
        let is_longer = bytes
            .len()
            .checked_sub(TAG_BYTES + 1)
            .is_some_and(|content| tag_bytes(content) == TAG_BYTES + 1);
        with_tag_of(TAG_BYTES).or_else(|| is_longer.then(|| with_tag_of(TAG_BYTES + 1))?)
    }

    /// The cookie value with which a guest is recognized: `<identity>.<base64url of the tag>`.
    pub fn sign_guest(&self, guest: &Identity) -> String {
        let tag = self.keys.first().map(|key| {
            let tag = purposed(key, GUEST_PURPOSE, guest.as_str().as_bytes()).finalize();
            URL_SAFE_NO_PAD.encode(&tag.into_bytes()[..TAG_BYTES])
        });
        format!("{guest}.{}", tag.unwrap_or_default())
    }

    /// The guest in a value of [`Self::sign_guest`]; `None` if none of this signer's secrets signed it.
    pub fn verify_guest(&self, kept: &str) -> Option<Identity> {
        if kept.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (guest, tag) = kept.rsplit_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        if tag.len() != TAG_BYTES {
            return None;
        }
        self.keys
            .iter()
            .any(|key| is_signed(key, GUEST_PURPOSE, guest.as_bytes(), &tag))
            .then(|| guest.parse().ok())?
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer([{} secrets redacted])", self.keys.len())
    }
}

/// Builds the absolute addresses of signed links. Clones share the signer.
#[derive(Debug, Clone)]
pub struct Links {
    base: String,
    origin: Origin,
    cookie_prefix: &'static str,
    signer: Arc<ArcSwap<Signer>>,
}

impl Links {
    /// Links under `public_url`, which may have a path of its own.
    pub fn new(public_url: &Url, signer: Signer) -> Self {
        let mut base = public_url.clone();
        base.set_query(None);
        base.set_fragment(None);
        let has_own_host = base.scheme() == "https" && base.path().trim_matches('/').is_empty();
        Self {
            base: base.as_str().trim_end_matches('/').to_owned(),
            origin: base.origin(),
            cookie_prefix: if has_own_host { "__Host-" } else { "" },
            signer: Arc::new(ArcSwap::from_pointee(signer)),
        }
    }

    /// Replaces the signer of this and all cloned `Links`, from the next link on.
    pub fn replace_signer(&self, signer: Signer) {
        self.signer.store(Arc::new(signer));
    }

    /// The link on the card, for everybody who sees it.
    pub fn join_open(&self, request: RequestId) -> String {
        self.join(&Link::Open(request))
    }

    /// The personal link of one user, who joins under their own name.
    pub fn join_own(&self, request: RequestId, user: &UserId) -> String {
        self.join(&Link::Own(request, user.clone()))
    }

    /// The page of a recording or artifact.
    pub fn artifact(&self, id: &ArtifactId, kind: ArtifactKind) -> String {
        let token = self.signer.load().sign(&Link::Artifact(id.clone(), kind));
        format!("{}/artifact/{token}", self.base)
    }

    /// The address of a link to a meeting.
    pub fn join(&self, link: &Link) -> String {
        format!("{}/join/{}", self.base, self.signer.load().sign(link))
    }

    /// The link of a token, also if programs have added characters after it or omitted its last one.
    pub fn verify(&self, token: &str) -> Option<Link> {
        let signer = self.signer.load();
        copied::readings(token)
            .iter()
            .find_map(|token| signer.verify(token))
    }

    /// The cookie value with which a guest is recognized. It cannot be made from the guest's identity alone.
    pub fn sign_guest(&self, guest: &Identity) -> String {
        self.signer.load().sign_guest(guest)
    }

    /// The guest in a value of [`Self::sign_guest`].
    pub fn verify_guest(&self, kept: &str) -> Option<Identity> {
        self.signer.load().verify_guest(kept)
    }

    /// The web origin of these links.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The prefix of cookie names. With `__Host-` no other host of the domain can set these cookies. Browsers refuse
    /// this prefix over plain HTTP, and for a cookie whose path was changed by a proxy, as is usual for a relay below a
    /// path.
    pub const fn cookie_prefix(&self) -> &'static str {
        self.cookie_prefix
    }

    /// Whether the links use HTTPS.
    pub fn is_https(&self) -> bool {
        self.base.starts_with("https:")
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn key(secret: &SecretString) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes any key")
}

fn purposed(key: &Hmac<Sha256>, purpose: &[u8], content: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(purpose);
    mac.update(content);
    mac
}

/// The length of the tag after a content of this many bytes, so that the token ends in a letter or digit.
const fn tag_bytes(content: usize) -> usize {
    if (content + TAG_BYTES).is_multiple_of(3) {
        TAG_BYTES + 1
    } else {
        TAG_BYTES
    }
}

/// Whether the tag is valid. A tag shorter than [`TAG_BYTES`] would be easier to guess, so it never is.
fn is_signed(key: &Hmac<Sha256>, purpose: &[u8], content: &[u8], tag: &[u8]) -> bool {
    tag.len() >= TAG_BYTES
        && purposed(key, purpose, content)
            .verify_truncated_left(tag)
            .is_ok()
}

const OPEN: u8 = 1;
const OWN: u8 = 2;
const RECORDING: u8 = 3;
const SUMMARY: u8 = 4;
const TRANSCRIPT: u8 = 5;
const ANALYTICS: u8 = 6;

fn encode(link: &Link) -> Vec<u8> {
    let mut content = Vec::with_capacity(64);
    match link {
        Link::Open(request) => {
            content.push(OPEN);
            content.extend(request.uuid().as_bytes());
        }
        Link::Own(request, user) => {
            content.push(OWN);
            content.extend(request.uuid().as_bytes());
            content.extend(user.as_str().as_bytes());
        }
        Link::Artifact(id, kind) => {
            content.push(match kind {
                ArtifactKind::Recording => RECORDING,
                ArtifactKind::Summary => SUMMARY,
                ArtifactKind::Transcript => TRANSCRIPT,
                ArtifactKind::Analytics => ANALYTICS,
            });
            content.extend(id.as_str().as_bytes());
        }
    }
    content
}

fn decode(content: &[u8]) -> Option<Link> {
    let (kind, rest) = content.split_first()?;
    let artifact = |kind| Some(Link::Artifact(text(rest)?.parse().ok()?, kind));
    match *kind {
        OPEN => Some(Link::Open(request(rest)?)),
        OWN => {
            let (id, user) = rest.split_at_checked(16)?;
            Some(Link::Own(request(id)?, text(user)?.parse().ok()?))
        }
        RECORDING => artifact(ArtifactKind::Recording),
        SUMMARY => artifact(ArtifactKind::Summary),
        TRANSCRIPT => artifact(ArtifactKind::Transcript),
        ANALYTICS => artifact(ArtifactKind::Analytics),
        _ => None,
    }
}

fn request(bytes: &[u8]) -> Option<RequestId> {
    Uuid::from_slice(bytes).ok().map(RequestId::from_uuid)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
