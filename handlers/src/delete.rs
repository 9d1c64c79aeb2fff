//! DELETE: the key, and then its secret. A key that is gone already leaves no secret behind either.

use std::time::SystemTime;

use access_key_schema::{HandlerError, ProgressEvent, Request, Result, UserName};
use cfn_resource_runtime::{OPERATION_TIMEOUT, pause, poll, unless_retriable};
use tokio::{join, time::Instant};

use crate::{
    Services,
    missing_key::{Whereabouts, of_another_user, undecided, whereabouts},
    resource_model::not_found,
    stabilize::{CallbackContext, call_again},
    time_budget::{
        CONTRADICTION_WAIT, PROPAGATION, STABILIZE_WAIT, TIME_TO_DELETE, TIME_TO_DELETE_AGAIN, UNKNOWN_WAIT,
    },
};

pub(crate) async fn delete(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let id = request.primary_identifier()?;
    let context = CallbackContext::of(request)?;
    let deleted = match &request.desired.user_name {
        // The key was deleted before the first callback, and its owner came with it.
        Some(user) if context.is_some() => Ok(user.clone()),
        Some(user) => delete_access_key(services, user, id, None).await,
        None => match owner(services, id).await {
            Ok(owner) => delete_access_key(services, &owner, id, None).await,
            Err(error) => Err(error),
        },
    };
    let user = match deleted {
        Err(error) if error.is_not_found() => {
            let secret = services.secret_store.delete(id).await;
            return Err(secret.map_or_else(|failure| secret_left_behind(services, failure, id), |()| error));
        }
        deleted => deleted?,
    };
    let delete_secret =
        async { services.secret_store.delete(id).await.map_err(|failure| secret_left_behind(services, failure, id)) };
    let gone = if context.is_none() {
        let (secret, gone) = join!(delete_secret, wait_until_gone(services, &user, id));
        secret.and(gone)?
    } else {
        // A callback context proves nothing: a key that lives keeps its secret.
        let gone = wait_until_gone(services, &user, id).await?;
        if gone {
            delete_secret.await?;
        }
        gone
    };
    if gone { Ok(ProgressEvent::deleted()) } else { call_again(request, &user, id, context.as_ref()) }
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

/// The owner of a key of which only the id is known: the one that the store names, or else the one that IAM names. A key
/// of which nothing tells the age may be as new as what a CREATE has just failed to delete, so IAM gets time to show it.
async fn owner(services: &Services, id: &str) -> Result<UserName> {
    if let Some(ownership) = services.secret_store.entry(id).await?.and_then(|entry| entry.ownership) {
        return Ok(ownership.user_name);
    }
    let is_known = |owner: &Result<UserName>| !matches!(owner, Err(error) if error.is_not_found());
    let reason = "waiting until IAM knows whose the key is";
    poll(services.deadline, reason, PROPAGATION, TIME_TO_DELETE, is_known, async || {
        Ok::<_, HandlerError>(services.iam.owner(id).await)
    })
    .await?
}

/// Whether neither READ nor LIST shows the key any more.
async fn wait_until_gone(services: &Services, user: &UserName, id: &str) -> Result<bool> {
    poll(
        services.deadline,
        "waiting until IAM no longer shows the key",
        STABILIZE_WAIT,
        OPERATION_TIMEOUT,
        |gone| *gone,
        async || match services.iam.find_access_key(user, id).await {
            Err(error) if error.is_not_found() => Ok(true),
            shown => Ok(unless_retriable(shown)?.is_some_and(|shown| shown.is_none())),
        },
    )
    .await
}

/// Deletes a key, of which IAM may not know yet. Returns the user who had it.
///
/// `created` is when this operation created the key. For any other key, what the store knows of it is the
/// proof that it is this type's, and may be deleted under the name that its user has by now.
///
/// # Errors
/// - `NotFound`: IAM shows the key nowhere, and it is old enough to be shown.
/// - `InvalidRequest`: the key is another user's, and nothing proves that it is this type's.
/// - `ResourceConflict`: IAM contradicts itself, and the key may live; or there is no time to find out.
pub(crate) async fn delete_access_key(
    services: &Services,
    user: &UserName,
    id: &str,
    created: Option<SystemTime>,
) -> Result<UserName> {
    let start = Instant::now();
    let mut user = user.clone();
    loop {
        match services.iam.delete_access_key(&user, id).await {
            Err(error) if error.is_not_found() => {}
            outcome => return outcome.map(|()| user),
        }
        if !services.deadline.leaves(TIME_TO_DELETE_AGAIN) {
            return Err(undecided(id, &user));
        }
        let (place, entry) = join!(
            services.deadline.bound(whereabouts(services, &user, id)),
            services.deadline.bound(services.secret_store.entry(id))
        );
        // What the store does not tell is no reason to give up.
        let entry = entry.ok().flatten();
        let clock = &services.clock;
        let is_young = created.is_some_and(|created| clock.age(created) < PROPAGATION)
            || entry.as_ref().is_some_and(|entry| entry.is_younger_than(PROPAGATION, clock));
        match place? {
            Whereabouts::Elsewhere(owner) if created.is_some() || entry.is_some() => user = owner,
            Whereabouts::Elsewhere(owner) => {
                let advice = "Delete the stack and retain this resource";
                return Err(of_another_user(id, &user, &owner, advice));
            }
            Whereabouts::Here if start.elapsed() >= CONTRADICTION_WAIT => return Err(undecided(id, &user)),
            Whereabouts::Nowhere if !is_young && start.elapsed() >= UNKNOWN_WAIT => return Err(not_found(id, &user)),
            Whereabouts::Here => pause("waiting until IAM deletes the key that it shows").await,
            Whereabouts::Nowhere => pause("waiting until IAM shows the key, if there is one").await,
        }
    }
}
