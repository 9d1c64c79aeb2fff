//! Decodes the event of an invocation, in either of its two shapes.
//!
//! An error names the place, never the value, which may be a secret in the wrong place.

mod limited;

use std::{borrow::Cow, io::Read};

use base64::{Engine, engine::general_purpose::STANDARD_PAD_INDIFFERENT};
use flate2::read::GzDecoder;
use serde::{
    Deserialize, Deserializer,
    de::{IntoDeserializer, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_json::{Error, Map, Value};

use crate::{HandlerError, ProviderContext, RequestContext, RequestPayload, WholeNumber};

/// The most bytes that a compressed request may unpack to: the limit of Lambda for an uncompressed one (6 MB).
const MAX_DECOMPRESSED_BYTES: u64 = 6 * 1024 * 1024;

/// The event of an invocation: JSON, or words for what it is instead.
///
/// Deserializing it never fails. The Lambda runtime would answer an event that is not JSON with an error of its own,
/// which CloudFormation cannot read. It has no `Debug`, because it holds credentials.
pub struct Event(Result<Value, String>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(limited::json(deserializer)))
    }
}

/// The decoded event. It has no `Debug`, because it holds credentials.
pub struct Decoded<M> {
    /// What the provider is told, and where. It is empty if the event is no request at all.
    pub provider: ProviderContext,
    /// What the invocation asks for, and what it says about itself; or `InvalidRequest`, which says what is wrong, and where.
    pub request: Result<(RequestPayload, RequestContext), HandlerError<M>>,
}

/// Reads the event. The part for the provider is read apart from the request, so that the provider also hears of a request that
/// cannot be read.
#[must_use]
pub fn decode<M>(event: Event) -> Decoded<M> {
    match fields(event) {
        Ok(fields) => Decoded { provider: provider_context(&fields), request: request(&fields) },
        Err(error) => Decoded { provider: ProviderContext::default(), request: Err(error) },
    }
}

/// The fields of a request, by their names in lower case, whichever of the two shapes it has.
fn fields<M>(event: Event) -> Result<Value, HandlerError<M>> {
    let event = event.0.map_err(|reason| invalid(format!("The request {reason}")))?;
    let Value::Object(event) = decompress(event)? else { return Err(invalid("The request is not a JSON object")) };
    flatten(event).map(Value::Object)
}

fn request<M>(fields: &Value) -> Result<(RequestPayload, RequestContext), HandlerError<M>> {
    Ok((deserialize(fields)?, deserialize(fields)?))
}

/// A field that cannot be read is left out.
fn provider_context(fields: &Value) -> ProviderContext {
    let mut fields = Cow::Borrowed(fields);
    loop {
        let error = match serde_path_to_error::deserialize(IgnoringCase(&fields)) {
            Ok(context) => return context,
            Err(error) => error,
        };
        let wrong = outermost(&error).map(|field| field.to_ascii_lowercase());
        let removed = wrong.and_then(|field| fields.to_mut().as_object_mut()?.remove(&field));
        if removed.is_none() {
            return ProviderContext::default();
        }
    }
}

/// The event if it is plain, else the unpacked event: CloudFormation may send base64 of gzip of the JSON. The name of the method
/// in `__COMPRESSION_METHOD__` does not matter, nor does the kind of base64: in lines (MIME), safe for a URL, or without padding.
fn decompress<M>(event: Value) -> Result<Value, HandlerError<M>> {
    let Some(compressed) = event.get("__COMPRESSED__") else { return Ok(event) };
    let broken = |what: &str| invalid(format!("The compressed request cannot be read: {what}"));
    let compressed = compressed.as_str().ok_or_else(|| broken("it is not a string"))?;
    let base64 = compressed.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    });
    let gzip = STANDARD_PAD_INDIFFERENT.decode(base64.collect::<Vec<_>>());
    let gzip = gzip.map_err(|_| broken("it is not base64"))?;
    let mut json = Vec::new();
    let mut unpacked = GzDecoder::new(gzip.as_slice()).take(MAX_DECOMPRESSED_BYTES + 1);
    unpacked.read_to_end(&mut json).map_err(|_| broken("it is not gzip, the only compression that is supported"))?;
    if json.len() as u64 > MAX_DECOMPRESSED_BYTES {
        return Err(broken("it unpacks to more than 6 MB"));
    }
    let mut json = serde_json::Deserializer::from_slice(&json);
    let event = limited::json(&mut json).map_err(|reason| broken(&format!("it {reason}")))?;
    json.end().map(|()| event).map_err(|error| broken(&format!("it is not JSON: {error}")))
}

/// One object of the event's own fields and those in its `requestData` (registry) or `request` (test entry point), with names in
/// lower case, without absent fields, and with numbers as strings. An inner field wins over an outer one: the test entry point
/// can name the region in both. Nothing is delivered from the test entry point, so its provider's log group is left out.
fn flatten<M>(mut event: Map<String, Value>) -> Result<Map<String, Value>, HandlerError<M>> {
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
    let fields = event.into_iter().chain(inner).map(|(name, value)| (name.to_ascii_lowercase(), value));
    let is_absent = |name: &str, value: &Value| match name {
        "providerloggroupname" if !is_from_registry => true,
        "region" if is_from_registry => value.is_null(),
        // An operation or a stack without a name is none: two of them would be the same.
        "region"
        | "nexttoken"
        | "maxresults"
        | "bearertoken"
        | "clientrequesttoken"
        | "stackid"
        | "logicalresourceid"
        | "logicalresourceidentifier" => value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()),
        _ => value.is_null(),
    };
    let fields = fields.filter(|(name, value)| !is_absent(name, value));
    Ok(fields.map(|(name, value)| (name, number_as_string(value))).collect())
}

/// A whole number as a string. Every field of a request that could be a number, such as the account's id, is declared as a
/// string, or may be one.
fn number_as_string(value: Value) -> Value {
    let number = if value.is_number() { WholeNumber::of(&value) } else { None };
    number.map_or(value, |number| number.to_string().into())
}

fn deserialize<'de, T: Deserialize<'de>, M>(fields: &'de Value) -> Result<T, HandlerError<M>> {
    serde_path_to_error::deserialize(IgnoringCase(fields)).map_err(|error| {
        let place = outermost(&error).map(|field| format!("'s {field}")).unwrap_or_default();
        invalid(format!("The request{place} cannot be read: {}", without_value(error.inner())))
    })
}

/// The name of the outermost field that an error is about: names further down can be the sender's own, such as tag keys.
pub(crate) fn outermost(error: &serde_path_to_error::Error<Error>) -> Option<String> {
    error.path().iter().next().map(ToString::to_string)
}

/// Serde's message, without the value that it quotes in front of what it expected.
pub(crate) fn without_value(error: &Error) -> String {
    let reason = error.to_string();
    reason.rsplit_once(", expected ").map_or(reason.clone(), |(_, expected)| format!("expected {expected}"))
}

fn invalid<M>(message: impl Into<String>) -> HandlerError<M> {
    HandlerError::invalid_request(message)
}

/// A JSON value whose field names match those of a struct without regard to case, as in the official Java runtime. Parts that are
/// read as plain JSON, such as the resource's properties, are left as they are.
struct IgnoringCase<'de>(&'de Value);

impl<'de> Deserializer<'de> for IgnoringCase<'de> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Object(object) = self.0 else { return self.0.deserialize_struct(name, fields, visitor) };
        let declared = |field: &'de str| {
            fields.iter().find(|declared| declared.eq_ignore_ascii_case(field)).map_or(field, |declared| declared)
        };
        let object = object.iter().map(|(field, value)| (declared(field), IgnoringCase(value)));
        visitor.visit_map(MapDeserializer::new(object))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
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
    use base64::prelude::BASE64_STANDARD;
    use serde_json::json;

    use super::*;

    fn decoded(event: Value) -> Result<(RequestPayload, RequestContext), String> {
        decode::<()>(Event(Ok(event))).request.map_err(|error| error.message)
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
    fn what_is_empty_is_absent_where_a_test_event_leaves_a_field_open() {
        for blank in ["", "  "] {
            let fields = json!({"nextToken": blank, "maxResults": blank, "region": blank});
            let mut test = json!({"action": "LIST", "region": "us-east-1", "request": fields});
            let (payload, context) = decoded(test.clone()).unwrap();
            assert_eq!((context.next_token, context.max_results), (None, None));
            assert_eq!(payload.region.as_deref(), Some("us-east-1"));
            test["region"] = blank.into();
            assert_eq!(decoded(test).unwrap().0.region, None);
            // CloudFormation names the region in every request: another one would be a guess.
            let mut registry = json!({"action": "LIST", "requestData": {}});
            registry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let (payload, context) = decoded(registry).unwrap();
            assert_eq!((context.next_token, context.max_results), (None, None));
            assert_eq!(payload.region.as_deref(), Some(blank));
        }
    }

    #[test]
    fn an_operation_or_a_resource_with_an_empty_name_is_none() {
        let names = ["bearerToken", "clientRequestToken", "stackId", "logicalResourceId", "logicalResourceIdentifier"];
        for (shape, name) in ["request", "requestData"].iter().flat_map(|shape| names.map(|name| (*shape, name))) {
            for blank in ["", "  "] {
                let context = decoded(json!({"action": "CREATE", shape: {name: blank}})).unwrap().1;
                let absent = (context.client_request_token, context.stack_id, context.logical_resource_id);
                assert_eq!(absent, (None, None, None), "{shape} {name}");
            }
        }
    }

    #[test]
    fn every_spelling_of_a_number_and_a_boolean_in_the_request_says_the_same() {
        let context = |fields: Value| {
            let mut event = json!({"action": "LIST", "requestData": {}});
            event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            decoded(event).map(|(_, context)| (context.max_results, context.rollback))
        };
        for five in [json!(5), json!(5.0), json!("5"), json!(" 5 "), json!("+5")] {
            assert_eq!(context(json!({"maxResults": five})).unwrap().0, Some(5));
        }
        for wrong in [json!("1e3"), json!("5.0"), json!(-5), json!(5.5), json!([5]), json!(true)] {
            assert!(context(json!({"maxResults": wrong})).is_err(), "{wrong}");
        }
        for (rollback, expected) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!(" False "), Some(false)),
            (json!(null), None),
            (json!("perhaps"), None),
            (json!(1), None),
            (json!({}), None),
        ] {
            assert_eq!(context(json!({"rollback": rollback})).unwrap().1, expected, "{rollback}");
        }
        let inner = json!({"action": "UPDATE", "request": {"Rollback": "true"}});
        assert_eq!(decoded(inner).unwrap().1.rollback, Some(true));
    }

    /// The provider's fields of a request that has another value at `pointer`.
    fn provider(pointer: &str, value: Value) -> ProviderContext {
        let credentials = json!({"accessKeyId": "ASIA", "secretAccessKey": "wJalr"});
        let mut event = json!({
            "action": "CREATE", "awsAccountId": "123456789012", "bearerToken": "token", "region": "eu-central-1",
            "resourceType": "Acme::Notes::Note", "resourceTypeVersion": "00000001", "stackId": "stack",
            "requestData": {
                "logicalResourceId": "Note", "providerCredentials": credentials, "providerLogGroupName": "group",
                "resourceProperties": {},
            },
        });
        *event.pointer_mut(pointer).unwrap() = value;
        decode::<()>(Event(Ok(event))).provider
    }

    #[test]
    fn a_number_in_the_place_of_a_string_is_one() {
        for (number, expected) in
            [(json!(123_456_789_012_u64), "123456789012"), (json!(123_456_789_012.0), "123456789012")]
        {
            assert_eq!(provider("/awsAccountId", number.clone()).aws_account_id.as_deref(), Some(expected));
            assert_eq!(provider("/resourceTypeVersion", number).resource_type_version.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_field_that_cannot_be_read_costs_the_provider_no_other() {
        let shown = |context: &ProviderContext| {
            [
                context.action.map(|action| action.to_string()),
                context.aws_account_id.clone(),
                context.region.clone(),
                context.resource_type.clone(),
                context.resource_type_version.clone(),
                context.stack_id.clone(),
                context.logical_resource_id.clone(),
                context.bearer_token.as_ref().map(|token| token.expose().to_owned()),
                context.provider_credentials.as_ref().map(|credentials| credentials.access_key_id.clone()),
                context.provider_log_group_name.clone(),
            ]
        };
        let places = [
            "/action",
            "/awsAccountId",
            "/region",
            "/resourceType",
            "/resourceTypeVersion",
            "/stackId",
            "/requestData/logicalResourceId",
            "/bearerToken",
            "/requestData/providerCredentials",
            "/requestData/providerLogGroupName",
        ];
        let whole = shown(&provider("/action", json!("CREATE")));
        assert!(whole.iter().all(Option::is_some), "{whole:?}");
        for (place, pointer) in places.into_iter().enumerate() {
            for value in [json!([]), json!({"wJalr": 1}), json!(true), json!(2.5)] {
                let mut expected = whole.clone();
                expected[place] = None;
                assert_eq!(shown(&provider(pointer, value.clone())), expected, "{pointer}: {value}");
            }
        }
    }

    #[test]
    fn a_compressed_request_is_read_from_every_kind_of_base64() {
        // Padding, and both characters that differ in base64 for URLs.
        let gzip = |text: &str| {
            let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
            std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
            BASE64_STANDARD.encode(gzip.finish().unwrap())
        };
        let compressed = (0..).map(|number| gzip(&format!(r#"{{"action":"READ","requestData":{{"x":{number}}}}}"#)));
        let base64 =
            compressed.into_iter().find(|base64| ["+", "/", "="].iter().all(|part| base64.contains(part))).unwrap();
        let url_safe = base64.replace('+', "-").replace('/', "_");
        let lines: Vec<_> = base64.as_bytes().chunks(76).map(|line| str::from_utf8(line).unwrap()).collect();
        for spelling in [
            base64.clone(),
            base64.trim_end_matches('=').to_owned(),
            url_safe.clone(),
            url_safe.trim_end_matches('=').to_owned(),
            lines.join("\r\n") + "\r\n",
            lines.join("\n"),
        ] {
            let decoded = decoded(json!({"__COMPRESSED__": spelling}));
            assert_eq!(decoded.unwrap().0.action, crate::Action::Read, "{spelling}");
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
