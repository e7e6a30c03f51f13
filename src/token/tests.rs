#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod any;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

use super::{Link, Links, Signer, TOKEN_BYTES_MAX};
use crate::domain::{ArtifactKind, RequestId};

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn signer() -> Signer {
    Signer::new(&secret("first secret of thirty-two bytes"), &[])
}

fn peer_id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_.:-]{1,128}"
}

fn link() -> impl Strategy<Value = Link> {
    let request = any::<u128>().prop_map(|bits| RequestId::from_uuid(Uuid::from_u128(bits)));
    let kind = prop_oneof![
        Just(ArtifactKind::Recording),
        Just(ArtifactKind::Summary),
        Just(ArtifactKind::Transcript),
        Just(ArtifactKind::Analytics),
    ];
    prop_oneof![
        request.clone().prop_map(Link::Open),
        (request, peer_id()).prop_map(|(id, user)| Link::Own(id, user.parse().unwrap())),
        (peer_id(), kind).prop_map(|(id, kind)| Link::Artifact(id.parse().unwrap(), kind)),
    ]
}

proptest! {
    #[test]
    fn every_link_survives_the_way_through_its_token(link in link()) {
        let token = signer().sign(&link);
        prop_assert!(token.len() <= TOKEN_BYTES_MAX, "{}", token.len());
        prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        prop_assert_eq!(signer().verify(&token), Some(link));
    }

    #[test]
    fn token_with_any_bit_flipped_is_refused(link in link(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = signer().sign(&link).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(token) = String::from_utf8(bytes) {
            prop_assert_eq!(signer().verify(&token), None);
        }
    }

    #[test]
    fn token_cut_or_lengthened_is_refused(link in link(), at in any::<prop::sample::Index>(), more in "[A-Za-z0-9_-]{1,4}") {
        let token = signer().sign(&link);
        let cut = &token[..at.index(token.len())];
        // Without the additional byte for its last character it is a token of an earlier version.
        let is_of_earlier = cut.len() + 2 == token.len();
        let known = signer().verify(cut);
        prop_assert!(known.is_none() || (is_of_earlier && known == Some(link)), "{}", cut);
        prop_assert_eq!(signer().verify(&format!("{token}{more}")), None);
    }

    #[test]
    fn f9_token_ends_in_a_letter_or_digit_and_survives_being_copied(
        link in link(),
        behind in prop::sample::select(vec![
            "", ".", ")", ",", ">", "%20", "%3E", "*", "**", "_", "__", "-", "!", "\"", "'", ";", ").", ">.", "%E2%80%9D", "”", "%2C%20", "|",
        ]),
    ) {
        let links = links();
        let token = signer().sign(&link);
        prop_assert!(token.ends_with(|c: char| c.is_ascii_alphanumeric()), "{}", token);
        prop_assert_eq!(links.verify(&format!("{token}{behind}")), Some(link));
    }

    #[test]
    fn f9_token_of_earlier_stays_good_also_without_its_last_sign(request in any::<u128>()) {
        let link = Link::Open(RequestId::from_uuid(Uuid::from_u128(request)));
        let token = as_before(&link);
        prop_assert_eq!(signer().verify(&token), Some(link.clone()));
        let links = links();
        prop_assert_eq!(links.verify(&format!("{token}.")), Some(link.clone()));
        if let Some(cut) = token.strip_suffix(['-', '_']) {
            prop_assert_eq!(links.verify(cut), Some(link.clone()));
            prop_assert_eq!(links.verify(&format!("{cut})")), Some(link));
        }
    }

    #[test]
    fn f9_nothing_is_made_up(link in link(), more in "[a-z]{1,3}") {
        let links = links();
        let token = signer().sign(&link);
        prop_assert_eq!(links.verify(&format!("{token}.{more}")), None);
        prop_assert_eq!(links.verify(&format!("{token}%20{more}")), None);
        prop_assert_eq!(links.verify(&format!("{token}{}", ".".repeat(100))), None);
    }

    #[test]
    fn arbitrary_text_is_no_token(text in ".{0,300}") {
        prop_assert_eq!(signer().verify(&text), None);
    }
}

fn links() -> Links {
    Links::new(&Url::parse("https://relay.example.org").unwrap(), signer())
}

/// A token without the byte that prevents `-` or `_` as its last character.
fn as_before(link: &Link) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(signer().sign(link)).unwrap();
    URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() - 1])
}

#[test]
fn f9_one_of_the_old_tokens_in_sixty_four_ends_in_a_sign() {
    // Otherwise the properties above would prove nothing about them.
    let ending = (0..640_u128)
        .map(|bits| as_before(&Link::Open(RequestId::from_uuid(Uuid::from_u128(bits)))))
        .find(|token| token.ends_with('_'));
    let token = ending.unwrap();
    assert_eq!(token.len(), 44);
    assert!(links().verify(&token[..43]).is_some());
}

#[test]
fn link_of_the_previous_secret_stays_good_and_of_a_dropped_one_does_not() {
    let link = Link::Open(RequestId::from_uuid(Uuid::from_u128(7)));
    let old = secret("old secret of thirty-two bytes!!");
    let new = secret("new secret of thirty-two bytes!!");
    let token = Signer::new(&old, &[]).sign(&link);
    assert_eq!(Signer::new(&new, &[old]).verify(&token), Some(link.clone()));
    assert_eq!(Signer::new(&new, &[]).verify(&token), None);
}

#[test]
fn replaced_signer_counts_for_every_clone_of_the_links() {
    let request = RequestId::from_uuid(Uuid::from_u128(7));
    let old = secret("old secret of thirty-two bytes!!");
    let new = secret("new secret of thirty-two bytes!!");
    let at = Url::parse("https://relay.example.org").unwrap();
    let links = Links::new(&at, Signer::new(&old, &[]));
    let clone = links.clone();
    let token = |address: String| address.rsplit('/').next().unwrap().to_owned();
    let before = token(clone.join_open(request));
    links.replace_signer(Signer::new(&new, &[old]));
    let after = token(clone.join_open(request));
    assert_ne!(before, after);
    assert!(clone.verify(&before).is_some() && clone.verify(&after).is_some());
    links.replace_signer(Signer::new(&new, &[]));
    assert!(clone.verify(&before).is_none() && clone.verify(&after).is_some());
}

#[test]
fn links_are_below_the_public_address_and_its_path() {
    for (public_url, start) in [
        (
            "https://relay.example.org",
            "https://relay.example.org/join/",
        ),
        (
            "https://example.org/relay/?x#y",
            "https://example.org/relay/join/",
        ),
    ] {
        let links = Links::new(&Url::parse(public_url).unwrap(), signer());
        let request = RequestId::from_uuid(Uuid::from_u128(7));
        let address = links.join_open(request);
        let token = address.strip_prefix(start).unwrap();
        assert_eq!(links.verify(token), Some(Link::Open(request)));
        assert!(links.is_https());
    }
}

#[test]
fn debug_form_holds_no_secret() {
    let links = Links::new(&Url::parse("https://relay.example.org").unwrap(), signer());
    let shown = format!("{links:?}");
    assert!(
        !shown.contains("first secret") && shown.contains("redacted"),
        "{shown}"
    );
}
