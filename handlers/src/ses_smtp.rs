//! The password for Amazon SES's SMTP endpoint, derived from a secret access key.

use access_key_schema::{HandlerError, HandlerErrorCode, Result, Secret};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The date from which every SMTP password is derived, besides the secret access key and the region ([SES developer guide]).
///
/// [SES developer guide]: https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html#smtp-credentials-convert
const DATE: &str = "11111111";
const SERVICE: &str = "ses";
const TERMINAL: &str = "aws4_request";
const MESSAGE: &str = "SendRawEmail";
const VERSION: u8 = 0x04;

/// The SMTP password of a secret access key in `region`, such as `eu-central-1`: 44 characters of base64. The SMTP
/// user name is the access key id.
///
/// It is a Signature Version 4 signature with a fixed date, over a fixed message. IAM does not know the password. It works as
/// long as the access key does, and only in its region.
///
/// # Errors
/// `InternalFailure`; cannot happen, as HMAC takes a key of any length.
pub(crate) fn password(secret_access_key: &Secret, region: &str) -> Result<Secret> {
    let mut key = Zeroizing::new([b"AWS4", secret_access_key.expose().as_bytes()].concat());
    for message in [DATE, region, SERVICE, TERMINAL, MESSAGE] {
        key = hmac(&key, message)?;
    }
    let password = Zeroizing::new([[VERSION].as_slice(), &key].concat());
    Ok(Secret::new(BASE64_STANDARD.encode(&password)))
}

fn hmac(key: &[u8], message: &str) -> Result<Zeroizing<Vec<u8>>> {
    let hmac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| {
        HandlerError::new(HandlerErrorCode::InternalFailure, "The SES SMTP password could not be derived")
    })?;
    Ok(Zeroizing::new(hmac.chain_update(message).finalize().into_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password_of(secret_access_key: &str, region: &str) -> String {
        password(&Secret::new(secret_access_key.to_owned()), region).unwrap().expose().to_owned()
    }

    #[test]
    fn the_password_is_the_one_that_aws_documents_how_to_derive() {
        assert_eq!(password_of("some+secret+key", "eu-central-1"), "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2");
        assert_eq!(password_of("another+secret+key", "eu-central-1"), "BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh");
    }

    #[test]
    fn every_region_has_a_password_of_its_own() {
        assert_ne!(password_of("some+secret+key", "eu-central-1"), password_of("some+secret+key", "eu-west-1"));
    }

    #[test]
    fn the_password_cannot_be_printed() {
        let password = password(&Secret::new("some+secret+key".to_owned()), "eu-central-1").unwrap();
        assert_eq!(format!("{password} {password:?}"), "[redacted] [redacted]");
    }
}
