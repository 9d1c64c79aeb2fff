//! The resource model of a key, made of what IAM says and what the secret store keeps.

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, UserName};

use crate::{
    description::UserTag,
    iam::KeyMetadata,
    secret_store::{SecretValue, StoredSecret, Value},
    ses_smtp,
};

/// The SUCCESS event with the model of a key, as far as its secret can be read, and with the description that IAM shows.
///
/// # Errors
/// As [`ses_smtp::password`].
pub(crate) fn success(
    request: &Request,
    user: &UserName,
    key: KeyMetadata,
    stored: Option<StoredSecret>,
    description: UserTag,
) -> Result<ProgressEvent> {
    let known = of_iam(user, key);
    let Some(StoredSecret { arn, value, id, .. }) = stored else { return Ok(ProgressEvent::success(known)) };
    let known = AccessKey { secret_arn: Some(arn), ..known };
    match value {
        Value::Readable(mut value) => {
            value.description = description.or_stored(value.description);
            Ok(ProgressEvent::success(with_secret(request, known, *value)?))
        }
        Value::Unreadable { why, ownership } => {
            let serial = ownership.and_then(|ownership| ownership.serial);
            let known = AccessKey { serial, description: description.or_stored(None), ..known };
            Ok(success_without_secret(known, &id, user, &why))
        }
    }
}

/// The SUCCESS event with what is known of a key whose secret cannot be read. The message and a warning in the log say why.
pub(crate) fn success_without_secret(known: AccessKey, id: &str, user: &UserName, why: &str) -> ProgressEvent {
    tracing::warn!(access_key_id = id, why, "secret cannot be read");
    let message = format!(
        "The secret of access key {id} of user {user} cannot be read, and the properties from it are empty: {why}"
    );
    ProgressEvent::success(known).with_message(Some(message))
}

/// What IAM alone says of a key.
pub(crate) fn of_iam(user: &UserName, key: KeyMetadata) -> AccessKey {
    AccessKey {
        user_name: Some(user.clone()),
        status: Some(key.status),
        create_date: key.create_date(),
        id: Some(key.id),
        ..AccessKey::default()
    }
}

/// The model with what the store keeps. It holds no secret if the account has forbidden secrets in answers.
fn with_secret(request: &Request, known: AccessKey, value: SecretValue) -> Result<AccessKey> {
    let region = value.ses_smtp_region.as_deref().unwrap_or(&request.region);
    let secret_access_key = value.secret_access_key.filter(|_| request.type_configuration.returns_secrets());
    let password = secret_access_key.as_ref().map(|secret| ses_smtp::password(secret, region));
    Ok(AccessKey {
        serial: value.serial,
        tags: value.tags,
        description: value.description,
        ses_smtp_password_v4: password.transpose()?,
        secret_access_key,
        pgp_key: value.pgp_key,
        key_fingerprint: value.key_fingerprint,
        encrypted_secret: value.encrypted_secret,
        encrypted_ses_smtp_password_v4: value.encrypted_ses_smtp_password_v4,
        ses_smtp_region: value.ses_smtp_region,
        ..known
    })
}

/// The error for a key that does not exist under this user.
pub(crate) fn not_found(id: &str, user: &UserName) -> HandlerError {
    HandlerError::new(HandlerErrorCode::NotFound, format!("User {user} has no access key {id}"))
}
