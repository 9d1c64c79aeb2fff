//! Taking back a key whose CREATE cannot be finished.

use std::time::Duration;

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, Result, UserName};
use tokio::time::{Instant, sleep};

use crate::{Services, consistency::POLL_INTERVAL};

/// For how long IAM may not know a key that it has just created.
const UNKNOWN_AT_FIRST: Duration = Duration::from_secs(5);

/// Takes the key back, and then its secret if it `may_be_stored`: as long as the key lives, so does its secret. Where
/// that fails too, the error says what is left, and carries the key's id.
pub(crate) async fn undo(
    services: &Services,
    user: &UserName,
    id: &str,
    error: HandlerError,
    may_be_stored: bool,
) -> HandlerError {
    if let Err(failure) = delete_new_key(services, user, id).await {
        tracing::error!(user = user.as_str(), id, failure.message, "the key of a failed CREATE is left");
        return left_behind(user, id, &error, &failure.message);
    }
    if !may_be_stored {
        return error;
    }
    match services.secret_store.delete(id).await {
        Ok(()) => error,
        Err(failure) => {
            tracing::error!(user = user.as_str(), id, failure.message, "the secret of a failed CREATE is left");
            secret_left_behind(user, id, &services.secret_store.name(id), &error, &failure.message)
        }
    }
}

/// The error of a CREATE whose key is still there, and why: the id lets CloudFormation's rollback delete it.
pub(crate) fn left_behind(user: &UserName, id: &str, error: &HandlerError, why: &str) -> HandlerError {
    with_id(
        user,
        id,
        error.code,
        format!(
            "{}. Access key {id} of user {user} exists and was not taken back: {why}. If the stack's rollback does not \
             delete it, delete it with: aws iam delete-access-key --user-name {user} --access-key-id {id}",
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

/// Deletes a key that was just created. That IAM knows no such key may mean that it does not know it yet.
async fn delete_new_key(services: &Services, user: &UserName, id: &str) -> Result<()> {
    let start = Instant::now();
    loop {
        match services.iam.delete_access_key(user, id).await {
            Err(failure) if failure.is_not_found() && start.elapsed() < UNKNOWN_AT_FIRST => sleep(POLL_INTERVAL).await,
            outcome => return outcome,
        }
    }
}
