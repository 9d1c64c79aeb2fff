//! READ: answers with the key as IAM has it, and its secret, from the primary identifier alone.

use std::time::Duration;

use access_key_schema::{HandlerErrorCode, ProgressEvent, Request, Result, UserName};
use cfn_resource_runtime::{Clock, poll};
use tokio::join;

use crate::{
    Services,
    description::UserTag,
    iam::KeyMetadata,
    resource_model::{not_found, success},
    secret_store::StoredSecret,
    time_budget::{READ_WAIT, is_new},
};

pub(crate) async fn read(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let id = request.primary_identifier()?;
    let named = request.desired.user_name.as_ref();
    let is_enough = |seen: &Observed| !seen.may_be_incomplete(&services.clock);
    let reason = "waiting until IAM and the store both show the key, which one of them shows as seconds old";
    // Nothing is kept in reserve: a look that comes to the deadline ends in a code that CloudFormation retries.
    let looked = poll(services.deadline, reason, READ_WAIT, Duration::ZERO, is_enough, async || {
        observe(services, named, id).await
    });
    let seen = looked.await?;
    let (user, key) = seen.key?;
    success(request, &user, key, seen.stored, seen.description)
}

/// What the store and IAM show of a key.
struct Observed {
    stored: Option<StoredSecret>,
    /// The key and its owner, or `NotFound`.
    key: Result<(UserName, KeyMetadata)>,
    description: UserTag,
}

impl Observed {
    /// Whether the store or IAM may not show yet what a key that is a few seconds old will have.
    fn may_be_incomplete(&self, clock: &Clock) -> bool {
        match (&self.key, &self.stored) {
            (Ok((_, key)), None) => is_new(key.created_at(), clock),
            (Err(_), Some(stored)) => is_new(stored.created(), clock),
            _ => false,
        }
    }
}

/// One look. A request that names the user saves a round trip.
async fn observe(services: &Services, named: Option<&UserName>, id: &str) -> Result<Observed> {
    let under_named = async {
        match named {
            Some(user) => find_of_user(services, user, id).await,
            None => Ok(None),
        }
    };
    let (stored, under_named) = join!(services.secret_store.get(id), under_named);
    let stored = stored?;
    let under_named = under_named?;
    let find_key = async {
        match under_named {
            Some(key) => Ok(key),
            None => find_anywhere(services, stored.as_ref(), id).await,
        }
    };
    let described = stored.as_ref().filter(|stored| stored.has_description()).and_then(StoredSecret::user_name);
    let (key, description) = join!(find_key, read_description(services, described, id));
    match key {
        Err(error) if !error.is_not_found() => Err(error),
        // The user was renamed.
        Ok((user, key)) if described.is_some_and(|described| *described != user) => {
            let description = read_description(services, Some(&user), id).await?;
            Ok(Observed { stored, key: Ok((user, key)), description })
        }
        key => Ok(Observed { stored, key, description: description? }),
    }
}

/// The description of the key, if the store says that this user has it.
async fn read_description(services: &Services, described: Option<&UserName>, id: &str) -> Result<UserTag> {
    let Some(user) = described else { return Ok(UserTag::Unseen) };
    match UserTag::of(services, user, id).await {
        // IAM does not show the key either, or may not know yet what the role may do with a new user.
        Err(error) if error.is_not_found() || error.code == HandlerErrorCode::ResourceConflict => Ok(UserTag::Unseen),
        tag => tag,
    }
}

/// The key and its owner: the one that the store names, or else the one that IAM names. A user may have been renamed
/// since the key was created.
async fn find_anywhere(
    services: &Services,
    stored: Option<&StoredSecret>,
    id: &str,
) -> Result<(UserName, KeyMetadata)> {
    let stored_for = stored.and_then(StoredSecret::user_name);
    if let Some(user) = stored_for
        && let Some(found) = find_of_user(services, user, id).await?
    {
        return Ok(found);
    }
    let owner = match (services.iam.owner_of(id).await, stored_for) {
        (Err(error), Some(user)) if error.is_not_found() => return Err(not_found(id, user)),
        (owner, _) => owner?,
    };
    find_of_user(services, &owner, id).await?.ok_or_else(|| not_found(id, &owner))
}

/// The key, if this user has it.
async fn find_of_user(services: &Services, user: &UserName, id: &str) -> Result<Option<(UserName, KeyMetadata)>> {
    Ok(services.iam.find_access_key(user, id).await?.map(|key| (user.clone(), key)))
}
