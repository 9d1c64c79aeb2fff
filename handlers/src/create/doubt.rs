//! Keys that an attempt without an answer may have made. `CreateAccessKey` has no idempotency token: if an answer is lost, or a
//! process ends before it has written down the id, a live key is left that nobody knows of.
//!
//! Nothing distinguishes such a key from one that somebody else created in the same seconds: a person, another type, or this type
//! in another region, whose store is not seen here. So the key is not deleted, but named, with the command.

use std::time::{Duration, SystemTime};

use access_key_schema::Result;

use super::{
    Create,
    failure::{Doubt, Failure, Left},
};
use crate::{
    Services,
    iam::KeyMetadata,
    time_budget::{CLOCK_SKEW, SUSPECT_AGE},
    user_keys::{UserKey, with_entries},
};

/// The keys that an attempt which began at `since`, in milliseconds since 1970, may have made: they are no older, and no secret
/// of theirs is stored here.
pub(super) async fn among(services: &Services, keys: Vec<KeyMetadata>, since: u64) -> Result<Vec<KeyMetadata>> {
    Ok(unstored(with_entries(services, created_since(keys, since)).await?))
}

/// IAM counts in whole seconds, and by a clock of its own.
fn created_since(mut keys: Vec<KeyMetadata>, since: u64) -> Vec<KeyMetadata> {
    let since = SystemTime::UNIX_EPOCH + Duration::from_millis(since);
    keys.retain(|key| key.created_at().is_none_or(|created| created + CLOCK_SKEW * 2 >= since));
    keys
}

/// The failure, with the keys that an earlier attempt has made or may have made, and that the failure does not name yet.
pub(super) async fn with_doubtful_keys(create: &Create<'_>, failure: Failure) -> Failure {
    let Create { services, request, user, .. } = *create;
    let since = match failure.doubt() {
        Doubt::None => return failure,
        Doubt::Since(since) => since,
        Doubt::Unread => {
            let since = services.clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.saturating_sub(SUSPECT_AGE).as_millis()).unwrap_or_default()
        }
    };
    let is_unread = failure.is_unread();
    let Ok(listed) = services.deadline.bound(services.iam.list_access_keys(user)).await else {
        return if failure.lists() { failure } else { failure.leaving(Left::Unlisted) };
    };
    let mut keys = created_since(listed, since);
    keys.retain(|key| !failure.names(&key.id));
    let (own, doubtful) = match services.deadline.bound(with_entries(services, keys.clone())).await {
        Ok(keys) => {
            let (own, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.was_made_by(request));
            (own, unstored(others))
        }
        // The store does not say whose they are: each may be such a key.
        Err(_) => (vec![], keys),
    };
    let mut failure =
        own.into_iter().fold(failure, |failure, key| failure.leaving(Left::of_another_invocation(key.metadata.id)));
    if !doubtful.is_empty() {
        failure = failure.leaving(Left::Doubtful(doubtful));
    }
    // IAM may show a key late.
    if is_unread && !failure.lists() { failure.leaving(Left::Unlisted) } else { failure }
}

fn unstored(keys: Vec<UserKey>) -> Vec<KeyMetadata> {
    keys.into_iter().filter(|key| key.entry.is_none()).map(|key| key.metadata).collect()
}
