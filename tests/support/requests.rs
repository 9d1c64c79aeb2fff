//! Requests as CloudFormation and the SAM CLI send them, made from the whole ones in `tests/requests`.

use serde_json::{Value, json};

/// A registry request: `action` with `properties`.
pub fn registry(action: &str, properties: Value) -> Value {
    let mut request: Value = serde_json::from_str(include_str!("../requests/registry.json")).expect("JSON");
    request["action"] = action.into();
    request["requestData"]["resourceProperties"] = properties;
    request
}

/// A registry request for UPDATE.
pub fn registry_update(previous: Value, properties: Value) -> Value {
    let mut request = registry("UPDATE", properties);
    request["requestData"]["previousResourceProperties"] = previous;
    request["requestData"]["previousStackTags"] = request["requestData"]["stackTags"].clone();
    request
}

/// A request of the test entry point: `action` with `properties`.
pub fn test_entrypoint(action: &str, properties: Value) -> Value {
    let mut request: Value = serde_json::from_str(include_str!("../requests/test-entrypoint.json")).expect("JSON");
    request["action"] = action.into();
    request["request"]["desiredResourceState"] = properties;
    request
}

/// The primary identifier of a model, all that CloudFormation sends to READ.
pub fn primary_identifier(model: &Value) -> Value {
    json!({ "Id": model["Id"] })
}
