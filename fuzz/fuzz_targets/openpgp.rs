//! Any bytes at all as a PgpKey: refused with words for a person, or an encryption key that encrypts.
#![no_main]

use access_key_handlers::pgp::EncryptionKey;
use access_key_schema::Secret;
use base64::{Engine, prelude::BASE64_STANDARD};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|key: &[u8]| {
    // As it is, which is armor or base64, and as the binary key that base64 stands for.
    for key in [String::from_utf8_lossy(key).into_owned(), BASE64_STANDARD.encode(key)] {
        match EncryptionKey::parse(&key) {
            Ok(key) => {
                assert!(key.fingerprint().bytes().all(|byte| byte.is_ascii_hexdigit()));
                assert!(key.encrypt(&Secret::new("secret".to_owned())).is_ok());
            }
            Err(error) => assert!(error.message.starts_with("PgpKey ")),
        }
    }
});
