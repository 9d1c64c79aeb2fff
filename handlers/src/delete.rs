//! DELETE: deletes the key, then its description and its secret. If the key is gone already, it still deletes these two.

use std::time::SystemTime;

use access_key_schema::{HandlerError, ProgressEvent, Request, Result, UserName};
use cfn_resource_runtime::{OPERATION_TIMEOUT, pause, poll, unless_retriable};
use tokio::{join, time::Instant};

use crate::{
    Services,
    callback::{CallbackContext, call_again},
    description,
    locate::{Location, locate, of_another_user, undecided},
    resource_model::not_found,
    secret_store::Entry,
    time_budget::{
        CONTRADICTION_WAIT, PROPAGATION, STABILIZE_WAIT, TIME_TO_DELETE, TIME_TO_DELETE_AGAIN, UNKNOWN_WAIT, is_new,
    },
};

pub(crate) async fn delete(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let id = request.primary_identifier()?;
    let context = CallbackContext::of(request)?;
    let is_declared = request.desired.wanted_description().is_some();
    let (user, is_noted) = match &request.desired.user_name {
        Some(user) => (user.clone(), None),
        None => match find_owner(services, id).await {
            Ok((owner, is_noted)) => (owner, Some(is_noted)),
            Err(error) if error.is_not_found() => {
                delete_rest(services, id, None).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        },
    };
    let delete = async {
        match &request.desired.user_name {
            // The key was deleted before the first callback, whose model has the owner.
            Some(user) if context.is_some() => Ok(user.clone()),
            _ => delete_and_confirm(services, &user, id, None).await,
        }
    };
    // An UPDATE that was neither finished nor undone may have left a description that the request does not declare.
    let has_description = async {
        is_declared
            || match is_noted {
                Some(is_noted) => is_noted,
                // To remove none does no harm.
                None => services.deadline.bound(services.secret_store.has_description(id)).await.unwrap_or(true),
            }
    };
    let (deleted, has_description) = join!(Box::pin(delete), has_description);
    let (user, missing) = match deleted {
        Err(error) if error.is_not_found() => (user, Some(error)),
        deleted => (deleted?, None),
    };
    let delete_rest = Box::pin(delete_rest(services, id, Some(&user).filter(|_| has_description)));
    if let Some(missing) = missing {
        delete_rest.await?;
        return Err(missing);
    }
    let gone = if context.is_none() {
        let (rest, gone) = join!(delete_rest, wait_until_gone(services, &user, id));
        rest.and(gone)?
    } else {
        // A callback context proves nothing: a key that lives keeps its secret.
        let gone = wait_until_gone(services, &user, id).await?;
        if gone {
            delete_rest.await?;
        }
        gone
    };
    if gone { Ok(ProgressEvent::deleted()) } else { call_again(request, &user, id, context.as_ref()) }
}

/// Deletes what is left of a key that is gone: its description, if this user has one, and then its secret. The secret comes last,
/// because it tells the next attempt of the description. A description that cannot be removed fails no deletion: it is worth
/// nothing, and a WARN line names it.
async fn delete_rest(services: &Services, id: &str, described: Option<&UserName>) -> Result<()> {
    if let Some(user) = described
        && let Err(failure) = description::remove(services, user, id, TIME_TO_DELETE).await
    {
        description::warn_of(user, id, &failure);
    }
    services.secret_store.delete(id).await.map_err(|failure| secret_left_behind(services, failure, id))
}

/// The error of a DELETE whose key is gone, but whose secret is not.
fn secret_left_behind(services: &Services, failure: HandlerError, id: &str) -> HandlerError {
    let message = format!(
        "Access key {id} is deleted, but not its secret: {}. Deleting the resource again deletes it, and so does: {}",
        failure.message,
        services.secret_store.delete_command(id)
    );
    HandlerError { message, ..failure }
}

/// Finds a key's user by its id, from the store or else from IAM, and whether the store says that the key has a description. If
/// nothing tells the key's age, it may be one that a CREATE has just failed to delete: IAM gets time to show it.
async fn find_owner(services: &Services, id: &str) -> Result<(UserName, bool)> {
    if let Some(ownership) = services.secret_store.entry(id).await?.and_then(|entry| entry.ownership) {
        return Ok((ownership.user_name, ownership.has_description));
    }
    let is_known = |owner: &Result<UserName>| !matches!(owner, Err(error) if error.is_not_found());
    let reason = "waiting until IAM knows whose the key is";
    let ask = async || Ok::<_, HandlerError>(services.iam.owner_of(id).await);
    let owner = poll(services.deadline, reason, PROPAGATION, TIME_TO_DELETE, is_known, ask).await?;
    Ok((owner?, false))
}

/// Whether neither READ nor LIST shows the key any more.
async fn wait_until_gone(services: &Services, user: &UserName, id: &str) -> Result<bool> {
    poll(
        services.deadline,
        "waiting until IAM no longer shows the key",
        STABILIZE_WAIT,
        OPERATION_TIMEOUT,
        |gone| *gone,
        async || {
            let shown = unless_retriable(services.iam.find_access_key(user, id).await)?;
            Ok(shown.is_some_and(|shown| shown.is_none()))
        },
    )
    .await
}

/// Deletes a key that IAM may not know yet. Returns the user who had it.
///
/// `created` is when this operation created the key. For any other key, the store's entry is the proof that the key is this
/// type's, and may be deleted under the name that its user has by now.
///
/// # Errors
/// - `NotFound`: IAM shows the key nowhere, and it is old enough to be shown.
/// - `InvalidRequest`: the key is another user's, and nothing proves that it is this type's.
/// - `ResourceConflict`: IAM contradicts itself, and the key may live; the store does not tell now whose the key is; or there is
///   no time to find out.
pub(crate) async fn delete_and_confirm(
    services: &Services,
    user: &UserName,
    id: &str,
    created: Option<SystemTime>,
) -> Result<UserName> {
    let start = Instant::now();
    let mut user = user.clone();
    let mut entry: Option<Entry> = None;
    loop {
        match services.iam.delete_access_key(&user, id).await {
            Err(error) if error.is_not_found() => {}
            outcome => return outcome.map(|()| user),
        }
        if !services.deadline.leaves(TIME_TO_DELETE_AGAIN) {
            return Err(undecided(id, &user));
        }
        let (place, seen) = join!(
            services.deadline.bound(locate(services, &user, id)),
            services.deadline.bound(services.secret_store.entry(id))
        );
        // A failure of the store is no reason to give up: unless the key's age is known, it hides whose the key is, and how old.
        let is_known = created.is_some() || entry.is_some();
        let unseen = seen.as_ref().err().filter(|failure| !is_known && failure.code.is_retriable()).cloned();
        entry = seen.ok().flatten().or(entry);
        let clock = &services.clock;
        let is_young = is_new(created, clock) || is_new(entry.as_ref().and_then(|entry| entry.created), clock);
        let elapsed = start.elapsed();
        match place? {
            Location::Elsewhere(owner) if created.is_some() || entry.is_some() => user = owner,
            Location::Here if elapsed >= CONTRADICTION_WAIT => return Err(undecided(id, &user)),
            Location::Here => pause("waiting until IAM deletes the key that it shows").await,
            Location::Elsewhere(_) | Location::Nowhere if let Some(unseen) = &unseen => {
                if elapsed >= UNKNOWN_WAIT {
                    return Err(undecided(id, &user).followed_by(&unseen.message));
                }
                pause("waiting until the store tells whose the key is").await;
            }
            Location::Elsewhere(owner) => {
                let advice = "Delete the stack and retain this resource";
                return Err(of_another_user(id, &user, &owner, advice));
            }
            Location::Nowhere if !is_young && elapsed >= UNKNOWN_WAIT => return Err(not_found(id, &user)),
            Location::Nowhere => pause("waiting until IAM shows the key, if there is one").await,
        }
    }
}
