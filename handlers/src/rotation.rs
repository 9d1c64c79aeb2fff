//! What a new key may be, given the keys that its user has: the quota of two, and Serial, which only goes up.

use access_key_schema::{HandlerError, HandlerErrorCode, Request, Result, UserName};

use crate::{iam::KEYS_PER_USER, user_keys::UserKey};

/// # Errors
/// `ServiceLimitExceeded` that names the keys in the way.
pub(crate) fn refuse_third_key(user: &UserName, keys: &[UserKey]) -> Result<()> {
    if keys.len() < KEYS_PER_USER {
        return Ok(());
    }
    let in_the_way: Vec<String> = keys.iter().map(UserKey::describe).collect();
    Err(HandlerError::new(
        HandlerErrorCode::ServiceLimitExceeded,
        format!(
            "user {user} already has {KEYS_PER_USER} access keys, as many as IAM allows: {}. Delete one that is not \
             used: aws iam delete-access-key --user-name {user} --access-key-id ID. Rotation by Serial needs one free, \
             because the new key is created before the old one is deleted",
            in_the_way.join(", ")
        ),
    ))
}

/// CloudFormation replaces a key by CREATE with the new Serial while the old key is still there, and the secret store
/// knows which resource of which stack each key belongs to. No Serial is lower than any.
///
/// A rollback is not in the way: it deletes the new key and keeps the old one, without a CREATE.
///
/// # Errors
/// `InvalidRequest` that names both numbers.
pub(crate) fn refuse_lowered_serial(request: &Request, keys: &[UserKey]) -> Result<()> {
    if request.context.stack_id.is_none() || request.context.logical_resource_id.is_none() {
        return Ok(());
    }
    let serials = keys
        .iter()
        .filter_map(|key| key.stored.as_ref())
        .filter_map(|stored| stored.credentials.are_of(request).then_some(stored.credentials.serial).flatten());
    match serials.max() {
        Some(highest) if Some(highest) > request.desired.serial => {
            let wanted = request.desired.serial.map_or("none".to_owned(), |serial| serial.to_string());
            Err(HandlerError::new(
                HandlerErrorCode::InvalidRequest,
                format!("Serial can only be incremented, and would go from {highest} to {wanted}; nothing was created"),
            ))
        }
        _ => Ok(()),
    }
}
