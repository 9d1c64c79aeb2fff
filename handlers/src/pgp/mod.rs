//! The OpenPGP public key that `PgpKey` gives or names, and what is encrypted to it.
//!
//! - `mod.rs`: reading a key
//! - `select.rs`: which part of a key to encrypt to
//! - `encrypt.rs`: the message itself
//! - `keybase.rs`: the keys of Keybase users

mod encrypt;
mod keybase;
mod select;

pub use keybase::Keybase;

use std::io::{self, BufReader, Read};

use access_key_schema::{HandlerError, HandlerErrorCode, Result, Secret};
use base64::{Engine, prelude::BASE64_STANDARD};
use pgp::{
    armor::{BlockType, Dearmor, DearmorOptions},
    composed::{Deserializable, SignedPublicKey},
    errors::Error,
    packet::{Packet, PacketParser},
    types::{KeyDetails, KeyVersion, Tag, Timestamp},
};

use encrypt::Format;
use select::Recipient;

/// From this size on, in bytes, a `PgpKey` is refused unread. A key has a few kilobytes, one that hundreds of people
/// signed a few hundred.
const TOO_LARGE: usize = 1_000_000;

/// How many packets a key may have. Those of a real key are too long for as many in [`TOO_LARGE`] bytes, but one of
/// two bytes is a packet too, and takes several hundred in memory.
const MAX_PACKETS: usize = 10_000;

/// How long the headers and the tail of an armor may be, in bytes.
const MAX_ARMOR_HEADER: usize = 16 * 1024;

/// What a template gives as `PgpKey`.
pub(crate) enum PgpKey {
    /// A key in the template itself.
    Inline(Box<EncryptionKey>),
    /// `keybase:NAME`: the key that this Keybase user has published.
    Keybase(String),
}

impl PgpKey {
    /// What `pgp_key` is. Calls nobody: an inline key is ready to be encrypted to, a Keybase user is only named.
    ///
    /// # Errors
    /// As [`keybase::user_name`] and [`EncryptionKey::parse`].
    pub(crate) fn parse(pgp_key: &str) -> Result<Self> {
        match keybase::user_name(pgp_key)? {
            Some(name) => Ok(Self::Keybase(name.to_owned())),
            None => Ok(Self::Inline(Box::new(EncryptionKey::parse(pgp_key)?))),
        }
    }

    /// The key to encrypt to. Asks `keybase` for it where it has to.
    ///
    /// # Errors
    /// As [`Keybase::public_key`], and as [`EncryptionKey::parse`] for the key that Keybase answers with.
    pub(crate) async fn into_encryption_key(self, keybase: &Keybase) -> Result<EncryptionKey> {
        let name = match self {
            Self::Inline(key) => return Ok(*key),
            Self::Keybase(name) => name,
        };
        let armored = keybase.public_key(&name).await?;
        EncryptionKey::parse(&armored).map_err(|error| {
            let message = format!("{} (it is the key of the Keybase user {name})", error.message);
            HandlerError { message, ..error }
        })
    }
}

/// A public key that can be encrypted to, now.
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
    /// It is ready to be encrypted to: everything that can be wrong with it shows here.
    ///
    /// # Errors
    /// `InvalidRequest`, saying which of these it is: too large, neither base64 nor armored, damaged, not a public
    /// key, a secret key, several keys, a key that is revoked or expired or has no valid self-signature, or one that
    /// has nothing in it to encrypt to, and why.
    pub fn parse(pgp_key: &str) -> Result<Self> {
        Self::parse_at(pgp_key, Timestamp::now())
    }

    fn parse_at(pgp_key: &str, now: Timestamp) -> Result<Self> {
        if pgp_key.len() >= TOO_LARGE {
            return Err(invalid("has 1 MB or more; an OpenPGP public key has a few kilobytes"));
        }
        let key = public_key(&binary(pgp_key)?)?;
        let (recipient, format) = select::choose(&key, now)?;
        Ok(Self { fingerprint: key.fingerprint().to_string(), recipient, format })
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

/// The packets of a key, as bytes, out of base64 or an armor. Base64 of an armored key is one that people mistake for
/// base64 of a binary key; there is no doubt about what they mean.
fn binary(pgp_key: &str) -> Result<Vec<u8>> {
    if let Some(armored) = armored(pgp_key.as_bytes())? {
        return Ok(armored);
    }
    let base64: Vec<u8> = pgp_key.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if base64.is_empty() {
        return Err(invalid("is empty"));
    }
    let binary = BASE64_STANDARD
        .decode(base64)
        .map_err(|_| invalid("is neither base64 of an OpenPGP public key nor an ASCII-armored one"))?;
    Ok(armored(&binary)?.unwrap_or(binary))
}

/// What the armor in `text` holds, if there is one.
fn armored(text: &[u8]) -> Result<Option<Vec<u8>>> {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    let mut blocks = text.windows(BEGIN.len()).enumerate().filter(|(_, window)| *window == BEGIN);
    let Some((start, _)) = blocks.next() else { return Ok(None) };
    if blocks.next().is_some() {
        return Err(invalid("holds several armored blocks; give the one public key to encrypt to"));
    }
    let mut armor = Dearmor::with_options(
        // A buffer of this size is all that is read in search of the headers' end.
        BufReader::with_capacity(MAX_ARMOR_HEADER, &text[start..]),
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

/// The one public key that the packets in `binary` make up.
fn public_key(binary: &[u8]) -> Result<SignedPublicKey> {
    let packets = packets(binary)?;
    let key = SignedPublicKey::from_packets(packets.into_iter().map(Ok).peekable()).next();
    match key {
        Some(Ok(key)) if matches!(key.version(), KeyVersion::V4 | KeyVersion::V6) => Ok(key),
        Some(Ok(key)) => Err(invalid(format!(
            "is an OpenPGP key of version {}; only versions 4 and 6 can be used",
            u8::from(key.version())
        ))),
        Some(Err(_)) | None => {
            Err(invalid("is an OpenPGP key of a version or an algorithm that is not supported, or it is damaged"))
        }
    }
}

/// The packets of one public key. What cannot be read is left out: it may be a signature of a kind that is newer than
/// this code. Should it be damaged, the signatures that cover it do not verify.
fn packets(binary: &[u8]) -> Result<Vec<Packet>> {
    let mut parser = PacketParser::new(binary);
    let mut packets = Vec::new();
    let mut keys = 0_usize;
    for count in 0.. {
        let Some(body) = parser.next_ref() else { break };
        let mut body = body.map_err(|_| broken(keys))?;
        let header = body.packet_header();
        if count == MAX_PACKETS {
            return Err(invalid(format!("is an OpenPGP key of more than {MAX_PACKETS} packets")));
        }
        match header.tag() {
            Tag::SecretKey | Tag::SecretSubkey => return Err(secret_key()),
            Tag::PublicKey => keys += 1,
            Tag::PublicSubkey | Tag::UserId | Tag::UserAttribute | Tag::Signature => {}
            Tag::Trust | Tag::Marker | Tag::Padding | Tag::UnassignedNonCritical(_) | Tag::Experimental(_) => {
                io::copy(&mut body, &mut io::sink()).map_err(|_| broken(keys))?;
                continue;
            }
            _ => return Err(not_a_key()),
        }
        match Packet::from_reader(header, &mut body) {
            Ok(packet) => packets.push(packet),
            // The packet is longer than what is left.
            Err(Error::IO { .. }) => return Err(broken(keys)),
            Err(_) => {}
        }
    }
    match keys {
        0 => Err(not_a_key()),
        1 => Ok(packets),
        _ => Err(invalid(format!("holds {keys} public keys; give the one to encrypt to"))),
    }
}

fn invalid(what: impl std::fmt::Display) -> HandlerError {
    HandlerError::new(HandlerErrorCode::InvalidRequest, format!("PgpKey {what}"))
}

fn not_a_key() -> HandlerError {
    invalid("does not hold an OpenPGP public key")
}

/// Something that breaks off after this many public keys.
fn broken(keys: usize) -> HandlerError {
    if keys == 0 { not_a_key() } else { invalid("is an OpenPGP key that is damaged or cut short") }
}

fn secret_key() -> HandlerError {
    invalid(
        "holds a secret key. Whoever can read the template has it now: replace it. What belongs here is the public \
         key, as gpg --export KEY | base64 writes it",
    )
}

#[cfg(test)]
mod tests;
