//! Signed links: what a link may do is in the link, and nobody else can make one. They do not expire.
//!
//! A token is `base64url(content ‖ first 16 bytes of HMAC-SHA256(content))`; the content begins with a byte that
//! tells version and kind. It ends in a letter or digit, because linkers leave other signs out: where the last sign
//! would be a whole sextet, and could be `-` or `_`, one byte more of the HMAC makes it a part of one. Tokens without
//! that byte, from before, stay good.

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

/// Longest token that is looked at, in bytes; those that are made are shorter.
pub(crate) const TOKEN_BYTES_MAX: usize = 256;

const TAG_BYTES: usize = 16;
/// Keeps these signatures apart from any other use of the same secret.
const PURPOSE: &[u8] = b"meetrelay link 1\0";
/// The same for guests: no link is ever a guest, and no guest a link. Before 2 the identity in a cookie was the one that
/// everybody in the room saw.
const GUEST_PURPOSE: &[u8] = b"meetrelay guest 2\0";

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Link {
    /// A request's meeting, for whoever has the link.
    Open(RequestId),
    /// A request's meeting, for one person of Mattermost.
    Own(RequestId, UserId),
    /// A recording or artifact.
    Artifact(ArtifactId, ArtifactKind),
}

impl Link {
    /// The request whose meeting it leads to, if it leads to one.
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Open(request) | Self::Own(request, _) => Some(*request),
            Self::Artifact(..) => None,
        }
    }
}

/// Signs links with the signing secret, and knows them again.
#[derive(Clone)]
pub struct Signer {
    /// The first signs; all verify, so that links outlive a rotation of the secret.
    keys: Vec<Hmac<Sha256>>,
}

impl Signer {
    /// A signer with the secret in use and the ones before it, whose links stay good.
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

    /// The link that a token stands for; `None` for anything that this signer's secrets did not make.
    pub fn verify(&self, token: &str) -> Option<Link> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let with_tag_of = |tag_bytes: usize| {
            let (content, tag) = bytes.split_at_checked(bytes.len().checked_sub(tag_bytes)?)?;
            // Constant time for each key; which of the keys fits is no secret.
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

    /// What a guest keeps to be the same person again: `<identity>.<base64url of the tag>`.
    pub fn sign_guest(&self, guest: &Identity) -> String {
        let tag = self.keys.first().map(|key| {
            let tag = purposed(key, GUEST_PURPOSE, guest.as_str().as_bytes()).finalize();
            URL_SAFE_NO_PAD.encode(&tag.into_bytes()[..TAG_BYTES])
        });
        format!("{guest}.{}", tag.unwrap_or_default())
    }

    /// The guest that [`Self::sign_guest`] wrote; `None` for anything that this signer's secrets did not make.
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

    /// From now on links are signed and known by this signer; for all clones.
    pub fn replace_signer(&self, signer: Signer) {
        self.signer.store(Arc::new(signer));
    }

    /// The link on the card: for everybody who sees it.
    pub fn join_open(&self, request: RequestId) -> String {
        self.join(&Link::Open(request))
    }

    /// One person's own link: joins under their name.
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

    /// The link that a token stands for, also with what linkers and mail programs write behind it or leave out.
    pub fn verify(&self, token: &str) -> Option<Link> {
        let signer = self.signer.load();
        copied::readings(token)
            .iter()
            .find_map(|token| signer.verify(token))
    }

    /// What a guest keeps to be the same person again; whoever sees a guest's identity cannot make it.
    pub fn sign_guest(&self, guest: &Identity) -> String {
        self.signer.load().sign_guest(guest)
    }

    /// The guest that was given this.
    pub fn verify_guest(&self, kept: &str) -> Option<Identity> {
        self.signer.load().verify_guest(kept)
    }

    /// What browsers call the site of these links.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How the names of cookies begin: with `__Host-` no other host of the domain can set them. Browsers refuse that
    /// prefix over plain HTTP, and on a cookie whose path a proxy has changed, as is usual below a path.
    pub const fn cookie_prefix(&self) -> &'static str {
        self.cookie_prefix
    }

    /// The links are used over TLS.
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

/// How long the tag behind a content of so many bytes is, so that the token ends in a letter or digit.
const fn tag_bytes(content: usize) -> usize {
    if (content + TAG_BYTES).is_multiple_of(3) {
        TAG_BYTES + 1
    } else {
        TAG_BYTES
    }
}

/// A shorter tag, which would be easier to guess, is none.
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
