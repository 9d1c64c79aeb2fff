//! An OpenPGP message that one key can open.

use pgp::{
    crypto::{
        aead::{AeadAlgorithm, ChunkSize},
        sym::SymmetricKeyAlgorithm,
    },
    errors::Result,
    packet::{
        DataMode, Features, LiteralDataHeader, PacketHeader, PacketTrait, PublicKeyEncryptedSessionKey,
        SymEncryptedProtectedData,
    },
    ser::Serialize,
    types::{EncryptionKey, KeyVersion, Tag},
};
use rand::rngs::OsRng;
use zeroize::Zeroizing;

/// How a message is encrypted, according to what the key says that its owner's software can open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Version 1 of integrity-protected data, which everything opens ([RFC 9580, section 5.13.1]).
    ///
    /// [RFC 9580, section 5.13.1]: https://www.rfc-editor.org/rfc/rfc9580#section-5.13.1
    Seipd1(SymmetricKeyAlgorithm),
    /// Version 2, which GnuPG does not open ([RFC 9580, section 5.13.2]).
    ///
    /// [RFC 9580, section 5.13.2]: https://www.rfc-editor.org/rfc/rfc9580#section-5.13.2
    Seipd2(SymmetricKeyAlgorithm, AeadAlgorithm),
}

impl Format {
    /// The format for a key with these features and preferences, the most preferred first. Every key implies AES with 128 bits,
    /// and AES with 128 bits in OCB ([RFC 9580, section 9.3], [section 9.6]).
    ///
    /// A version 4 key gets version 1 even if it announces more: its owner may open the message with GnuPG.
    ///
    /// [RFC 9580, section 9.3]: https://www.rfc-editor.org/rfc/rfc9580#section-9.3
    /// [section 9.6]: https://www.rfc-editor.org/rfc/rfc9580#section-9.6
    pub(super) fn preferred(
        version: KeyVersion,
        features: Option<&Features>,
        ciphers: &[SymmetricKeyAlgorithm],
        aead_ciphers: &[(SymmetricKeyAlgorithm, AeadAlgorithm)],
    ) -> Self {
        if version == KeyVersion::V6 && features.is_some_and(Features::seipd_v2) {
            let known = |(cipher, aead): &&(_, AeadAlgorithm)| is_aes(*cipher) && aead.tag_size().is_some();
            let implied = (SymmetricKeyAlgorithm::AES128, AeadAlgorithm::Ocb);
            let (cipher, aead) = aead_ciphers.iter().find(known).copied().unwrap_or(implied);
            Self::Seipd2(cipher, aead)
        } else {
            let known = |cipher: &&SymmetricKeyAlgorithm| is_aes(**cipher);
            Self::Seipd1(ciphers.iter().find(known).copied().unwrap_or(SymmetricKeyAlgorithm::AES128))
        }
    }
}

fn is_aes(cipher: SymmetricKeyAlgorithm) -> bool {
    use SymmetricKeyAlgorithm::{AES128, AES192, AES256};
    matches!(cipher, AES128 | AES192 | AES256)
}

/// The binary message with `plaintext` for `key`.
///
/// The copies of `plaintext` and of the session key that are made here are wiped. pgp encrypts its copy in place.
///
/// # Errors
/// Whatever is wrong with `key`, such as an algorithm that pgp does not know.
pub(super) fn seal<K: EncryptionKey>(key: &K, format: Format, plaintext: &[u8]) -> Result<Vec<u8>> {
    let content = literal(plaintext)?;
    let mut message = Vec::new();
    match format {
        Format::Seipd1(cipher) => {
            let session_key = cipher.new_session_key(OsRng);
            PublicKeyEncryptedSessionKey::from_session_key_v3(OsRng, &session_key, cipher, key)?
                .to_writer_with_header(&mut message)?;
            SymEncryptedProtectedData::encrypt_seipdv1(OsRng, cipher, session_key.as_ref(), &content)?
                .to_writer_with_header(&mut message)?;
        }
        Format::Seipd2(cipher, aead) => {
            let session_key = cipher.new_session_key(OsRng);
            let chunk = ChunkSize::default();
            PublicKeyEncryptedSessionKey::from_session_key_v6(OsRng, &session_key, key)?
                .to_writer_with_header(&mut message)?;
            SymEncryptedProtectedData::encrypt_seipdv2(OsRng, cipher, aead, chunk, session_key.as_ref(), &content)?
                .to_writer_with_header(&mut message)?;
        }
    }
    Ok(message)
}

/// `plaintext` as a literal data packet: binary, without a file name and a date. pgp's own type would keep a copy that
/// nobody wipes.
fn literal(plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let metadata = LiteralDataHeader::new(DataMode::Binary);
    let length = metadata.write_len() + plaintext.len();
    let header = PacketHeader::new_fixed(Tag::LiteralData, length.try_into()?);
    // Never reallocated, which would leave a copy behind.
    let mut packet = Zeroizing::new(Vec::with_capacity(header.write_len() + length));
    header.to_writer(&mut *packet)?;
    metadata.to_writer(&mut *packet)?;
    packet.extend_from_slice(plaintext);
    Ok(packet)
}
