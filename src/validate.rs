//! What may be said in a request: from the payload as it was sent to the typed request that a handler gets.
//!
//! A refusal names the property, the place and the rule, never the value: that may be a secret that a dynamic reference or
//! `Fn::GetAtt` brought into the wrong property.

use std::sync::LazyLock;

use access_key_schema::{
    AccessKey, Action, DEFAULT_TYPE_NAME, HandlerError, HandlerErrorCode, Request, RequestContext, RequestPayload,
    Result, TypeConfiguration, WholeNumber, boolean, registry_schema,
};
use jsonschema::{
    Draft, ValidationError, Validator,
    error::ValidationErrorKind,
    paths::{Location, LocationSegment},
};
use serde_json::{Map, Value, json};
use tracing::warn;
use zeroize::Zeroize;

use crate::decode::{outermost, without_value};

/// The longest name of a resource type, in bytes, that an error message quotes.
const MAX_TYPE_NAME: usize = 200;

/// What stands for the name of a property that does not look like one, and so may be a value.
const HIDDEN_NAME: &str = "A name that is not shown here";

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
    let region = region(payload.region)?;
    let desired = access_key(payload.resource_properties.unwrap_or_default(), rules, type_name)?;
    Ok(Request {
        action: payload.action,
        region,
        previous: previous(payload.previous_resource_properties, &desired)?,
        desired,
        type_configuration: type_configuration(payload.type_configuration)?,
        context,
    })
}

/// The region, if it is one label of a host name: it becomes part of the host names of AWS.
pub(crate) fn region(region: Option<String>) -> Result<String> {
    let is_label = |region: &String| {
        region.starts_with(|first: char| first.is_ascii_alphabetic())
            && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    region
        .filter(is_label)
        .ok_or_else(|| invalid("The request names no region of AWS: a region such as eu-central-1 is expected"))
}

/// Whether a name can be a resource type's, and so is safe to quote.
pub(crate) fn is_type_name(name: &str) -> bool {
    name.len() <= MAX_TYPE_NAME
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
    let wrong = |place: &str, reason: &str| {
        HandlerError::new(
            HandlerErrorCode::InvalidTypeConfiguration,
            format!("The type configuration{place} cannot be used: {reason}. Correct it with SetTypeConfiguration"),
        )
    };
    let settings: TypeConfiguration = serde_path_to_error::deserialize(settings).map_err(|error| {
        let place = outermost(&error).map(|name| format!("'s {name}")).unwrap_or_default();
        wrong(&place, &without_value(error.inner()))
    })?;
    match settings.violation() {
        Some((name, reason)) => Err(wrong(&format!("'s {name}"), reason)),
        None => Ok(settings),
    }
}

/// Settings that this version does not have are ignored: after a rollback, an account has those of the newer version still.
fn warn_of_unknown(settings: &Map<String, Value>, declared: &Value) {
    let unknown = settings.keys().filter(|name| declared.get(name).is_none());
    let shown: Vec<_> = unknown.map(|name| if is_identifier(name) { name } else { "…" }).collect();
    if !shown.is_empty() {
        warn!(settings = shown.join(", "), "unknown settings of the type configuration are ignored");
    }
}

/// Whether a name can be a property's or a setting's, and so is safe to show: a secret access key has 40 characters.
fn is_identifier(name: &str) -> bool {
    name.len() < 40
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
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
    /// The previous properties of an UPDATE: what cannot have been written is left out.
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
    let mut violations = vec![];
    if rules == Rules::Create {
        let is_set = |name: &str| properties.get(name).is_some_and(|value| !value.is_null());
        let set = AccessKey::get_att_properties().iter().filter(|name| is_set(name));
        violations.extend(set.map(|name| format!("{name} is read-only and cannot be set")));
    }
    keep_needed(&mut properties, rules);
    recast(&mut properties, || &SCHEMA["properties"]);
    let properties = Value::Object(properties);
    if rules.demand_schema() {
        violations.extend(schema_violations(&properties, type_name)?);
    }
    if !violations.is_empty() {
        return Err(refusal(&violations));
    }
    let access_key = typed(&properties)?;
    match access_key.repeated_tag_key() {
        Some((first, second)) if rules.demand_schema() => {
            let tags = AccessKey::tag_property();
            Err(invalid(format!("{tags}[{first}] and {tags}[{second}] have the same key")))
        }
        _ => Ok(access_key),
    }
}

/// The access key as it was before an UPDATE; none where the request does not say.
///
/// It is never refused, because a rollback may send what a failed UPDATE asked for. A property that the schema refuses was
/// refused then too, and so never written: it counts as unchanged, and has the value that `desired` has.
fn previous(properties: Option<Value>, desired: &AccessKey) -> Result<Option<AccessKey>> {
    let Some(Value::Object(mut properties)) = properties else { return Ok(None) };
    keep_needed(&mut properties, Rules::Previous);
    recast(&mut properties, || &SCHEMA["properties"]);
    if properties.is_empty() {
        return Ok(None);
    }
    let unchanged = json!(desired.declared());
    let sent = Value::Object(properties.clone());
    for error in validator()?.iter_errors(&sent) {
        let wrong = match (error.kind(), error.instance_path().into_iter().next()) {
            (_, Some(LocationSegment::Property(name))) => name.into_owned(),
            (ValidationErrorKind::Required { property: Value::String(name) }, _) => name.clone(),
            _ => continue,
        };
        properties.insert(wrong.clone(), unchanged[&wrong].clone());
    }
    let Ok(mut previous) = typed(&Value::Object(properties)) else { return Ok(None) };
    if previous.repeated_tag_key().is_some() {
        previous.tags.clone_from(&desired.tags);
    }
    Ok(Some(previous))
}

/// Turns numbers and booleans back into what the schema declares the properties as: CloudFormation may send every primitive as a
/// string, where an empty number is none. A string that is nothing of the kind stays, and is refused later. A `null` is an
/// absent property.
fn recast(properties: &mut Map<String, Value>, declared: impl Fn() -> &'static Value) {
    properties.retain(|name, value| {
        // Asked last: READ, DELETE and LIST, whose properties are strings, do not make the schema.
        let is_declared_as = |kind: &str| declared()[name.as_str()]["type"] == kind;
        if let Some(number) = WholeNumber::of(value) {
            if is_declared_as("integer") {
                *value = number.into();
            }
        } else if let Value::String(text) = value {
            if text.trim().is_empty() {
                return !is_declared_as("integer");
            }
            if let Some(boolean) = boolean(text)
                && is_declared_as("boolean")
            {
                *value = boolean.into();
            }
        }
        !value.is_null()
    });
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

fn validator() -> Result<&'static Validator> {
    VALIDATOR.as_ref().map_err(|error| {
        HandlerError::new(HandlerErrorCode::InternalFailure, format!("The registry schema is broken: {error}"))
    })
}

fn schema_violations(properties: &Value, type_name: &str) -> Result<Vec<String>> {
    let mut violations: Vec<_> =
        validator()?.iter_errors(properties).flat_map(|error| describe(&error, type_name)).collect();
    // One value can violate two keywords, such as minLength and pattern, that the same words stand for.
    violations.dedup();
    Ok(violations)
}

/// A violation of the schema in words: which property, and what it must be.
fn describe(error: &ValidationError, type_name: &str) -> Vec<String> {
    let place = place(error.instance_path(), |index| format!("[{index}]"));
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            let separator = if place.is_empty() { "" } else { "." };
            vec![format!("{place}{separator}{property} is required")]
        }
        // The template's own names. Those in a tag can come with a value.
        ValidationErrorKind::AdditionalProperties { unexpected } if place.is_empty() => {
            let mut unexpected = unexpected.clone();
            unexpected.sort_unstable_by_key(|name| (!is_identifier(name), name.clone()));
            let shown = |name: &String| if is_identifier(name) { name.clone() } else { HIDDEN_NAME.to_owned() };
            unexpected.iter().map(|name| format!("{} is not a property of {type_name}", shown(name))).collect()
        }
        kind => {
            let property = self::place(error.instance_path(), |_| "[]".to_owned());
            vec![format!("{place}: {}", AccessKey::constraint(&property, kind.keyword()))]
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
fn typed(properties: &Value) -> Result<AccessKey> {
    serde_path_to_error::deserialize(properties).map_err(|error| {
        let property = outermost(&error).unwrap_or_default();
        invalid(format!("{property}: {}", AccessKey::constraint(&property, "type")))
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
    use access_key_schema::Secret;
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
    fn each_violation_is_named_in_words_with_its_place_and_without_its_value() {
        let key = |key: &str| json!([{"Key": "team", "Value": "a"}, {"Key": key, "Value": ""}]);
        let user_name = "a user name is 1 to 128 letters, digits or any of _+=,.@-";
        let pgp_key =
            "an OpenPGP public key is expected: base64 of a binary key, an ASCII-armored key, or keybase:NAME";
        for (property, value, expected) in [
            ("UserName", json!("a b"), format!("UserName: {user_name}")),
            ("UserName", json!(""), format!("UserName: {user_name}")),
            ("UserName", json!(7), format!("UserName: {user_name}")),
            ("Serial", json!("two"), "Serial: a whole number is expected, of at most 64 bits".to_owned()),
            ("Serial", json!(2.5), "Serial: a whole number is expected, of at most 64 bits".to_owned()),
            ("Status", json!("Asleep"), "Status: must be Active or Inactive".to_owned()),
            ("Status", json!(""), "Status: must be Active or Inactive".to_owned()),
            ("PgpKey", json!(""), format!("PgpKey: {pgp_key}")),
            ("SesSmtpRegion", json!("us"), "SesSmtpRegion: a region such as eu-central-1 is expected".to_owned()),
            ("Tags", json!({"a": "b"}), "Tags: a list of tags is expected".to_owned()),
            ("Tags", json!(["a"]), "Tags[0]: a tag with a Key and a Value is expected".to_owned()),
            ("Tags", key("aws:a"), "Tags[1].Key: keys that start with \"aws:\" are reserved by AWS".to_owned()),
            ("Tags", key(""), "Tags[1].Key: a tag's key is a string of 1 to 128 characters".to_owned()),
            ("Tags", key("team"), "Tags[0] and Tags[1] have the same key".to_owned()),
            ("Tags", json!([{"Key": "a"}]), "Tags[0].Value is required".to_owned()),
            (
                "Tags",
                json!([{"Key": "a", "Value": 7}]),
                "Tags[0].Value: a tag's value is a string of at most 256 characters".to_owned(),
            ),
            (
                "Tags",
                json!([{"Key": "a", "Value": "b", "Colour": "red"}]),
                "Tags[0]: a tag has a Key and a Value, and no other property".to_owned(),
            ),
            ("Colour", json!("red"), "Colour is not a property of AWS::IAM::AccessKey".to_owned()),
            (
                "wJalrXUtnFEMI/K7MDENG",
                json!(""),
                "A name that is not shown here is not a property of AWS::IAM::AccessKey".to_owned(),
            ),
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
        for serial in [json!("two"), json!("2.5"), json!(2.5), json!("9223372036854775808"), json!(1e300), json!("1e3")]
        {
            for rules in [Rules::Create, Rules::Update, Rules::Callback] {
                let message = check(json!({"UserName": "alice", "Serial": serial}), rules).unwrap_err();
                assert_eq!(message, "Serial: a whole number is expected, of at most 64 bits");
            }
        }
    }

    #[test]
    fn every_violation_is_named_in_one_message() {
        let properties = json!({"Serial": "two", "Status": "Asleep", "Id": "AKIA", "Size": 1, "Colour": "red"});
        assert_eq!(
            message(properties),
            "Id is read-only and cannot be set; Serial: a whole number is expected, of at most 64 bits; \
             Status: must be Active or Inactive; Colour is not a property of AWS::IAM::AccessKey; \
             Size is not a property of AWS::IAM::AccessKey; UserName is required"
        );
    }

    #[test]
    fn a_message_names_ten_violations_and_counts_the_others() {
        let tags: Vec<_> = (0..12).map(|number| json!({"Key": format!("aws:{number}"), "Value": ""})).collect();
        let message = message(json!({"UserName": "alice", "Tags": tags}));
        assert!(message.contains("Tags[9].Key") && message.ends_with("; and 2 more"), "{message}");
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
        for region in [Value::Null, json!(""), json!("elsewhere.example/#"), json!("us east 1"), json!("7")] {
            let message = "The request names no region of AWS: a region such as eu-central-1 is expected".to_owned();
            assert_eq!(refusal_of(&json!({"region": region})), (HandlerErrorCode::InvalidRequest, message));
        }
    }

    #[test]
    fn a_type_configuration_that_cannot_be_read_is_refused_without_its_values() {
        for (settings, reason) in [
            (json!("wJalr"), " cannot be used: expected a JSON object"),
            (json!({"KmsKeyId": ["wJalr"]}), "'s KmsKeyId cannot be used: expected a string"),
            (json!({"LogLevel": "wJalr"}), "'s LogLevel cannot be used: expected one of `ERROR`, `WARN`, `INFO`"),
            (json!({"ReturnSecrets": ""}), "'s ReturnSecrets cannot be used: expected a boolean"),
            (json!({"SecretNamePrefix": ""}), "'s SecretNamePrefix cannot be used: it is empty"),
            (
                json!({"SecretNamePrefix": "wJalr "}),
                "'s SecretNamePrefix cannot be used: letters, digits or any of /_+=.@- are expected",
            ),
            (json!({"SecretNamePrefix": "k".repeat(257)}), "'s SecretNamePrefix cannot be used: it is too long"),
            (
                json!({"KmsKeyId": "{{resolve:ssm:wJalr}}"}),
                "'s KmsKeyId cannot be used: a dynamic reference in it is not resolved",
            ),
        ] {
            let (code, message) = refusal_of(&json!({"typeConfiguration": settings}));
            assert_eq!(code, HandlerErrorCode::InvalidTypeConfiguration);
            assert_eq!(message, format!("The type configuration{reason}. Correct it with SetTypeConfiguration"));
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
            assert!(message.starts_with("UserName: "), "{message}");
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
    fn the_ses_smtp_region_must_look_like_a_region() {
        let regions =
            ["us-east-1", "ap-southeast-5", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1", "cn-northwest-1"];
        for region in regions {
            let key = check(json!({"UserName": "alice", "SesSmtpRegion": region}), Rules::Create).unwrap();
            assert_eq!(key.ses_smtp_region.as_deref(), Some(region));
        }
        for region in ["", "us", "US-EAST-1", "us-east", "us-east-1a", "us-east-1\n", " us-east-1", "us_east_1", "-1"] {
            let message = message(json!({"UserName": "alice", "SesSmtpRegion": region}));
            assert_eq!(message, "SesSmtpRegion: a region such as eu-central-1 is expected", "{region:?}");
        }
    }

    #[test]
    fn update_takes_read_only_properties_along_and_keeps_only_the_primary_identifier() {
        let properties = json!({"UserName": "alice", "Id": "AKIA", "SecretAccessKey": "s", "CreateDate": 7});
        let key = check(properties, Rules::Update).unwrap();
        assert_eq!((key.id.as_deref(), key.secret_access_key, key.create_date), (Some("AKIA"), None::<Secret>, None));
    }

    #[test]
    fn read_and_delete_look_at_nothing_but_the_id_and_the_user() {
        let properties = json!({"Id": "AKIA", "UserName": "alice", "Status": "Asleep", "Serial": "x", "Colour": 1});
        let key = check(properties, Rules::Lookup).unwrap();
        assert_eq!((key.reference(), key.status, key.serial), (Some("AKIA"), None, None));
        assert_eq!(check(json!({"Id": 7}), Rules::Lookup).unwrap_err(), "Id: a string is expected");
    }

    /// What UPDATE gets as the previous properties, beside a key that has every property.
    fn previous_of(properties: &Value) -> (AccessKey, Option<AccessKey>) {
        let desired = json!({
            "UserName": "alice", "Serial": 1, "Status": "Inactive", "PgpKey": "keybase:alice",
            "SesSmtpRegion": "eu-central-1", "Tags": [{"Key": "team", "Value": "a"}],
        });
        let fields = json!({
            "action": "UPDATE", "resourceProperties": desired, "previousResourceProperties": properties,
        });
        let request = validate(payload(&fields), RequestContext::default()).unwrap();
        (request.desired, request.previous)
    }

    #[test]
    fn a_previous_property_that_was_refused_counts_as_unchanged() {
        let tag = json!({"Key": "team", "Value": "b"});
        let tags = [
            json!([tag, tag]),
            json!([tag, {"Key": "team", "Value": "c"}]),
            json!([{"Key": "team"}]),
            json!([{"Key": "aws:team", "Value": ""}]),
            json!([{"Key": "team", "Value": "b", "Colour": "red"}]),
        ];
        let wrong = [json!(""), json!("a b"), json!({"team": "a"}), json!([7]), json!(2.5), json!(true), json!(1e19)];
        for property in ["UserName", "Serial", "Status", "PgpKey", "SesSmtpRegion", "Tags"] {
            for value in if property == "Tags" { tags.iter().chain(&wrong) } else { [].iter().chain(&wrong) } {
                let mut properties = json!({"UserName": "bob", "Status": "Active", "Colour": "red"});
                let expected = previous_of(&properties).1.map(|previous| json!(previous));
                properties[property] = value.clone();
                let (desired, previous) = previous_of(&properties);
                let is_absent = property == "Serial" && *value == "";
                let is_right = property == "PgpKey" && *value == "a b";
                let mut expected = expected.unwrap();
                if is_right {
                    expected[property] = value.clone();
                } else if !is_absent {
                    expected[property] = json!(desired)[property].clone();
                }
                assert_eq!(json!(previous), expected, "{property}: {value}");
            }
        }
    }

    #[test]
    fn previous_properties_that_say_nothing_are_none() {
        for nothing in [Value::Null, json!({}), json!({"Tags": null}), json!({"Id": "AKIA"}), json!([]), json!("alice")]
        {
            assert_eq!(previous_of(&nothing).1, None, "{nothing}");
        }
        let (desired, previous) = previous_of(&json!({"Serial": "0"}));
        let previous = previous.unwrap();
        assert_eq!((previous.user_name, previous.serial), (desired.user_name, Some(0)));
    }

    /// What a template may declare, and the settings of the type configuration, by their names: each with its schema.
    fn declared() -> Vec<(bool, &'static String, &'static Value)> {
        let properties = SCHEMA["properties"].as_object().unwrap().iter().map(|(name, schema)| (false, name, schema));
        let settings = SCHEMA["typeConfiguration"]["properties"].as_object().unwrap();
        properties.chain(settings.iter().map(|(name, schema)| (true, name, schema))).collect()
    }

    /// What comes of a request with this property or setting, without the context.
    fn outcome(action: &str, is_setting: bool, name: &str, value: &Value) -> std::result::Result<String, String> {
        let mut fields =
            json!({"action": action, "resourceProperties": {"UserName": "alice"}, "typeConfiguration": {}});
        fields[if is_setting { "typeConfiguration" } else { "resourceProperties" }][name] = value.clone();
        let request = validate(payload(&fields), RequestContext::default());
        request.map(|request| format!("{request:?}")).map_err(|error| error.message)
    }

    #[test]
    fn no_refusal_quotes_what_is_in_a_property_or_a_setting() {
        const MARK: &str = "hunter2-wJalrXUtnFEMI";
        let tag = |key: Value, value: Value| json!([{"Key": key, "Value": value}, {"Key": key, "Value": value}]);
        let long = format!("{MARK}{}", "k".repeat(56_001));
        let values = [
            json!(MARK),
            json!(format!("{MARK} ")),
            json!(format!("{{{{resolve:ssm:{MARK}}}}}")),
            json!(format!("aws:{MARK}")),
            json!(long),
            json!([MARK]),
            json!({MARK: MARK}),
            json!([{MARK: MARK}]),
            json!([{"Key": "team", "Value": "a", MARK: MARK}]),
            tag(json!(MARK), json!(MARK)),
            tag(json!(MARK), json!([MARK])),
            tag(json!({MARK: MARK}), json!(7)),
            tag(json!(format!("aws:{MARK}")), json!("")),
            tag(json!("team"), json!(long)),
            json!(vec![json!({"Key": MARK, "Value": ""}); 51]),
        ];
        let mut refused = 0;
        let unknown = [(false, MARK), (true, MARK), (false, "Colour")];
        let names = declared().into_iter().map(|(is_setting, name, _)| (is_setting, name.as_str())).chain(unknown);
        for (is_setting, name) in names {
            for (action, value) in ["CREATE", "READ", "UPDATE", "DELETE"]
                .into_iter()
                .flat_map(|action| values.iter().map(move |value| (action, value)))
            {
                if let Err(message) = outcome(action, is_setting, name, value) {
                    assert!(!message.contains("hunter2") && !message.contains("wJalr"), "{name}: {message}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 400, "{refused}");
    }

    #[test]
    fn every_spelling_of_a_number_or_a_boolean_says_the_same() {
        let spellings = [
            ("integer", json!(30), vec![json!(30.0), json!("30"), json!(" 30 "), json!("+30"), json!("030")]),
            ("boolean", json!(false), vec![json!("false"), json!(" false "), json!("False"), json!("FALSE")]),
        ];
        let mut primitives = 0;
        for (is_setting, name, schema) in declared() {
            let Some((kind, value, others)) = spellings.iter().find(|(kind, ..)| schema["type"] == *kind) else {
                continue;
            };
            primitives += 1;
            let expected = outcome("CREATE", is_setting, name, value).unwrap();
            for other in others {
                assert_eq!(outcome("CREATE", is_setting, name, other).unwrap(), expected, "{name}: {other}");
            }
            for wrong in [json!("1e3"), json!("30.0"), json!("yes"), json!(30.5), json!([30]), json!({})] {
                assert!(outcome("CREATE", is_setting, name, &wrong).is_err(), "{name}: {wrong}");
            }
            for blank in [json!(""), json!("  ")] {
                let absent = outcome("CREATE", is_setting, name, &Value::Null).unwrap();
                let blank = outcome("CREATE", is_setting, name, &blank).ok();
                assert_eq!(blank, (*kind == "integer").then_some(absent), "{name}");
            }
        }
        assert_eq!(primitives, 2, "Serial and ReturnSecrets");
    }

    #[test]
    fn a_dynamic_reference_may_be_set_but_has_to_be_resolved_in_a_request() {
        let settings = jsonschema::options().with_draft(Draft::Draft7).build(&SCHEMA["typeConfiguration"]).unwrap();
        for (name, schema) in SCHEMA["typeConfiguration"]["properties"].as_object().unwrap() {
            if schema["type"] != "string" || schema.get("enum").is_some() {
                continue;
            }
            for value in ["{{resolve:ssm:/keys/setting}}", "{{resolve:ssm:/keys/setting:3}}"] {
                assert!(settings.is_valid(&json!({name: value})), "{name} {value}");
                let message = outcome("CREATE", true, name, &json!(value)).unwrap_err();
                assert!(message.contains("is not resolved") && message.contains(name.as_str()), "{message}");
            }
            for wrong in [json!(""), json!("k".repeat(2049)), json!(7)] {
                assert!(!settings.is_valid(&json!({name: wrong})), "{name} {wrong}");
                assert!(outcome("CREATE", true, name, &wrong).is_err(), "{name} {wrong}");
            }
        }
        for byte in (0..=127_u8).map(char::from) {
            let prefix = json!({"SecretNamePrefix": format!("a{byte}")});
            let is_taken = outcome("CREATE", true, "SecretNamePrefix", &prefix["SecretNamePrefix"]).is_ok();
            assert_eq!(settings.is_valid(&prefix), is_taken, "{byte:?}");
        }
    }

    #[test]
    fn the_pattern_of_tag_keys_says_without_a_lookahead_what_one_with_it_would() {
        let pattern = SCHEMA["definitions"]["Tag"]["properties"]["Key"]["pattern"].as_str().unwrap();
        assert!(!pattern.contains("(?"), "{pattern}");
        let pattern = regex::Regex::new(pattern).unwrap();
        let alphabet = ["", "a", "A", "w", "W", "s", "S", ":", "x", "\n", "ſ", "ä"];
        let indices = || alphabet.iter();
        for (first, second) in indices().flat_map(|first| indices().map(move |second| (first, second))) {
            for (third, fourth) in indices().flat_map(|third| indices().map(move |fourth| (third, fourth))) {
                let key = format!("{first}{second}{third}{fourth}x");
                for key in [key.trim_end_matches('x'), &key] {
                    let is_reserved = key.to_ascii_lowercase().starts_with("aws:");
                    assert_eq!(pattern.is_match(key), !is_reserved, "{key:?}");
                }
            }
        }
    }
}
