//! A refusal says what was given in place of an OpenPGP key, and does not quote it.

use super::*;

const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJl3dIeudNqd0DPMRD6OIh65tjkxFNOtwGcWB2gCgPhk alice@example.com";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ2F0\n-----END CERTIFICATE-----\n";

/// What is given, and what it is said to be.
fn table() -> Vec<(String, &'static str)> {
    let gnupg = GnuPg::new();
    let key = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    let armored = String::from_utf8(gnupg.run(&["--armor", "--export", &key], b"")).unwrap();
    let twice = base64_lines(BASE64_STANDARD.encode(gnupg.export(&key)).as_bytes());
    let ssh = "is an SSH public key. What belongs here is an OpenPGP public key, as gpg";
    let (keybase, secret) = ("names Keybase in another form than keybase:NAME", "holds a secret key. Whoever");
    [
        (SSH, ssh),
        (SSH.split(' ').nth(1).unwrap(), ssh),
        ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDh", ssh),
        ("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBK", ssh),
        ("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAA", ssh),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3NzaC1lZDI1NTE5\n---- END SSH2 PUBLIC KEY ----", ssh),
        ("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "is an age recipient."),
        (CERTIFICATE, "is an X.509 certificate."),
        ("MIIBszCCAVmgAwIBAgIUQ2F0", "is an X.509 certificate, or another key in DER."),
        ("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----", "is PEM of another kind of key."),
        ("-----BEGIN RSA PUBLIC KEY-----\nMIIB\n-----END RSA PUBLIC KEY-----", "is PEM of another kind of key."),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----", secret),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----", secret),
        ("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZ", secret),
        ("https://example.com/alice.asc", "is a web address."),
        (&twice, "is base64 of base64: encode the key only once"),
        (&BASE64_STANDARD.encode(BASE64_STANDARD.encode(armored)), "is base64 of base64: encode the key only once"),
        ("Keybase:alice", keybase),
        ("KEYBASE:alice", keybase),
        ("keybase/alice", keybase),
        ("keybase alice", keybase),
        (" keybase://alice", "names no Keybase user: what follows keybase: must be a user name"),
        ("https://keybase.io/alice", keybase),
        ("https://keybase.io/alice/pgp_keys.asc?fingerprint=0101", keybase),
        ("HTTP://WWW.KEYBASE.IO/alice", keybase),
        ("keybase.io/alice", keybase),
        ("alice@keybase", keybase),
    ]
    .map(|(given, said)| (given.to_owned(), said))
    .to_vec()
}

fn message(pgp_key: &str) -> String {
    PgpKey::parse(pgp_key).err().unwrap().message
}

#[test]
fn what_is_no_openpgp_key_is_said_to_be_what_it_is() {
    for (given, said) in table() {
        let message = message(&given);
        assert!(message.starts_with(&format!("PgpKey {said}")), "{given}: {message}");
        assert!(!message.contains("alice") && !message.contains("AAAA"), "{message}");
    }
}

#[test]
fn base64_of_it_makes_no_difference() {
    for (given, said) in table() {
        if !said.contains("Keybase")
            && !said.contains("base64 of base64")
            && !given.starts_with("MII")
            && !given.starts_with("AAAA")
        {
            let message = message(&base64_lines(given.as_bytes()));
            assert!(message.starts_with(&format!("PgpKey {said}")), "{given}: {message}");
        }
    }
}
