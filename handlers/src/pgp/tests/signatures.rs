//! Which of a key's own signatures count, one property at a time.

use pgp::{
    crypto::hash::HashAlgorithm,
    packet::{KeyFlags, Notation, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::{Duration, SignatureBytes},
};

use super::*;

/// How old the key of these tests is, in seconds. The signature over its user ID is new, and names no end.
const AGE: u32 = 1000;

/// What a signature says, besides when it was made.
#[derive(Clone, Copy)]
enum Says {
    Encrypt,
    Sign,
    KeyLives(u32),
    SignatureLives(u32),
}

use Says::{Encrypt, KeyLives, Sign, SignatureLives};

struct Owner {
    key: SignedSecretKey,
    created: u32,
}

impl Owner {
    fn new() -> Self {
        let created = Timestamp::from_secs(Timestamp::now().as_secs() - AGE);
        let key = secret_key(KeyVersion::V4, |parameters| {
            parameters.created_at(created).subkeys(vec![subkey(KeyVersion::V4, created)]);
        });
        Self { key, created: created.as_secs() }
    }

    /// A signature of a kind, to be made `age` seconds after the key.
    fn signature(&self, typ: SignatureType, age: i64, says: &[Says]) -> SignatureConfig {
        let created = u32::try_from(i64::from(self.created) + age).unwrap();
        let says = says.iter().map(|says| match *says {
            KeyLives(seconds) => SubpacketData::KeyExpirationTime(Duration::from_secs(seconds)),
            SignatureLives(seconds) => SubpacketData::SignatureExpirationTime(Duration::from_secs(seconds)),
            Encrypt | Sign => {
                let mut flags = KeyFlags::default();
                flags.set_encrypt_storage(matches!(says, Encrypt));
                flags.set_sign(matches!(says, Sign));
                SubpacketData::KeyFlags(flags)
            }
        });
        let time = SubpacketData::SignatureCreationTime(Timestamp::from_secs(created));
        let mut signature = SignatureConfig::from_key(OsRng, &self.key.primary_key, typ).unwrap();
        let issuer = SubpacketData::IssuerFingerprint(self.key.fingerprint());
        signature.hashed_subpackets =
            [time, issuer].into_iter().chain(says).map(|data| Subpacket::regular(data).unwrap()).collect();
        signature
    }

    fn over_subkey(&self, typ: SignatureType, age: i64, says: &[Says]) -> Signature {
        let primary = &self.key.primary_key;
        let subkey = self.key.secret_subkeys[0].key.public_key();
        let signature = self.signature(typ, age, says);
        signature.sign_subkey_binding(primary, primary.public_key(), &Password::empty(), subkey).unwrap()
    }

    fn over_key(&self, typ: SignatureType, age: i64, says: &[Says]) -> Signature {
        let primary = &self.key.primary_key;
        self.signature(typ, age, says).sign_key(primary, &Password::empty(), primary.public_key()).unwrap()
    }

    /// Whether the key with its subkey bound by these bindings can be used, and if not, the end of the refusal.
    fn bound_by(&self, bindings: &[(i64, &[Says])]) -> std::result::Result<(), String> {
        let mut key = self.key.to_public_key();
        let binding = |(age, says): &(i64, &[Says])| self.over_subkey(SignatureType::SubkeyBinding, *age, says);
        key.public_subkeys[0].signatures = bindings.iter().map(binding).collect();
        outcome(&key)
    }
}

fn outcome(key: &SignedPublicKey) -> std::result::Result<(), String> {
    match EncryptionKey::parse(&base64(key)) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.message.rsplit_once(&key.fingerprint().to_string()).unwrap().1.to_owned()),
    }
}

#[test]
fn the_newest_binding_in_force_says_what_a_subkey_is_for() {
    let owner = Owner::new();
    let usable = |bindings: &[(i64, &[Says])]| assert_eq!(owner.bound_by(bindings), Ok(()));
    let refused = |bindings: &[(i64, &[Says])], why: &str| {
        let error = owner.bound_by(bindings).unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    let future = i64::from(AGE) + 86_400;

    usable(&[(0, &[Encrypt])]);
    usable(&[(0, &[])]);
    refused(&[(0, &[Sign])], "can only sign");

    usable(&[(0, &[Sign]), (10, &[Encrypt])]);
    usable(&[(10, &[Encrypt]), (0, &[Sign])]);
    refused(&[(0, &[Encrypt]), (10, &[Sign])], "can only sign");

    usable(&[(0, &[Encrypt, KeyLives(0)])]);
    usable(&[(0, &[Encrypt, KeyLives(AGE + 86_400)])]);
    usable(&[(0, &[Encrypt, KeyLives(u32::MAX)])]);
    refused(&[(0, &[Encrypt, KeyLives(AGE / 2)])], " expired at ");
    usable(&[(0, &[Encrypt, KeyLives(AGE / 2)]), (10, &[Encrypt])]);
    refused(&[(0, &[Encrypt]), (10, &[Encrypt, KeyLives(AGE / 2)])], " expired at ");

    usable(&[(0, &[Encrypt, SignatureLives(AGE + 86_400)])]);
    refused(&[(0, &[Encrypt, SignatureLives(AGE / 2)])], "is not bound");
    usable(&[(0, &[Encrypt]), (10, &[Sign, SignatureLives(AGE / 2)])]);

    refused(&[(-1, &[Encrypt])], "is not bound");
    refused(&[(future, &[Encrypt])], "is not bound");
    usable(&[(0, &[Encrypt]), (future, &[Sign])]);
}

#[test]
fn no_binding_undoes_the_revocation_of_a_subkey() {
    let owner = Owner::new();
    let mut key = owner.key.to_public_key();
    key.public_subkeys[0].signatures = vec![
        owner.over_subkey(SignatureType::SubkeyRevocation, 10, &[]),
        owner.over_subkey(SignatureType::SubkeyBinding, 20, &[Encrypt]),
    ];
    assert!(outcome(&key).unwrap_err().ends_with(" is revoked"));
}

#[test]
fn no_signature_undoes_the_revocation_of_a_key() {
    let owner = Owner::new();
    let mut key = owner.key.to_public_key();
    key.details.revocation_signatures = vec![owner.over_key(SignatureType::KeyRevocation, 10, &[])];
    assert_eq!(outcome(&key), Err(", which is revoked".to_owned()));
}

#[test]
fn a_signature_over_the_key_itself_overrules_those_over_its_user_ids() {
    let owner = Owner::new();
    let with = |signatures: &[(i64, &[Says])]| {
        let mut key = owner.key.to_public_key();
        let over_key = |(age, says): &(i64, &[Says])| owner.over_key(SignatureType::Key, *age, says);
        key.details.direct_signatures = signatures.iter().map(over_key).collect();
        key
    };
    let expired = |key| outcome(&key).unwrap_err().contains("which expired at ");
    assert!(expired(with(&[(0, &[KeyLives(AGE / 2)])])));
    assert_eq!(outcome(&with(&[(0, &[])])), Ok(()));
    assert_eq!(outcome(&with(&[(0, &[KeyLives(AGE / 2)]), (10, &[KeyLives(0)])])), Ok(()));
    assert_eq!(outcome(&with(&[(0, &[KeyLives(AGE / 2), SignatureLives(AGE / 2)])])), Ok(()));

    // It is enough for itself: a user ID need not be published.
    let mut nameless = with(&[(0, &[Sign])]);
    nameless.details.users.clear();
    assert_eq!(outcome(&nameless), Ok(()));
}

#[test]
fn what_somebody_else_signed_over_a_key_does_not_count() {
    let (owner, other) = (Owner::new(), Owner::new());
    let mut key = owner.key.to_public_key();
    key.details.revocation_signatures = vec![other.over_key(SignatureType::KeyRevocation, 10, &[])];
    key.details.direct_signatures = vec![other.over_key(SignatureType::Key, 10, &[KeyLives(1)])];
    key.public_subkeys[0].signatures.push(other.over_subkey(SignatureType::SubkeyRevocation, 10, &[]));
    assert_eq!(outcome(&key), Ok(()));
}

/// Copies of the signature, each altered in one way: each names the same maker, and none verifies.
fn that_cannot_be_verified(signature: &Signature) -> Vec<Signature> {
    let (config, bytes) = (signature.config().unwrap(), signature.signature().unwrap());
    let hash = signature.signed_hash_value().unwrap();
    let with = |config: SignatureConfig, bytes| Signature::from_config(config, hash, bytes).unwrap();
    let nameless = |mut config: SignatureConfig| {
        config.hashed_subpackets.retain(|subpacket| !matches!(subpacket.data, SubpacketData::IssuerFingerprint(_)));
        config
    };
    let unknown = Subpacket::critical(SubpacketData::Other(99, vec![1].into())).unwrap();
    let (mut other_hash, mut critical) = (config.clone(), config.clone());
    other_hash.hash_alg = HashAlgorithm::Other(99);
    critical.hashed_subpackets.push(unknown);
    vec![
        with(config.clone(), SignatureBytes::Native(vec![1; 64].into())),
        with(nameless(config.clone()), bytes.clone()),
        with(other_hash, bytes.clone()),
        with(critical, bytes.clone()),
    ]
}

#[test]
fn a_revocation_by_the_owner_that_cannot_be_verified_counts() {
    let owner = Owner::new();
    let expected = "has a revocation that cannot be verified: it may be revoked";
    for revocation in that_cannot_be_verified(&owner.over_key(SignatureType::KeyRevocation, 10, &[])) {
        let mut key = owner.key.to_public_key();
        key.details.revocation_signatures = vec![revocation];
        assert_eq!(outcome(&key), Err(format!(", which {expected}")));
    }
    for revocation in that_cannot_be_verified(&owner.over_subkey(SignatureType::SubkeyRevocation, 10, &[])) {
        let mut key = owner.key.to_public_key();
        key.public_subkeys[0].signatures.push(revocation);
        let error = EncryptionKey::parse(&base64(&key)).unwrap_err().message;
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn a_revocation_that_cannot_be_read_counts() {
    let key = Owner::new().key.to_public_key();
    let packets = |revocation: &[u8]| {
        let length = u8::try_from(revocation.len()).unwrap();
        BASE64_STANDARD.encode([&key.to_bytes().unwrap(), [0x88, length].as_slice(), revocation].concat())
    };
    for version in [2, 3, 4, 5, 6, 7] {
        let revocation = |typ: u8| if version < 4 { vec![version, 5, typ, 0] } else { vec![version, typ, 0] };
        for typ in [0x20, 0x28] {
            let refusal = refusal(&packets(&revocation(typ)));
            assert!(refusal.ends_with("has a revocation that cannot be verified: it may be revoked"), "{refusal}");
        }
        assert!(EncryptionKey::parse(&packets(&revocation(0x18))).is_ok());
    }
}

#[test]
fn the_revocation_of_a_key_counts_wherever_it_stands() {
    let owner = Owner::new();
    let mut key = owner.key.to_public_key().to_bytes().unwrap();
    let revocation = owner.over_key(SignatureType::KeyRevocation, 10, &[]);
    key.extend(Packet::from(revocation).to_bytes().unwrap());
    assert!(refusal(&BASE64_STANDARD.encode(key)).ends_with(", which is revoked"));
}

#[test]
fn a_signature_that_says_something_critical_and_unknown_does_not_count() {
    let owner = Owner::new();
    let notation =
        SubpacketData::Notation(Notation { readable: true, name: "rule@example.com".into(), value: "true".into() });
    // pgp itself refuses critical subpackets of other numbers.
    for data in [notation, SubpacketData::Experimental(101, vec![1].into())] {
        for (subpacket, counts) in
            [(Subpacket::regular(data.clone()).unwrap(), true), (Subpacket::critical(data).unwrap(), false)]
        {
            let primary = &owner.key.primary_key;
            let mut binding = owner.signature(SignatureType::SubkeyBinding, 10, &[Encrypt]);
            binding.hashed_subpackets.push(subpacket);
            let subkey = owner.key.secret_subkeys[0].key.public_key();
            let binding = binding.sign_subkey_binding(primary, primary.public_key(), &Password::empty(), subkey);
            let mut key = owner.key.to_public_key();
            key.public_subkeys[0].signatures = vec![binding.unwrap()];
            let outcome = EncryptionKey::parse(&base64(&key)).map(drop).map_err(|error| error.message);
            assert_eq!(outcome.is_ok(), counts, "{outcome:?}");
        }
    }
}

#[test]
fn the_later_of_two_signatures_made_in_the_same_second_counts() {
    let owner = Owner::new();
    assert_eq!(owner.bound_by(&[(10, &[Sign]), (10, &[Encrypt])]), Ok(()));
    assert!(owner.bound_by(&[(10, &[Encrypt]), (10, &[Sign])]).is_err());

    let mut key = owner.key.to_public_key();
    let over_key = |says: &[Says]| owner.over_key(SignatureType::Key, 10, says);
    key.details.direct_signatures = vec![over_key(&[KeyLives(AGE / 2)]), over_key(&[KeyLives(0)])];
    assert_eq!(outcome(&key), Ok(()));
    key.details.direct_signatures.reverse();
    assert!(outcome(&key).unwrap_err().contains("which expired at "));
}
