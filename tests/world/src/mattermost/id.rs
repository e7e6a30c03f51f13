//! Ids and tokens shaped like Mattermost's: 26 characters of its own base32 alphabet.

const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// How long every id and token is.
pub(crate) const ID_LENGTH: usize = 26;

/// A fresh random id (or token: Mattermost draws both alike).
pub(crate) fn new_id() -> String {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    let mut id = String::with_capacity(ID_LENGTH);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            id.push(letter(held >> bits));
        }
        held &= (1 << bits) - 1;
    }
    id.push(letter(held << (5 - bits)));
    id
}

/// Whether a path segment can be an id at all; anything else is refused before it is looked up.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn letter(value: u32) -> char {
    char::from(ALPHABET[(value & 31) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_26_letters_of_the_alphabet_and_differ() {
        let (one, other) = (new_id(), new_id());
        assert_eq!(one.len(), 26);
        assert!(is_id(&one));
        assert!(one.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(one, other);
        assert!(!is_id("short") && !is_id(&"-".repeat(26)));
    }
}
