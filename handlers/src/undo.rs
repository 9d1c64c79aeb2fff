//! Taking back a key whose CREATE cannot be finished.

use std::time::Duration;

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, UserName};

use crate::{OPERATION_TIMEOUT, Services, consistency::delete_access_key};

/// How long it takes at most to delete a key and its secret.
pub(crate) const UNDO_TIME: Duration = OPERATION_TIMEOUT.saturating_mul(2);

/// What became of the secret of a key that is to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It is in the store, or may be.
    Perhaps,
    /// The store refused it, although the SDK may have sent it before without getting an answer.
    Refused,
}

/// Takes the key back, and then its secret: as long as the key lives, so does its secret. Where that fails too, the error
/// says what is left, and carries the key's id.
pub(crate) async fn undo(
    services: &Services,
    user: &UserName,
    id: &str,
    error: HandlerError,
    stored: Stored,
) -> HandlerError {
    if services.deadline.remaining() < UNDO_TIME {
        return left_behind(user, id, &error, "too little of the invocation is left to take it back");
    }
    match delete_access_key(services, user, id).await {
        Err(failure) if !failure.is_not_found() => {
            tracing::error!(user = user.as_str(), id, failure.message, "the key of a failed CREATE is left");
            return left_behind(user, id, &error, &format!("it could not be taken back ({})", failure.message));
        }
        _ => {}
    }
    match services.secret_store.delete(id).await {
        Err(failure) if stored == Stored::Perhaps => {
            tracing::error!(user = user.as_str(), id, failure.message, "the secret of a failed CREATE is left");
            secret_left_behind(user, id, &services.secret_store.name(id), &error, &failure.message)
        }
        _ => error,
    }
}

/// The error of a CREATE whose key may still be there, and why: the id lets CloudFormation's rollback delete it.
pub(crate) fn left_behind(user: &UserName, id: &str, error: &HandlerError, why: &str) -> HandlerError {
    with_id(
        user,
        id,
        error.code,
        format!(
            "{}. Access key {id} of user {user} may still exist: {why}. If the stack's rollback does not delete it, \
             delete it with: aws iam delete-access-key --user-name {user} --access-key-id {id}",
            error.message
        ),
    )
}

/// The error of a CREATE whose key is gone again, but perhaps not its secret, which the rollback's DELETE deletes.
fn secret_left_behind(user: &UserName, id: &str, secret: &str, error: &HandlerError, why: &str) -> HandlerError {
    with_id(
        user,
        id,
        error.code,
        format!(
            "{}. Access key {id} of user {user} was deleted again, but perhaps not the secret {secret}: {why}. If the \
             stack's rollback does not delete it, delete it with: aws secretsmanager delete-secret --secret-id {secret} \
             --force-delete-without-recovery",
            error.message
        ),
    )
}

fn with_id(user: &UserName, id: &str, code: HandlerErrorCode, message: String) -> HandlerError {
    let model = AccessKey { user_name: Some(user.clone()), id: Some(id.to_owned()), ..AccessKey::default() };
    HandlerError { code, message, resource_model: Some(Box::new(model)) }
}
