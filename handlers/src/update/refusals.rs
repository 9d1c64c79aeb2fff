//! What UPDATE refuses, before anything is written.

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, Request, Result, UserName};

use super::{Stored, Update};
use crate::secret_store::{StoredSecret, Value};

impl Update<'_> {
    /// Refuses a change of a create-only property. CloudFormation replaces such a key and never updates it, but others may call
    /// UPDATE. A value that the key was made with is no change, whatever the previous properties say. So an UPDATE that was
    /// refused can be rolled back, and one without previous properties is not refused.
    ///
    /// # Errors
    /// `NotUpdatable` that names the property.
    pub(super) async fn refuse_create_only_changes(&self) -> Result<()> {
        let Self { services, request, id, .. } = self;
        let Request { desired, previous, context, .. } = request;
        let requested = previous.as_ref().map(|previous| create_only_change(previous, desired));
        if requested == Some(None) {
            return Ok(());
        }
        let stored = match services.secret_store.get(id).await {
            Err(error) if error.code.is_retriable() => return Err(error),
            stored => stored.ok().flatten(),
        };
        let actual =
            stored.and_then(|stored| made_with(&stored, request)).map(|made| create_only_change(&made, desired));
        let message = match (requested.flatten(), actual) {
            (_, Some(None)) | (None, None) => return Ok(()),
            (Some(_), None) if context.rollback == Some(true) => return Ok(()),
            (Some(message), _) | (None, Some(Some(message))) => message,
        };
        Err(HandlerError::new(HandlerErrorCode::NotUpdatable, message))
    }

    /// Refuses new tags, and a new description, for a key whose secret cannot be read: the secret carries the tags, and its value
    /// declares both. If a key has no secret, they are kept nowhere, and none are refused: otherwise, when something else in the
    /// stack fails, a rollback from no tags to some would be refused too.
    ///
    /// # Errors
    /// `AccessDenied`: the secret cannot be read, and it does not carry the tags, or the user does not carry the description.
    pub(super) async fn refuse_undeclarable(&self, user: &UserName, stored: &Stored) -> Result<()> {
        let Self { services, request, id, changes } = self;
        let is_undone = request.context.rollback == Some(true);
        let changes_tags = changes.own_tags.unwrap_or_else(|| has_tags(&request.desired));
        let changes_description = changes.description.unwrap_or_else(|| request.desired.wanted_description().is_some());
        match stored {
            Ok(Some(unreadable @ StoredSecret { value: Value::Unreadable { why, .. }, .. })) if !is_undone => {
                let store = &services.secret_store;
                let refused = if changes_tags && !store.is_tagged(unreadable, request, services.deadline).await? {
                    "Tags cannot be changed, because they are"
                } else if changes_description && !self.has_wanted_description(user).await? {
                    "Description cannot be changed, because it is"
                } else {
                    return Ok(());
                };
                Err(HandlerError::new(
                    HandlerErrorCode::AccessDenied,
                    format!(
                        "{refused} declared in the secret {}, which cannot be read: {why}. Make it readable again, or \
                         increment Serial, which makes a key with a new secret",
                        store.name(id)
                    ),
                ))
            }
            Err(failure)
                if (changes_tags || changes_description || changes.stack_tags)
                    && (!is_undone || failure.code.is_retriable()) =>
            {
                Err(failure.clone())
            }
            _ => Ok(()),
        }
    }

    /// The message about tags and a description that the template changed and that are kept nowhere.
    pub(super) fn explain_unkept(&self, user: &UserName) -> Option<String> {
        let Self { request, id, changes, .. } = self;
        let unkept = [
            ("Tags", changes.own_tags != Some(false) && has_tags(&request.desired)),
            ("Description", changes.description != Some(false) && request.desired.wanted_description().is_some()),
        ];
        let unkept: Vec<_> = unkept.into_iter().filter(|(_, is_unkept)| *is_unkept).map(|(name, _)| name).collect();
        (!unkept.is_empty()).then(|| {
            let (names, are) = (unkept.join(" and "), if unkept == ["Description"] { "is" } else { "are" });
            tracing::warn!(
                access_key_id = id,
                properties = names,
                "properties are kept nowhere, because the key has no stored secret"
            );
            format!(
                "The {names} of access key {id} of user {user} {are} kept nowhere, because the key has no stored secret: it was \
                 imported, or somebody deleted the secret. Leave {names} out, or increment Serial, which makes a key that has one"
            )
        })
    }
}

fn has_tags(key: &AccessKey) -> bool {
    key.tags.as_ref().is_some_and(|tags| !tags.is_empty())
}

/// The create-only properties that the key was made with, as far as the store tells. The others are taken from the request's
/// previous properties. The store does not tell whether the user was renamed since.
fn made_with(stored: &StoredSecret, request: &Request) -> Option<AccessKey> {
    let said = request.previous.as_ref().unwrap_or(&request.desired);
    let user_name = |stored: &UserName| match request.previous {
        Some(_) => Some(stored.clone()),
        None => request.desired.user_name.clone(),
    };
    match &stored.value {
        Value::Readable(value) => Some(AccessKey {
            user_name: user_name(&value.user_name),
            serial: value.serial,
            pgp_key: value.pgp_key.clone(),
            ses_smtp_region: value.ses_smtp_region.clone(),
            ..AccessKey::default()
        }),
        Value::Unreadable { ownership: Some(ownership), .. } => Some(AccessKey {
            user_name: user_name(&ownership.user_name),
            serial: ownership.serial,
            pgp_key: said.pgp_key.clone(),
            ses_smtp_region: said.ses_smtp_region.clone(),
            ..AccessKey::default()
        }),
        Value::Unreadable { ownership: None, .. } => None,
    }
}

/// Why `desired` cannot be made of a key that is as `before`; `None` if no create-only property differs.
fn create_only_change(before: &AccessKey, desired: &AccessKey) -> Option<&'static str> {
    if before.user_name != desired.user_name {
        Some(
            "UserName cannot be changed on an existing access key: CloudFormation creates a key for the new user and deletes \
             this one",
        )
    } else if before.pgp_key != desired.pgp_key {
        Some(
            "PgpKey cannot be changed on an existing access key, whose secret IAM reveals only once: CloudFormation creates a \
             key whose secrets are for the new PgpKey and deletes this one",
        )
    } else if before.ses_smtp_region != desired.ses_smtp_region {
        Some(
            "SesSmtpRegion cannot be changed on an existing access key: CloudFormation creates a key with an SMTP password \
             for the new region and deletes this one",
        )
    } else if before.serial > desired.serial {
        Some("Serial can only be incremented, and this update lowers it or leaves it out")
    } else if before.serial < desired.serial {
        Some("Serial is incremented: that rotates the key, which CloudFormation does by replacement, not by update")
    } else {
        None
    }
}
