//! DELETE: the key, and then its secret. A key that is gone already leaves no secret behind either.

use std::time::Duration;

use access_key_schema::{HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, UserName};
use tokio::time::{Instant, sleep};

use crate::{Services, consistency::POLL_INTERVAL, not_found};

/// How long to wait for IAM, which is eventually consistent, to say the same of a key in two places.
const CONSISTENCY_WAIT: Duration = Duration::from_secs(10);

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

/// Deletes the key of the user that the request names, or else of the one that IAM names.
///
/// # Errors
/// `NotFound` only when IAM has no such key, so that its secret can go as well.
async fn delete_key(services: &Services, named: Option<&UserName>, id: &str) -> Result<()> {
    let user = match named {
        Some(user) => user,
        None => &services.iam.owner(id).await?,
    };
    let start = Instant::now();
    loop {
        match services.iam.delete_access_key(user, id).await {
            Err(error) if error.is_not_found() => {}
            outcome => return outcome,
        }
        match owner(services, id).await? {
            None => return Err(not_found(id, user)),
            Some(owner) if owner != *user => return Err(another_owner(id, user, &owner)),
            Some(_) if start.elapsed() >= CONSISTENCY_WAIT => return Err(inconsistent(id, user)),
            Some(_) => sleep(POLL_INTERVAL).await,
        }
    }
}

/// Who owns the key that IAM has just said the user does not have.
///
/// AWS answers `AccessDenied` for a key that the account does not have, which may be all there is to learn of a key
/// that is gone. The user was asked for it first, so then it is.
async fn owner(services: &Services, id: &str) -> Result<Option<UserName>> {
    match services.iam.owner(id).await {
        Ok(owner) => Ok(Some(owner)),
        Err(error) if matches!(error.code, HandlerErrorCode::NotFound | HandlerErrorCode::AccessDenied) => Ok(None),
        Err(error) => Err(error),
    }
}

fn another_owner(id: &str, user: &UserName, owner: &UserName) -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::InvalidRequest,
        format!(
            "access key {id} belongs to user {owner}, not to {user}: the user was renamed, or the key is not this \
             resource's. Nothing was deleted. Name the user as before, or delete the key with: \
             aws iam delete-access-key --user-name {owner} --access-key-id {id}"
        ),
    )
}

/// CloudFormation calls again. Until IAM is of one mind, the key may live, and so its secret stays.
fn inconsistent(id: &str, user: &UserName) -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::ResourceConflict,
        format!(
            "IAM says both that access key {id} belongs to user {user} and that the user has no such key, as it may for \
             seconds after a key was created or deleted. Its secret was not deleted. Try again"
        ),
    )
}
