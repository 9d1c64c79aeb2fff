//! A key that `CreateAccessKey` may have made without our learning of it.

use std::time::{Duration, SystemTime};

use access_key_schema::{HandlerError, Result, UserName};
use tokio::time::sleep;

use crate::{
    KeyMetadata, OPERATION_TIMEOUT, Services,
    user_keys::{UserKey, with_stored},
};

/// How far IAM's clock and ours may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// How long to wait before looking: IAM shows a new key after seconds, and another resource that creates a key at the
/// same moment needs its time ([`OPERATION_TIMEOUT`]) to store that key's secret.
const SETTLING_TIME: Duration = Duration::from_secs(10);

/// For how long a key without a stored secret may be what an interrupted CREATE left.
const RECENT: Duration = Duration::from_mins(15);

/// Deletes the key that a `CreateAccessKey` made although it failed with `error`, and says in the error what it found.
///
/// `CreateAccessKey` has no idempotency token, and what it did is only seen in its traces. A key is ours when it was
/// not there before, was created during the call, has no stored secret, was never used, and is the only such key.
/// Anything less certain is named and left alone: to delete somebody else's live key is worse than to leave one. So is
/// whatever the invocation has no time for.
pub(crate) async fn reclaim(
    services: &Services,
    user: &UserName,
    before: &[UserKey],
    started: SystemTime,
    error: HandlerError,
) -> HandlerError {
    let ended = SystemTime::now();
    sleep(SETTLING_TIME).await;
    let unknown = services.deadline.bound(unknown_keys(services, user, before)).await;
    let found = match unknown.as_deref() {
        Ok([]) => "IAM shows no key that it could have created".to_owned(),
        Ok([key]) if created_between(&key.metadata, started, ended) => delete_if_unused(services, user, key).await,
        Ok(unknown) => left_alone(user, unknown),
        Err(failure) => not_found_out(user, &failure.message),
    };
    HandlerError { message: format!("{}. {found}", error.message), ..error }
}

fn not_found_out(user: &UserName, why: &str) -> String {
    format!("Whether it created a key could not be found out: {why}. See: aws iam list-access-keys --user-name {user}")
}

/// The user's keys that were not there before and that nobody's stored secret knows.
async fn unknown_keys(services: &Services, user: &UserName, before: &[UserKey]) -> Result<Vec<UserKey>> {
    let mut keys = services.iam.list_access_keys(user).await?;
    keys.retain(|key| before.iter().all(|known| known.metadata.id != key.id));
    let mut keys = with_stored(services, keys).await?;
    keys.retain(|key| key.stored.is_none());
    Ok(keys)
}

/// Deletes the key if nobody has used it, and if there is time to learn what becomes of it; says what became of it.
async fn delete_if_unused(services: &Services, user: &UserName, key: &UserKey) -> String {
    let id = &key.metadata.id;
    match services.deadline.bound(services.iam.key_use(id)).await {
        Ok(key_use) if !key_use.used && services.deadline.remaining() >= OPERATION_TIMEOUT => {
            match services.iam.delete_access_key(user, id).await {
                Ok(()) => format!("It had created access key {id} all the same, which was deleted again"),
                Err(failure) => {
                    let message = failure.message;
                    format!("It had created a key, which may still exist ({message}): {}", named(user, key))
                }
            }
        }
        _ => left_alone(user, std::slice::from_ref(key)),
    }
}

fn left_alone(user: &UserName, keys: &[UserKey]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| named(user, key)).collect();
    format!("It may have created one of these keys, which is not certain, so none was deleted: {}.", keys.join("; "))
}

/// The key with the command that deletes it.
fn named(user: &UserName, key: &UserKey) -> String {
    let id = &key.metadata.id;
    format!("{}, to delete it: aws iam delete-access-key --user-name {user} --access-key-id {id}", key.describe())
}

/// Names the user's keys that may have been left by a CREATE that was cut off between `CreateAccessKey` and the secret
/// store, as by the end of its process. Nothing tells them from a key that a person has just made, so they stay.
pub(crate) fn warning(user: &UserName, keys: &[UserKey]) -> Option<String> {
    let now = SystemTime::now();
    let recent = |key: &&UserKey| key.stored.is_none() && created_between(&key.metadata, now - RECENT, now);
    let keys: Vec<String> = keys.iter().filter(recent).map(|key| named(user, key)).collect();
    (!keys.is_empty()).then(|| {
        format!(
            "User {user} also has a key that was made minutes ago and whose secret is not stored. Unless somebody made it, \
             an interrupted CREATE left it: {}",
            keys.join("; ")
        )
    })
}

fn created_between(key: &KeyMetadata, start: SystemTime, end: SystemTime) -> bool {
    let Some(created) = key.created.and_then(|created| SystemTime::try_from(created).ok()) else { return false };
    created + CLOCK_SKEW >= start && created <= end + CLOCK_SKEW
}

#[cfg(test)]
mod tests {
    use access_key_schema::Status;
    use aws_smithy_types::DateTime;

    use super::*;

    #[test]
    fn a_key_belongs_to_a_call_only_if_it_was_created_during_it_give_or_take_the_clocks() {
        let second = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let key = |created: i64| KeyMetadata {
            id: "AKIA".to_owned(),
            status: Status::Active,
            created: Some(DateTime::from_secs(created)),
        };
        for (created, belongs) in [(94, false), (95, true), (100, true), (109, true), (114, true), (115, false)] {
            assert_eq!(created_between(&key(created), second(100), second(109)), belongs, "{created}");
        }
        let undated = KeyMetadata { created: None, ..key(0) };
        assert!(!created_between(&undated, second(0), second(9)));
    }
}
