//! CREATE: a new key, its secret kept, visible in IAM. Or nothing at all.

use std::time::Duration;

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, Status, UserName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    join,
    time::{Instant, sleep},
};

use crate::{
    KeyMetadata, Services, StoredCredentials,
    iam::{CreatedKey, KEYS_PER_USER},
    model, not_found,
    secret_store::Credentials,
};

/// How often to look whether IAM shows the key.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long one invocation looks. Waiting is CloudFormation's part: it calls again at no cost.
const MAX_WAIT: Duration = Duration::from_secs(12);

/// What must be left of an invocation to look once more, and to undo everything should that fail.
const RESERVE: Duration = Duration::from_secs(20);

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
    if let Some(context) = &request.callback_context {
        return resume(services, request, user, context).await;
    }
    refuse_third_key(user, &services.iam.list_access_keys(user).await?)?;
    let created = services.iam.create_access_key(user).await?;
    let id = created.metadata.id.clone();
    match settle(services, request, user, created).await {
        Ok(event) => Ok(event),
        Err(error) => Err(undo(services, user, &id, error).await),
    }
}

/// Everything after the key exists: its secret is stored, its status set, and IAM shows it.
///
/// The calls run side by side and all of them to their end: a call given up halfway could still take effect
/// behind the back of [`undo`].
async fn settle(services: &Services, request: &Request, user: &UserName, key: CreatedKey) -> Result<ProgressEvent> {
    let CreatedKey { metadata, secret_access_key } = key;
    let id = metadata.id.clone();
    let credentials = Credentials {
        access_key_id: id.clone(),
        secret_access_key,
        user_name: user.clone(),
        serial: request.desired.serial,
        tags: request.desired.tags.clone(),
        create_date: metadata.create_date.clone(),
        stack_id: request.stack_id.clone(),
        logical_resource_id: request.logical_resource_id.clone(),
        client_request_token: request.client_request_token.clone(),
    };
    let (stored, status, visible) = join!(
        services.secret_store.put(credentials, &request.tags),
        set_initial_status(services, user, &id, request.desired.wanted_status()),
        services.iam.find_access_key(user, &id),
    );
    let stored = stored?;
    status?;
    match wait_until_visible(services, request, user, &id, visible?).await? {
        Some(metadata) => Ok(ProgressEvent::success(model(user, metadata, Some(stored)))),
        None => Ok(call_again(request, id, 1)),
    }
}

/// The next invocation of a CREATE that waits for IAM to show the key.
async fn resume(services: &Services, request: &Request, user: &UserName, context: &Value) -> Result<ProgressEvent> {
    let CallbackContext { access_key_id: id, invocations } = CallbackContext::deserialize(context).map_err(|_| {
        HandlerError::new(HandlerErrorCode::InvalidRequest, "the callback context is not one of this handler's")
    })?;
    let (stored, visible) = join!(services.secret_store.get(&id), services.iam.find_access_key(user, &id));
    let stored = of_this_request(stored?, request, user, &id)?;
    match wait_until_visible(services, request, user, &id, visible?).await? {
        Some(metadata) => Ok(ProgressEvent::success(model(user, metadata, Some(stored)))),
        None if invocations < MAX_INVOCATIONS => Ok(call_again(request, id, invocations + 1)),
        None => {
            let error = HandlerError::new(
                HandlerErrorCode::NotStabilized,
                format!("IAM does not show access key {id} of user {user}, although it created it minutes ago"),
            );
            Err(undo(services, user, &id, error).await)
        }
    }
}

/// A callback context says which key to go on with; only the store says that this very operation made it.
fn of_this_request(
    stored: Option<StoredCredentials>,
    request: &Request,
    user: &UserName,
    id: &str,
) -> Result<StoredCredentials> {
    let ours = |stored: &StoredCredentials| {
        stored.credentials.user_name == *user && stored.credentials.client_request_token == request.client_request_token
    };
    stored.filter(ours).ok_or_else(|| not_found(id, user))
}

/// IAM creates every key `Active`.
async fn set_initial_status(services: &Services, user: &UserName, id: &str, status: Status) -> Result<()> {
    if status == Status::Active {
        return Ok(());
    }
    match services.iam.update_access_key(user, id, status).await {
        // IAM is eventually consistent: where it does not know its new key yet, `wait_until_visible` asks again.
        Err(error) if error.is_not_found() => Ok(()),
        answer => answer,
    }
}

/// Looks until IAM shows the key with its status, or `None` when the invocation is running out.
///
/// IAM can take seconds to show a key, and CREATE may only answer SUCCESS once READ would see it.
async fn wait_until_visible(
    services: &Services,
    request: &Request,
    user: &UserName,
    id: &str,
    mut seen: Option<KeyMetadata>,
) -> Result<Option<KeyMetadata>> {
    let status = request.desired.wanted_status();
    let start = Instant::now();
    loop {
        match seen {
            Some(key) if key.status == status => return Ok(Some(key)),
            Some(_) => services.iam.update_access_key(user, id, status).await?,
            None => {}
        }
        if start.elapsed() >= MAX_WAIT || services.deadline.remaining() < RESERVE {
            return Ok(None);
        }
        sleep(POLL_INTERVAL).await;
        seen = services.iam.find_access_key(user, id).await?;
    }
}

fn call_again(request: &Request, id: String, invocations: u32) -> ProgressEvent {
    let model = AccessKey { id: Some(id.clone()), ..request.desired.clone() };
    let context = json!(CallbackContext { access_key_id: id, invocations });
    ProgressEvent::in_progress(model, context, CALLBACK_DELAY_SECONDS)
}

/// Takes a key back whose CREATE cannot be finished: first the key, then its secret.
///
/// Where that fails too, the error carries the key's id, so that CloudFormation's rollback deletes it, and says so.
async fn undo(services: &Services, user: &UserName, id: &str, error: HandlerError) -> HandlerError {
    let left = match services.iam.delete_access_key(user, id).await {
        Err(failure) if !failure.is_not_found() => failure,
        _ => match services.secret_store.delete(id).await {
            Err(failure) => failure,
            Ok(()) => return error,
        },
    };
    tracing::error!(user = user.as_str(), id, left.message, "a failed CREATE could not be undone");
    HandlerError {
        message: format!(
            "{}. Access key {id} of user {user} could not be taken back: {}. If the stack's rollback does not \
             delete it, delete it with: aws iam delete-access-key --user-name {user} --access-key-id {id}",
            error.message, left.message
        ),
        resource_model: Some(Box::new(AccessKey {
            user_name: Some(user.clone()),
            id: Some(id.to_owned()),
            ..AccessKey::default()
        })),
        ..error
    }
}

fn refuse_third_key(user: &UserName, keys: &[KeyMetadata]) -> Result<()> {
    if keys.len() < KEYS_PER_USER {
        return Ok(());
    }
    let in_the_way: Vec<String> = keys
        .iter()
        .map(|key| {
            let created = key.create_date.as_deref().unwrap_or("at an unknown time");
            format!("{} ({}, created {created})", key.id, key.status)
        })
        .collect();
    Err(HandlerError::new(
        HandlerErrorCode::ServiceLimitExceeded,
        format!(
            "user {user} already has {KEYS_PER_USER} access keys, as many as IAM allows: {}. Delete one that is not \
             used. Rotation by Serial needs one free, because the new key is created before the old one is deleted",
            in_the_way.join(", ")
        ),
    ))
}
