//! What may be said in a request: from the payload as it was sent to the typed request that a handler gets.

use std::sync::LazyLock;

use access_key_schema::{
    AccessKey, Action, DEFAULT_TYPE_NAME, HandlerError, HandlerErrorCode, Request, RequestContext, RequestPayload,
    Result, Status, TypeConfiguration, registry_schema,
};
use jsonschema::{
    Draft, ValidationError, Validator,
    error::ValidationErrorKind,
    paths::{Location, LocationSegment},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::warn;
use zeroize::Zeroize;

use crate::decode::without_value;

/// The longest value, in bytes of JSON, that an error message quotes. A `PgpKey` would fill the screen.
const MAX_QUOTED: usize = 200;

/// The most violations that an error message names: its reader sees at most a few lines.
const MAX_VIOLATIONS: usize = 10;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| registry_schema(DEFAULT_TYPE_NAME));

static VALIDATOR: LazyLock<std::result::Result<Validator, String>> =
    LazyLock::new(|| jsonschema::options().with_draft(Draft::Draft7).build(&SCHEMA).map_err(|error| error.to_string()));

/// The request with its properties recast and, where the action demands it, validated by the registry schema itself.
///
/// # Errors
/// - `InvalidRequest`: names every property that is wrong, and what it must be; or the request names no region.
/// - `InvalidTypeConfiguration`: the account's settings cannot be read.
pub fn validate(payload: RequestPayload, context: RequestContext) -> Result<Request> {
    let rules = match payload.action {
        _ if context.callback_context.is_some() => Rules::Callback,
        Action::Create => Rules::Create,
        Action::Update => Rules::Update,
        Action::Read | Action::Delete | Action::List => Rules::Lookup,
    };
    let type_name = payload.resource_type.as_deref().filter(|name| is_type_name(name)).unwrap_or("this type");
    let previous =
        payload.previous_resource_properties.map(|previous| access_key(previous, Rules::Previous, type_name));
    Ok(Request {
        action: payload.action,
        region: region(payload.region)?,
        desired: access_key(payload.resource_properties.unwrap_or_default(), rules, type_name)?,
        previous: previous.transpose()?,
        type_configuration: type_configuration(payload.type_configuration)?,
        context,
    })
}

/// The region, if it is one label of a host name: it becomes part of the host names of AWS.
pub(crate) fn region(region: Option<String>) -> Result<String> {
    let is_label =
        |region: &String| !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    region
        .filter(is_label)
        .ok_or_else(|| invalid("The request names no region of AWS: a region such as eu-central-1 is expected"))
}

/// Whether a name can be a resource type's, and so is safe to quote.
pub(crate) fn is_type_name(name: &str) -> bool {
    name.len() <= MAX_QUOTED
        && name.contains("::")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':')
}

fn type_configuration(settings: Option<Value>) -> Result<TypeConfiguration> {
    let Some(mut settings) = settings else { return Ok(TypeConfiguration::default()) };
    if let Value::Object(settings) = &mut settings {
        let declared = &SCHEMA["typeConfiguration"]["properties"];
        recast(settings, || declared);
        warn_of_unknown(settings, declared);
    }
    serde_json::from_value(settings).map_err(|error| {
        let reason = without_value(&error);
        HandlerError::new(
            HandlerErrorCode::InvalidTypeConfiguration,
            format!("The type configuration cannot be read: {reason}. Correct it with SetTypeConfiguration"),
        )
    })
}

/// Settings that this version does not have are ignored: after a rollback, an account has those of the newer version still.
fn warn_of_unknown(settings: &Map<String, Value>, declared: &Value) {
    let unknown = settings.keys().filter(|name| declared.get(name).is_none());
    let shown: Vec<_> = unknown.map(|name| if is_setting_name(name) { name } else { "…" }).collect();
    if !shown.is_empty() {
        warn!(settings = shown.join(", "), "unknown settings of the type configuration are ignored");
    }
}

/// Whether a name can be a setting's, and so is safe to log: a secret access key has 40 characters.
fn is_setting_name(name: &str) -> bool {
    name.len() < 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// What a request may say of an access key, which depends on what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    /// CREATE: the schema holds, and read-only properties may not be set.
    Create,
    /// UPDATE: the schema holds, and read-only properties may come along.
    Update,
    /// A callback: the properties are those of this handler's own answer, and were validated before.
    Callback,
    /// The previous properties of an UPDATE: they may be wrong where the update corrects them.
    Previous,
    /// READ, DELETE and LIST: only the key's id and the user's name count.
    Lookup,
}

impl Rules {
    /// Whether the schema has to hold.
    fn demand_schema(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }

    /// Whether a handler uses the property. The primary identifier is the only read-only one it uses, so that no error
    /// message can quote a secret.
    fn need(self, property: &str) -> bool {
        let primary_identifier = property == AccessKey::ref_property();
        let read_only = AccessKey::get_att_properties().contains(&property);
        match self {
            Self::Create => !read_only,
            Self::Update | Self::Callback => primary_identifier || !read_only,
            Self::Previous => {
                AccessKey::create_only_properties().contains(&property)
                    || [AccessKey::tag_property(), "Status"].contains(&property)
            }
            Self::Lookup => primary_identifier || property == "UserName",
        }
    }
}

/// The access key in `properties`.
///
/// # Errors
/// `InvalidRequest` that names every violation of the rules, each with its property.
fn access_key(properties: Value, rules: Rules, type_name: &str) -> Result<AccessKey> {
    let mut properties = match properties {
        Value::Object(properties) => properties,
        Value::Null => Map::new(),
        _ => return Err(invalid("The resource's properties are not a JSON object")),
    };
    recast(&mut properties, || &SCHEMA["properties"]);
    let mut violations = vec![];
    if rules == Rules::Create {
        let set = AccessKey::get_att_properties().iter().filter(|name| properties.contains_key(**name));
        violations.extend(set.map(|name| format!("{name} is read-only and cannot be set")));
    }
    if rules == Rules::Previous && properties.get("Status").is_some_and(|status| Status::deserialize(status).is_err()) {
        // It was refused, and so never set.
        properties.remove("Status");
    }
    keep_needed(&mut properties, rules);
    let properties = Value::Object(properties);
    if rules.demand_schema() {
        violations.extend(schema_violations(&properties, type_name)?);
    }
    if !violations.is_empty() {
        return Err(refusal(&violations));
    }
    let access_key = typed(&properties, rules)?;
    match access_key.repeated_tag_key() {
        Some(key) if rules.demand_schema() => {
            Err(invalid(format!("{}: the key {key:?} occurs more than once", AccessKey::tag_property())))
        }
        _ => Ok(access_key),
    }
}

/// Turns strings back into what the schema declares the properties as: CloudFormation may send every primitive as a
/// string. A string that is nothing of the kind stays, and is refused later. A `null` is an absent property.
fn recast(properties: &mut Map<String, Value>, declared: impl Fn() -> &'static Value) {
    properties.retain(|_, value| !value.is_null());
    for (name, value) in properties {
        let Value::String(text) = value else { continue };
        let (kind, primitive) = match (text.parse::<i64>(), text.parse::<bool>()) {
            (Ok(integer), _) => ("integer", Value::from(integer)),
            (_, Ok(boolean)) => ("boolean", Value::from(boolean)),
            _ => continue,
        };
        // Last: READ, DELETE and LIST, whose properties are neither, do not make the schema.
        if declared()[name]["type"] == kind {
            *value = primitive;
        }
    }
}

/// Drops the properties that no handler uses, and wipes them: a secret may be among them.
fn keep_needed(properties: &mut Map<String, Value>, rules: Rules) {
    properties.retain(|name, value| {
        let needed = rules.need(name);
        if !needed && let Value::String(unused) = value {
            unused.zeroize();
        }
        needed
    });
}

fn schema_violations(properties: &Value, type_name: &str) -> Result<Vec<String>> {
    let validator = VALIDATOR.as_ref().map_err(|error| {
        HandlerError::new(HandlerErrorCode::InternalFailure, format!("The registry schema is broken: {error}"))
    })?;
    let mut violations: Vec<_> = validator.iter_errors(properties).map(|error| describe(&error, type_name)).collect();
    // One value can violate two keywords, such as minLength and pattern, that the same words stand for.
    violations.dedup();
    Ok(violations)
}

/// A violation of the schema in words: which property, what it is, and what it must be.
fn describe(error: &ValidationError, type_name: &str) -> String {
    let place = place(error.instance_path(), |index| format!("[{index}]"));
    let member = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("{} is required", member(property.as_str().unwrap_or_default()))
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let owner = if place.is_empty() { type_name } else { "a tag" };
            let mut unexpected = unexpected.clone();
            unexpected.sort();
            let violations = unexpected.iter().map(|name| format!("{} is not a property of {owner}", member(name)));
            violations.collect::<Vec<_>>().join("; ")
        }
        kind => {
            let property = self::place(error.instance_path(), |_| "[]".to_owned());
            let constraint = AccessKey::constraint(&property, kind.keyword());
            let value = error.instance().to_string();
            if value.len() > MAX_QUOTED {
                format!("{place}: {constraint}")
            } else {
                format!("{place} {value}: {constraint}")
            }
        }
    }
}

/// A place in the properties, such as `Tags[0].Key`, with its indices written by `index`.
fn place(path: &Location, index: impl Fn(usize) -> String) -> String {
    let segments = path.into_iter().map(|segment| match segment {
        LocationSegment::Property(name) => format!(".{name}"),
        LocationSegment::Index(number) => index(number),
    });
    segments.collect::<String>().trim_start_matches('.').to_owned()
}

/// The properties as a model. Where the schema was not demanded, they can still be of a wrong type.
fn typed(properties: &Value, rules: Rules) -> Result<AccessKey> {
    serde_path_to_error::deserialize(properties).map_err(|error| {
        let property = error.path().iter().next().map(ToString::to_string).unwrap_or_default();
        let place = if rules == Rules::Previous { "In the previous properties, " } else { "" };
        invalid(format!("{place}{property}: {}", AccessKey::constraint(&property, "type")))
    })
}

fn refusal(violations: &[String]) -> HandlerError {
    let named = violations.iter().take(MAX_VIOLATIONS).map(String::as_str).collect::<Vec<_>>().join("; ");
    match violations.len().saturating_sub(MAX_VIOLATIONS) {
        0 => invalid(named),
        more => invalid(format!("{named}; and {more} more")),
    }
}

fn invalid(message: impl Into<String>) -> HandlerError {
    HandlerError::new(HandlerErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use access_key_schema::{Secret, Status};
    use serde_json::json;

    use super::*;

    fn check(properties: Value, rules: Rules) -> std::result::Result<AccessKey, String> {
        access_key(properties, rules, DEFAULT_TYPE_NAME).map_err(|error| {
            assert_eq!(error.code, HandlerErrorCode::InvalidRequest);
            error.message
        })
    }

    /// The message about `properties` of a CREATE that are wrong.
    fn message(properties: Value) -> String {
        check(properties, Rules::Create).unwrap_err()
    }

    /// The payload of a CREATE with some of its fields replaced.
    fn payload(fields: &Value) -> RequestPayload {
        let mut payload = json!({
            "action": "CREATE", "region": "us-east-1", "resourceType": "Acme::IAM::AccessKey",
            "resourceProperties": {"UserName": "alice"},
        });
        payload.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(payload).unwrap()
    }

    fn refusal_of(fields: &Value) -> (HandlerErrorCode, String) {
        let error = validate(payload(fields), RequestContext::default()).unwrap_err();
        (error.code, error.message)
    }

    #[test]
    fn each_violation_is_named_in_words_with_its_place_and_value() {
        let key = |key: &str| json!([{"Key": "team", "Value": "a"}, {"Key": key, "Value": ""}]);
        let user_name = "a user name is 1 to 128 letters, digits or any of _+=,.@-";
        let pgp_key =
            "an OpenPGP public key is expected: base64 of a binary key, an ASCII-armored key, or keybase:NAME";
        for (property, value, expected) in [
            ("UserName", json!("a b"), format!(r#"UserName "a b": {user_name}"#)),
            ("UserName", json!(""), format!(r#"UserName "": {user_name}"#)),
            ("UserName", json!(7), format!("UserName 7: {user_name}")),
            ("Serial", json!("two"), r#"Serial "two": a whole number is expected, of at most 64 bits"#.to_owned()),
            ("Serial", json!(2.5), "Serial 2.5: a whole number is expected, of at most 64 bits".to_owned()),
            ("Status", json!("Asleep"), r#"Status "Asleep": must be Active or Inactive"#.to_owned()),
            ("PgpKey", json!(""), format!(r#"PgpKey "": {pgp_key}"#)),
            (
                "SesSmtpRegion",
                json!("us"),
                r#"SesSmtpRegion "us": a region such as eu-central-1 is expected"#.to_owned(),
            ),
            ("Tags", json!({"a": "b"}), r#"Tags {"a":"b"}: a list of tags is expected"#.to_owned()),
            ("Tags", json!(["a"]), r#"Tags[0] "a": a tag with a Key and a Value is expected"#.to_owned()),
            (
                "Tags",
                key("aws:a"),
                r#"Tags[1].Key "aws:a": keys that start with "aws:" are reserved by AWS"#.to_owned(),
            ),
            ("Tags", key(""), r#"Tags[1].Key "": a tag's key is a string of 1 to 128 characters"#.to_owned()),
            ("Tags", key("team"), r#"Tags: the key "team" occurs more than once"#.to_owned()),
            ("Tags", json!([{"Key": "a"}]), "Tags[0].Value is required".to_owned()),
            (
                "Tags",
                json!([{"Key": "a", "Value": 7}]),
                "Tags[0].Value 7: a tag's value is a string of at most 256 characters".to_owned(),
            ),
            (
                "Tags",
                json!([{"Key": "a", "Value": "b", "Colour": "red"}]),
                "Tags[0].Colour is not a property of a tag".to_owned(),
            ),
            ("Colour", json!("red"), "Colour is not a property of AWS::IAM::AccessKey".to_owned()),
            ("Id", json!("AKIA"), "Id is read-only and cannot be set".to_owned()),
        ] {
            let mut properties = json!({"UserName": "alice"});
            properties[property] = value;
            assert_eq!(message(properties), expected);
        }
    }

    #[test]
    fn every_settable_property_says_what_it_must_be() {
        let properties = SCHEMA["properties"].as_object().unwrap().keys().map(String::as_str);
        for property in properties.filter(|name| !AccessKey::get_att_properties().contains(name)) {
            assert_ne!(AccessKey::constraint(property, "type"), AccessKey::constraint("", "type"), "{property}");
        }
    }

    #[test]
    fn numbers_may_come_as_strings_and_nulls_are_absent() {
        for serial in [json!(2), json!("2")] {
            let key = check(json!({"UserName": "alice", "Serial": serial, "Status": null}), Rules::Create).unwrap();
            assert_eq!((key.serial, key.status), (Some(2), None));
        }
        let key = check(json!({"UserName": "alice", "Serial": "-9223372036854775808"}), Rules::Create).unwrap();
        assert_eq!(key.serial, Some(i64::MIN));
    }

    #[test]
    fn a_serial_that_is_no_whole_number_of_64_bits_is_refused_by_name() {
        let serials = [json!("two"), json!("2.5"), json!(2.5), json!("9223372036854775808"), json!(1e300), json!("")];
        for serial in serials {
            for (rules, place) in [
                (Rules::Create, format!("Serial {serial}")),
                (Rules::Update, format!("Serial {serial}")),
                (Rules::Callback, "Serial".to_owned()),
                (Rules::Previous, "In the previous properties, Serial".to_owned()),
            ] {
                let message = check(json!({"UserName": "alice", "Serial": serial}), rules).unwrap_err();
                assert_eq!(message, format!("{place}: a whole number is expected, of at most 64 bits"));
            }
        }
    }

    #[test]
    fn every_violation_is_named_in_one_message() {
        let properties = json!({"Serial": "two", "Status": "Asleep", "Id": "AKIA", "Size": 1, "Colour": "red"});
        assert_eq!(
            message(properties),
            "Id is read-only and cannot be set; Serial \"two\": a whole number is expected, of at most 64 bits; \
             Status \"Asleep\": must be Active or Inactive; Colour is not a property of AWS::IAM::AccessKey; \
             Size is not a property of AWS::IAM::AccessKey; UserName is required"
        );
    }

    #[test]
    fn a_message_names_ten_violations_and_counts_the_others() {
        let tags: Vec<_> = (0..12).map(|number| json!({"Key": format!("aws:{number}"), "Value": ""})).collect();
        let message = message(json!({"UserName": "alice", "Tags": tags}));
        assert!(message.contains("aws:9") && message.ends_with("; and 2 more"), "{message}");
    }

    #[test]
    fn the_type_has_the_name_that_it_is_registered_under() {
        let properties = json!({"UserName": "alice", "Colour": "red"});
        for (type_name, shown) in [
            (json!("Acme::IAM::AccessKey"), "Acme::IAM::AccessKey"),
            (json!("wJalrXUtnFEMI/K7MDENG"), "this type"),
            (json!(format!("A::{}", "a".repeat(200))), "this type"),
            (Value::Null, "this type"),
        ] {
            let refusal = refusal_of(&json!({"resourceType": type_name, "resourceProperties": properties}));
            assert_eq!(refusal, (HandlerErrorCode::InvalidRequest, format!("Colour is not a property of {shown}")));
        }
    }

    #[test]
    fn a_request_without_a_region_that_can_be_part_of_a_host_name_is_refused() {
        for region in [Value::Null, json!(""), json!("elsewhere.example/#"), json!("us east 1")] {
            let message = "The request names no region of AWS: a region such as eu-central-1 is expected".to_owned();
            assert_eq!(refusal_of(&json!({"region": region})), (HandlerErrorCode::InvalidRequest, message));
        }
    }

    #[test]
    fn a_type_configuration_that_cannot_be_read_is_refused_without_its_values() {
        for (settings, reason) in [
            (json!("wJalr"), "expected a JSON object"),
            (json!({"KmsKeyId": ["wJalr"]}), "expected a string"),
            (json!({"LogLevel": "wJalr"}), "expected one of `ERROR`, `WARN`, `INFO`"),
        ] {
            let (code, message) = refusal_of(&json!({"typeConfiguration": settings}));
            assert_eq!(code, HandlerErrorCode::InvalidTypeConfiguration);
            let expected =
                format!("The type configuration cannot be read: {reason}. Correct it with SetTypeConfiguration");
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn settings_that_are_unknown_or_null_are_ignored() {
        let settings = json!({"KmsKeyId": "alias/keys", "Colour": "red", "KeybaseUrl": null});
        let request = validate(payload(&json!({"typeConfiguration": settings})), RequestContext::default()).unwrap();
        let expected = TypeConfiguration { kms_key_id: Some("alias/keys".to_owned()), ..TypeConfiguration::default() };
        assert_eq!(request.type_configuration, expected);
    }

    #[test]
    fn a_user_name_of_the_wrong_length_or_characters_is_refused_by_name() {
        for user in [json!(""), json!("x".repeat(129)), json!("a b"), json!("ünal"), json!(7)] {
            let message = message(json!({"UserName": user}));
            assert!(message.starts_with("UserName "), "{message}");
        }
    }

    #[test]
    fn tags_that_aws_would_refuse_are_refused_by_name_before_a_key_exists() {
        let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
        let many: Vec<_> = (0..51).map(|number| tag(&number.to_string(), "")).collect();
        for tags in [
            json!([tag("aws:team", "a")]),
            json!([tag("AWS:team", "a")]),
            json!([tag("", "a")]),
            json!([tag(&"k".repeat(129), "a")]),
            json!([tag("team", &"v".repeat(257))]),
            json!([tag("team", "a"), tag("team", "b")]),
            json!([{"Key": "team"}]),
            json!([{"Key": "team", "Value": "a", "Colour": "red"}]),
            json!({"team": "a"}),
            json!(many),
        ] {
            for rules in [Rules::Create, Rules::Update] {
                let message = check(json!({"UserName": "alice", "Tags": tags}), rules).unwrap_err();
                assert!(message.contains("Tags"), "{tags}: {message}");
            }
        }
        for tags in [json!([]), json!([tag(&"k".repeat(128), &"v".repeat(256))]), json!(many[..50])] {
            assert!(check(json!({"UserName": "alice", "Tags": tags}), Rules::Create).is_ok(), "{tags}");
        }
    }

    #[test]
    fn a_value_is_quoted_in_the_refusal_only_if_it_is_short() {
        for (property, value) in [
            ("PgpKey", json!("k".repeat(1_000_001))),
            ("PgpKey", json!(["k".repeat(500)])),
            ("SesSmtpRegion", json!("k".repeat(500))),
        ] {
            let message = message(json!({"UserName": "alice", property: value}));
            assert!(message.starts_with(&format!("{property}: ")), "{message}");
            assert!(message.len() < 300 && !message.contains("kkk"), "{message}");
        }
    }

    #[test]
    fn the_ses_smtp_region_must_look_like_a_region() {
        let regions =
            ["us-east-1", "ap-southeast-5", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1", "cn-northwest-1"];
        for region in regions {
            let key = check(json!({"UserName": "alice", "SesSmtpRegion": region}), Rules::Create).unwrap();
            assert_eq!(key.ses_smtp_region.as_deref(), Some(region));
        }
        for region in ["", "us", "US-EAST-1", "us-east", "us-east-1a", "us-east-1\n", " us-east-1", "us_east_1", "-1"] {
            let expected = format!("SesSmtpRegion {}: a region such as eu-central-1 is expected", json!(region));
            assert_eq!(message(json!({"UserName": "alice", "SesSmtpRegion": region})), expected);
        }
    }

    #[test]
    fn update_takes_read_only_properties_along_and_keeps_only_the_primary_identifier() {
        let properties = json!({"UserName": "alice", "Id": "AKIA", "SecretAccessKey": "s", "CreateDate": 7});
        let key = check(properties, Rules::Update).unwrap();
        assert_eq!((key.id.as_deref(), key.secret_access_key, key.create_date), (Some("AKIA"), None::<Secret>, None));
    }

    #[test]
    fn a_secret_that_is_sent_along_is_never_in_the_refusal() {
        for rules in [Rules::Create, Rules::Update, Rules::Callback] {
            let message = check(json!({"Serial": "x", "SecretAccessKey": ["wJalr"]}), rules).unwrap_err();
            assert!(!message.contains("wJalr"), "{message}");
        }
    }

    #[test]
    fn read_and_delete_look_at_nothing_but_the_id_and_the_user() {
        let properties = json!({"Id": "AKIA", "UserName": "alice", "Status": "Asleep", "Serial": "x", "Colour": 1});
        let key = check(properties, Rules::Lookup).unwrap();
        assert_eq!((key.reference(), key.status, key.serial), (Some("AKIA"), None, None));
        assert_eq!(check(json!({"Id": 7}), Rules::Lookup).unwrap_err(), "Id: a string is expected");
    }

    #[test]
    fn what_was_wrong_with_the_previous_properties_does_not_stop_an_update_that_puts_it_right() {
        let key = check(json!({"UserName": "alice", "Serial": "1", "Status": "Asleep"}), Rules::Previous).unwrap();
        assert_eq!((key.serial, key.status), (Some(1), None::<Status>));
    }
}
