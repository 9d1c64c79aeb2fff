//! From the event of an invocation to what it asks for, whichever of the two shapes it has.
//!
//! An error names the place, never the value: that may be a secret in the wrong place.

use std::io::Read;

use access_key_schema::{HandlerError, HandlerErrorCode, ProviderContext, RequestContext, RequestPayload, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use serde::{
    Deserialize, Deserializer,
    de::{IntoDeserializer, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_json::{Error, Map, Value};

/// The most bytes that a compressed request may unpack to: what Lambda takes uncompressed (6 MB).
const MAX_DECOMPRESSED_BYTES: u64 = 6 * 1024 * 1024;

/// The event of an invocation: JSON, or why it is not.
///
/// Deserializing it never fails. The Lambda runtime would answer an event that is not JSON with an error of its own,
/// which CloudFormation cannot read. It has no `Debug`, because it holds credentials.
pub struct Event(std::result::Result<Value, String>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(Self(Value::deserialize(deserializer).map_err(|error| error.to_string())))
    }
}

/// What the invocation asks for, and what it says about itself.
///
/// # Errors
/// `InvalidRequest` that says what is wrong, and where.
pub fn decode(event: Event) -> Result<(RequestPayload, RequestContext)> {
    Fields::of(event)?.request()
}

/// The fields of a request, by their names in lower case, whichever of the two shapes it has. They are read twice, because
/// the provider is told of a request that cannot be read as well. It has no `Debug`, because it holds credentials.
pub(crate) struct Fields(Value);

impl Fields {
    /// # Errors
    /// `InvalidRequest`: the event is no request at all.
    pub(crate) fn of(event: Event) -> Result<Self> {
        let event = event.0.map_err(|error| invalid(format!("The request is not JSON: {error}")))?;
        let Value::Object(event) = decompress(event)? else { return Err(invalid("The request is not a JSON object")) };
        flatten(event).map(Value::Object).map(Self)
    }

    /// What the invocation asks for, and what it says about itself.
    ///
    /// # Errors
    /// `InvalidRequest` that says what is wrong, and where.
    pub(crate) fn request(&self) -> Result<(RequestPayload, RequestContext)> {
        Ok((deserialize(&self.0)?, deserialize(&self.0)?))
    }

    /// What the provider is told, and where. Empty where that cannot be read.
    pub(crate) fn provider_context(&self) -> ProviderContext {
        deserialize(&self.0).unwrap_or_default()
    }
}

/// The event if it is plain, else what it unpacks to: CloudFormation may send base64 of gzip of the JSON. What it calls
/// that, in `__COMPRESSION_METHOD__`, does not matter.
fn decompress(event: Value) -> Result<Value> {
    let Some(compressed) = event.get("__COMPRESSED__") else { return Ok(event) };
    let broken = |what: &str| invalid(format!("The compressed request cannot be read: {what}"));
    let compressed = compressed.as_str().ok_or_else(|| broken("it is not a string"))?;
    let gzip = BASE64_STANDARD.decode(compressed).map_err(|_| broken("it is not base64"))?;
    let mut json = Vec::new();
    let mut unpacked = GzDecoder::new(gzip.as_slice()).take(MAX_DECOMPRESSED_BYTES + 1);
    unpacked.read_to_end(&mut json).map_err(|_| broken("it is not gzip, the only compression that is supported"))?;
    if json.len() as u64 > MAX_DECOMPRESSED_BYTES {
        return Err(broken("it unpacks to more than 6 MB"));
    }
    serde_json::from_slice(&json).map_err(|error| broken(&format!("it is not JSON: {error}")))
}

/// One object of the event's own fields and those in its `requestData` (registry) or `request` (test entry point), with
/// names in lower case and without `null`s. An inner field wins over an outer one: the test entry point can name the
/// region in both. Nothing is delivered from the test entry point, so its provider's log group is left out.
fn flatten(mut event: Map<String, Value>) -> Result<Map<String, Value>> {
    event.retain(|_, value| !value.is_null());
    let find = |name| event.keys().find(|field| field.eq_ignore_ascii_case(name)).cloned();
    let registry = find("requestData");
    let is_from_registry = registry.is_some();
    let Some(name) = registry.or_else(|| find("request")) else {
        return Err(invalid(
            "The request has neither requestData, as from CloudFormation, nor request, as from a test",
        ));
    };
    let Some(Value::Object(inner)) = event.remove(&name) else {
        return Err(invalid(format!("The request's {name} is not a JSON object")));
    };
    let fields = event.into_iter().chain(inner).filter(|(_, value)| !value.is_null());
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value));
    Ok(fields.filter(|(name, _)| is_from_registry || name != "providerloggroupname").collect())
}

fn deserialize<'de, T: Deserialize<'de>>(fields: &'de Value) -> Result<T> {
    serde_path_to_error::deserialize(IgnoringCase(fields)).map_err(|error| {
        // Only the outermost name: those further down can be the sender's own, such as tag keys.
        let place = error.path().iter().next().map(|field| format!("'s {field}")).unwrap_or_default();
        invalid(format!("The request{place} cannot be read: {}", without_value(error.inner())))
    })
}

/// What serde says is wrong, without the value that it quotes in front of what it expected.
pub(crate) fn without_value(error: &Error) -> String {
    let reason = error.to_string();
    reason.rsplit_once(", expected ").map_or(reason.clone(), |(_, expected)| format!("expected {expected}"))
}

fn invalid(message: impl Into<String>) -> HandlerError {
    HandlerError::new(HandlerErrorCode::InvalidRequest, message)
}

/// A JSON value whose field names match those of a struct without regard to case, as in the official Java runtime.
/// What is read as plain JSON, such as the resource's properties, is left as it is.
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

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for IgnoringCase<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decoded(event: Value) -> std::result::Result<(RequestPayload, RequestContext), String> {
        decode(Event(Ok(event))).map_err(|error| error.message)
    }

    #[test]
    fn both_shapes_decode_into_the_same_request() {
        let credentials = json!({"accessKeyId": "ASIA", "secretAccessKey": "wJalr"});
        let (registry, registry_context) = decoded(json!({
            "action": "UPDATE", "region": "us-east-1", "bearerToken": "token", "stackId": "stack", "maxResults": "5",
            "requestData": {
                "callerCredentials": credentials, "logicalResourceId": "DeployKey", "stackTags": {"team": "payments"},
                "resourceProperties": {"Serial": "2"}, "previousResourceProperties": {"Serial": "1"},
            },
        }))
        .unwrap();
        let (test, test_context) = decoded(json!({
            "action": "UPDATE", "region": "eu-west-1", "credentials": credentials,
            "request": {
                "region": "us-east-1", "clientRequestToken": "token", "stackId": "stack", "maxResults": 5,
                "logicalResourceIdentifier": "DeployKey", "desiredResourceTags": {"team": "payments"},
                "desiredResourceState": {"Serial": "2"}, "previousResourceState": {"Serial": "1"},
            },
        }))
        .unwrap();
        assert_eq!(format!("{registry_context:?}"), format!("{test_context:?}"));
        assert_eq!(registry_context.max_results, Some(5));
        assert_eq!((registry.action, &registry.region), (test.action, &test.region));
        assert_eq!(registry.caller_credentials, test.caller_credentials);
        assert_eq!(registry.resource_properties, test.resource_properties);
        assert_eq!(registry.previous_resource_properties, test.previous_resource_properties);
    }

    #[test]
    fn field_names_match_in_any_case_but_properties_are_left_as_they_are() {
        let (payload, context) = decoded(json!({
            "ACTION": "CREATE", "STACKID": "stack",
            "RequestDATA": {
                "callercredentials": {"ACCESSKEYID": "ASIA", "secretaccesskey": "wJalr"},
                "RESOURCEPROPERTIES": {"username": null},
            },
        }))
        .unwrap();
        assert_eq!(payload.caller_credentials.unwrap().access_key_id, "ASIA");
        assert_eq!(payload.resource_properties, Some(json!({"username": null})));
        assert_eq!(context.stack_id.as_deref(), Some("stack"));
    }

    #[test]
    fn an_inner_null_does_not_hide_an_outer_field() {
        let event = json!({"action": "READ", "region": "us-east-1", "request": {"region": null}});
        assert_eq!(decoded(event).unwrap().0.region.as_deref(), Some("us-east-1"));
    }

    #[test]
    fn a_type_configuration_beside_the_request_counts_as_one_in_it() {
        let settings = json!({"KmsKeyId": "alias/keys"});
        for event in [
            json!({"action": "READ", "typeConfiguration": settings, "request": {}}),
            json!({"action": "READ", "request": {"typeConfiguration": settings}}),
            json!({"action": "READ", "requestData": {"typeConfiguration": settings}}),
        ] {
            assert_eq!(decoded(event).unwrap().0.type_configuration.as_ref(), Some(&settings));
        }
    }

    #[test]
    fn an_empty_callback_context_is_none() {
        for (context, expected) in [
            (Value::Null, None),
            (json!({}), None),
            (json!({"AccessKeyId": "AKIA"}), Some(json!({"AccessKeyId": "AKIA"}))),
            (json!("wJalr"), Some(json!("wJalr"))),
        ] {
            let event = json!({"action": "READ", "callbackContext": context, "requestData": {}});
            assert_eq!(decoded(event).unwrap().1.callback_context, expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_without_its_value() {
        let data = |field: &str, value: Value| json!({"action": "CREATE", "requestData": {field: value}});
        for (event, expected) in [
            (json!([]), "The request is not a JSON object"),
            (
                json!({"action": "CREATE"}),
                "The request has neither requestData, as from CloudFormation, nor request, as from a test",
            ),
            (json!({"RequestData": "wJalr"}), "The request's RequestData is not a JSON object"),
            (json!({"requestData": {}}), "The request cannot be read: missing field `action`"),
            (
                json!({"action": "wJalr", "requestData": {}}),
                "The request's action cannot be read: expected one of `CREATE`, `READ`, `UPDATE`, `DELETE`, `LIST`",
            ),
            (
                data("callerCredentials", json!({"accessKeyId": "ASIA"})),
                "The request's callerCredentials cannot be read: missing field `secretAccessKey`",
            ),
            (
                data("callerCredentials", json!("wJalr")),
                "The request's callerCredentials cannot be read: expected a JSON object",
            ),
            (data("stackTags", json!({"wJalr": 1})), "The request's stackTags cannot be read: expected a string"),
            (data("maxResults", json!("wJalr")), "The request's maxResults cannot be read: expected a whole number"),
            (
                json!({"__COMPRESSED__": "d0phbHI=", "__COMPRESSION_METHOD__": "wJalr"}),
                "The compressed request cannot be read: it is not gzip, the only compression that is supported",
            ),
        ] {
            assert_eq!(decoded(event).err().unwrap(), expected);
        }
    }
}
