//! Whether there may be a new key: the quota of two, Serial, which only goes up, and the time left.

use access_key_schema::{HandlerError, HandlerErrorCode, Request, Result, UserName};
use cfn_resource_runtime::Deadline;

use super::{Create, failure::Failure};
use crate::{
    iam::KEYS_PER_USER,
    time_budget::TIME_TO_CREATE,
    user_keys::{UserKey, delete_command, list_command, user_keys},
};

/// Whether `error` passes within seconds: the user is so young that IAM does not know them everywhere yet, or IAM is at work
/// on them.
pub(super) fn is_user_new(error: &HandlerError) -> bool {
    matches!(error.code, HandlerErrorCode::NotFound | HandlerErrorCode::ResourceConflict)
}

/// A `NotFound` with what to do about a user who does not exist.
pub(super) fn explain_missing_user(error: HandlerError) -> HandlerError {
    if !error.is_not_found() {
        return error;
    }
    error.followed_by(
        "Create the user first. In one template, let UserName be a Ref to the user, so that CloudFormation creates them in \
         order",
    )
}

/// Refuses a Serial that is lower than that of a live key of the same resource. CloudFormation replaces a key by CREATE with the
/// new Serial while the old key is still there, and the secret store knows which resource of which stack each key belongs to.
///
/// A rollback is not in the way: it deletes the new key and keeps the old one, without a CREATE.
///
/// # Errors
/// `InvalidRequest` that names the highest number and its key.
pub(super) fn refuse_lowered_serial(request: &Request, keys: &[UserKey]) -> std::result::Result<(), Failure> {
    let context = &request.context;
    if context.stack_id.is_none() || context.logical_resource_id.is_none() {
        return Ok(());
    }
    let serials = keys.iter().filter_map(|key| {
        let ownership = key.ownership().filter(|ownership| ownership.is_of(request))?;
        Some((ownership.serial?, ownership.user_name.clone(), &key.metadata.id))
    });
    match serials.max_by_key(|(serial, ..)| *serial) {
        Some((highest, user, id)) if Some(highest) > request.desired.serial => {
            let refusal = HandlerError::new(
                HandlerErrorCode::InvalidRequest,
                format!(
                    "Serial can only be incremented, and would be lower than {highest}, that of access key {id}. Nothing was \
                     created. If that key was retained from an earlier resource of this name, give Serial {highest} or more, \
                     or delete the key with: {}",
                    delete_command(&user, id)
                ),
            );
            Err(Failure::from(refusal))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// `NetworkFailure`, which CloudFormation retries: too little time is left to create a key, and then to finish or roll back.
pub(super) fn refuse_late_start(deadline: Deadline) -> Result<()> {
    if deadline.leaves(TIME_TO_CREATE) {
        return Ok(());
    }
    Err(HandlerError::new(
        HandlerErrorCode::NetworkFailure,
        format!(
            "Only {} seconds of this invocation are left, not enough to create a key and to roll it back if a later step \
             fails: AWS answered slowly, or the user is seconds old and IAM does not know them everywhere yet. Nothing was \
             created",
            deadline.remaining().as_secs()
        ),
    ))
}

/// The failure when IAM says that the user has two keys, with the keys in the way. IAM decides that and has created nothing; the
/// list of keys may be stale.
pub(super) async fn limit_exceeded(create: &Create<'_>) -> Failure {
    let Create { services, user, .. } = *create;
    match services.deadline.bound(user_keys(services, user)).await {
        Ok(keys) => quota_full(user, &keys),
        // IAM knew the user a moment ago.
        Err(_) => quota_full(user, &[]),
    }
}

fn quota_full(user: &UserName, keys: &[UserKey]) -> Failure {
    let in_the_way: Vec<String> = keys.iter().map(|key| key.describe_with_command(user)).collect();
    let in_the_way = match in_the_way.as_slice() {
        [] => "IAM does not list them now".to_owned(),
        keys => format!("Delete one that is not in use: {}", keys.join("; ")),
    };
    let refusal = HandlerError::new(
        HandlerErrorCode::ServiceLimitExceeded,
        format!(
            "User {user} already has {KEYS_PER_USER} access keys, as many as IAM allows. {in_the_way}. Rotation by Serial needs \
             room for a second key, because the new key is created before the old one is deleted. List the keys with: {}",
            list_command(user)
        ),
    );
    Failure::from(refusal).listing()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_created_only_when_enough_time_is_left_to_be_sure_of_it() {
        assert_eq!(refuse_late_start(Deadline::after(TIME_TO_CREATE)), Ok(()));
        let late = refuse_late_start(Deadline::after(Duration::from_secs(44))).unwrap_err();
        assert_eq!(late.code, HandlerErrorCode::NetworkFailure);
        assert_eq!(
            late.message,
            "Only 44 seconds of this invocation are left, not enough to create a key and to roll it back if a later step \
             fails: AWS answered slowly, or the user is seconds old and IAM does not know them everywhere yet. Nothing was \
             created"
        );
    }
}
