//! What people give in place of an OpenPGP key.

use access_key_schema::{HandlerError, Result};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{invalid, is_space, secret_key, without_space};

const AGE: &str = "an age recipient";
const SSH: &str = "an SSH public key";

/// How each of them begins.
const BEGINNINGS: [(&str, &str); 8] = [
    ("ssh-", SSH),
    ("ecdsa-sha2-", SSH),
    ("sk-ssh-", SSH),
    ("sk-ecdsa-", SSH),
    ("---- BEGIN SSH2 PUBLIC KEY", SSH),
    ("age1", AGE),
    ("https://", "a web address"),
    ("http://", "a web address"),
];

/// How the binary of an SSH public key begins: with the length of its type's name.
const SSH_BLOB: [u8; 3] = [0; 3];

/// How DER begins: with a sequence.
const DER: u8 = 0x30;

/// Refuses text that is known to be something else.
///
/// # Errors
/// `InvalidRequest`, saying what it is.
pub(super) fn refuse(text: &str) -> Result<()> {
    let text = text.trim_matches(is_space);
    if text.contains("PRIVATE KEY-----") || text.to_uppercase().starts_with("AGE-SECRET-KEY-") {
        return Err(secret_key());
    }
    if text.contains("-----BEGIN CERTIFICATE") {
        return Err(mistaken("an X.509 certificate"));
    }
    if text.contains("-----BEGIN ") {
        return Err(mistaken("PEM of another kind of key"));
    }
    BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(beginning)).map_or(Ok(()), |(_, what)| Err(mistaken(what)))
}

/// Refuses decoded base64 that is known to be something else.
///
/// # Errors
/// `InvalidRequest`, saying what it is.
pub(super) fn refuse_binary(binary: &[u8]) -> Result<()> {
    let is_base64 = || {
        let inner = BASE64_STANDARD.decode(without_space(str::from_utf8(binary).ok()?)).ok()?;
        // Every packet of OpenPGP begins with this bit.
        Some(inner.first()? & 0x80 != 0 || inner.starts_with(b"-----BEGIN PGP "))
    };
    match binary {
        [DER, ..] => Err(mistaken("an X.509 certificate, or another key in DER")),
        binary if binary.starts_with(&SSH_BLOB) => Err(mistaken(SSH)),
        _ if is_base64() == Some(true) => Err(invalid("is base64 of base64: encode the key only once")),
        _ => Ok(()),
    }
}

fn mistaken(what: &str) -> HandlerError {
    invalid(format!(
        "is {what}. What belongs here is an OpenPGP public key, as gpg --export KEY | base64 writes it, or keybase:NAME"
    ))
}
