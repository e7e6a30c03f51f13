#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::super::tests::any;
use super::*;

fn signer_of(present: &str, previous: &[&str]) -> EnvelopeSigner {
    let secret = |text: &str| SecretString::from(text.to_owned());
    let previous: Vec<SecretString> = previous.iter().map(|text| secret(text)).collect();
    let signer = EnvelopeSigner::new(&secret(present), &previous);
    signer.set_reads_unsigned(false);
    signer
}

proptest! {
    #[test]
    fn s11_signed_envelope_is_read_again(envelope in any::envelope()) {
        let signer = signer_of("one", &[]);
        let message = signer.encode(&envelope).unwrap();
        prop_assert_eq!(&message.id, &envelope.id());
        prop_assert_eq!(signer.decode(&message.body), Ok(envelope.clone()));
        // A relay of an older version reads it too.
        prop_assert_eq!(decode(&message.body), Ok(envelope));
    }

    #[test]
    fn s11_any_changed_byte_is_refused(
        envelope in any::envelope(),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let signer = signer_of("one", &[]);
        let mut bytes = signer.encode(&envelope).unwrap().body.to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(signer.verify(&bytes).is_err(), "byte {at}");
    }

    #[test]
    fn s11_any_cut_is_refused(envelope in any::envelope(), cut in any::<prop::sample::Index>()) {
        let signer = signer_of("one", &[]);
        let bytes = signer.encode(&envelope).unwrap().body;
        prop_assert!(signer.verify(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn s11_any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert_eq!(signer_of("one", &[]).verify(&bytes), Err(SealError::Unsigned));
    }
}

const JSON: &[u8] = br#"{"v":1,"kind":"job"}"#;

#[test]
fn s11_format_of_a_signature_stays() {
    let signed = signer_of("one", &[]).sign(JSON);
    let text = String::from_utf8(signed).unwrap();
    let mac = text
        .strip_prefix(r#"{"v":1,"kind":"job","mac":"1."#)
        .and_then(|rest| rest.strip_suffix("\"}"))
        .unwrap();
    assert_eq!(mac.len(), MAC_CHARS);
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
}

#[test]
fn s11_message_signed_by_a_previous_secret_is_read_and_by_another_secret_is_not() {
    let signed = signer_of("one", &[]).sign(JSON);
    assert_eq!(signer_of("two", &["zero", "one"]).verify(&signed), Ok(()));
    assert_eq!(signer_of("two", &[]).verify(&signed), Err(SealError::Wrong));
    let signer = signer_of("two", &[]);
    signer.replace_secrets(&"three".to_owned().into(), &["one".to_owned().into()]);
    assert_eq!(signer.verify(&signed), Ok(()));
    let signed = signer.sign(JSON);
    assert_eq!(
        signer_of("three", &[]).verify(&signed),
        Ok(()),
        "the present secret signs"
    );
}

#[test]
fn s11_unsigned_messages_are_read_only_while_allowed_and_wrongly_signed_ones_never() {
    let signer = signer_of("one", &[]);
    let foreign = signer_of("two", &[]).sign(JSON);
    assert_eq!(signer.verify(JSON), Err(SealError::Unsigned));
    signer.set_reads_unsigned(true);
    assert_eq!(signer.verify(JSON), Ok(()));
    assert_eq!(signer.verify(&foreign), Err(SealError::Wrong));
    signer.set_reads_unsigned(false);
    assert_eq!(signer.verify(JSON), Err(SealError::Unsigned));
    assert_eq!(signer.verify(&foreign), Err(SealError::Wrong));
}

#[test]
fn s11_signing_secret_itself_is_not_a_key_of_envelopes() {
    let mut mac = hmac(b"one");
    mac.update(PURPOSE);
    mac.update(JSON);
    let mac = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    let content = JSON.strip_suffix(b"}").unwrap();
    let forged = [content, OPENING, mac.as_bytes(), CLOSING].concat();
    let verified = signer_of("one", &[]).verify(&forged);
    assert_eq!(verified, Err(SealError::Wrong));
}

#[test]
fn debug_output_of_a_signer_holds_no_key() {
    let text = format!("{:?}", signer_of("CANARY", &[]));
    assert_eq!(
        text,
        "EnvelopeSigner { keys: 1, reads_unsigned: Some(false) }"
    );
}

#[tokio::test(start_paused = true)]
async fn s11_nothing_is_read_before_the_store_has_answered() {
    let signer = EnvelopeSigner::new(&"one".to_owned().into(), &[]);
    let second = std::time::Duration::from_secs(1);
    assert!(
        tokio::time::timeout(second, signer.can_read())
            .await
            .is_err()
    );
    let other = signer.clone();
    other.set_reads_unsigned(true);
    signer.can_read().await;
}
