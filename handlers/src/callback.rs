//! CREATE, UPDATE and DELETE are called again until IAM and the store show what was written.
//!
//! A handler answers `SUCCESS` only when READ by the id alone would show it; until then it answers `IN_PROGRESS`.

use access_key_schema::{
    AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, UserName, WholeNumber,
};
use cfn_resource_runtime::{CALLBACK_DELAY_SECONDS, MAX_INVOCATIONS};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_with::serde_as;

use crate::user_keys::list_command;

/// What an invocation that waits for AWS leaves for the next one. It holds no secret, because CloudFormation keeps it.
#[serde_as]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CallbackContext {
    pub(crate) access_key_id: String,
    /// How many invocations have waited. CloudFormation may bring it back as a string.
    #[serde_as(deserialize_as = "WholeNumber")]
    pub(crate) invocations: u32,
    /// The version of the secret that UPDATE has written and READ has to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_version: Option<String>,
    /// When the first attempt of this CREATE with an unknown outcome began, in milliseconds since 1970.
    #[serde_as(deserialize_as = "Option<WholeNumber>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) doubt: Option<u64>,
    /// The name of the operation in the user agent of that attempt: a callback may have another token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_name: Option<String>,
}

impl CallbackContext {
    /// The context of an operation's first invocation. It waits for IAM, and for the store to show this version of the secret, if
    /// one was written.
    pub(crate) fn waiting_for(id: &str, secret_version: Option<String>) -> Self {
        Self { access_key_id: id.to_owned(), invocations: 0, secret_version, doubt: None, app_name: None }
    }

    /// The context that the request carries; none in an operation's first invocation.
    ///
    /// # Errors
    /// `InvalidRequest`: no handler of this type has answered with this context for this key.
    pub(crate) fn of(request: &Request) -> Result<Option<Self>> {
        let Some(context) = &request.context.callback_context else { return Ok(None) };
        let context = Self::deserialize(context).ok();
        let is_of = |context: &Self| request.desired.id.as_ref().is_none_or(|id| *id == context.access_key_id);
        context.filter(is_of).map(Some).ok_or_else(|| {
            HandlerError::new(HandlerErrorCode::InvalidRequest, "The callback context was not returned by this handler")
        })
    }
}

/// The event that makes CloudFormation call again. Its model becomes the properties of the next invocation.
///
/// # Errors
/// `NotStabilized` after minutes of waiting.
pub(crate) fn call_again(
    request: &Request,
    user: &UserName,
    id: &str,
    context: Option<&CallbackContext>,
) -> Result<ProgressEvent> {
    let invocations = context.map_or(1, |context| context.invocations.saturating_add(1));
    if invocations > MAX_INVOCATIONS {
        return Err(HandlerError::new(
            HandlerErrorCode::NotStabilized,
            format!(
                "{} of access key {id} of user {user} did not stabilize: after several minutes AWS still does not show the \
                 result. Check with: {}",
                request.action,
                list_command(user)
            ),
        ));
    }
    tracing::info!(access_key_id = id, invocations, "waiting for AWS to show the outcome");
    let model = AccessKey { id: Some(id.to_owned()), user_name: Some(user.clone()), ..request.desired.declared() };
    let context = context.cloned().unwrap_or_else(|| CallbackContext::waiting_for(id, None));
    let context = CallbackContext { access_key_id: id.to_owned(), invocations, ..context };
    Ok(ProgressEvent::in_progress(model, json!(context), CALLBACK_DELAY_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_invocations_may_come_back_as_a_string() {
        for count in [json!(3), json!("3"), json!(3.0)] {
            let context = CallbackContext::deserialize(json!({"AccessKeyId": "AKIA", "Invocations": count})).unwrap();
            assert_eq!(context.invocations, 3);
        }
        for wrong in [json!("three"), json!(-1), json!(null)] {
            assert!(CallbackContext::deserialize(json!({"AccessKeyId": "AKIA", "Invocations": wrong})).is_err());
        }
    }
}
