mod hostile;
mod kinds;
mod mistaken;
mod signatures;

use std::sync::LazyLock;

use gnupg::{GnuPg, LONG_AGO};
use pgp::{
    composed::{
        Deserializable, EncryptionCaps, KeyType, Message, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
        SubkeyParams, SubkeyParamsBuilder,
    },
    crypto::{aead::AeadAlgorithm, ecc_curve::ECCCurve, sym::SymmetricKeyAlgorithm},
    packet::Packet,
    ser::Serialize,
    types::{KeyVersion, Password, Tag},
};
use rand::rngs::OsRng;

use super::*;

/// A text that is odder than any secret access key.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\r\n\n ü";

const ED25519: &str = "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign";
const RSA: &str = "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign encrypt";
const CV25519: &str = "Subkey-Type: ECDH\nSubkey-Curve: cv25519\nSubkey-Usage: encrypt";

/// As `gpg --export KEY | base64` writes it, with its line breaks.
fn base64_lines(binary: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(binary);
    base64.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line) + "\n").collect()
}

/// Asserts that GnuPG decrypts a message for its key to exactly the text that was encrypted. Returns the fingerprint of the part
/// of the key that was used, in upper case.
fn assert_opens(gnupg: &GnuPg, fingerprint: &str) -> String {
    let key = EncryptionKey::parse(&base64_lines(&gnupg.export(fingerprint))).unwrap();
    assert_eq!(key.fingerprint(), fingerprint.to_lowercase());
    for secret in [SECRET, ""] {
        let message = key.encrypt(&Secret::new(secret.to_owned())).unwrap();
        let message = BASE64_STANDARD.decode(message).unwrap();
        assert_eq!(String::from_utf8(gnupg.decrypt(&message)).unwrap(), secret);
    }
    match key.recipient {
        Recipient::Primary(key) => format!("{:X}", key.fingerprint()),
        Recipient::Subkey(key) => format!("{:X}", key.fingerprint()),
    }
}

/// Why `pgp_key` is refused.
fn refusal(pgp_key: &str) -> String {
    let error = EncryptionKey::parse(pgp_key).unwrap_err();
    assert_eq!(error.code, HandlerErrorCode::InvalidRequest);
    assert!(error.message.len() < 600, "{}", error.message);
    error.message
}

/// Why the key in `gnupg` is refused.
fn refusal_of(gnupg: &GnuPg, fingerprint: &str) -> String {
    refusal(&BASE64_STANDARD.encode(gnupg.export(fingerprint)))
}

/// An armor with a space after every few characters of its base64.
fn spaced(armored: &str) -> String {
    let (head, body) = armored.split_once("\n\n").unwrap();
    let (body, tail) = body.split_once("\n-----").unwrap();
    let body: String = body.as_bytes().chunks(7).map(|part| String::from_utf8_lossy(part) + " \t").collect();
    format!("{head}\n\n{body}\n-----{tail}")
}

#[test]
fn a_key_is_taken_in_base64_with_or_without_line_breaks_and_armored() {
    let gnupg = GnuPg::new();
    let fingerprint = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    let binary = gnupg.export(&fingerprint);
    let armored = String::from_utf8(gnupg.run(&["--armor", "--export", &fingerprint], b"")).unwrap();
    for form in [
        BASE64_STANDARD.encode(&binary),
        base64_lines(&binary),
        base64_lines(&binary).replace('\n', "\r\n"),
        armored.clone(),
        armored.replace('\n', "\r\n"),
        format!("Here it is:\n\n{armored}\nYours, Alice\n"),
        armored.replacen('\n', "\nVersion: GnuPG v2\nComment: none\n", 1),
        BASE64_STANDARD.encode(&armored),
        armored.replace('\n', "\t\n"),
        armored.replace('\n', "\n      "),
        armored.replace('\n', " \n\u{a0}"),
        spaced(&armored),
        armored.replace('\n', "\n\t").replacen("\n\t\n", "\n\tComment: https://keybase.io/alice\n \n", 1),
        format!("\u{feff}{armored}"),
        format!("\u{feff}{}", BASE64_STANDARD.encode(&binary)),
        format!("\u{feff} {}", base64_lines(&binary).replace('\n', "\n    ")),
    ] {
        assert_eq!(EncryptionKey::parse(&form).unwrap().fingerprint(), fingerprint.to_lowercase());
    }
}

#[test]
fn gnupg_opens_what_is_encrypted_to_an_rsa_key() {
    for bits in [2048, 4096] {
        let gnupg = GnuPg::new();
        let key = gnupg.make(&format!(
            "Key-Type: RSA\nKey-Length: {bits}\nKey-Usage: sign\n\
             Subkey-Type: RSA\nSubkey-Length: {bits}\nSubkey-Usage: encrypt"
        ));
        assert_eq!(assert_opens(&gnupg, &key), gnupg.fingerprints(&key)[1]);
    }
}

#[test]
fn gnupg_opens_what_is_encrypted_to_a_curve25519_key() {
    let gnupg = GnuPg::new();
    let key = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    assert_eq!(assert_opens(&gnupg, &key), gnupg.fingerprints(&key)[1]);
}

#[test]
fn gnupg_opens_what_is_encrypted_to_a_nist_key() {
    for curve in ["nistp256", "nistp384", "nistp521"] {
        let gnupg = GnuPg::new();
        let key = gnupg.make(&format!(
            "Key-Type: ECDSA\nKey-Curve: {curve}\nKey-Usage: sign\n\
             Subkey-Type: ECDH\nSubkey-Curve: {curve}\nSubkey-Usage: encrypt"
        ));
        assert_eq!(assert_opens(&gnupg, &key), gnupg.fingerprints(&key)[1]);
    }
}

#[test]
fn a_primary_key_that_encrypts_is_used_when_no_subkey_does() {
    let gnupg = GnuPg::new();
    let key = gnupg.make(RSA);
    assert_eq!(assert_opens(&gnupg, &key), key);
    let subkey = gnupg.add_encryption_subkey(&key, "rsa2048", "20240102T000000!", "never");
    assert_eq!(assert_opens(&gnupg, &key), subkey);
    gnupg.revoke_subkey(&key, 1);
    assert_eq!(assert_opens(&gnupg, &key), key);
}

#[test]
fn the_newest_of_several_encryption_subkeys_is_used() {
    let gnupg = GnuPg::new();
    let key = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    let newest = gnupg.add_encryption_subkey(&key, "rsa2048", "20240301T000000!", "never");
    gnupg.add_encryption_subkey(&key, "cv25519", "20240201T000000!", "never");
    assert_eq!(assert_opens(&gnupg, &key), newest);
}

#[test]
fn a_revoked_subkey_is_passed_over() {
    let gnupg = GnuPg::new();
    let key = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    gnupg.add_encryption_subkey(&key, "cv25519", "20240301T000000!", "never");
    gnupg.revoke_subkey(&key, 2);
    assert_eq!(assert_opens(&gnupg, &key), gnupg.fingerprints(&key)[1]);
}

#[test]
fn an_expired_subkey_is_passed_over() {
    let gnupg = GnuPg::new();
    let key = gnupg.make_long_ago(ED25519);
    gnupg.add_encryption_subkey(&key, "cv25519", LONG_AGO, "1y");
    let good = gnupg.add_encryption_subkey(&key, "cv25519", "20200201T000000!", "never");
    gnupg.add_encryption_subkey(&key, "cv25519", "20200301T000000!", "1y");
    assert_eq!(assert_opens(&gnupg, &key), good);
}

#[test]
fn an_expired_key_is_refused_until_it_is_extended() {
    let gnupg = GnuPg::new();
    let key = gnupg.make_long_ago(&format!("{ED25519}\n{CV25519}\nExpire-Date: 1y"));
    let lower_case = key.to_lowercase();
    assert_eq!(
        refusal_of(&gnupg, &key),
        format!("PgpKey is the OpenPGP key {lower_case}, which expired at 2020-12-31T00:00:00Z")
    );
    gnupg.run(&["--quick-set-expire", &key, "1y"], b"");
    assert!(refusal_of(&gnupg, &key).ends_with(" expired at 2020-12-31T00:00:00Z"));
    let subkey = &gnupg.fingerprints(&key)[1];
    gnupg.run(&["--quick-set-expire", &key, "1y", subkey], b"");
    assert_opens(&gnupg, &key);
}

#[test]
fn a_revoked_key_is_refused() {
    let gnupg = GnuPg::new();
    let key = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    assert_opens(&gnupg, &key);
    gnupg.revoke(&key);
    assert_eq!(refusal_of(&gnupg, &key), format!("PgpKey is the OpenPGP key {}, which is revoked", key.to_lowercase()));
}

#[test]
fn a_key_that_can_only_sign_is_refused() {
    let gnupg = GnuPg::new();
    for parameters in [ED25519, "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign"] {
        let key = gnupg.make(parameters);
        assert_eq!(
            refusal_of(&gnupg, &key),
            format!(
                "PgpKey is the OpenPGP key {}, which has no subkey for encryption: it can only sign",
                key.to_lowercase()
            )
        );
    }
}

#[test]
fn the_refusal_of_a_key_says_what_is_wrong_with_each_of_its_subkeys() {
    let gnupg = GnuPg::new();
    let key = gnupg.make_long_ago(ED25519);
    let expired = gnupg.add_encryption_subkey(&key, "cv25519", LONG_AGO, "1y");
    let revoked = gnupg.add_encryption_subkey(&key, "cv25519", "20200201T000000!", "never");
    gnupg.revoke_subkey(&key, 2);
    let expected = format!(
        "PgpKey is the OpenPGP key {key}, which has no subkey that can be encrypted to: its subkey {expired} expired \
         at 2020-12-31T00:00:00Z, its subkey {revoked} is revoked"
    );
    assert_eq!(refusal_of(&gnupg, &key).to_lowercase(), expected.to_lowercase());
}

#[test]
fn a_refusal_names_only_a_few_of_many_subkeys() {
    let gnupg = GnuPg::new();
    let key = gnupg.make_long_ago(ED25519);
    for _ in 0..7 {
        gnupg.add_encryption_subkey(&key, "cv25519", LONG_AGO, "1y");
    }
    assert!(refusal_of(&gnupg, &key).ends_with("Z, and 3 more like these"));
}

#[test]
fn user_ids_come_and_go_but_one_must_stay() {
    let gnupg = GnuPg::new();
    let fingerprint = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    gnupg.run(&["--quick-add-uid", &fingerprint, "alice@example.org"], b"");
    gnupg.run(&["--quick-revoke-uid", &fingerprint, "alice@example.com"], b"");
    assert_opens(&gnupg, &fingerprint);

    let mut key = SignedPublicKey::from_bytes(gnupg.export(&fingerprint).as_slice()).unwrap();
    key.details.users.retain(|user| user.id.as_str() == Some("alice@example.com"));
    assert_eq!(key.details.users.len(), 1);
    let no_user_id = "which has no user ID with a valid signature of its own";
    assert!(refusal(&base64(&key)).ends_with(no_user_id));
    key.details.users.clear();
    assert!(refusal(&base64(&key)).contains("which has no user ID. keys.openpgp.org leaves it out until"));
}

#[test]
fn a_key_that_others_have_signed_works() {
    let gnupg = GnuPg::new();
    let key = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    let other = gnupg.make(ED25519);
    gnupg.run(&["--local-user", &other, "--quick-sign-key", &key], b"");
    assert_opens(&gnupg, &key);
}

#[test]
fn sha_1_is_good_enough_for_a_keys_own_signatures_and_md5_is_not() {
    let gnupg = GnuPg::new();
    let make = |digest| gnupg.make_with(&["--allow-weak-digest-algos", "--cert-digest-algo", digest], RSA);
    assert_opens(&gnupg, &make("SHA1"));
    assert!(refusal_of(&gnupg, &make("MD5")).ends_with("which has no user ID with a valid signature of its own"));
}

#[test]
fn a_secret_key_is_refused_and_said_to_be_disclosed() {
    let gnupg = GnuPg::new();
    let key = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    let binary = gnupg.run(&["--export-secret-keys", &key], b"");
    let armored = String::from_utf8(gnupg.run(&["--armor", "--export-secret-keys", &key], b"")).unwrap();
    let subkeys = gnupg.run(&["--export-secret-subkeys", &key], b"");
    for form in [&BASE64_STANDARD.encode(binary), &armored, &armored[..200], &BASE64_STANDARD.encode(subkeys)] {
        assert!(refusal(form).starts_with("PgpKey holds a secret key. Whoever can read the template has it now"));
    }
}

#[test]
fn several_keys_are_refused() {
    let gnupg = GnuPg::new();
    let keys = [ED25519, ED25519].map(|parameters| gnupg.make(&format!("{parameters}\n{CV25519}")));
    let binary = keys.each_ref().map(|key| gnupg.export(key)).concat();
    assert_eq!(refusal(&BASE64_STANDARD.encode(binary)), "PgpKey holds 2 public keys; give the one to encrypt to");
    let armored = keys.map(|key| String::from_utf8(gnupg.run(&["--armor", "--export", &key], b"")).unwrap()).concat();
    assert_eq!(refusal(&armored), "PgpKey holds several armored blocks; give the one public key to encrypt to");
}

#[test]
fn a_message_is_not_taken_for_a_key() {
    let gnupg = GnuPg::new();
    let key = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    let message = gnupg.run(&["--trust-model", "always", "--encrypt", "--recipient", &key], b"hello");
    assert_eq!(refusal(&BASE64_STANDARD.encode(message)), "PgpKey does not hold an OpenPGP public key");
    let signature = gnupg.run(&["--armor", "--detach-sign"], b"hello");
    assert_eq!(refusal(&String::from_utf8(signature).unwrap()), "PgpKey does not hold an OpenPGP public key");
}

/// A key as pgp makes it: Ed25519 with one X25519 subkey.
fn secret_key(version: KeyVersion, adapt: impl Fn(&mut SecretKeyParamsBuilder)) -> SignedSecretKey {
    let mut parameters = SecretKeyParamsBuilder::default();
    parameters
        .version(version)
        .key_type(KeyType::Ed25519)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("alice@example.com".to_owned());
    parameters.subkey(subkey(version, Timestamp::now()));
    adapt(&mut parameters);
    parameters.build().unwrap().generate(OsRng).unwrap()
}

fn subkey(version: KeyVersion, created: Timestamp) -> SubkeyParams {
    let mut subkey = SubkeyParamsBuilder::default();
    subkey.version(version).key_type(KeyType::X25519).can_encrypt(EncryptionCaps::All).created_at(created);
    subkey.build().unwrap()
}

fn base64(key: &SignedPublicKey) -> String {
    BASE64_STANDARD.encode(key.to_bytes().unwrap())
}

/// The text to which pgp decrypts the message for `key`, and the version of its integrity protection.
fn open(key: &SignedSecretKey) -> (String, u8) {
    let encrypted =
        EncryptionKey::parse(&base64(&key.to_public_key())).unwrap().encrypt(&Secret::new(SECRET.to_owned()));
    let encrypted = BASE64_STANDARD.decode(encrypted.unwrap()).unwrap();
    // A packet of tag 1 with an encrypted session key comes first: 0xc1, one byte of length, the version.
    let version = encrypted[2];
    let message = Message::from_bytes(encrypted.as_slice()).unwrap();
    (message.decrypt(&Password::empty(), key).unwrap().as_data_string().unwrap(), version)
}

#[test]
fn integrity_protection_2_is_for_version_6_keys_that_announce_it() {
    for (version, announces, expected) in
        [(KeyVersion::V4, false, 3), (KeyVersion::V4, true, 3), (KeyVersion::V6, false, 3), (KeyVersion::V6, true, 6)]
    {
        let key = secret_key(version, |parameters| {
            parameters.feature_seipd_v2(announces);
        });
        assert_eq!(open(&key), (SECRET.to_owned(), expected), "{version:?} {announces}");
    }
}

#[test]
fn the_ciphers_are_those_that_the_key_prefers_among_the_strong_ones() {
    use AeadAlgorithm::{Eax, Ocb};
    use SymmetricKeyAlgorithm::{AES128, AES192, AES256, CAST5, Camellia256};
    let format = |seipd2,
                  ciphers: &[SymmetricKeyAlgorithm],
                  aead_ciphers: &[(SymmetricKeyAlgorithm, AeadAlgorithm)]| {
        let version = if seipd2 { KeyVersion::V6 } else { KeyVersion::V4 };
        let key = secret_key(version, |parameters| {
            parameters.preferred_symmetric_algorithms(ciphers.into()).preferred_aead_algorithms(aead_ciphers.into());
            parameters.feature_seipd_v2(seipd2);
        });
        EncryptionKey::parse(&base64(&key.to_public_key())).unwrap().format
    };
    assert_eq!(format(false, &[CAST5, AES192, AES256], &[(AES256, Eax)]), Format::Seipd1(AES192));
    assert_eq!(format(false, &[CAST5], &[]), Format::Seipd1(AES128));
    assert_eq!(format(false, &[], &[]), Format::Seipd1(AES128));
    assert_eq!(format(true, &[AES192], &[(Camellia256, Eax), (AES256, Eax)]), Format::Seipd2(AES256, Eax));
    assert_eq!(format(true, &[AES192], &[]), Format::Seipd2(AES128, Ocb));
}

#[test]
fn the_fingerprint_of_a_version_6_key_has_64_digits() {
    let key = secret_key(KeyVersion::V6, |_| {}).to_public_key();
    let fingerprint = EncryptionKey::parse(&base64(&key)).unwrap().fingerprint().to_owned();
    assert_eq!(fingerprint.len(), 64);
    assert!(fingerprint.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit)));
}

#[test]
fn a_subkey_that_somebody_else_bound_is_refused() {
    let alice = KEY.to_public_key();
    let mallory = secret_key(KeyVersion::V4, |_| {}).to_public_key();
    let forged = SignedPublicKey { public_subkeys: mallory.public_subkeys, ..alice };
    assert!(refusal(&base64(&forged)).ends_with("is not bound to the key by a valid signature"));
}

#[test]
fn a_user_id_that_somebody_else_certified_does_not_count() {
    let alice = KEY.to_public_key();
    let mallory = secret_key(KeyVersion::V4, |_| {}).to_public_key();
    let forged = SignedPublicKey { details: mallory.details, ..alice };
    assert!(refusal(&base64(&forged)).ends_with("which has no user ID with a valid signature of its own"));
}

#[test]
fn a_key_from_the_future_is_refused() {
    let key = KEY.to_public_key();
    let created = key.created_at().as_secs();
    let parse_at = |now| PgpKey::parse_at(&base64(&key), Timestamp::from_secs(now));
    assert!(parse_at(created - 1).err().unwrap().message.contains("which is not valid before "));
    assert!(matches!(parse_at(u32::MAX), Ok(PgpKey::Inline(_))));
}

#[test]
fn a_key_that_has_expired_is_told_from_one_that_was_never_good() {
    let gnupg = GnuPg::new();
    let expired = gnupg.make_long_ago(&format!("{ED25519}\n{CV25519}\nExpire-Date: 1y"));
    let expired_subkey = gnupg.make_long_ago(ED25519);
    gnupg.add_encryption_subkey(&expired_subkey, "cv25519", LONG_AGO, "1y");
    for key in [&expired, &expired_subkey] {
        let pgp_key = base64_lines(&gnupg.export(key));
        let Ok(PgpKey::Expired(error)) = PgpKey::parse(&pgp_key) else { panic!("{key}") };
        assert_eq!(error.message, refusal(&pgp_key));
        let before = Timestamp::from_secs(1_600_000_000);
        assert!(matches!(PgpKey::parse_at(&pgp_key, before), Ok(PgpKey::Inline(_))));
    }
    gnupg.revoke(&expired);
    assert!(PgpKey::parse(&base64_lines(&gnupg.export(&expired))).is_err());
}

#[test]
fn a_subkey_from_the_future_is_refused() {
    let tomorrow = Timestamp::from_secs(Timestamp::now().as_secs() + 86_400);
    let key = secret_key(KeyVersion::V4, |parameters| {
        parameters.subkeys(vec![subkey(KeyVersion::V4, tomorrow)]);
    });
    assert!(refusal(&base64(&key.to_public_key())).contains(" is not valid before "));
}

#[test]
fn the_first_of_two_subkeys_made_in_the_same_second_is_used() {
    let now = Timestamp::now();
    let key = secret_key(KeyVersion::V4, |parameters| {
        parameters.subkeys(vec![subkey(KeyVersion::V4, now), subkey(KeyVersion::V4, now)]);
    });
    let key = key.to_public_key();
    let Recipient::Subkey(used) = EncryptionKey::parse(&base64(&key)).unwrap().recipient else {
        panic!("the primary key")
    };
    assert_eq!(used, key.public_subkeys[0].key);
}

#[test]
fn a_key_of_version_3_is_refused() {
    // Created in 1996, not expiring, RSA, with a modulus of 512 bits and an exponent of 17.
    let body = [[3, 0x31, 0, 0, 0, 0, 0, 1, 2, 0].as_slice(), &[0xff; 64], &[0, 5, 17]].concat();
    let packet = [[0x99, 0, u8::try_from(body.len()).unwrap()].as_slice(), &body].concat();
    assert_eq!(
        refusal(&BASE64_STANDARD.encode(packet)),
        "PgpKey is an OpenPGP key of version 3; only versions 4 and 6 can be used"
    );
}

/// Any key that works.
static KEY: LazyLock<SignedSecretKey> = LazyLock::new(|| secret_key(KeyVersion::V4, |_| {}));

#[test]
fn an_elliptic_curve_that_only_signs_is_no_encryption_key() {
    let key = secret_key(KeyVersion::V4, |parameters| {
        parameters.key_type(KeyType::ECDSA(ECCCurve::P256)).subkeys(vec![]);
    });
    assert!(refusal(&base64(&key.to_public_key())).ends_with("which has no subkey for encryption: it can only sign"));
}
