//! Whose OpenPGP key the secrets of a new access key are encrypted to.

use access_key_schema::{HandlerError, Request, Result};

use crate::{Services, keybase, openpgp::EncryptionKey};

/// The key that `PgpKey` gives or names, ready to be encrypted to; none without a `PgpKey`.
///
/// Everything that can be wrong with it shows here, before a key is created whose secret nobody could ever read.
///
/// # Errors
/// As [`EncryptionKey::parse`], and as [`keybase::public_key`] where it names a Keybase user.
pub(crate) async fn encryption_key(services: &Services, request: &Request) -> Result<Option<EncryptionKey>> {
    let Some(pgp_key) = &request.desired.pgp_key else { return Ok(None) };
    let Some(name) = keybase::user_name(pgp_key) else {
        return EncryptionKey::parse(pgp_key).map(Some);
    };
    let base_url = request.type_configuration.keybase_url.as_deref().unwrap_or(keybase::DEFAULT_BASE_URL);
    let armored = keybase::public_key(&(services.http)(), base_url, name).await?;
    let key = EncryptionKey::parse(&armored).map_err(|error| {
        let message = format!("{} (it is the key of the Keybase user {name})", error.message);
        HandlerError { message, ..error }
    })?;
    Ok(Some(key))
}
