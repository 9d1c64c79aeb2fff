//! Which part of a public key to encrypt to.
//!
//! What a key's signatures mean is told by [RFC 9580, section 5.2], and where it leaves a choice, by what GnuPG does
//! (`merge_selfsigs` and `finish_lookup` in its `g10/getkey.c`): the message must find the secret key that the owner's
//! own software would have encrypted to.
//!
//! [RFC 9580, section 5.2]: https://www.rfc-editor.org/rfc/rfc9580#section-5.2

use std::{cmp::Reverse, fmt};

use access_key_schema::Result;
use aws_smithy_types::{DateTime, date_time::Format as DateFormat};
use pgp::{
    composed::{SignedPublicKey, SignedPublicSubKey},
    crypto::hash::HashAlgorithm,
    packet::{KeyFlags, PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData},
    types::{Duration, KeyDetails, Tag, Timestamp},
};

use super::{
    encrypt::{Format, seal},
    invalid,
};

/// How many of a key's unusable subkeys an error message names.
const MAX_NAMED: usize = 4;

/// The part of a key that is encrypted to.
#[derive(Debug)]
pub(super) enum Recipient {
    Primary(PublicKey),
    Subkey(PublicSubkey),
}

impl Recipient {
    pub(super) fn encrypt(&self, format: Format, plaintext: &[u8]) -> pgp::errors::Result<Vec<u8>> {
        match self {
            Self::Primary(key) => seal(key, format, plaintext),
            Self::Subkey(key) => seal(key, format, plaintext),
        }
    }
}

/// Why a part of a key that is meant to be encrypted to cannot be.
enum Flaw {
    Unbound,
    Revoked,
    NotYetValid(Timestamp),
    Expired(i64),
    Unsupported,
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbound => formatter.write_str("is not bound to the key by a valid signature"),
            Self::Revoked => formatter.write_str("is revoked"),
            Self::NotYetValid(created) => write!(formatter, "is not valid before {}", date(created.as_secs().into())),
            Self::Expired(time) => write!(formatter, "expired at {}", date(*time)),
            Self::Unsupported => formatter.write_str("has an algorithm, or a curve, that is not supported"),
        }
    }
}

/// What to encrypt to, and how: the newest subkey that is made for encryption and in force at `now`, or else the
/// primary key, if it is made for encryption.
///
/// # Errors
/// `InvalidRequest`: the key is not in force, or nothing in it that is made for encryption is.
pub(super) fn choose(key: &SignedPublicKey, now: Timestamp) -> Result<(Recipient, Format)> {
    let fingerprint = key.fingerprint();
    let refuse = |flaw: &dyn fmt::Display| Err(invalid(format!("is the OpenPGP key {fingerprint}, which {flaw}")));

    if is_revoked(key) {
        return refuse(&Flaw::Revoked);
    }
    let own = SelfSignatures::of(key, now);
    if let Some(flaw) = lifetime_flaw(key.created_at(), own.find(Signature::key_expiration_time), now) {
        return refuse(&flaw);
    }
    if own.0.is_empty() {
        return refuse(&"has no user ID with a valid signature of its own");
    }

    let format = own.format();
    let mut newest: Option<&PublicSubkey> = None;
    let mut flaws = Vec::new();
    for subkey in &key.public_subkeys {
        match subkey_flaw(key, subkey, format, now) {
            None => {}
            Some(Ok(())) if newest.is_some_and(|newest| newest.created_at() >= subkey.created_at()) => {}
            Some(Ok(())) => newest = Some(&subkey.key),
            Some(Err(flaw)) => flaws.push(format!("its subkey {} {flaw}", subkey.fingerprint())),
        }
    }
    if let Some(subkey) = newest {
        return Ok((Recipient::Subkey(subkey.clone()), format));
    }
    if is_for_encryption(key, own.find(key_flags)) {
        match seal(&key.primary_key, format, b"") {
            Ok(_) => return Ok((Recipient::Primary(key.primary_key.clone()), format)),
            Err(_) => flaws.push(format!("the primary key {}", Flaw::Unsupported)),
        }
    }
    if flaws.is_empty() {
        return refuse(&"has no subkey for encryption: it can only sign");
    }
    let more = flaws.len().saturating_sub(MAX_NAMED);
    flaws.truncate(MAX_NAMED);
    let more = if more == 0 { String::new() } else { format!(", and {more} more like these") };
    refuse(&format!("has no subkey that can be encrypted to: {}{more}", flaws.join(", ")))
}

/// No date matters: nothing undoes a revocation of a key. One by somebody whom the owner appointed is not seen, for
/// only their key could show that it is valid.
fn is_revoked(key: &SignedPublicKey) -> bool {
    key.details.revocation_signatures.iter().any(|revocation| revocation.verify_key(&key.primary_key).is_ok())
}

/// The signatures in force that say what their own primary key is good for, in the order in which they are asked: the
/// newest over the key itself, and then the newest over each user ID, the newest of these first.
struct SelfSignatures<'a>(Vec<&'a Signature>);

impl<'a> SelfSignatures<'a> {
    fn of(key: &'a SignedPublicKey, now: Timestamp) -> Self {
        let primary = &key.primary_key;
        let newest = |signatures, is_valid: &dyn Fn(&Signature) -> bool| {
            newest_in_force(signatures, primary.created_at(), now, is_valid)
        };
        let direct = newest(&key.details.direct_signatures, &|signature| {
            signature.typ() == Some(SignatureType::Key) && signature.verify_key(primary).is_ok()
        });
        let over_user_id = key.details.users.iter().filter_map(|user| {
            let is_valid =
                |signature: &Signature| signature.verify_certification(primary, Tag::UserId, &user.id).is_ok();
            // A user ID is certified anew after its revocation, so that the later of the two holds.
            newest(&user.signatures, &is_valid).filter(|newest| newest.typ() != Some(SignatureType::CertRevocation))
        });
        let mut over_user_ids: Vec<_> = over_user_id.collect();
        over_user_ids.sort_by_key(|signature| Reverse(signature.created()));
        Self(direct.into_iter().chain(over_user_ids).collect())
    }

    /// The first answer: a signature over the key may say nothing but, for example, who may revoke it.
    fn find<T>(&self, property: impl Fn(&'a Signature) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|signature| property(signature))
    }

    fn format(&self) -> Format {
        let ciphers = self.find(|signature| non_empty(signature.preferred_symmetric_algs()));
        let aead_ciphers = self.find(|signature| non_empty(signature.preferred_aead_algs()));
        Format::preferred(self.find(Signature::features), ciphers.unwrap_or_default(), aead_ciphers.unwrap_or_default())
    }
}

fn non_empty<T>(preferences: &[T]) -> Option<&[T]> {
    (!preferences.is_empty()).then_some(preferences)
}

/// Whether `subkey` can be encrypted to, or `None`: it is not made for encryption.
fn subkey_flaw(
    key: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    format: Format,
    now: Timestamp,
) -> Option<std::result::Result<(), Flaw>> {
    let is_valid = |signature: &Signature, typ| {
        signature.typ() == Some(typ) && signature.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok()
    };
    let binding = newest_in_force(&subkey.signatures, subkey.created_at(), now, &|signature| {
        is_valid(signature, SignatureType::SubkeyBinding)
    });
    if !is_for_encryption(subkey, binding.and_then(key_flags)) {
        return None;
    }
    // As with the key, a binding after the revocation does not undo it.
    if subkey.signatures.iter().any(|signature| is_valid(signature, SignatureType::SubkeyRevocation)) {
        return Some(Err(Flaw::Revoked));
    }
    if let Some(flaw) = lifetime_flaw(subkey.created_at(), binding.and_then(Signature::key_expiration_time), now) {
        return Some(Err(flaw));
    }
    if binding.is_none() {
        return Some(Err(Flaw::Unbound));
    }
    // What fails only when it is encrypted to must fail now, before there is a secret to encrypt.
    Some(seal(&subkey.key, format, b"").map(drop).map_err(|_| Flaw::Unsupported))
}

/// A key that does not say what it is for is for all that its algorithm can do.
fn is_for_encryption(key: &impl KeyDetails, flags: Option<&KeyFlags>) -> bool {
    key.algorithm().can_encrypt() && flags.is_none_or(|flags| flags.encrypt_comms() || flags.encrypt_storage())
}

fn key_flags(signature: &Signature) -> Option<&KeyFlags> {
    signature.config()?.hashed_subpackets().find_map(|subpacket| match &subpacket.data {
        SubpacketData::KeyFlags(flags) => Some(flags),
        _ => None,
    })
}

/// The newest of the `signatures` that is valid and in force at `now`; of a certification and a revocation made in
/// the same second, the revocation. They are verified only until one is valid.
fn newest_in_force<'a>(
    signatures: &'a [Signature],
    key_created: Timestamp,
    now: Timestamp,
    is_valid: &dyn Fn(&Signature) -> bool,
) -> Option<&'a Signature> {
    let mut in_force: Vec<_> = signatures.iter().filter(|signature| is_in_force(signature, key_created, now)).collect();
    in_force.sort_by_key(|signature| {
        Reverse((signature.created(), signature.typ() == Some(SignatureType::CertRevocation)))
    });
    in_force.into_iter().find(|signature| is_valid(signature))
}

/// Whether a signature says when it was made, which is neither before its key nor in the future, is not expired, and
/// does not rest on MD5, with which signatures can be forged.
fn is_in_force(signature: &Signature, key_created: Timestamp, now: Timestamp) -> bool {
    let Some(created) = signature.created() else { return false };
    created >= key_created
        && lifetime_flaw(created, signature.signature_expiration_time(), now).is_none()
        && signature.hash_alg() != Some(HashAlgorithm::Md5)
}

/// What is wrong at `now` with something created at `created` that lives for `lifetime`; none, or zero, is for ever.
fn lifetime_flaw(created: Timestamp, lifetime: Option<Duration>, now: Timestamp) -> Option<Flaw> {
    if created > now {
        return Some(Flaw::NotYetValid(created));
    }
    let lifetime = lifetime.map(Duration::as_secs).filter(|seconds| *seconds != 0)?;
    let end = i64::from(created.as_secs()) + i64::from(lifetime);
    (end <= i64::from(now.as_secs())).then_some(Flaw::Expired(end))
}

/// Seconds since 1970 as RFC 3339.
fn date(seconds: i64) -> String {
    DateTime::from_secs(seconds).fmt(DateFormat::DateTime).unwrap_or_else(|_| format!("{seconds} seconds after 1970"))
}
