//! IAM is eventually consistent: it takes seconds until it knows everywhere what it has been told.

use std::time::Duration;

use access_key_schema::{Request, Result, Status, UserName};
use tokio::time::{Instant, sleep};

use crate::{
    KeyMetadata, OPERATION_TIMEOUT, Services,
    user_keys::{UserKey, user_keys},
};

/// How often to ask IAM again.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long one invocation looks whether IAM shows a key. Waiting is CloudFormation's part: it calls again at no cost.
const MAX_WAIT: Duration = Duration::from_secs(12);

/// What must be left of an invocation to set the status and look once more, and for the two calls that undo everything
/// should that fail.
pub(crate) const RESERVE: Duration = OPERATION_TIMEOUT.saturating_mul(4);

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
            Some(_) => _ = set_status(services, user, id, status).await?,
            None => {}
        }
        if start.elapsed() >= MAX_WAIT || services.deadline.remaining() < RESERVE {
            return Ok(None);
        }
        sleep(POLL_INTERVAL).await;
        seen = services.iam.find_access_key(user, id).await?;
    }
}
