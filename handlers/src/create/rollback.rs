//! Rolling back a key whose CREATE cannot be finished: the key is deleted, then its secret, so that no live key loses its
//! secret. What is left all the same is named.

use access_key_schema::{HandlerError, HandlerErrorCode};

use super::Create;
use crate::{
    delete::delete_access_key, iam::KeyMetadata, secret_store::Unstored, time_budget::ROLLBACK_TIME,
    user_keys::delete_command,
};

/// Why a CREATE could not be finished after its key existed.
pub(super) struct Unfinished {
    error: HandlerError,
    /// Whether a secret may be stored.
    may_be_stored: bool,
}

impl From<HandlerError> for Unfinished {
    fn from(error: HandlerError) -> Self {
        Self { error, may_be_stored: true }
    }
}

impl Unfinished {
    /// The store did not take the secret, as far as is known.
    pub(super) fn while_storing(Unstored { error, may_be_stored }: Unstored) -> Self {
        Self { error, may_be_stored }
    }
}

/// Deletes the key and then its secret, and returns the error of the CREATE. Where something is left, the error says what. It
/// carries the key's id, by which CloudFormation's own rollback deletes it, and a code that CloudFormation does not retry:
/// another CREATE would not find a key whose secret is not stored.
pub(super) async fn roll_back(create: &Create<'_>, key: &KeyMetadata, unfinished: Unfinished) -> HandlerError {
    let services = create.services;
    let Unfinished { error, may_be_stored } = unfinished;
    let id = &key.id;
    if !services.deadline.leaves(ROLLBACK_TIME) {
        return final_error(left_behind(create, id, &error, "too little of the invocation is left to delete it"));
    }
    if let Err(named) = delete_key(create, key, &error).await {
        return named;
    }
    match services.secret_store.delete(id).await {
        Err(failure) if may_be_stored => final_error(secret_left_behind(create, id, &error, &failure.message)),
        _ => error.followed_by("The new access key was rolled back"),
    }
}

/// Deletes a key of a CREATE that failed with `error`.
///
/// # Errors
/// The CREATE's error, final, with the key that could not be deleted.
pub(super) async fn delete_key(
    create: &Create<'_>,
    key: &KeyMetadata,
    error: &HandlerError,
) -> Result<(), HandlerError> {
    match delete_access_key(create.services, create.user, &key.id, Some(key)).await {
        Err(failure) if !failure.is_not_found() => {
            let why = format!("it could not be deleted ({})", failure.message);
            Err(final_error(left_behind(create, &key.id, error, &why)))
        }
        _ => Ok(()),
    }
}

/// The error of a CREATE whose key may still exist, and why.
pub(super) fn left_behind(create: &Create<'_>, id: &str, error: &HandlerError, why: &str) -> HandlerError {
    let user = create.user;
    tracing::warn!(access_key_id = id, user = user.as_str(), why, "key of a failed CREATE is left");
    let message = format!(
        "{}. Access key {id} of user {user} may still exist: {why}. If the rollback of the stack does not delete it, delete \
         it with: {}",
        error.message,
        delete_command(user, id)
    );
    with_id(create, id, error, message)
}

/// The error of a CREATE whose key is rolled back, but perhaps not its secret, which the stack's rollback deletes.
fn secret_left_behind(create: &Create<'_>, id: &str, error: &HandlerError, why: &str) -> HandlerError {
    let secret = create.services.secret_store.name(id);
    tracing::warn!(access_key_id = id, secret, why, "secret of a failed CREATE is left");
    let message = format!(
        "{}. Access key {id} of user {} was rolled back, but its secret {secret} may remain: {why}. If the rollback of the \
         stack does not delete it, delete it with: {}",
        error.message,
        create.user,
        create.services.secret_store.delete_command(id)
    );
    with_id(create, id, error, message)
}

/// The error with a code that CloudFormation does not retry.
fn final_error(error: HandlerError) -> HandlerError {
    let code = if error.code.is_retriable() { HandlerErrorCode::GeneralServiceException } else { error.code };
    HandlerError { code, ..error }
}

fn with_id(create: &Create<'_>, id: &str, error: &HandlerError, message: String) -> HandlerError {
    HandlerError { code: error.code, message, resource_model: Some(Box::new(create.model_of(id))) }
}
