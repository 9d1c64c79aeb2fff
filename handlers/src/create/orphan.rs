//! A key that was created without anybody learning of it: `CreateAccessKey` has no idempotency token, so a lost answer,
//! or a process that ends before it stores the secret, leaves a live key.
//!
//! Nothing distinguishes such a key from one that somebody else created in the same seconds: a person, another type, or
//! this type in another region, whose store this one does not see. That it is the only key of a new user, or was made in the
//! very seconds, proves nothing: another region's CREATE of the same `StackSet` may have made it, and have answered with it. So
//! it is not deleted, but named, with the command.

use access_key_schema::{HandlerError, HandlerErrorCode, Result};

use super::{
    Create,
    failure::{Failure, Left},
};
use crate::{
    stabilize::{poll, unless_retriable},
    time_budget::{OPERATION_TIMEOUT, ORPHAN_WAIT, SUSPECT_AGE},
    user_keys::{UserKey, user_keys, with_entries},
};

/// Whether IAM may have created a key although the call, sent once, failed: it timed out, was cut off, or failed in IAM.
pub(super) fn may_exist(error: &HandlerError) -> bool {
    matches!(error.code, HandlerErrorCode::NetworkFailure | HandlerErrorCode::ServiceInternalError)
}

/// Looks for the key that a `CreateAccessKey` may have created although it failed with `error`.
///
/// CloudFormation calls again when nothing is left behind as far as can be seen. Where something may be, it does not, so that a
/// person sees it.
pub(super) async fn look_for(create: &Create<'_>, before: &[UserKey], error: HandlerError) -> Failure {
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
    let failure = Failure::from(error);
    match looked {
        _ if !seen.unknown.is_empty() => failure.for_good().leaving(Left::OneOf(seen.unknown)),
        Ok(()) if was_answered => failure.leaving(Left::NothingShown),
        Ok(()) => failure.leaving(Left::Unknown(None)),
        Err(why) => failure.for_good().leaving(Left::Unknown(Some(why.message))),
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

/// Those of the keys that an interrupted CREATE may have left: they are minutes old, and no secret of them is stored here.
pub(super) fn suspects_among(create: &Create<'_>, keys: impl IntoIterator<Item = UserKey>) -> Option<Left> {
    let suspects: Vec<_> = keys.into_iter().filter(|key| key.is_suspect(&create.services.clock)).collect();
    (!suspects.is_empty()).then_some(Left::Suspects(suspects))
}

/// The failure of a CREATE that CloudFormation calls again, with what IAM has shown that an attempt before may have left: it may
/// not show it to the next invocation.
pub(super) async fn with_shown_suspects(create: &Create<'_>, failure: Failure) -> Failure {
    let Create { services, user, .. } = *create;
    let mut shown = services.iam.shown_keys(user);
    shown.retain(|key| !failure.names(&key.id) && key.is_younger_than(SUSPECT_AGE, &services.clock));
    let keys = services.deadline.bound(with_entries(services, shown)).await.unwrap_or_default();
    suspects_among(create, keys).into_iter().fold(failure, Failure::leaving)
}

/// The failure of a CREATE that CloudFormation does not call again, with those of the user's keys that this operation has left,
/// or may have left, and that are not told of yet. What IAM does not show now, it may have shown before.
pub(super) async fn with_suspects(create: &Create<'_>, failure: Failure) -> Failure {
    let Create { services, user, request } = *create;
    let listed = services.deadline.bound(services.iam.list_access_keys(user)).await;
    let mut shown = services.iam.shown_keys(user);
    shown.retain(|key| !failure.names(&key.id));
    let found = if let Ok(keys) = services.deadline.bound(with_entries(services, shown.clone())).await {
        let (own, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.is_by(request));
        [suspects_among(create, others), (!own.is_empty()).then_some(Left::Own(own))]
    } else {
        shown.retain(|key| key.is_younger_than(SUSPECT_AGE, &services.clock));
        [(!shown.is_empty()).then_some(Left::Untold(shown)), None]
    };
    let failure = found.into_iter().flatten().fold(failure, Failure::leaving);
    match listed {
        Err(error) if !error.is_not_found() && !failure.lists() => failure.leaving(Left::Unlisted),
        _ => failure,
    }
}
