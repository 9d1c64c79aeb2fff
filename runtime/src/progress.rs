//! What a handler answers.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::{HandlerError, HandlerErrorCode, ResourceModel};

/// The longest message that reaches its reader ([Cloud Control API]).
///
/// [Cloud Control API]: https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_ProgressEvent.html
const MAX_MESSAGE_CHARACTERS: usize = 2048;

/// The status of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum OperationStatus {
    Success,
    Failed,
    InProgress,
}

impl fmt::Display for OperationStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::InProgress => "IN_PROGRESS",
        })
    }
}

/// The answer to a handler request. Absent fields are left out of the JSON, never `null`.
///
/// Each constructor makes a combination of fields that the protocol and its contract tests allow.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProgressEvent<M> {
    /// The status of the operation.
    pub status: OperationStatus,
    /// Why it failed.
    pub error_code: Option<HandlerErrorCode>,
    /// What happened, for the person who reads the stack event.
    pub message: Option<String>,
    /// The resource.
    pub resource_model: Option<M>,
    /// The resources of one page of a LIST.
    pub resource_models: Option<Vec<M>>,
    /// The token that a LIST sends to get its next page.
    pub next_token: Option<String>,
    /// What the next invocation of this operation gets back. CloudFormation stores it, so it never holds a secret.
    pub callback_context: Option<Value>,
    /// Seconds until that next invocation.
    pub callback_delay_seconds: Option<u32>,
}

impl<M: ResourceModel> ProgressEvent<M> {
    /// CREATE, READ or UPDATE succeeded. The answer has every read-only property ([`ResourceModel::answered`]).
    #[must_use]
    pub fn success(model: M) -> Self {
        Self { resource_model: Some(model.answered()), ..Self::bare(OperationStatus::Success) }
    }
}

impl<M> ProgressEvent<M> {
    /// The same event with a message, if there is one.
    #[must_use]
    pub fn with_message(self, message: Option<String>) -> Self {
        Self { message: message.map(shortened), ..self }
    }

    /// DELETE succeeded. There is no model of a deleted resource.
    #[must_use]
    pub fn deleted() -> Self {
        Self::bare(OperationStatus::Success)
    }

    /// LIST succeeded, with one page, which may be empty.
    #[must_use]
    pub fn listed(models: Vec<M>, next_token: Option<String>) -> Self {
        Self { resource_models: Some(models), next_token, ..Self::bare(OperationStatus::Success) }
    }

    /// The resource exists, but the operation is not finished: CloudFormation calls again after the delay.
    #[must_use]
    pub fn in_progress(model: M, callback_context: Value, callback_delay_seconds: u32) -> Self {
        Self {
            resource_model: Some(model),
            callback_context: Some(callback_context),
            callback_delay_seconds: Some(callback_delay_seconds),
            ..Self::bare(OperationStatus::InProgress)
        }
    }

    fn bare(status: OperationStatus) -> Self {
        Self {
            status,
            error_code: None,
            message: None,
            resource_model: None,
            resource_models: None,
            next_token: None,
            callback_context: None,
            callback_delay_seconds: None,
        }
    }
}

impl<M> From<HandlerError<M>> for ProgressEvent<M> {
    fn from(error: HandlerError<M>) -> Self {
        Self {
            error_code: Some(error.code),
            message: Some(shortened(error.message)),
            resource_model: error.resource_model.map(|model| *model),
            ..Self::bare(OperationStatus::Failed)
        }
    }
}

/// The message, without its middle if it is too long: it begins with what failed, and ends with what to do.
fn shortened(message: String) -> String {
    let characters = message.chars().count();
    if characters <= MAX_MESSAGE_CHARACTERS {
        return message;
    }
    let half = MAX_MESSAGE_CHARACTERS / 2;
    let begin = message.chars().take(half);
    let end = message.chars().skip(characters + 1 - half);
    begin.chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_is_left_out_of_the_event() {
        let json = |event: ProgressEvent<Value>| serde_json::to_value(event).unwrap();
        assert_eq!(json(ProgressEvent::deleted()), json!({"status": "SUCCESS"}));
        assert_eq!(json(ProgressEvent::listed(vec![], None)), json!({"status": "SUCCESS", "resourceModels": []}));
        assert_eq!(
            json(HandlerError::new(HandlerErrorCode::NotFound, "gone").into()),
            json!({"status": "FAILED", "errorCode": "NotFound", "message": "gone"}),
        );
        assert_eq!(
            json(ProgressEvent::in_progress(json!({}), json!({}), 5)),
            json!({"status": "IN_PROGRESS", "resourceModel": {}, "callbackContext": {}, "callbackDelaySeconds": 5}),
        );
    }

    #[test]
    fn a_message_longer_than_an_event_takes_loses_its_middle() {
        let error = |message: &str| ProgressEvent::<()>::from(HandlerError::new(HandlerErrorCode::NotFound, message));
        let warning = |message: &str| ProgressEvent::deleted().with_message(Some(message.to_owned()));
        for [begin, end] in [["a", "z"], ["é", "ž"]] {
            let longest = begin.repeat(1024) + &end.repeat(1024);
            let cut = begin.repeat(1024) + "…" + &end.repeat(1023);
            for event in [&error as &dyn Fn(&str) -> ProgressEvent<()>, &warning] {
                assert_eq!(event(&longest).message.as_ref(), Some(&longest));
                assert_eq!(event(&longest.replacen(end, "middle", 1)).message.as_ref(), Some(&cut));
            }
        }
    }
}
