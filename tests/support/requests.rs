//! Requests as CloudFormation and the SAM CLI send them, made from the whole ones in `tests/requests`.

use std::{
    io::Write,
    sync::atomic::{AtomicU32, Ordering},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

/// Makes a request from an action and properties, in one of the two shapes.
pub type Shape = fn(&str, Value) -> Value;

/// A request of the registry.
pub fn registry(action: &str, properties: Value) -> Value {
    let request: Value = serde_json::from_str(include_str!("../requests/registry.json")).expect("JSON");
    with(&with(&request, "action", action), "requestData.resourceProperties", properties)
}

/// A request of the test entry point.
pub fn test_entrypoint(action: &str, properties: Value) -> Value {
    let request: Value = serde_json::from_str(include_str!("../requests/test-entrypoint.json")).expect("JSON");
    with(&with(&request, "action", action), "request.desiredResourceState", properties)
}

/// A CREATE request of the registry, of an operation of its own.
pub fn create(properties: Value) -> Value {
    static OPERATIONS: AtomicU32 = AtomicU32::new(0);
    let number = OPERATIONS.fetch_add(1, Ordering::Relaxed);
    create_with_token(&format!("9f1c2b7e-5f3a-4f0e-9a53-{number:012x}"), properties)
}

/// A CREATE request of the operation that this bearer token stands for.
pub fn create_with_token(token: &str, properties: Value) -> Value {
    with(&registry("CREATE", properties), "bearerToken", token)
}

/// The request, as one for another resource of the same stack.
pub fn of_resource(request: &Value, logical_id: &str) -> Value {
    with(request, "requestData.logicalResourceId", logical_id)
}

/// The request, under this type configuration.
pub fn configured(request: &Value, configuration: Value) -> Value {
    with(request, "requestData.typeConfiguration", configuration)
}

/// A READ request of the registry, which carries the model's primary identifier alone.
pub fn read(model: &Value) -> Value {
    registry("READ", primary_identifier(model))
}

/// An UPDATE request of the registry, with the same stack tags before and after.
pub fn update(previous: Value, properties: Value) -> Value {
    let request = registry("UPDATE", properties);
    let stack_tags = request["requestData"]["stackTags"].clone();
    let request = with(&request, "requestData.previousResourceProperties", previous);
    with(&request, "requestData.previousStackTags", stack_tags)
}

/// A DELETE request of the registry.
pub fn delete(properties: &Value) -> Value {
    registry("DELETE", properties.clone())
}

/// The request as CloudFormation sends it again after an `IN_PROGRESS` event.
pub fn callback(request: &Value, event: &Value) -> Value {
    let callback = with(request, "callbackContext", event["callbackContext"].clone());
    with(&callback, "requestData.resourceProperties", event["resourceModel"].clone())
}

/// The body of a request, compressed as CloudFormation does it.
pub fn compressed(body: &[u8]) -> Value {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(body).expect("a vector takes it");
    let gzip = BASE64_STANDARD.encode(gzip.finish().expect("a vector takes it"));
    json!({"__COMPRESSED__": gzip, "__COMPRESSION_METHOD__": "gzip_base64"})
}

/// The primary identifier of a model.
pub fn primary_identifier(model: &Value) -> Value {
    json!({ "Id": model["Id"] })
}

/// A request or model with another value at `path`, field names joined by dots.
pub fn with(value: &Value, path: &str, new: impl Into<Value>) -> Value {
    let mut changed = value.clone();
    *path.split('.').fold(&mut changed, |parent, name| &mut parent[name]) = new.into();
    changed
}
