//! Texts that are no key, and keys that somebody has tampered with.

use pgp::composed::ArmorOptions;
use proptest::{prelude::*, sample::Index};

use super::*;

static BINARY: LazyLock<Vec<u8>> = LazyLock::new(|| KEY.to_public_key().to_bytes().unwrap());

static ARMORED: LazyLock<String> =
    LazyLock::new(|| KEY.to_public_key().to_armored_string(ArmorOptions::default()).unwrap());

#[test]
fn a_pgp_key_of_1_mb_is_refused_unread() {
    let too_large = "PgpKey has 1 MB or more; an OpenPGP public key has a few kilobytes";
    assert_eq!(refusal(&"A".repeat(TOO_LARGE)), too_large);
    assert_eq!(refusal(&BASE64_STANDARD.encode(vec![0x99; 1_000_000])), too_large);
    assert_ne!(refusal(&"A".repeat(TOO_LARGE - 1)), too_large);
}

#[test]
fn what_is_neither_base64_nor_armored_is_refused_without_being_quoted() {
    for garbage in ["a password", "mQ", "AKIA\u{fc}", "-----BEGIN"] {
        assert_eq!(refusal(garbage), "PgpKey is neither base64 of an OpenPGP public key nor an ASCII-armored one");
    }
}

#[test]
fn nothing_is_refused_as_such() {
    for nothing in ["", " \r\n\t"] {
        assert_eq!(refusal(nothing), "PgpKey is empty");
    }
}

#[test]
fn base64_of_something_else_is_refused() {
    let (empty_user_id, image) = (b"\xb4\x00", b"\x89PNG\r\n\x1a\n");
    for garbage in [b"a word".as_slice(), b"\0", b"\x80", empty_user_id, image] {
        assert_eq!(refusal(&BASE64_STANDARD.encode(garbage)), "PgpKey does not hold an OpenPGP public key");
    }
}

#[test]
fn an_armored_key_with_its_line_breaks_lost_is_refused() {
    let message = refusal(&ARMORED.replace('\n', " "));
    assert_eq!(message, "PgpKey is an ASCII-armored key that is damaged: copy all of it, with its line breaks");
    let message = refusal(&ARMORED[..ARMORED.len() - 20]);
    assert_eq!(message, "PgpKey is an ASCII-armored key that is damaged: copy all of it, with its line breaks");
}

#[test]
fn a_key_cut_short_is_refused() {
    let cut = &BINARY[..BINARY.len() - 1];
    assert_eq!(refusal(&BASE64_STANDARD.encode(cut)), "PgpKey is an OpenPGP key that is damaged or cut short");
}

/// The largest input that is looked at, made of `part` over and over after `start`.
fn largest(start: &[u8], part: &[u8]) -> String {
    let mut binary = start.to_vec();
    while (binary.len() + part.len()) * 4 / 3 < TOO_LARGE - 4 {
        binary.extend_from_slice(part);
    }
    BASE64_STANDARD.encode(binary)
}

#[test]
fn a_key_of_a_great_many_small_packets_is_refused() {
    let empty_user_id = &[0xb4, 0];
    assert_eq!(refusal(&largest(&BINARY, empty_user_id)), "PgpKey is an OpenPGP key of more than 10000 packets");
    let marker = &[0xa8, 0];
    assert_eq!(refusal(&largest(&BINARY, marker)), "PgpKey is an OpenPGP key of more than 10000 packets");
}

#[test]
fn an_armor_with_endless_headers_is_refused() {
    for header in ["Comment: a\n", "a", "\n", ": \n"] {
        let armored =
            format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\n{}", header.repeat((TOO_LARGE - 100) / header.len()));
        let message = refusal(&armored);
        assert!(message.contains("damaged") || message.contains("does not hold"), "{message}");
    }
}

/// A key's bytes with a few of them changed, lost, doubled or put elsewhere.
fn tampered() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<Index>(), any::<u8>(), 0..5);
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut key = BINARY.clone();
        for (from, to, byte, kind) in changes {
            let (from, to) = (from.index(key.len()), to.index(key.len()));
            let range = from.min(to)..from.max(to);
            match kind {
                0 | 1 => key[from] = byte,
                2 => drop(key.drain(range)),
                3 => key.extend_from_within(range),
                _ => key.insert(from, byte),
            }
            if key.is_empty() {
                key.push(byte);
            }
        }
        key
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn a_key_that_was_tampered_with_is_refused_or_is_still_the_same_key(key in tampered()) {
        if let Ok(key) = EncryptionKey::parse(&BASE64_STANDARD.encode(key)) {
            prop_assert_eq!(key.fingerprint(), KEY.fingerprint().to_string());
            prop_assert!(matches!(&key.recipient, Recipient::Subkey(subkey)
                if subkey.fingerprint() == KEY.secret_subkeys[0].fingerprint()));
        }
    }

    #[test]
    fn an_armored_key_that_was_tampered_with_is_refused_or_the_same_key(at: Index, character: char) {
        let mut armored: Vec<char> = ARMORED.chars().collect();
        let at = at.index(armored.len());
        armored[at] = character;
        let armored: String = armored.into_iter().collect();
        if let Ok(key) = EncryptionKey::parse(&armored) {
            prop_assert_eq!(key.fingerprint(), KEY.fingerprint().to_string());
        }
    }

    #[test]
    fn random_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(EncryptionKey::parse(&BASE64_STANDARD.encode(bytes)).is_err());
    }

    #[test]
    fn random_text_is_refused(text: String) {
        prop_assert!(EncryptionKey::parse(&text).is_err());
    }

    /// As a subkey's own key is, whoever binds the subkey: encryption to it must not panic either.
    #[test]
    fn public_keys_that_nobody_checked_are_encrypted_to_without_a_panic(
        algorithm in prop::sample::select(vec![1_u8, 2, 16, 18, 20, 25, 26]),
        material: Vec<u8>,
    ) {
        let body = [[4, 0, 0, 0, 0, algorithm].as_slice(), &material].concat();
        let header = pgp::packet::PacketHeader::new_fixed(Tag::PublicSubkey, u32::try_from(body.len()).unwrap());
        if let Ok(Packet::PublicSubkey(subkey)) = Packet::from_reader(header, body.as_slice()) {
            let _ = Recipient::Subkey(subkey).encrypt(Format::Seipd1(SymmetricKeyAlgorithm::AES256), b"secret");
        }
    }
}
