//! IAM is eventually consistent: it takes seconds until it knows everywhere what it has been told.

use std::time::Duration;

use access_key_schema::{HandlerError, HandlerErrorCode, Request, Result, Status, UserName};
use tokio::time::{Instant, sleep};

use crate::{
    KeyMetadata, OPERATION_TIMEOUT, Services, not_found,
    undo::UNDO_TIME,
    user_keys::{UserKey, user_keys},
};

/// How often to ask IAM again.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long one invocation looks whether IAM shows a key. Waiting is CloudFormation's part: it calls again at no cost.
const MAX_WAIT: Duration = Duration::from_secs(12);

/// What must be left of an invocation to set the status and look once more, and to undo everything should that fail.
pub(crate) const RESERVE: Duration =
    OPERATION_TIMEOUT.saturating_mul(2).saturating_add(POLL_INTERVAL).saturating_add(UNDO_TIME);

/// How long IAM must know nothing of a key, in two places, for the key to count as gone: it may be one second old.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);

/// What must be left of an invocation to ask whose a key is, to try once more to delete it, and to delete its secret.
const TIME_TO_RETRY: Duration = OPERATION_TIMEOUT.saturating_mul(3).saturating_add(POLL_INTERVAL);

/// How long to wait for IAM to say the same of a key in two places.
const CONTRADICTION_WAIT: Duration = Duration::from_secs(10);

/// How long to wait for IAM to know a user: in a stack that creates both, the user may be seconds old.
const NEW_USER_WAIT: Duration = Duration::from_secs(5);

/// The user's keys, once IAM knows the user.
pub(crate) async fn keys_of_perhaps_new_user(services: &Services, user: &UserName) -> Result<Vec<UserKey>> {
    let start = Instant::now();
    loop {
        match user_keys(services, user).await {
            Err(error) if error.is_not_found() && start.elapsed() < NEW_USER_WAIT => sleep(POLL_INTERVAL).await,
            outcome => return outcome,
        }
    }
}

/// Sets the status of a new key, which IAM creates `Active`. Returns the status that IAM has taken, unless it does not
/// know the key yet: [`wait_until_visible`] asks again.
pub(crate) async fn set_initial_status(
    services: &Services,
    user: &UserName,
    id: &str,
    status: Status,
) -> Result<Option<Status>> {
    if status == Status::Active { Ok(Some(status)) } else { set_status(services, user, id, status).await }
}

async fn set_status(services: &Services, user: &UserName, id: &str, status: Status) -> Result<Option<Status>> {
    match services.iam.update_access_key(user, id, status).await {
        Ok(()) => Ok(Some(status)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks until IAM shows the key with its status, or `None` when the invocation is running out.
///
/// IAM can take seconds to show a key, and CREATE may only answer SUCCESS once READ would see it.
pub(crate) async fn wait_until_visible(
    services: &Services,
    request: &Request,
    user: &UserName,
    id: &str,
    mut seen: Option<KeyMetadata>,
) -> Result<Option<KeyMetadata>> {
    let status = request.desired.wanted_status();
    let start = Instant::now();
    loop {
        match seen {
            Some(key) if key.status == status => return Ok(Some(key)),
            _ if start.elapsed() >= MAX_WAIT || services.deadline.remaining() < RESERVE => return Ok(None),
            Some(_) => _ = set_status(services, user, id, status).await?,
            None => {}
        }
        sleep(POLL_INTERVAL).await;
        seen = services.iam.find_access_key(user, id).await?;
    }
}

/// Deletes a key, of which IAM may not know yet.
///
/// # Errors
/// - `NotFound`: IAM knows nothing of the key, and has not for some seconds.
/// - `InvalidRequest`: the key is another user's.
/// - `ResourceConflict`: IAM contradicts itself, and the key may live; or there is no time to find out.
pub(crate) async fn delete_access_key(services: &Services, user: &UserName, id: &str) -> Result<()> {
    let start = Instant::now();
    loop {
        match services.iam.delete_access_key(user, id).await {
            Err(error) if error.is_not_found() => {}
            outcome => return outcome,
        }
        if services.deadline.remaining() < TIME_TO_RETRY {
            return Err(undecided(id, user));
        }
        match owner(services, id).await? {
            Some(owner) if owner != *user => return Err(of_another_user(id, user, &owner)),
            Some(_) if start.elapsed() >= CONTRADICTION_WAIT => return Err(undecided(id, user)),
            None if start.elapsed() >= UNKNOWN_FOR => return Err(not_found(id, user)),
            _ => sleep(POLL_INTERVAL).await,
        }
    }
}

/// Who owns the key of which IAM has just said that the user does not have it.
///
/// AWS may answer `AccessDenied` for a key that is not in the account, which is all there is to learn of a key that is
/// gone.
async fn owner(services: &Services, id: &str) -> Result<Option<UserName>> {
    match services.iam.owner(id).await {
        Ok(owner) => Ok(Some(owner)),
        Err(error) if matches!(error.code, HandlerErrorCode::NotFound | HandlerErrorCode::AccessDenied) => Ok(None),
        Err(error) => Err(error),
    }
}

fn of_another_user(id: &str, user: &UserName, owner: &UserName) -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::InvalidRequest,
        format!(
            "access key {id} belongs to user {owner}, not to {user}: the user was renamed, or the key is not this \
             resource's. Nothing was deleted. Name the user as before, or delete the key with: \
             aws iam delete-access-key --user-name {owner} --access-key-id {id}"
        ),
    )
}

/// CloudFormation calls again.
fn undecided(id: &str, user: &UserName) -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::ResourceConflict,
        format!(
            "IAM contradicts itself about access key {id} of user {user}, as it may for seconds after a key was created or \
             deleted, so that the key may exist. Its secret was kept. Try again"
        ),
    )
}
