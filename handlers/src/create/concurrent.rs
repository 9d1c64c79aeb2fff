//! Keys that other invocations of the same operation created.
//!
//! CloudFormation calls again when it has given up on an invocation, which may be running still. Every invocation
//! orders the operation's keys alike, by creation and then by id: the first one stays. Whoever created another one rolls it
//! back and goes on with the first, and whoever sees another one beside the first deletes it. Once CloudFormation was told
//! of a key, that one stays.

use access_key_schema::{HandlerError, HandlerErrorCode, Request, Result};

use super::{Create, failure::Failure};
use crate::{clock::Clock, delete::delete_access_key, iam::KeyMetadata, user_keys::UserKey};

/// The first of the keys that this operation created.
pub(super) fn first_of_this_operation<'a>(request: &Request, keys: &'a [UserKey]) -> Option<&'a UserKey> {
    keys.iter().filter(|key| key.is_by(request)).min_by_key(|key| order(&key.metadata))
}

/// Gives way to a key that another invocation of this operation created before this one.
///
/// # Errors
/// `ResourceConflict`, and the key that stays.
pub(super) fn give_way(
    create: &Create<'_>,
    ours: &KeyMetadata,
    others: &[UserKey],
) -> std::result::Result<(), Failure> {
    match first_of_this_operation(create.request, others) {
        Some(first) if order(&first.metadata) < order(ours) => {
            let (id, user) = (&first.metadata.id, create.user);
            let message =
                format!("Another invocation of this operation has created access key {id} for user {user} already");
            Err(Failure::giving_way(HandlerError::new(HandlerErrorCode::ResourceConflict, message), id))
        }
        _ => Ok(()),
    }
}

/// Deletes the `others` that other invocations of this operation created, when this one's key stays. They are proven to be
/// this operation's by their entries in the store. Returns whether there was none.
///
/// The invocation that created such a key would give way, but it may have ended before it could see this one.
pub(super) async fn delete_others(create: &Create<'_>, others: &[UserKey]) -> Result<bool> {
    let Create { services, request, user } = *create;
    let mut is_alone = true;
    for UserKey { metadata, .. } in others.iter().filter(|key| key.is_by(request)) {
        is_alone = false;
        let id = &metadata.id;
        tracing::warn!(access_key_id = id, "deleting the key of another invocation of this operation");
        match delete_access_key(services, user, id, Some(metadata)).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => services.secret_store.delete(id).await?,
        }
        services.iam.forget_key(id);
    }
    Ok(is_alone)
}

/// The keys of which it was not known before whose they are: new ones, and those whose secret may have shown since.
pub(super) fn unknown(keys: impl Iterator<Item = KeyMetadata>, before: &[UserKey], clock: &Clock) -> Vec<KeyMetadata> {
    keys.filter(|key| before.iter().all(|known| known.metadata.id != key.id || known.is_suspect(clock))).collect()
}

fn order(key: &KeyMetadata) -> (i64, &str) {
    (key.created.map_or(i64::MAX, |created| created.secs()), &key.id)
}
