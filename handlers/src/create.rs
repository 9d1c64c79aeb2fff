//! CREATE: a new key, its secret kept, visible in IAM. Or nothing at all.

use std::time::{Duration, SystemTime};

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, Secret, UserName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::join;

use crate::{
    Deadline, KeyMetadata, OPERATION_TIMEOUT, Services, StoredCredentials,
    consistency::{keys_of_perhaps_new_user, set_initial_status, wait_until_visible},
    iam::CreatedKey,
    lost_key, model, not_found,
    openpgp::EncryptionKey,
    pgp_key::encryption_key,
    rotation::{refuse_lowered_serial, refuse_third_key},
    secret_store::{Credentials, refuse_what_cannot_be_stored},
    ses_smtp,
    twin::refuse_twin,
    undo::{Stored, UNDO_TIME, left_behind, undo},
    user_keys::UserKey,
};

/// What must be left of an invocation to start `CreateAccessKey`: the time for it, to settle the new key, to look for a
/// twin, and to take it back again.
const TIME_TO_CREATE: Duration = OPERATION_TIMEOUT.saturating_mul(3).saturating_add(UNDO_TIME);

/// Seconds until CloudFormation calls again while IAM does not show the key.
const CALLBACK_DELAY_SECONDS: u32 = 5;

/// How many invocations wait for IAM to show the key. IAM takes seconds; after minutes something is wrong.
const MAX_INVOCATIONS: u32 = 30;

/// What an invocation that waits for IAM leaves for the next one. No secret: CloudFormation keeps it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CallbackContext {
    access_key_id: String,
    invocations: u32,
}

pub(crate) async fn create(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let user = request.user_name()?;
    if let Some(context) = &request.context.callback_context {
        return resume(services, request, user, context).await;
    }
    refuse_what_cannot_be_stored(&request.desired, &request.context.stack_tags)?;
    // What is wrong with the key is said before AWS is called at all. What is wrong with Keybase, a replay need not mind.
    let encryption_key = match encryption_key(services, request).await {
        Err(error) if is_the_requests_fault(&error) => return Err(error),
        outcome => outcome,
    };
    let mut keys = keys_of_perhaps_new_user(services, user).await?;
    if let Some(made) = keys.iter().position(|key| key.was_made_by(request)) {
        return replay(services, request, user, keys.swap_remove(made)).await;
    }
    let encryption_key = encryption_key?;
    refuse_lowered_serial(request, &keys)?;
    refuse_third_key(user, &keys)?;
    refuse_late_start(services.deadline)?;
    let started = SystemTime::now();
    let created = match services.iam.create_access_key(user).await {
        Ok(created) => created,
        Err(error) if leaves_open_what_it_did(&error) => {
            return Err(lost_key::reclaim(services, user, &keys, started, error).await);
        }
        Err(error) => return Err(error),
    };
    let event = settle(services, request, user, &keys, created, encryption_key.as_ref()).await?;
    Ok(event.with_message(lost_key::warning(user, &keys)))
}

/// Everything after the key exists: its secret is stored, its status set, and IAM shows it. Or it is taken back.
///
/// The calls run side by side and all of them to their end: a call given up halfway could still take effect
/// behind the back of [`undo`].
async fn settle(
    services: &Services,
    request: &Request,
    user: &UserName,
    before: &[UserKey],
    key: CreatedKey,
    encryption_key: Option<&EncryptionKey>,
) -> Result<ProgressEvent> {
    let CreatedKey { metadata, secret_access_key } = key;
    let id = &metadata.id;
    let credentials = match credentials(request, user, &metadata, secret_access_key, encryption_key) {
        Ok(credentials) => credentials,
        Err(error) => return Err(undo(services, user, id, error, Stored::Refused).await),
    };
    let (stored, status, listed) = join!(
        services.secret_store.put(credentials, &request.context.stack_tags),
        set_initial_status(services, user, id, request.desired.wanted_status()),
        services.iam.list_access_keys(user),
    );
    let stored = match stored {
        Ok(stored) => stored,
        Err(error) => {
            let stored = if error.code.is_retriable() { Stored::Perhaps } else { Stored::Refused };
            return Err(undo(services, user, id, error, stored).await);
        }
    };
    let event = async {
        let status = status?;
        let (mine, others): (Vec<_>, Vec<_>) = listed?.into_iter().partition(|key| key.id == *id);
        refuse_twin(services, request, &metadata, others, before).await?;
        // IAM has taken the status, and may have listed the key before it did.
        let seen = mine.into_iter().next().map(|key| KeyMetadata { status: status.unwrap_or(key.status), ..key });
        finish(services, request, user, seen, stored, 1).await
    };
    or_undo(services, user, id, event.await).await
}

/// What is kept of a new key. With an encryption key its secret ends here: what goes on is encrypted.
fn credentials(
    request: &Request,
    user: &UserName,
    key: &KeyMetadata,
    secret_access_key: Secret,
    encryption_key: Option<&EncryptionKey>,
) -> Result<Credentials> {
    let desired = &request.desired;
    let credentials = Credentials {
        access_key_id: key.id.clone(),
        secret_access_key: None,
        encrypted_secret: None,
        encrypted_ses_smtp_password_v4: None,
        key_fingerprint: None,
        pgp_key: desired.pgp_key.clone(),
        ses_smtp_region: desired.ses_smtp_region.clone(),
        user_name: user.clone(),
        serial: desired.serial,
        tags: desired.tags.clone(),
        create_date: key.create_date(),
        stack_id: request.context.stack_id.clone(),
        logical_resource_id: request.context.logical_resource_id.clone(),
        client_request_token: request.context.client_request_token.clone(),
    };
    let Some(encryption_key) = encryption_key else {
        return Ok(Credentials { secret_access_key: Some(secret_access_key), ..credentials });
    };
    let region = desired.ses_smtp_region.as_deref().unwrap_or(&request.region);
    let password = ses_smtp::password(&secret_access_key, region)?;
    Ok(Credentials {
        encrypted_secret: Some(encryption_key.encrypt(&secret_access_key)?),
        encrypted_ses_smtp_password_v4: Some(encryption_key.encrypt(&password)?),
        key_fingerprint: Some(encryption_key.fingerprint().to_owned()),
        ..credentials
    })
}

/// The answer for a key whose secret is stored, once IAM shows it as it is to be; until then, a callback.
async fn finish(
    services: &Services,
    request: &Request,
    user: &UserName,
    seen: Option<KeyMetadata>,
    stored: StoredCredentials,
    invocation: u32,
) -> Result<ProgressEvent> {
    let id = stored.credentials.access_key_id.clone();
    match wait_until_visible(services, request, user, &id, seen).await? {
        Some(metadata) => Ok(ProgressEvent::success(model(request, user, metadata, Some(stored))?)),
        None if invocation < MAX_INVOCATIONS => Ok(call_again(request, id, invocation)),
        None => Err(HandlerError::new(
            HandlerErrorCode::NotStabilized,
            format!("IAM does not show access key {id} of user {user}, although it created it minutes ago"),
        )),
    }
}

/// The same operation has made this key before: an earlier invocation timed out, died, or its answer was lost.
async fn replay(services: &Services, request: &Request, user: &UserName, key: UserKey) -> Result<ProgressEvent> {
    let UserKey { metadata, stored } = key;
    let id = metadata.id.clone();
    let stored = stored.ok_or_else(|| not_found(&id, user))?;
    let event = finish(services, request, user, Some(metadata), stored, 1).await;
    or_undo(services, user, &id, event).await
}

/// The next invocation of a CREATE that waits for IAM to show the key.
async fn resume(services: &Services, request: &Request, user: &UserName, context: &Value) -> Result<ProgressEvent> {
    let CallbackContext { access_key_id: id, invocations } = CallbackContext::deserialize(context).map_err(|_| {
        HandlerError::new(HandlerErrorCode::InvalidRequest, "the callback context is not one of this handler's")
    })?;
    let (stored, seen) = join!(services.secret_store.get(&id), services.iam.find_access_key(user, &id));
    let stored = stored.map_err(|error| left_behind(user, &id, &error, "its secret could not be read"))?;
    let stored = of_this_request(stored, request, user, &id)?;
    let event = match seen {
        Ok(seen) => finish(services, request, user, seen, stored, invocations + 1).await,
        Err(error) => Err(error),
    };
    match event {
        Err(error) if error.code == HandlerErrorCode::NotStabilized => {
            Err(undo(services, user, &id, error, Stored::Perhaps).await)
        }
        // CloudFormation knows the key already, and may call again to finish it.
        Err(error) => Err(left_behind(user, &id, &error, "another invocation can finish it")),
        event => event,
    }
}

/// A callback context says which key to go on with; only the store says that this very operation made it.
fn of_this_request(
    stored: Option<StoredCredentials>,
    request: &Request,
    user: &UserName,
    id: &str,
) -> Result<StoredCredentials> {
    let ours =
        |stored: &StoredCredentials| stored.credentials.user_name == *user && stored.credentials.were_made_by(request);
    stored.filter(ours).ok_or_else(|| not_found(id, user))
}

fn call_again(request: &Request, id: String, invocations: u32) -> ProgressEvent {
    let model = AccessKey { id: Some(id.clone()), ..request.desired.clone() };
    let context = json!(CallbackContext { access_key_id: id, invocations });
    ProgressEvent::in_progress(model, context, CALLBACK_DELAY_SECONDS)
}

/// The event; or, when the key could not be finished, its error, after the key and its secret have been taken back.
async fn or_undo(
    services: &Services,
    user: &UserName,
    id: &str,
    event: Result<ProgressEvent>,
) -> Result<ProgressEvent> {
    match event {
        Ok(event) => Ok(event),
        Err(error) => Err(undo(services, user, id, error, Stored::Perhaps).await),
    }
}

/// Whether the request itself has to change before it can succeed.
fn is_the_requests_fault(error: &HandlerError) -> bool {
    matches!(error.code, HandlerErrorCode::InvalidRequest | HandlerErrorCode::InvalidTypeConfiguration)
}

/// Whether IAM may have created a key although the call, sent once, failed: it timed out, was cut off, or failed in IAM.
fn leaves_open_what_it_did(error: &HandlerError) -> bool {
    matches!(error.code, HandlerErrorCode::NetworkFailure | HandlerErrorCode::ServiceInternalError)
}

/// # Errors
/// `NetworkFailure`, which CloudFormation retries, when too little time is left to finish or undo what would be begun.
fn refuse_late_start(deadline: Deadline) -> Result<()> {
    let left = deadline.remaining();
    if left >= TIME_TO_CREATE {
        return Ok(());
    }
    Err(HandlerError::new(
        HandlerErrorCode::NetworkFailure,
        format!(
            "only {} s of this invocation are left, too few to create a key and to be sure of it; nothing was created",
            left.as_secs()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_only_created_when_enough_of_the_invocation_is_left_to_be_sure_of_it() {
        assert_eq!(refuse_late_start(Deadline::after(TIME_TO_CREATE)), Ok(()));
        let late = refuse_late_start(Deadline::after(Duration::from_secs(44))).unwrap_err();
        assert_eq!(late.code, HandlerErrorCode::NetworkFailure);
        assert_eq!(
            late.message,
            "only 44 s of this invocation are left, too few to create a key and to be sure of it; nothing was created"
        );
    }
}
