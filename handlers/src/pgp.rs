//! The OpenPGP public key that `PgpKey` gives or names, and encryption to it.
//!
//! - `mod.rs`: reading a key
//! - `mistaken.rs`: what people give in its place
//! - `packets.rs`: the packets that a key is made of
//! - `select.rs`: which part of a key to encrypt to
//! - `encrypt.rs`: the message itself
//! - `keybase.rs`: the keys of Keybase users

mod encrypt;
mod keybase;
mod mistaken;
mod packets;
mod select;

pub use keybase::Keybase;

use std::io::{BufReader, Read};

use access_key_schema::{HandlerError, HandlerErrorCode, Result, Secret};
use base64::{Engine, prelude::BASE64_STANDARD};
use pgp::{
    armor::{BlockType, Dearmor, DearmorOptions},
    types::{KeyDetails, Timestamp},
};

use encrypt::Format;
use packets::PublicKey;
use select::{Judgement, Recipient};

/// From this size on, in bytes, a `PgpKey` is refused unread. A key has a few kilobytes. A key that hundreds of people signed has
/// a few hundred kilobytes.
const TOO_LARGE: usize = 1_000_000;

/// How long the headers and the tail of an armor may be, in bytes.
const MAX_ARMOR_HEADER: usize = 16 * 1024;

/// What a template gives as `PgpKey`.
pub(crate) enum PgpKey {
    /// A key in the template itself.
    Inline(Box<EncryptionKey>),
    /// A key that has expired, and why it is refused.
    Expired(HandlerError),
    /// `keybase:NAME`: the key that this Keybase user has published.
    Keybase(String),
}

impl PgpKey {
    /// Finds out what `pgp_key` is. It calls nobody: an inline key is ready for encryption, a Keybase user is only named.
    ///
    /// An expired key is no error here: a retry may ask for an access key that was created before it expired.
    ///
    /// # Errors
    /// As [`keybase::user_name`] and [`EncryptionKey::parse`].
    pub(crate) fn parse(pgp_key: &str) -> Result<Self> {
        Self::parse_at(pgp_key, Timestamp::now())
    }

    fn parse_at(pgp_key: &str, now: Timestamp) -> Result<Self> {
        if let Some(name) = keybase::user_name(pgp_key)? {
            return Ok(Self::Keybase(name.to_owned()));
        }
        let key = read(pgp_key)?;
        match EncryptionKey::of(&key, Judgement::at(now)) {
            Ok(key) => Ok(Self::Inline(Box::new(key))),
            Err(error) if EncryptionKey::of(&key, Judgement::without_ends(now)).is_ok() => Ok(Self::Expired(error)),
            Err(error) => Err(error),
        }
    }

    /// The key to encrypt to. Asks `keybase` for it if `PgpKey` names a Keybase user.
    ///
    /// # Errors
    /// As [`Keybase::public_key`], and as [`EncryptionKey::parse`] for the key that Keybase answers with, and for one
    /// that has expired.
    pub(crate) async fn into_encryption_key(self, keybase: &Keybase) -> Result<EncryptionKey> {
        let name = match self {
            Self::Inline(key) => return Ok(*key),
            Self::Expired(error) => return Err(error),
            Self::Keybase(name) => name,
        };
        let armored = keybase.public_key(&name).await?;
        EncryptionKey::parse(&armored).map_err(|error| {
            let message = format!("{} (it is the key that Keybase has of this user)", error.message);
            HandlerError { message, ..error }
        })
    }
}

/// A public key that encryption works with now.
#[derive(Debug)]
pub struct EncryptionKey {
    fingerprint: String,
    recipient: Recipient,
    format: Format,
}

impl EncryptionKey {
    /// The key in `pgp_key`: base64 of a binary OpenPGP public key, with or without line breaks (`gpg --export KEY |
    /// base64`), or an ASCII-armored one (`gpg --armor --export KEY`).
    ///
    /// It is ready for encryption: everything that can be wrong with it shows here.
    ///
    /// # Errors
    /// `InvalidRequest`, saying which of these it is: too large, neither base64 nor armored, damaged, not a public key, a secret
    /// key, several keys, a key of a kind that is not supported, one that is revoked or expired or has no valid self-signature,
    /// or a key in which nothing can encrypt, and why.
    pub fn parse(pgp_key: &str) -> Result<Self> {
        Self::of(&read(pgp_key)?, Judgement::at(Timestamp::now()))
    }

    fn of(key: &PublicKey, judgement: Judgement) -> Result<Self> {
        let (recipient, format) = select::choose(key, judgement)?;
        Ok(Self { fingerprint: key.signed.fingerprint().to_string(), recipient, format })
    }

    /// The fingerprint of the primary key, in lower-case hexadecimal: 40 digits, or 64 of a version 6 key.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Base64 of a binary OpenPGP message that `base64 --decode | gpg --decrypt` opens to exactly `secret`.
    ///
    /// # Errors
    /// `InternalFailure`: [`EncryptionKey::parse`] has encrypted to this very key.
    pub fn encrypt(&self, secret: &Secret) -> Result<String> {
        let message = self.recipient.encrypt(self.format, secret.expose().as_bytes()).map_err(|_| {
            HandlerError::new(
                HandlerErrorCode::InternalFailure,
                format!("Encrypting to the OpenPGP key {} failed", self.fingerprint),
            )
        })?;
        Ok(BASE64_STANDARD.encode(message))
    }
}

/// The public key in `pgp_key`, whatever may be wrong with it.
fn read(pgp_key: &str) -> Result<PublicKey> {
    if pgp_key.len() >= TOO_LARGE {
        return Err(invalid("has 1 MB or more; an OpenPGP public key has a few kilobytes"));
    }
    packets::public_key(&binary(pgp_key)?)
}

/// The packets of a key, as bytes, out of base64 or an armor. Base64 of an armored key is accepted, too: people give it by
/// mistake for base64 of a binary key, and there is no doubt about what they mean.
fn binary(pgp_key: &str) -> Result<Vec<u8>> {
    if let Some(armored) = armored(pgp_key)? {
        return Ok(armored);
    }
    let base64 = without_space(pgp_key);
    if base64.is_empty() {
        return Err(invalid("is empty"));
    }
    mistaken::refuse(pgp_key)?;
    let binary = BASE64_STANDARD
        .decode(base64)
        .map_err(|_| invalid("is neither base64 of an OpenPGP public key nor an ASCII-armored one"))?;
    let text = String::from_utf8_lossy(&binary);
    if let Some(armored) = armored(&text)? {
        return Ok(armored);
    }
    mistaken::refuse(&text)?;
    mistaken::refuse_binary(&binary)?;
    Ok(binary)
}

/// What the armor in `text` holds, if there is one.
fn armored(text: &str) -> Result<Option<Vec<u8>>> {
    const BEGIN: &str = "-----BEGIN PGP ";
    let Some(start) = text.find(BEGIN) else { return Ok(None) };
    if text.matches(BEGIN).count() > 1 {
        return Err(invalid("holds several armored blocks; give the one public key to encrypt to"));
    }
    let lines = without_space_in_lines(&text[start..]);
    let mut armor = Dearmor::with_options(
        // The search for the headers' end reads no more than this buffer.
        BufReader::with_capacity(MAX_ARMOR_HEADER, lines.as_bytes()),
        DearmorOptions::new().set_limit(MAX_ARMOR_HEADER),
    );
    let mut binary = Vec::new();
    let read = armor.read_to_end(&mut binary);
    match (armor.typ, read) {
        (Some(BlockType::PrivateKey), _) => Err(secret_key()),
        (_, Ok(_)) => Ok(Some(binary)),
        (_, Err(_)) => Err(invalid("is an ASCII-armored key that is damaged: copy all of it, with its line breaks")),
    }
}

/// An armor without the white space that means nothing: around its lines, as in an indented template, and anywhere in
/// its base64, which begins after an empty line ([RFC 9580, section 6.2]).
///
/// [RFC 9580, section 6.2]: https://www.rfc-editor.org/rfc/rfc9580#section-6.2
fn without_space_in_lines(armor: &str) -> String {
    let mut is_base64 = false;
    let mut lines = String::with_capacity(armor.len());
    for line in armor.lines().map(|line| line.trim_matches(is_space)) {
        is_base64 |= line.is_empty();
        if is_base64 && !line.starts_with("-----") {
            lines.push_str(&without_space(line));
        } else {
            lines.push_str(line);
        }
        lines.push('\n');
    }
    lines
}

fn without_space(text: &str) -> String {
    text.chars().filter(|character| !is_space(*character)).collect()
}

/// White space, and the byte order mark with which some editors begin a file.
fn is_space(character: char) -> bool {
    character.is_whitespace() || character == '\u{feff}'
}

fn invalid(what: impl std::fmt::Display) -> HandlerError {
    HandlerError::new(HandlerErrorCode::InvalidRequest, format!("PgpKey {what}"))
}

fn secret_key() -> HandlerError {
    invalid(
        "holds a secret key. Whoever can read the template has it now: replace it. What belongs here is the public \
         key, as gpg --export KEY | base64 writes it",
    )
}

#[cfg(test)]
mod tests;
