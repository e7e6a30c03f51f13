//! The signature of API requests (src/plugnmeet/README.md, "Requests and signature").

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The HMAC-SHA256 of the body's exact bytes, in lower-case hex.
pub(super) fn sign(secret: &SecretString, body: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn signatures_equal_the_vectors() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!(
            "../../tests/vectors/plugnmeet/api-signatures.json"
        ))
        .unwrap();
        let secret = SecretString::from(vectors["api_secret"].as_str().unwrap());
        let cases = vectors["cases"].as_array().unwrap();
        assert!(cases.len() >= 4);
        for case in cases {
            let body = case["body"].as_str().unwrap();
            assert_eq!(
                sign(&secret, body.as_bytes()),
                case["hash_signature"],
                "{body}"
            );
        }
    }

    #[test]
    fn a_secret_beyond_ascii_is_taken_as_utf8() {
        let body = "{\"room_id\":\"mm-7c1e\",\"metadata\":{\"room_title\":\"Stand-up – Équipe\",\
                    \"room_features\":{},\"extra_data\":{\"relay_id\":\"01J\"}}}";
        assert_eq!(
            sign(&SecretString::from("s3cr3t-éü"), body.as_bytes()),
            "2d7363e81cf632f5bce9f1c0a00406141b4ae32f90dcd40d9be85235f2281eab"
        );
    }
}
