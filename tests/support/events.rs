//! What the tests look for in progress events and resource models.

use serde_json::Value;

/// The access key id of a model.
pub fn id(model: &Value) -> &str {
    text(model, "Id")
}

/// The secret access key of a model.
pub fn secret_access_key(model: &Value) -> &str {
    text(model, "SecretAccessKey")
}

/// The name of the secret that holds a model's credentials, with the default prefix.
pub fn secret_name(model: &Value) -> String {
    format!("cloudformation/iam-access-key/{}", id(model))
}

/// The message of an event that must have one.
pub fn message(event: &Value) -> &str {
    text(event, "message")
}

/// Asserts that the event is FAILED with this error code, and that its message contains `reason`.
#[track_caller]
pub fn assert_failed(event: &Value, code: &str, reason: &str) {
    assert_eq!(event["status"], "FAILED", "{event}");
    assert_eq!(event["errorCode"], code, "{event}");
    assert!(message(event).contains(reason), "no {reason:?} in the message of {event}");
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text in {name} of {value}"))
}
