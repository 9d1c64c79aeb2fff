//! From the bytes that Lambda hands over to a request, whichever shape it has.

use std::io::Read;

use access_key_schema::{HandlerError, HandlerErrorCode, RequestContext, RequestPayload, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use serde::{
    Deserialize, Deserializer,
    de::{IntoDeserializer, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_json::{Error, Map, Value};

/// How many bytes a compressed request may unpack to: what Lambda takes uncompressed (6 MB).
const MAX_DECOMPRESSED_BYTES: u64 = 6 * 1024 * 1024;

/// The event of an invocation. Deserializing it never fails: what is no JSON is answered with a FAILED event too,
/// where the Lambda runtime would answer with an error of its own that CloudFormation cannot read.
///
/// It has no `Debug`: it holds credentials.
pub(crate) struct Event(std::result::Result<Value, String>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(Self(Value::deserialize(deserializer).map_err(|error| error.to_string())))
    }
}

/// What the request in `event` asks for, and what it says about itself.
///
/// # Errors
/// `InvalidRequest` that says what is wrong and where, without the value: that may be a secret in the wrong place.
pub(crate) fn decode(event: Event) -> Result<(RequestPayload, RequestContext)> {
    let event = event.0.map_err(|error| invalid(format!("the request is not JSON: {error}")))?;
    let Value::Object(event) = decompress(event)? else { return Err(invalid("the request is not a JSON object")) };
    let fields = Value::Object(flatten(event)?);
    Ok((deserialize(&fields)?, deserialize(&fields)?))
}

/// The fields of the event and those that `requestData` (registry) or `request` (test entry point) holds, as one object
/// with names in lower case. Absent and `null` are the same. The inner field wins: the test entry point can name the
/// region in both.
fn flatten(mut event: Map<String, Value>) -> Result<Map<String, Value>> {
    event.retain(|_, value| !value.is_null());
    let envelope = ["requestData", "request"]
        .into_iter()
        .find_map(|name| event.keys().find(|field| field.eq_ignore_ascii_case(name)).cloned());
    let envelope = envelope.and_then(|name| event.remove_entry(&name));
    let Some((name, inner)) = envelope else {
        return Err(invalid(
            "the request has neither requestData, as CloudFormation sends it, nor request, as a test does",
        ));
    };
    let Value::Object(inner) = inner else { return Err(invalid(format!("{name} is not a JSON object"))) };
    let fields = event.into_iter().chain(inner).filter(|(_, value)| !value.is_null());
    Ok(fields.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
}

fn deserialize<'de, T: Deserialize<'de>>(fields: &'de Value) -> Result<T> {
    serde_path_to_error::deserialize(IgnoringCase(fields)).map_err(|error| {
        // Deeper down, the names are the sender's own, such as tag keys.
        let place = error.path().iter().next().map(|field| format!("{field}: ")).unwrap_or_default();
        invalid(format!("the request cannot be read: {place}{}", without_value(error.inner())))
    })
}

/// What is wrong, but not with which value: that may be a secret in the wrong place.
pub(crate) fn without_value(error: &Error) -> String {
    let reason = error.to_string();
    // What is there stands in front of what was expected.
    reason.rsplit_once(", expected ").map_or(reason.clone(), |(_, expected)| format!("expected {expected}"))
}

fn invalid(message: impl Into<String>) -> HandlerError {
    HandlerError::new(HandlerErrorCode::InvalidRequest, message)
}

/// CloudFormation may send a large request as base64 of gzip of the JSON.
fn decompress(event: Value) -> Result<Value> {
    let Some(compressed) = event.get("__COMPRESSED__") else { return Ok(event) };
    let method = event.get("__COMPRESSION_METHOD__").and_then(Value::as_str).unwrap_or("none");
    if method != "gzip_base64" {
        return Err(invalid(format!("the compression method {method:?} is not gzip_base64")));
    }
    let broken = |what: &str| invalid(format!("the compressed request is broken: {what}"));
    let compressed = compressed.as_str().ok_or_else(|| broken("it is not a string"))?;
    let gzip = BASE64_STANDARD.decode(compressed).map_err(|_| broken("it is not base64"))?;
    let mut json = Vec::new();
    let mut unpacked = GzDecoder::new(gzip.as_slice()).take(MAX_DECOMPRESSED_BYTES + 1);
    unpacked.read_to_end(&mut json).map_err(|_| broken("it is not gzip"))?;
    if json.len() as u64 > MAX_DECOMPRESSED_BYTES {
        return Err(broken("it unpacks to more than 6 MB"));
    }
    serde_json::from_slice(&json).map_err(|error| broken(&format!("it is not JSON: {error}")))
}

/// A JSON value whose objects match the fields of a struct without regard to case, as the official Java runtime
/// does. What is read as plain JSON, such as the resource's properties, is left as it is.
struct IgnoringCase<'de>(&'de Value);

impl<'de> Deserializer<'de> for IgnoringCase<'de> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        let Value::Object(object) = self.0 else { return self.0.deserialize_struct(name, fields, visitor) };
        let declared = |field: &'de str| {
            fields.iter().find(|declared| declared.eq_ignore_ascii_case(field)).map_or(field, |declared| declared)
        };
        let object = object.iter().map(|(field, value)| (declared(field), IgnoringCase(value)));
        visitor.visit_map(MapDeserializer::new(object))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for IgnoringCase<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The properties of a resource as an object; none is an empty one.
pub(crate) fn properties(value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(properties) => Ok(properties),
        Value::Null => Ok(Map::new()),
        _ => Err(invalid("the resource's properties are not a JSON object")),
    }
}
