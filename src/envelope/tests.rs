#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub(super) mod any;
mod form;
mod refusals;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn written_envelope_is_read_again(envelope in any::envelope()) {
        let message = encode(&envelope).unwrap();
        prop_assert_eq!(&message.id, &envelope.id());
        prop_assert_eq!(decode(&message.body), Ok(envelope));
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn damaged_envelope_is_refused_or_is_a_whole_one(
        envelope in any::envelope(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(&envelope).unwrap().body.to_vec();
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err(), "an incomplete envelope is refused");
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = decode(&bytes) {
            // The damage made another valid envelope, which is read as a whole.
            prop_assert_eq!(decode(&encode(&read).unwrap().body), Ok(read));
        }
    }
}
