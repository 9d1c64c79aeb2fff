//! UPDATE: the status and the tags, in place. Everything else that can be declared needs a new key.

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, Status, UserName};
use tokio::{join, time::Instant, try_join};

use crate::{
    Services,
    iam::KeyMetadata,
    missing_key::{Whereabouts, of_another_user, undecided, whereabouts},
    resource_model::{not_found, of_iam, success, success_without_secret},
    secret_store::{StoredSecret, Value, refuse_what_cannot_be_stored},
    stabilize::{CallbackContext, call_again, poll, unless_retriable},
    time_budget::{OPERATION_TIMEOUT, PROPAGATION, STABILIZE_WAIT, UNKNOWN_WAIT},
};

/// Writes the same again in every callback.
///
/// The status is written only where the template changed it: somebody may have deactivated the key since, because it has
/// leaked, and a change of `Tags` shall not switch it on again.
pub(crate) async fn update(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let id = request.primary_identifier()?;
    if let Some(previous) = &request.previous {
        refuse_create_only_changes(previous, &request.desired)?;
    }
    refuse_what_cannot_be_stored(&request.desired, &request.context.stack_tags)?;
    let user = request.user_name()?;
    let context = CallbackContext::of(request)?;
    let new_status = changes_status(request).then(|| request.desired.wanted_status());
    let stored = match new_status {
        Some(status) if !changes_tags(request) => {
            // Both run to their end: a status that is set counts, although the secret cannot be had.
            let (set, stored) = join!(set_status(services, user, id, status), services.secret_store.get(id));
            set?;
            let stored = match stored {
                Ok(None) => find_late_secret(services, user, id).await,
                stored => stored,
            };
            match stored {
                Err(failure) if !changes_stack_tags(request) => {
                    return go_on_without_secret(services, request, user, id, context.as_ref(), &failure).await;
                }
                stored => stored?,
            }
        }
        _ => {
            let (key, stored) = try_join!(find(services, user, id), services.secret_store.get(id))?;
            let stored = wait_for_secret(services, &key, stored).await?;
            // What is refused changes nothing.
            refuse_tags(services, request, id, stored.as_ref())?;
            if let Some(status) = new_status {
                set_status(services, user, id, status).await?;
            }
            stored
        }
    };
    let stored = match stored {
        Some(stored) => Some(services.secret_store.retag(stored, request).await?),
        None => None,
    };
    match wait_until_shown(services, request, user, id, stored.as_ref()).await? {
        Some(key) => success(request, user, key, stored),
        None => call_again(request, user, id, context.as_ref()),
    }
}

/// Whether the template changed the status, or nothing says that it did not.
fn changes_status(request: &Request) -> bool {
    request.previous.as_ref().is_none_or(|previous| previous.wanted_status() != request.desired.wanted_status())
}

/// Whether the template changed the resource's own tags, or nothing says that it did not.
fn changes_tags(request: &Request) -> bool {
    request.previous.as_ref().is_none_or(|previous| previous.tags != request.desired.tags)
}

/// Whether the stack's tags changed.
fn changes_stack_tags(request: &Request) -> bool {
    request.context.stack_tags != request.context.previous_stack_tags
}

/// The answer of an UPDATE that has set the status and nothing else, where the secret cannot be had. It does not fail for that:
/// CloudFormation's rollback would set the previous status, and so activate a key again that was deactivated because it has
/// leaked.
async fn go_on_without_secret(
    services: &Services,
    request: &Request,
    user: &UserName,
    id: &str,
    context: Option<&CallbackContext>,
    failure: &HandlerError,
) -> Result<ProgressEvent> {
    let Some(key) = wait_until_shown(services, request, user, id, None).await? else {
        return call_again(request, user, id, context);
    };
    // What passes is waited for, but not for ever.
    if failure.code.is_retriable()
        && let Ok(event) = call_again(request, user, id, context)
    {
        return Ok(event);
    }
    Ok(success_without_secret(of_iam(user, key), id, user, &failure.message))
}

/// Sets the status of the key.
async fn set_status(services: &Services, user: &UserName, id: &str, status: Status) -> Result<()> {
    until_known(services, user, id, async || services.iam.update_access_key(user, id, status).await.map(Some)).await
}

/// The key, as IAM shows it.
async fn find(services: &Services, user: &UserName, id: &str) -> Result<KeyMetadata> {
    until_known(services, user, id, async || services.iam.find_access_key(user, id).await).await
}

/// What IAM answers to `ask` when it knows the key, which it may not do everywhere yet.
///
/// # Errors
/// - `NotFound`: IAM shows the key nowhere.
/// - `InvalidRequest`: it is another user's.
async fn until_known<T>(
    services: &Services,
    user: &UserName,
    id: &str,
    ask: impl AsyncFn() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    let look = async || {
        match ask().await {
            Ok(None) => {}
            Err(error) if error.is_not_found() => {}
            known => return known,
        }
        match whereabouts(services, user, id).await? {
            Whereabouts::Here => Ok(None),
            Whereabouts::Elsewhere(owner) => {
                let advice = "Set UserName to the user's current name, which replaces the key";
                Err(of_another_user(id, user, &owner, advice))
            }
            Whereabouts::Nowhere if start.elapsed() < UNKNOWN_WAIT || is_young(services, id).await => Ok(None),
            Whereabouts::Nowhere => Err(not_found(id, user)),
        }
    };
    let reason = "waiting until IAM knows the key that is to be updated";
    let known = poll(services, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, Option::is_some, look).await?;
    known.ok_or_else(|| undecided(id, user))
}

/// The stored secret of the key. The store may show it late if the key is young.
async fn wait_for_secret(
    services: &Services,
    key: &KeyMetadata,
    stored: Option<StoredSecret>,
) -> Result<Option<StoredSecret>> {
    if stored.is_some() || !key.is_younger_than(PROPAGATION, &services.clock) {
        return Ok(stored);
    }
    let reason = "waiting until the store shows the secret of the key, which is seconds old";
    let look = async || services.secret_store.get(&key.id).await;
    poll(services, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, Option::is_some, look).await
}

/// The stored secret of a key that the store does not show at once.
async fn find_late_secret(services: &Services, user: &UserName, id: &str) -> Result<Option<StoredSecret>> {
    match services.iam.find_access_key(user, id).await {
        Ok(Some(key)) => wait_for_secret(services, &key, None).await,
        // IAM knew the key a moment ago.
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(None),
    }
}

/// Whether the key is so young that IAM may not show it yet.
async fn is_young(services: &Services, id: &str) -> bool {
    let entry = services.secret_store.entry(id).await.ok().flatten();
    entry.is_some_and(|entry| entry.is_younger_than(PROPAGATION, &services.clock))
}

/// The key, once READ would answer with what was written: its status and its tags, where these changed.
async fn wait_until_shown(
    services: &Services,
    request: &Request,
    user: &UserName,
    id: &str,
    written: Option<&StoredSecret>,
) -> Result<Option<KeyMetadata>> {
    let status = request.desired.wanted_status();
    let declared = written.and_then(StoredSecret::readable).filter(|_| changes_tags(request)).map(|value| &value.tags);
    let reason = "waiting until IAM and the store show what was written";
    poll(services, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, Option::is_some, async || {
        let are_tags_shown = async {
            let Some(declared) = declared else { return Ok::<_, HandlerError>(true) };
            let stored = unless_retriable(services.secret_store.get(id).await)?.flatten();
            Ok(stored.as_ref().and_then(StoredSecret::readable).is_some_and(|value| value.tags == *declared))
        };
        let shown = async {
            match services.iam.find_access_key(user, id).await {
                // It was known a moment ago.
                Err(error) if error.is_not_found() => Ok(None),
                shown => Ok(unless_retriable(shown)?.flatten()),
            }
        };
        let (shown, are_tags_shown) = try_join!(shown, are_tags_shown)?;
        Ok(shown.filter(|key| (key.status == status || !changes_status(request)) && are_tags_shown))
    })
    .await
}

/// The tags are those of the stored secret, and are declared in its value, so a key whose secret is gone or cannot be read
/// takes no new ones.
///
/// # Errors
/// - `InvalidRequest`: there is no stored secret.
/// - `AccessDenied`: it cannot be read.
fn refuse_tags(services: &Services, request: &Request, id: &str, stored: Option<&StoredSecret>) -> Result<()> {
    if !changes_tags(request) {
        return Ok(());
    }
    let is_without = request.desired.tags.as_ref().is_none_or(Vec::is_empty);
    let before = request.previous.as_ref().and_then(|previous| previous.tags.as_ref());
    match stored.map(|stored| &stored.value) {
        None if !is_without => Err(HandlerError::new(
            HandlerErrorCode::InvalidRequest,
            format!(
                "Access key {id} has no stored secret that could carry Tags: it was imported, or somebody deleted the \
                 secret. Leave Tags out, or increment Serial, which makes a key that has one"
            ),
        )),
        Some(Value::Unreadable { why, .. }) if request.desired.tags.as_ref() != before => Err(HandlerError::new(
            HandlerErrorCode::AccessDenied,
            format!(
                "Tags cannot be changed, because they are declared in the secret {}, which cannot be read: {why}. Make it \
                 readable again, or increment Serial, which makes a key with a new secret",
                services.secret_store.name(id)
            ),
        )),
        _ => Ok(()),
    }
}

/// CloudFormation replaces a key whose create-only property changed, and never updates it. Whoever calls UPDATE
/// with such a change is told so before anything is called.
fn refuse_create_only_changes(previous: &AccessKey, desired: &AccessKey) -> Result<()> {
    let number = |serial: Option<i64>| serial.map_or("none".to_owned(), |serial| serial.to_string());
    let message = if previous.user_name != desired.user_name {
        "UserName cannot be changed on an existing access key: CloudFormation creates a key for the new user and \
         deletes this one"
            .to_owned()
    } else if previous.pgp_key != desired.pgp_key {
        "PgpKey cannot be changed on an existing access key, whose secret IAM reveals only once: CloudFormation creates a \
         key whose secrets are for the new PgpKey and deletes this one"
            .to_owned()
    } else if previous.ses_smtp_region != desired.ses_smtp_region {
        "SesSmtpRegion cannot be changed on an existing access key: CloudFormation creates a key with an SMTP password \
         for the new region and deletes this one"
            .to_owned()
    } else if previous.serial > desired.serial {
        format!(
            "Serial can only be incremented, and went from {} to {}",
            number(previous.serial),
            number(desired.serial)
        )
    } else if previous.serial < desired.serial {
        format!(
            "Serial went from {} to {}: that rotates the key, which CloudFormation does by replacement, not by update",
            number(previous.serial),
            number(desired.serial)
        )
    } else {
        return Ok(());
    };
    Err(HandlerError::new(HandlerErrorCode::NotUpdatable, message))
}
