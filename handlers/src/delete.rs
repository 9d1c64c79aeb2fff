//! DELETE: the key, and then its secret. A key that is gone already leaves no secret behind either.

use access_key_schema::{HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, UserName};

use crate::{Services, not_found};

pub(crate) async fn delete(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let id = request.primary_identifier()?;
    match delete_key(services, request.desired.user_name.as_ref(), id).await {
        Err(error) if !error.is_not_found() => Err(error),
        outcome => {
            services.secret_store.delete(id).await?;
            outcome.map(|()| ProgressEvent::deleted())
        }
    }
}

/// # Errors
/// `NotFound` only when it is sure that the key is gone, so that its secret can go as well.
async fn delete_key(services: &Services, named: Option<&UserName>, id: &str) -> Result<()> {
    let Some(user) = named else {
        let owner = services.iam.owner(id).await?;
        return services.iam.delete_access_key(&owner, id).await;
    };
    match services.iam.delete_access_key(user, id).await {
        Err(error) if error.is_not_found() => match other_owner(services, user, id).await? {
            Some(owner) => Err(HandlerError::new(
                HandlerErrorCode::InvalidRequest,
                format!(
                    "access key {id} belongs to user {owner}, not to {user}: the user was renamed, or the key is not \
                     this resource's. Nothing was deleted. Name the user as before, or delete the key with: \
                     aws iam delete-access-key --user-name {owner} --access-key-id {id}"
                ),
            )),
            None => Err(not_found(id, user)),
        },
        outcome => outcome,
    }
}

/// Whoever owns the key that `user` does not have.
///
/// AWS answers `AccessDenied` for a key that the account does not have, which may be all there is to learn of a key
/// that is gone. The user was asked for it first, so then it is.
async fn other_owner(services: &Services, user: &UserName, id: &str) -> Result<Option<UserName>> {
    match services.iam.owner(id).await {
        // IAM may still remember the key that it has just deleted.
        Ok(owner) => Ok((owner != *user).then_some(owner)),
        Err(error) if matches!(error.code, HandlerErrorCode::NotFound | HandlerErrorCode::AccessDenied) => Ok(None),
        Err(error) => Err(error),
    }
}
