//! Which part of a public key to encrypt to.
//!
//! [RFC 9580, section 5.2] says what a key's signatures mean. Where it leaves a choice, the code does as GnuPG (`merge_selfsigs`
//! and `finish_lookup` in its `g10/getkey.c`): the message must be for the part of the key to which the owner's own software
//! would have encrypted.
//!
//! [RFC 9580, section 5.2]: https://www.rfc-editor.org/rfc/rfc9580#section-5.2

use std::{cmp::Reverse, fmt};

use access_key_schema::Result;
use aws_smithy_types::{DateTime, date_time::Format as DateFormat};
use pgp::{
    composed::{SignedPublicKey, SignedPublicSubKey},
    crypto::{
        ecc_curve::{ECCCurve, ecc_curve_from_oid},
        hash::HashAlgorithm,
        public_key::PublicKeyAlgorithm,
    },
    packet::{self, KeyFlags, PublicSubkey, Signature, SignatureType, SubpacketData},
    ser::Serialize,
    types::{Duration, EddsaLegacyPublicParams, EncryptionKey, KeyDetails, PublicParams, Tag, Timestamp},
};

use super::{
    encrypt::{Format, seal},
    invalid,
    packets::PublicKey,
};

/// The smallest RSA key that is encrypted to, in bits: software that is asked for 2,048 may make one bit less. A smaller one may be
/// factored by whoever reads a stack's outputs, from whom `PgpKey` keeps the secret; NIST SP 800-131A has disallowed them since 2014.
const MIN_RSA_BITS: u16 = 2047;

/// How many of a key's unusable subkeys an error message names.
const MAX_NAMED: usize = 4;

/// The part of a key to encrypt to.
#[derive(Debug)]
pub(super) enum Recipient {
    Primary(packet::PublicKey),
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

/// How a key is judged.
#[derive(Clone, Copy)]
pub(super) struct Judgement {
    now: Timestamp,
    /// Whether an expired key or signature is out of force.
    has_ends: bool,
}

impl Judgement {
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, has_ends: true }
    }

    /// As if nothing ever expired.
    pub(super) fn without_ends(now: Timestamp) -> Self {
        Self { now, has_ends: false }
    }

    /// What is wrong with a key or signature that was created at `created` and lives for `lifetime`. No lifetime, or zero, means
    /// for ever.
    fn lifetime_flaw(self, created: Timestamp, lifetime: Option<Duration>) -> Option<Flaw> {
        if created > self.now {
            return Some(Flaw::NotYetValid(created));
        }
        let lifetime = lifetime.map(Duration::as_secs).filter(|seconds| *seconds != 0)?;
        let end = i64::from(created.as_secs()) + i64::from(lifetime);
        (self.has_ends && end <= i64::from(self.now.as_secs())).then_some(Flaw::Expired(end))
    }
}

/// Why a part of a key that is meant for encryption cannot encrypt.
enum Flaw {
    Unbound,
    Revoked,
    PerhapsRevoked,
    NotYetValid(Timestamp),
    Expired(i64),
    /// It is an RSA key of so many bits.
    Weak(u16),
    /// It uses this, which is not supported.
    Unsupported(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbound => formatter.write_str("is not bound to the key by a valid signature"),
            Self::Revoked => formatter.write_str("is revoked"),
            Self::PerhapsRevoked => formatter.write_str("has a revocation that cannot be verified: it may be revoked"),
            Self::NotYetValid(created) => write!(formatter, "is not valid before {}", date(created.as_secs().into())),
            Self::Expired(time) => write!(formatter, "expired at {}", date(*time)),
            Self::Weak(bits) => write!(formatter, "is an RSA key of {bits} bits, and at least 2048 are needed"),
            Self::Unsupported(what) => write!(formatter, "uses {what}"),
        }
    }
}

/// The part of the key to encrypt to, and how: the newest subkey that is made for encryption and in force, or else the primary
/// key, if that is made for encryption.
///
/// # Errors
/// `InvalidRequest`: the key is not in force, or nothing in it that is made for encryption is.
pub(super) fn choose(key: &PublicKey, judgement: Judgement) -> Result<(Recipient, Format)> {
    let PublicKey { signed: key, revocations, other_versions } = key;
    let fingerprint = key.fingerprint();
    let refuse = |flaw: &dyn fmt::Display| Err(invalid(format!("is the OpenPGP key {fingerprint}, which {flaw}")));

    if !can_verify(key.public_params()) {
        return refuse(&unsupported(key));
    }
    if let Some(flaw) = revocation_flaw(revocations, key, |revocation| revocation.verify_key(&key.primary_key).is_ok())
    {
        return refuse(&flaw);
    }
    let own = SelfSignatures::of(key, judgement);
    if let Some(flaw) = judgement.lifetime_flaw(key.created_at(), own.find(Signature::key_expiration_time)) {
        return refuse(&flaw);
    }
    if own.0.is_empty() && key.details.users.is_empty() {
        return refuse(
            &"has no user ID. keys.openpgp.org leaves it out until its owner confirms the address there: ask them to do \
              so, or for what gpg --export KEY | base64 writes where the key was made",
        );
    }
    if own.0.is_empty() {
        return refuse(&"has no user ID with a valid signature of its own");
    }

    let format = own.format(key);
    let mut newest: Option<&PublicSubkey> = None;
    let mut flaws = Vec::new();
    for subkey in &key.public_subkeys {
        match subkey_flaw(key, subkey, format, judgement) {
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
        match may_encrypt_to(&key.primary_key, format) {
            Ok(()) => return Ok((Recipient::Primary(key.primary_key.clone()), format)),
            Err(flaw) => flaws.push(format!("the primary key {flaw}")),
        }
    }
    flaws.extend(other_versions.iter().map(|version| format!("a subkey of version {version} is not supported")));
    if flaws.is_empty() {
        return refuse(&"has no subkey for encryption: it can only sign");
    }
    let more = flaws.len().saturating_sub(MAX_NAMED);
    flaws.truncate(MAX_NAMED);
    let more = if more == 0 { String::new() } else { format!(", and {more} more like these") };
    refuse(&format!("has no subkey that can be encrypted to: {}{more}", flaws.join(", ")))
}

/// Whether the signatures of a primary key with this material can be verified.
fn can_verify(material: &PublicParams) -> bool {
    match material {
        PublicParams::RSA(_)
        | PublicParams::DSA(_)
        | PublicParams::Ed25519(_)
        | PublicParams::Ed448(_)
        | PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. }) => true,
        PublicParams::ECDSA(material) => material.is_supported(),
        _ => false,
    }
}

/// What `key` uses that is not supported: a curve or an algorithm.
fn unsupported(key: &impl KeyDetails) -> Flaw {
    let curve = match key.public_params() {
        PublicParams::ECDH(material) => Some(material.curve()),
        PublicParams::ECDSA(material) => Some(material.curve()),
        PublicParams::EdDSALegacy(material) => Some(material.curve()),
        // Material that could not be read. An elliptic curve's material begins with the curve, after the curve's length.
        PublicParams::Unknown { data } => match (key.algorithm(), data.split_first()) {
            (
                PublicKeyAlgorithm::ECDH | PublicKeyAlgorithm::ECDSA | PublicKeyAlgorithm::EdDSALegacy,
                Some((length, rest)),
            ) => rest.get(..usize::from(*length)).and_then(ecc_curve_from_oid),
            _ => None,
        },
        _ => None,
    };
    Flaw::Unsupported(match curve {
        Some(curve @ ECCCurve::Unknown(_)) => format!("an elliptic curve that is not supported: {}", curve.oid_str()),
        Some(curve) => format!("an elliptic curve that is not supported: {}", curve.name()),
        None => format!("an algorithm that is not supported: {}", algorithm_name(key.algorithm().into())),
    })
}

/// The name of an algorithm, by its number in [RFC 9580, section 9.1], in RFC 9980, or in GnuPG.
///
/// [RFC 9580, section 9.1]: https://www.rfc-editor.org/rfc/rfc9580#section-9.1
fn algorithm_name(number: u8) -> String {
    let name = match number {
        1..=3 => "RSA of this size",
        8 => "Kyber",
        16 | 20 => "ElGamal",
        17 => "DSA of this size",
        18 => "ECDH",
        19 => "ECDSA",
        30 => "ML-DSA-65+Ed25519",
        31 => "ML-DSA-87+Ed448",
        32..=34 => "SLH-DSA",
        35 => "ML-KEM-768+X25519",
        36 => "ML-KEM-1024+X448",
        _ => return format!("number {number}"),
    };
    format!("{name} (number {number})")
}

/// Whether one of these `revocations` revokes something of `key`, or may do so: it claims to be the owner's, and cannot be
/// verified.
///
/// No date matters: nothing undoes a revocation. A revocation by somebody whom the owner appointed does not count, because only
/// that person's key could show that it is valid.
fn revocation_flaw<'a>(
    revocations: impl IntoIterator<Item = &'a Signature> + Clone,
    key: &SignedPublicKey,
    is_valid: impl Fn(&Signature) -> bool,
) -> Option<Flaw> {
    let is_by_owner = |revocation: &Signature| {
        let (ids, fingerprints) = (revocation.issuer_key_id(), revocation.issuer_fingerprint());
        ids.is_empty() && fingerprints.is_empty()
            || ids.contains(&&key.legacy_key_id())
            || fingerprints.contains(&&key.fingerprint())
    };
    if revocations.clone().into_iter().any(is_valid) {
        return Some(Flaw::Revoked);
    }
    revocations.into_iter().any(is_by_owner).then_some(Flaw::PerhapsRevoked)
}

/// The signatures in force that say what their own primary key is for, in the order in which they are asked: the newest over the
/// key itself, then the newest over each user ID, the newest of these first.
struct SelfSignatures<'a>(Vec<&'a Signature>);

impl<'a> SelfSignatures<'a> {
    fn of(key: &'a SignedPublicKey, judgement: Judgement) -> Self {
        let primary = &key.primary_key;
        let newest = |signatures, is_valid: &dyn Fn(&Signature) -> bool| {
            newest_in_force(signatures, primary.created_at(), judgement, is_valid)
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

    fn format(&self, key: &SignedPublicKey) -> Format {
        let ciphers = self.find(|signature| non_empty(signature.preferred_symmetric_algs()));
        let aead_ciphers = self.find(|signature| non_empty(signature.preferred_aead_algs()));
        let features = self.find(Signature::features);
        Format::preferred(key.version(), features, ciphers.unwrap_or_default(), aead_ciphers.unwrap_or_default())
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
    judgement: Judgement,
) -> Option<std::result::Result<(), Flaw>> {
    let is_valid = |signature: &Signature, typ| {
        signature.typ() == Some(typ) && signature.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok()
    };
    let binding = newest_in_force(&subkey.signatures, subkey.created_at(), judgement, &|signature| {
        is_valid(signature, SignatureType::SubkeyBinding)
    });
    if !is_for_encryption(subkey, binding.and_then(key_flags)) {
        return None;
    }
    let is_revocation = |signature: &&Signature| signature.typ() == Some(SignatureType::SubkeyRevocation);
    let revocations = subkey.signatures.iter().filter(is_revocation);
    if let Some(flaw) =
        revocation_flaw(revocations, key, |revocation| is_valid(revocation, SignatureType::SubkeyRevocation))
    {
        return Some(Err(flaw));
    }
    let lifetime = binding.and_then(Signature::key_expiration_time);
    if let Some(flaw) = judgement.lifetime_flaw(subkey.created_at(), lifetime) {
        return Some(Err(flaw));
    }
    if binding.is_none() {
        return Some(Err(Flaw::Unbound));
    }
    Some(may_encrypt_to(&subkey.key, format))
}

/// Whether a secret can be encrypted to this key. One that fails only at the encryption must fail now, before there is a secret.
fn may_encrypt_to<K: EncryptionKey>(key: &K, format: Format) -> std::result::Result<(), Flaw> {
    if let PublicParams::RSA(material) = key.public_params()
        && let Ok(written) = material.to_bytes()
        && let Some(&bits) = written.first_chunk()
        && u16::from_be_bytes(bits) < MIN_RSA_BITS
    {
        // What is written begins with the modulus, and that with its length.
        return Err(Flaw::Weak(u16::from_be_bytes(bits)));
    }
    seal(key, format, b"").map(drop).map_err(|_| unsupported(key))
}

/// Whether the key is made for encryption. If it does not say, it is for everything that its algorithm can do. An algorithm that
/// pgp does not know may encrypt, unless it is a post-quantum one that signs.
fn is_for_encryption(key: &impl KeyDetails, flags: Option<&KeyFlags>) -> bool {
    let algorithm = key.algorithm();
    let may_encrypt = algorithm.can_encrypt() || !algorithm.can_sign() && !matches!(algorithm.into(), 30_u8..=34);
    may_encrypt && flags.is_none_or(|flags| flags.encrypt_comms() || flags.encrypt_storage())
}

fn key_flags(signature: &Signature) -> Option<&KeyFlags> {
    signature.config()?.hashed_subpackets().find_map(|subpacket| match &subpacket.data {
        SubpacketData::KeyFlags(flags) => Some(flags),
        _ => None,
    })
}

/// The newest of the `signatures` that is valid and in force. If several were made in the same second, it is the last of them,
/// but a revocation goes before a certification. They are verified only until one is valid.
fn newest_in_force<'a>(
    signatures: &'a [Signature],
    key_created: Timestamp,
    judgement: Judgement,
    is_valid: &dyn Fn(&Signature) -> bool,
) -> Option<&'a Signature> {
    let mut in_force: Vec<_> =
        signatures.iter().filter(|signature| is_in_force(signature, key_created, judgement)).collect();
    in_force.sort_by_key(|signature| (signature.created(), signature.typ() == Some(SignatureType::CertRevocation)));
    in_force.into_iter().rev().find(|signature| is_valid(signature))
}

/// Whether a signature is in force: it says when it was made, neither before its key nor in the future; it is not expired; it
/// does not rest on MD5, with which signatures can be forged; and it says nothing critical that is unknown here.
fn is_in_force(signature: &Signature, key_created: Timestamp, judgement: Judgement) -> bool {
    let Some(created) = signature.created() else { return false };
    created >= key_created
        && judgement.lifetime_flaw(created, signature.signature_expiration_time()).is_none()
        && signature.hash_alg() != Some(HashAlgorithm::Md5)
        && !says_unknown(signature)
}

/// Whether a signature says something critical that is unknown here. No notation is known ([RFC 9580, section 5.2.3.7]).
///
/// [RFC 9580, section 5.2.3.7]: https://www.rfc-editor.org/rfc/rfc9580#section-5.2.3.7
fn says_unknown(signature: &Signature) -> bool {
    use SubpacketData::{Experimental, Notation, Other};
    signature.config().is_some_and(|config| {
        config.hashed_subpackets().any(|subpacket| {
            subpacket.is_critical && matches!(subpacket.data, Other(..) | Experimental(..) | Notation(_))
        })
    })
}

/// Seconds since 1970 as RFC 3339.
fn date(seconds: i64) -> String {
    DateTime::from_secs(seconds).fmt(DateFormat::DateTime).unwrap_or_else(|_| format!("{seconds} seconds after 1970"))
}
