//! Each kind of key: it is encrypted to, or refused with the reason.

use pgp::{
    crypto::public_key::PublicKeyAlgorithm,
    packet::{KeyFlags, PacketHeader, PublicSubkey, SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::PublicParams,
};

use super::*;

/// Keys that GnuPG made. See `keys/`: of those with secp256k1 in their names, some signatures have a high `s`.
const GOOD: [(&str, &str); 2] = [
    (include_str!("keys/secp256k1-cv25519-0.pub.asc"), include_str!("keys/secp256k1-cv25519-0.sec.asc")),
    (include_str!("keys/secp256k1-cv25519-1.pub.asc"), include_str!("keys/secp256k1-cv25519-1.sec.asc")),
];

#[test]
fn signatures_on_secp256k1_count_whichever_s_they_have() {
    for (public, secret) in GOOD {
        let gnupg = GnuPg::new();
        gnupg.run(&["--import"], secret.as_bytes());
        let key = EncryptionKey::parse(public).unwrap();
        assert_opens(&gnupg, &key.fingerprint().to_uppercase());
    }
    let revoked = include_bytes!("keys/secp256k1-revoked-high-s.pub.pgp");
    assert!(refusal(&BASE64_STANDARD.encode(revoked)).ends_with(", which is revoked"));
    let subkey_revoked = include_bytes!("keys/secp256k1-revoked-subkey-high-s.pub.pgp");
    let message = refusal(&BASE64_STANDARD.encode(subkey_revoked));
    assert!(message.contains("has no subkey that can be encrypted to: its subkey "), "{message}");
    assert!(message.ends_with(" is revoked"), "{message}");
}

#[test]
fn brainpool_keys_are_refused_with_that_reason() {
    for key in [include_str!("keys/brainpool384.pub.asc"), include_str!("keys/brainpool384-rsasub.pub.asc")] {
        let message = refusal(key);
        assert!(
            message.ends_with(", which uses an elliptic curve that is not supported: brainpoolP384r1"),
            "{message}"
        );
    }
}

#[test]
fn each_kind_that_gnupg_makes_is_encrypted_to_or_refused_with_the_reason() {
    let rsa = "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign";
    let dsa = "Key-Type: DSA\nKey-Length: 1024\nKey-Usage: sign";
    let ecdsa = |curve| format!("Key-Type: ECDSA\nKey-Curve: {curve}\nKey-Usage: sign");
    let ecdh = |curve| format!("Subkey-Type: ECDH\nSubkey-Curve: {curve}\nSubkey-Usage: encrypt");
    let elgamal = "Subkey-Type: ELG\nSubkey-Length: 1024\nSubkey-Usage: encrypt".to_owned();
    let mut table = vec![
        (rsa.to_owned(), CV25519.to_owned(), None),
        (dsa.to_owned(), CV25519.to_owned(), None),
        (dsa.to_owned(), elgamal, Some(" uses an algorithm that is not supported: ElGamal (number 16)".to_owned())),
    ];
    let weak = " is an RSA key of 1024 bits, and at least 2048 are needed";
    let weak_subkey = "Subkey-Type: RSA\nSubkey-Length: 1024\nSubkey-Usage: encrypt";
    table.push((rsa.to_owned(), weak_subkey.to_owned(), Some(weak.to_owned())));
    table.push((rsa.to_owned(), weak_subkey.replace("1024", "2048"), None));
    let weak_primary = "Key-Type: RSA\nKey-Length: 1024\nKey-Usage: sign,encrypt";
    table.push((weak_primary.to_owned(), String::new(), Some(format!("the primary key{weak}"))));
    for curve in ["nistp256", "nistp384", "nistp521"] {
        table.push((ecdsa(curve), ecdh(curve), None));
    }
    for _ in 0..4 {
        table.push((ecdsa("secp256k1"), CV25519.to_owned(), None));
    }
    for curve in ["secp256k1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"] {
        let refused = format!(" uses an elliptic curve that is not supported: {curve}");
        table.push((ED25519.to_owned(), ecdh(curve), Some(refused.clone())));
        if curve != "secp256k1" {
            table.push((ecdsa(curve), CV25519.to_owned(), Some(refused)));
        }
    }
    let gnupg = GnuPg::new();
    for (primary, subkey, refused) in table {
        let key = gnupg.make(&format!("{primary}\n{subkey}"));
        match refused {
            None => drop(assert_opens(&gnupg, &key)),
            Some(reason) => assert!(refusal_of(&gnupg, &key).ends_with(&reason), "{}", refusal_of(&gnupg, &key)),
        }
    }
}

/// A packet in the old format: of tag 6, a primary key, or of tag 14, a subkey.
fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[0x81 | tag << 2], u16::try_from(body.len()).unwrap().to_be_bytes().as_slice(), body].concat()
}

/// The body of a key packet of this version and algorithm, with material that no algorithm has.
fn body(version: u8, algorithm: u8) -> Vec<u8> {
    [[version].as_slice(), &KEY.created_at().as_secs().to_be_bytes(), &[algorithm], &[0xff; 50]].concat()
}

/// A good primary key with one subkey of this algorithm, that is bound to it.
fn with_subkey(algorithm: u8, encrypts: bool) -> String {
    let body = body(4, algorithm);
    let subkey = PublicSubkey::new_with_header(
        PacketHeader::new_fixed(Tag::PublicSubkey, u32::try_from(body.len()).unwrap()),
        KeyVersion::V4,
        PublicKeyAlgorithm::from(algorithm),
        KEY.created_at(),
        None,
        PublicParams::Unknown { data: body[6..].to_vec().into() },
    );
    let primary = &KEY.primary_key;
    let mut flags = KeyFlags::default();
    flags.set_encrypt_comms(encrypts);
    flags.set_sign(!encrypts);
    let mut binding = SignatureConfig::from_key(OsRng, primary, SignatureType::SubkeyBinding).unwrap();
    binding.hashed_subpackets =
        [SubpacketData::SignatureCreationTime(Timestamp::now()), SubpacketData::KeyFlags(flags)]
            .map(|data| Subpacket::regular(data).unwrap())
            .to_vec();
    let binding = binding
        .sign_subkey_binding(primary, primary.public_key(), &Password::empty(), &subkey.unwrap())
        .and_then(|binding| Packet::from(binding).to_bytes())
        .unwrap();
    let mut primary = KEY.to_public_key();
    primary.public_subkeys.clear();
    BASE64_STANDARD.encode([primary.to_bytes().unwrap(), packet(14, &body), binding].concat())
}

/// The algorithms of RFC 9580 and RFC 9980 that sign, and nothing else.
const ONLY_SIGN: [u8; 11] = [3, 17, 19, 22, 27, 28, 30, 31, 32, 33, 34];

#[test]
fn a_subkey_of_any_unknown_algorithm_is_refused_with_its_number() {
    for algorithm in 0..=255 {
        let message = refusal(&with_subkey(algorithm, true));
        if ONLY_SIGN.contains(&algorithm) {
            assert!(message.ends_with("has no subkey for encryption: it can only sign"), "{algorithm}: {message}");
        } else {
            assert!(message.contains("has no subkey that can be encrypted to: its subkey "), "{algorithm}: {message}");
            assert!(message.contains(&format!("number {algorithm}")), "{algorithm}: {message}");
        }
        let message = refusal(&with_subkey(algorithm, false));
        assert!(message.ends_with("has no subkey for encryption: it can only sign"), "{algorithm}: {message}");
    }
}

#[test]
fn a_key_of_any_unknown_algorithm_is_refused_with_its_number() {
    for algorithm in 0..=255 {
        let message = refusal(&BASE64_STANDARD.encode(packet(6, &body(4, algorithm))));
        assert!(message.contains(", which uses an algorithm that is not supported: "), "{message}");
        assert!(message.contains(&format!("number {algorithm}")), "{message}");
    }
}

#[test]
fn a_key_of_any_unknown_version_is_refused_with_it() {
    for version in (0..=255).filter(|version| ![4, 6].contains(version)) {
        assert_eq!(
            refusal(&BASE64_STANDARD.encode(packet(6, &body(version, 1)))),
            format!("PgpKey is an OpenPGP key of version {version}; only versions 4 and 6 can be used")
        );
    }
}

#[test]
fn a_subkey_of_any_unknown_version_is_passed_over() {
    for (key, other) in [(KeyVersion::V4, 5), (KeyVersion::V4, 3), (KeyVersion::V6, 4)] {
        let mut key = secret_key(key, |_| {}).to_public_key();
        let other_version = packet(14, &body(other, 8));
        let good = key.to_bytes().unwrap();
        assert!(EncryptionKey::parse(&BASE64_STANDARD.encode([good, other_version.clone()].concat())).is_ok());
        key.public_subkeys.clear();
        let message = refusal(&BASE64_STANDARD.encode([key.to_bytes().unwrap(), other_version].concat()));
        assert!(message.ends_with(&format!(": a subkey of version {other} is not supported")), "{message}");
    }
}
