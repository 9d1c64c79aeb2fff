//! Whose OpenPGP key the secrets of a new access key are encrypted to.

use access_key_schema::{HandlerError, HandlerErrorCode, Request, Result};

use crate::{Services, keybase, openpgp::EncryptionKey, secret_store::MAX_PGP_KEY};

/// The key that `PgpKey` gives or names, ready to be encrypted to; none without a `PgpKey`.
///
/// Everything that can be wrong with it shows here, before a key is created whose secret nobody could ever read.
///
/// # Errors
/// As [`EncryptionKey::parse`], and as [`keybase::public_key`] where it names a Keybase user; and `InvalidRequest` where
/// the secret store has no room for it.
pub(crate) async fn encryption_key(services: &Services, request: &Request) -> Result<Option<EncryptionKey>> {
    let Some(pgp_key) = &request.desired.pgp_key else { return Ok(None) };
    let Some(name) = keybase::user_name(pgp_key) else {
        let key = EncryptionKey::parse(pgp_key)?;
        refuse_too_long(pgp_key)?;
        return Ok(Some(key));
    };
    let base_url = request.type_configuration.keybase_url.as_deref().unwrap_or(keybase::DEFAULT_BASE_URL);
    let armored = keybase::public_key(&(services.http)(), base_url, name).await?;
    let key = EncryptionKey::parse(&armored).map_err(|error| {
        let message = format!("{} (it is the key of the Keybase user {name})", error.message);
        HandlerError { message, ..error }
    })?;
    Ok(Some(key))
}

/// READ returns `PgpKey` as CREATE got it, and so the secret store must hold it.
fn refuse_too_long(pgp_key: &str) -> Result<()> {
    if serde_json::to_string(pgp_key).is_ok_and(|json| json.len() <= MAX_PGP_KEY) {
        return Ok(());
    }
    Err(HandlerError::new(
        HandlerErrorCode::InvalidRequest,
        format!(
            "PgpKey has more than {MAX_PGP_KEY} bytes, as many as Secrets Manager has room for. Leave out what others \
             signed: gpg --export --export-options export-minimal KEY | base64"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_as_long_as_its_json_which_has_two_bytes_for_a_line_break() {
        assert!(refuse_too_long(&"k".repeat(MAX_PGP_KEY - 2)).is_ok());
        for too_long in ["k".repeat(MAX_PGP_KEY - 1), "\n".repeat(MAX_PGP_KEY / 2)] {
            let error = refuse_too_long(&too_long).unwrap_err();
            assert_eq!(error.code, HandlerErrorCode::InvalidRequest);
            assert!(error.message.contains("export-minimal") && error.message.len() < 300, "{}", error.message);
        }
    }
}
