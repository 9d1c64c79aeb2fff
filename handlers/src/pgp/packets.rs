//! The packets that a public key is made of.

use std::io::{self, Read};

use access_key_schema::{HandlerError, Result};
use pgp::{
    composed::{Deserializable, SignedPublicKey},
    crypto::{hash::HashAlgorithm, public_key::PublicKeyAlgorithm},
    packet::{self, Packet, PacketHeader, PacketParser, PublicSubkey, Signature, SignatureType},
    types::{EcdsaPublicParams, KeyDetails, KeyVersion, Mpi, PublicParams, SignatureBytes, Tag, Timestamp},
};

use super::{invalid, secret_key};

/// How many packets a key may have. The packets of a real key are too long for so many in [`TOO_LARGE`](super::TOO_LARGE) bytes.
/// But two bytes can be a packet, too, and it takes several hundred bytes of memory.
const MAX_PACKETS: usize = 10_000;

/// A public key as it was read.
pub(super) struct PublicKey {
    pub(super) signed: SignedPublicKey,
    /// The signatures that revoke the key, or claim to.
    pub(super) revocations: Vec<Signature>,
    /// The versions of the subkeys that are left out of `signed`: pgp does not know such subkeys.
    pub(super) other_versions: Vec<u8>,
}

/// The one public key that the packets in `binary` make up.
pub(super) fn public_key(binary: &[u8]) -> Result<PublicKey> {
    let mut packets = Packets::default();
    packets.add_all(binary)?;
    match packets.keys {
        0 => return Err(not_a_key()),
        1 => {}
        keys => return Err(invalid(format!("holds {keys} public keys; give the one to encrypt to"))),
    }
    let key = SignedPublicKey::from_packets(packets.read.into_iter().map(Ok).peekable()).next();
    let Some(Ok(signed)) = key else { return Err(damaged()) };
    Ok(PublicKey { signed, revocations: packets.revocations, other_versions: packets.other_versions })
}

/// The packets of one public key, as far as they are read.
#[derive(Default)]
struct Packets {
    read: Vec<Packet>,
    keys: usize,
    revocations: Vec<Signature>,
    other_versions: Vec<u8>,
    /// Whether the primary key signs with ECDSA on secp256k1.
    signs_on_secp256k1: bool,
    /// Whether the part of the key that the next signatures cover was left out.
    is_left_out: bool,
}

impl Packets {
    fn add_all(&mut self, binary: &[u8]) -> Result<()> {
        let mut parser = PacketParser::new(binary);
        for count in 0.. {
            let Some(body) = parser.next_ref() else { break };
            let mut body = body.map_err(|_| self.broken())?;
            let header = body.packet_header();
            if count == MAX_PACKETS {
                return Err(invalid(format!("is an OpenPGP key of more than {MAX_PACKETS} packets")));
            }
            match header.tag() {
                Tag::SecretKey | Tag::SecretSubkey => return Err(secret_key()),
                Tag::PublicKey => self.keys += 1,
                Tag::PublicSubkey | Tag::UserId | Tag::UserAttribute | Tag::Signature => {}
                Tag::Trust | Tag::Marker | Tag::Padding | Tag::UnassignedNonCritical(_) | Tag::Experimental(_) => {
                    io::copy(&mut body, &mut io::sink()).map_err(|_| self.broken())?;
                    continue;
                }
                _ => return Err(not_a_key()),
            }
            let mut bytes = Vec::new();
            // The packet is longer than what is left.
            body.read_to_end(&mut bytes).map_err(|_| self.broken())?;
            self.add(header, &bytes)?;
        }
        Ok(())
    }

    /// Adds a packet. A packet that cannot be read is left out, with the signatures over it: it may be of a kind that is newer
    /// than this code. If it is damaged, the signatures that cover it do not verify.
    fn add(&mut self, header: PacketHeader, body: &[u8]) -> Result<()> {
        if header.tag() == Tag::Signature {
            self.add_signature(header, body);
            return Ok(());
        }
        let packet = match header.tag() {
            Tag::PublicKey => Some(Packet::from(self.primary_key(header, body)?)),
            Tag::PublicSubkey => self.subkey(header, body)?.map(Packet::from),
            _ => Packet::from_reader(header, body).ok(),
        };
        self.is_left_out = packet.is_none();
        self.read.extend(packet);
        Ok(())
    }

    fn primary_key(&mut self, header: PacketHeader, body: &[u8]) -> Result<packet::PublicKey> {
        let version = *body.first().ok_or_else(damaged)?;
        if !is_known(version) {
            return Err(invalid(format!("is an OpenPGP key of version {version}; only versions 4 and 6 can be used")));
        }
        let key = if let Ok(Packet::PublicKey(key)) = Packet::from_reader(header, body) {
            key
        } else {
            let (version, algorithm, created, material) = opaque(body).ok_or_else(damaged)?;
            packet::PublicKey::new_with_header(header, version, algorithm, created, None, material)
                .map_err(|_| damaged())?
        };
        self.signs_on_secp256k1 =
            matches!(key.public_params(), PublicParams::ECDSA(EcdsaPublicParams::Secp256k1 { .. }));
        Ok(key)
    }

    /// A subkey, unless pgp does not know its version, or its primary key cannot have a subkey of that version.
    fn subkey(&mut self, header: PacketHeader, body: &[u8]) -> Result<Option<PublicSubkey>> {
        let version = *body.first().ok_or_else(damaged)?;
        let primary = self.read.iter().find_map(|packet| match packet {
            Packet::PublicKey(key) => Some(key.version()),
            _ => None,
        });
        if !is_known(version) || primary == Some(KeyVersion::V6) && version != 6 {
            self.other_versions.push(version);
            return Ok(None);
        }
        if let Ok(Packet::PublicSubkey(subkey)) = Packet::from_reader(header, body) {
            return Ok(Some(subkey));
        }
        let (version, algorithm, created, material) = opaque(body).ok_or_else(damaged)?;
        let subkey = PublicSubkey::new_with_header(header, version, algorithm, created, None, material);
        subkey.map(Some).map_err(|_| damaged())
    }

    /// Adds a signature, unless the part that it covers was left out. The revocation of a key counts wherever it stands. A
    /// revocation that cannot be read is kept as one that does not verify.
    fn add_signature(&mut self, header: PacketHeader, body: &[u8]) {
        let signature = match Packet::from_reader(header, body) {
            Ok(Packet::Signature(signature)) if signature.config().is_some() => Some(signature),
            _ => unreadable_revocation(header, body),
        };
        let Some(signature) = signature else { return };
        let low = if self.signs_on_secp256k1 { with_low_s(&signature) } else { None };
        let signature = low.unwrap_or(signature);
        if signature.typ() == Some(SignatureType::KeyRevocation) {
            self.revocations.push(signature);
        } else if !self.is_left_out {
            self.read.push(signature.into());
        }
    }

    /// The error for packets that break off.
    fn broken(&self) -> HandlerError {
        if self.keys == 0 { not_a_key() } else { damaged() }
    }
}

fn is_known(version: u8) -> bool {
    matches!(version, 4 | 6)
}

/// A key packet with material that pgp cannot read. Its fingerprint is known all the same, and the signatures over it can be
/// verified.
fn opaque(body: &[u8]) -> Option<(KeyVersion, PublicKeyAlgorithm, Timestamp, PublicParams)> {
    let (&[version, created @ .., algorithm], material) = body.split_first_chunk::<6>()?;
    // A version 6 key says how long its material is.
    let material = if version == 6 { material.get(4..)? } else { material };
    let created = Timestamp::from_secs(u32::from_be_bytes(created));
    Some((version.into(), algorithm.into(), created, PublicParams::Unknown { data: material.to_vec().into() }))
}

/// A signature that stands for a revocation that cannot be read, so that nobody overlooks it.
fn unreadable_revocation(header: PacketHeader, body: &[u8]) -> Option<Signature> {
    let typ = match body {
        [2 | 3, _, typ, ..] | [_, typ, ..] => SignatureType::from(*typ),
        _ => return None,
    };
    let is_revocation = matches!(typ, SignatureType::KeyRevocation | SignatureType::SubkeyRevocation);
    let (algorithm, hash) = (PublicKeyAlgorithm::Unknown(0), HashAlgorithm::None);
    let nothing = SignatureBytes::Mpis(vec![]);
    is_revocation.then(|| Signature::v4(header, typ, algorithm, hash, [0; 2], nothing, vec![], vec![]))
}

/// The same signature with the lower of the two values of `s` that verify, or `None` if it has the lower one already. GnuPG
/// writes either, but the library for secp256k1 refuses the higher one.
fn with_low_s(signature: &Signature) -> Option<Signature> {
    let SignatureBytes::Mpis(numbers) = signature.signature()? else { return None };
    let [r, s] = numbers.as_slice() else { return None };
    let mut bytes = [0; 64];
    let (left, right) = bytes.split_at_mut(32);
    for (place, number) in [(left, r), (right, s)] {
        let start = place.len().checked_sub(number.len())?;
        place[start..].copy_from_slice(number.as_ref());
    }
    let (r, s) = k256::ecdsa::Signature::from_slice(&bytes).ok()?.normalize_s()?.split_bytes();
    let numbers = SignatureBytes::Mpis(vec![Mpi::from_slice(&r), Mpi::from_slice(&s)]);
    Signature::from_config(signature.config()?.clone(), signature.signed_hash_value()?, numbers).ok()
}

fn not_a_key() -> HandlerError {
    invalid("does not hold an OpenPGP public key")
}

fn damaged() -> HandlerError {
    invalid("is an OpenPGP key that is damaged or cut short")
}
