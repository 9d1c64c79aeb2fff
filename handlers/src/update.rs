//! UPDATE: the status and the tags, in place. Everything else that can be declared needs a new key.

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result};
use tokio::try_join;

use crate::{
    KeyMetadata, Services, StoredCredentials, model, not_found,
    secret_store::{merged, refuse_what_cannot_be_stored},
};

pub(crate) async fn update(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let id = request.primary_identifier()?;
    if let Some(previous) = &request.previous {
        refuse_create_only_changes(previous, &request.desired)?;
    }
    refuse_what_cannot_be_stored(&request.desired, &request.context.stack_tags)?;
    let user = request.user_name()?;
    let status = request.desired.wanted_status();
    let ((), stored) = try_join!(services.iam.update_access_key(user, id, status), services.secret_store.get(id))?;
    let (key, stored) = try_join!(services.iam.find_access_key(user, id), retag(services, request, id, stored))?;
    let Some(key) = key else { return Err(not_found(id, user)) };
    // IAM may still list the status of a moment ago.
    Ok(ProgressEvent::success(model(request, user, KeyMetadata { status, ..key }, stored)?))
}

/// The tags are those of the stored secret, so a key without one takes no new ones. Those that it already had do not
/// stand in the way of another change, or of a rollback.
async fn retag(
    services: &Services,
    request: &Request,
    id: &str,
    stored: Option<StoredCredentials>,
) -> Result<Option<StoredCredentials>> {
    let own = request.desired.tags.as_deref();
    let Some(stored) = stored else {
        let before = request.previous.as_ref().and_then(|previous| previous.tags.as_deref());
        if own.is_none_or(<[_]>::is_empty) || own == before {
            return Ok(None);
        }
        return Err(HandlerError::new(
            HandlerErrorCode::InvalidRequest,
            format!(
                "access key {id} has no stored secret that could carry Tags: it was imported, or somebody deleted the \
                 secret. Leave Tags out, or increment Serial, which makes a key that has one"
            ),
        ));
    };
    let own_before = request.previous.as_ref().map_or(&stored.credentials.tags, |previous| &previous.tags);
    let before = merged(&request.context.previous_stack_tags, own_before.as_deref());
    services.secret_store.retag(stored, own, &request.context.stack_tags, before).await.map(Some)
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
