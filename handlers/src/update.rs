//! UPDATE: the status and the tags, in place. Everything else that can be declared needs a new key.

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, Status, UserName};
use tokio::join;

use crate::{
    Services,
    iam::KeyMetadata,
    missing_key::{Whereabouts, of_another_user, undecided, whereabouts},
    resource_model::{not_found, success},
    secret_store::{StoredSecret, Value, refuse_what_cannot_be_stored},
    stabilize::{CallbackContext, call_again, poll, unless_retriable},
    time_budget::{OPERATION_TIMEOUT, PROPAGATION, STABILIZE_WAIT},
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
    let known = set_status_or_find(services, user, id, new_status);
    let stored = services.secret_store.get(id);
    let stored = if changes_tags(request) {
        let stored = stored.await?;
        if let Err(refusal) = refuse_tags(services, request, id, stored.as_ref()) {
            // What is refused changes nothing; but of a key that is gone, that is what there is to say.
            set_status_or_find(services, user, id, None).await?;
            return Err(refusal);
        }
        known.await?;
        stored
    } else {
        let (known, stored) = join!(known, stored);
        known?;
        stored?
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

/// Sets the new status of the key, where there is one, and finds the key otherwise. IAM may not know of it everywhere yet.
async fn set_status_or_find(services: &Services, user: &UserName, id: &str, new_status: Option<Status>) -> Result<()> {
    let is_set = poll(
        services,
        "waiting until IAM knows the key that is to be updated",
        STABILIZE_WAIT,
        OPERATION_TIMEOUT,
        |is_set| *is_set,
        async || {
            let known = match new_status {
                Some(status) => services.iam.update_access_key(user, id, status).await.map(|()| true),
                None => services.iam.find_access_key(user, id).await.map(|key| key.is_some()),
            };
            match known {
                Ok(false) => {}
                Err(error) if error.is_not_found() => {}
                known => return known,
            }
            match whereabouts(services, user, id).await? {
                Whereabouts::Here => Ok(false),
                Whereabouts::Elsewhere(owner) => Err(of_another_user(id, user, &owner)),
                Whereabouts::Nowhere if is_young(services, id).await => Ok(false),
                Whereabouts::Nowhere => Err(not_found(id, user)),
            }
        },
    );
    if is_set.await? { Ok(()) } else { Err(undecided(id, user)) }
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
        let (shown, are_tags_shown) = join!(services.iam.find_access_key(user, id), are_tags_shown);
        let (shown, are_tags_shown) = (unless_retriable(shown)?.flatten(), are_tags_shown?);
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
