//! Where a key is that IAM says a user does not have.

use access_key_schema::{HandlerError, HandlerErrorCode, Result, UserName};
use tokio::join;

use crate::{Services, user_keys::delete_command};

/// Where such a key is.
pub(crate) enum Location {
    /// IAM shows it for this user all the same: IAM needs seconds until all its answers agree.
    Here,
    /// Another user has it: the user was renamed, or the key was never this user's.
    Elsewhere(UserName),
    /// IAM shows it nowhere.
    Nowhere,
}

/// Looks for the key in both places where IAM may show it.
pub(crate) async fn locate(services: &Services, user: &UserName, id: &str) -> Result<Location> {
    let (shown, owner) = join!(services.iam.find_access_key(user, id), services.iam.owner_of(id));
    let shown = shown?;
    match owner {
        _ if shown.is_some() => Ok(Location::Here),
        Ok(owner) if owner == *user => Ok(Location::Here),
        Ok(owner) => Ok(Location::Elsewhere(owner)),
        Err(error) if error.is_not_found() => Ok(Location::Nowhere),
        Err(error) => Err(error),
    }
}

/// The error for a key of another user.
///
/// `advice` says what to do beside deleting the key by hand.
pub(crate) fn of_another_user(id: &str, user: &UserName, owner: &UserName, advice: &str) -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::InvalidRequest,
        format!(
            "Access key {id} belongs to user {owner}, not to {user}: the user was renamed, or the key is not this \
             resource's. Nothing was changed. {advice}, or delete the key with: {}",
            delete_command(owner, id)
        ),
    )
}

/// The error when IAM's answers about a key contradict each other, or no time is left to ask.
/// CloudFormation calls again.
pub(crate) fn undecided(id: &str, user: &UserName) -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::ResourceConflict,
        format!(
            "IAM gives inconsistent answers about access key {id} of user {user}, or there was no time left to check. That is \
             usual for some seconds after a key was created or deleted. Try again"
        ),
    )
}
