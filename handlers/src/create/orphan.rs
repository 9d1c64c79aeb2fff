//! A key that was created without anybody learning of it: `CreateAccessKey` has no idempotency token, so a lost answer,
//! or a process that ends before it stores the secret, leaves a live key.
//!
//! Nothing distinguishes such a key from one that somebody else created in the same seconds: a person, another type, or
//! this type in another region, whose store this one does not see. That it is the only key of a new user, or was made in the
//! very seconds, proves nothing: another region's CREATE of the same `StackSet` may have made it, and have answered with it. So
//! it is not deleted, but named, with the command.

use access_key_schema::{HandlerError, HandlerErrorCode, Result};

use super::Create;
use crate::{
    iam::KeyMetadata,
    stabilize::{poll, unless_retriable},
    time_budget::{OPERATION_TIMEOUT, ORPHAN_WAIT, SUSPECT_AGE},
    user_keys::{UserKey, delete_command, list_command, user_keys, with_command, with_entries},
};

/// What to do about a key of which this type cannot tell whose it is, before the command that deletes it.
const FIND_OUT: &str = "CloudTrail tells who made a key (event CreateAccessKey, by its role and user agent). Only if it is \
                        nobody's, delete it";

/// Whether IAM may have created a key although the call, sent once, failed: it timed out, was cut off, or failed in IAM.
pub(super) fn may_exist(error: &HandlerError) -> bool {
    matches!(error.code, HandlerErrorCode::NetworkFailure | HandlerErrorCode::ServiceInternalError)
}

/// Looks for the key that a `CreateAccessKey` may have created although it failed with `error`.
///
/// Returns the same error, which CloudFormation retries, when nothing is left behind as far as can be seen. Where
/// something may be, the error is one that CloudFormation does not retry, so that a person sees it.
pub(super) async fn look_for(create: &Create<'_>, before: &[UserKey], error: HandlerError) -> HandlerError {
    let Create { services, .. } = *create;
    let is_underway = |key: &UserKey| key.may_be_underway(&services.clock);
    let is_enough = |seen: &Suspects| !seen.unknown.is_empty() && !seen.unknown.iter().any(is_underway);
    let mut seen = Suspects::default();
    let mut was_answered = false;
    let mut missing_user = None;
    let looked = poll(
        services,
        "waiting until IAM shows a key that CreateAccessKey may have created without an answer",
        ORPHAN_WAIT,
        OPERATION_TIMEOUT * 2,
        |is_enough| *is_enough,
        async || {
            match suspects(create, before).await {
                // IAM knew the user a moment ago: they are new, or were renamed.
                Err(error) if error.is_not_found() => missing_user = Some(error),
                suspects => {
                    if let Some(suspects) = unless_retriable(suspects)? {
                        missing_user = None;
                        was_answered = true;
                        seen.add(suspects);
                    }
                }
            }
            Ok(is_enough(&seen))
        },
    );
    let looked = looked.await.and_then(|_| missing_user.map_or(Ok(()), Err));
    match (seen.unknown.as_slice(), looked) {
        ([], Ok(())) if was_answered => error.followed_by("IAM shows no key that it could have created"),
        ([], Ok(())) => error.followed_by(&format!(
            "It is not known yet whether it created a key. List the user's keys with: {}",
            list_command(create.user)
        )),
        ([], Err(failure)) => cannot_tell(create, &error, &failure),
        _ => left_alone(create, &seen.unknown, &error),
    }
}

/// The user's keys that were not there before a call without an answer.
#[derive(Default)]
struct Suspects {
    /// Those that the store does not know: the call may have created one of them.
    unknown: Vec<UserKey>,
    /// The ids of those that it knows, or did at an earlier look.
    known: Vec<String>,
}

impl Suspects {
    fn add(&mut self, keys: Vec<UserKey>) {
        let (unknown, known): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.entry.is_none());
        self.known.extend(known.into_iter().map(|key| key.metadata.id));
        self.unknown = unknown;
        self.unknown.retain(|key| !self.known.contains(&key.metadata.id));
    }
}

async fn suspects(create: &Create<'_>, before: &[UserKey]) -> Result<Vec<UserKey>> {
    let mut keys = user_keys(create.services, create.user).await?;
    keys.retain(|key| before.iter().all(|known| known.metadata.id != key.metadata.id));
    Ok(keys)
}

fn cannot_tell(create: &Create<'_>, error: &HandlerError, failure: &HandlerError) -> HandlerError {
    let (user, why) = (create.user.as_str(), &failure.message);
    tracing::warn!(user, why, "key of a CREATE without an answer may be left");
    HandlerError::new(
        HandlerErrorCode::GeneralServiceException,
        format!(
            "{}. It is not known whether a key was created: {}. List the user's keys with: {}. If the user was renamed, use the \
             new name",
            error.message,
            failure.message,
            list_command(create.user)
        ),
    )
}

fn left_alone(create: &Create<'_>, suspects: &[UserKey], error: &HandlerError) -> HandlerError {
    let user = create.user;
    let keys: Vec<String> = suspects.iter().map(|key| key.describe_with_command(user)).collect();
    let keys = keys.join("; ");
    tracing::warn!(user = user.as_str(), keys, "key of a CREATE without an answer may be left");
    HandlerError::new(
        HandlerErrorCode::GeneralServiceException,
        format!(
            "{}. It may have created one of these keys of user {user}. Each may as well be another region's, another stack's \
             or a person's, so none was deleted. {FIND_OUT}: {keys}. IAM may show a key late: list them again with: {}",
            error.message,
            list_command(user)
        ),
    )
}

/// Names the user's keys that an interrupted CREATE may have left: they are minutes old, and no secret of them is stored
/// here.
pub(super) fn warning<'a>(create: &Create<'_>, keys: impl Iterator<Item = &'a UserKey>) -> Option<String> {
    let suspects = keys.filter(|key| key.is_suspect(&create.services.clock));
    let keys: Vec<String> = suspects.map(|key| key.describe_with_command(create.user)).collect();
    (!keys.is_empty()).then(|| {
        let (user, keys) = (create.user.as_str(), keys.join("; "));
        tracing::warn!(user, keys, "key without a stored secret may be left by an interrupted CREATE");
        format!(
            "User {user} also has a key that was created minutes ago and has no secret stored here. It may be another region's, \
             another stack's or a person's, or what an interrupted CREATE has left. {FIND_OUT}: {keys}"
        )
    })
}

/// The error of a CREATE that CloudFormation does not call again, with those of the user's keys that this operation has left,
/// or may have left, and that the error does not name yet. What IAM does not show now, it may have shown before.
pub(super) async fn name_suspects(create: &Create<'_>, error: HandlerError) -> HandlerError {
    let Create { services, user, .. } = *create;
    let listed = services.deadline.bound(services.iam.list_access_keys(user)).await;
    let shown = services.iam.shown_keys(user);
    let error = match services.deadline.bound(with_entries(services, shown.clone())).await {
        Ok(keys) => name_known(create, &keys, error),
        Err(_) => name_shown(create, &shown, error),
    };
    match listed {
        Err(failure) if !failure.is_not_found() && !error.message.contains(&list_command(user)) => {
            error.followed_by(&format!(
                "If an attempt of this operation was interrupted, it may have left a key. List the user's keys with: {}",
                list_command(user)
            ))
        }
        _ => error,
    }
}

/// Names those of the keys that the store says are this operation's, and young ones of which it says nothing.
fn name_known(create: &Create<'_>, keys: &[UserKey], error: HandlerError) -> HandlerError {
    let unnamed: Vec<_> = keys.iter().filter(|key| !names(&error, create, &key.metadata.id)).collect();
    let own = unnamed.iter().filter(|key| key.is_by(create.request));
    let own: Vec<_> = own.map(|key| key.describe_with_command(create.user)).collect();
    let own = (!own.is_empty()).then(|| {
        let keys = own.join("; ");
        tracing::warn!(user = create.user.as_str(), keys, "key of a failed CREATE is left");
        format!("This operation also created a key. Delete it unless the rollback of the stack does: {keys}")
    });
    let named = [warning(create, unnamed.into_iter()), own];
    named.into_iter().flatten().fold(error, |error, sentence| error.followed_by(&sentence))
}

/// Names those of the keys that are young, where the store does not answer whose they are.
fn name_shown(create: &Create<'_>, shown: &[KeyMetadata], error: HandlerError) -> HandlerError {
    let young = shown.iter().filter(|key| key.is_younger_than(SUSPECT_AGE, &create.services.clock));
    let unnamed = young.filter(|key| !names(&error, create, &key.id));
    let keys: Vec<_> = unnamed.map(|key| with_command(key, "", create.user)).collect();
    let keys = keys.join("; ");
    if keys.is_empty() {
        return error;
    }
    tracing::warn!(user = create.user.as_str(), keys, "key may be left by an interrupted CREATE");
    error.followed_by(&format!(
        "If an attempt of this operation was interrupted, it may have left one of these keys, and the store does not say \
         whose they are. {FIND_OUT}: {keys}"
    ))
}

/// Whether the error says how to delete the key.
fn names(error: &HandlerError, create: &Create<'_>, id: &str) -> bool {
    error.message.contains(&delete_command(create.user, id))
}
