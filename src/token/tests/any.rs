//! Property tests with links and guests that nobody signed.

use proptest::prelude::*;

use super::*;
use crate::any::damaged;
use crate::domain::Identity;

fn guest() -> Identity {
    "g-abcdefghijklmnopqrst".parse().unwrap()
}

proptest! {
    #[test]
    fn no_bytes_are_a_link_or_a_guest(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let token = URL_SAFE_NO_PAD.encode(&bytes);
        prop_assert_eq!(signer().verify(&token), None);
        prop_assert_eq!(signer().verify_guest(&format!("{}.{token}", guest())), None);
        prop_assert_eq!(signer().verify_guest(&String::from_utf8_lossy(&bytes)), None);
    }

    #[test]
    fn no_damaged_guest_is_known(kept in damaged(vec![signer().sign_guest(&guest()).into_bytes()])) {
        if let Ok(kept) = String::from_utf8(kept)
            && kept != signer().sign_guest(&guest())
        {
            prop_assert_eq!(signer().verify_guest(&kept), None);
        }
    }

    #[test]
    fn guest_is_known_by_the_secret_in_use_and_those_before_it(digits in "[a-z2-7]{20}") {
        let guest: Identity = format!("g-{digits}").parse().unwrap();
        let kept = signer().sign_guest(&guest);
        let new = secret("new secret of thirty-two bytes!!");
        let rotated = Signer::new(&new, &[secret("first secret of thirty-two bytes")]);
        prop_assert_eq!(rotated.verify_guest(&kept), Some(guest));
        prop_assert_eq!(Signer::new(&new, &[]).verify_guest(&kept), None);
    }

    #[test]
    fn link_is_no_guest(link in link()) {
        let token = signer().sign(&link);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        let (content, tag) = bytes.split_at(bytes.len() - 16);
        let content = String::from_utf8_lossy(content);
        let kept = format!("{content}.{}", URL_SAFE_NO_PAD.encode(tag));
        prop_assert_eq!(signer().verify_guest(&kept), None);
    }
}
