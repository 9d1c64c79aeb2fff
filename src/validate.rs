//! From properties as they were sent to the typed model: recast, and validated by the registry schema itself.

use std::sync::LazyLock;

use access_key_schema::{AccessKey, DEFAULT_TYPE_NAME, HandlerError, HandlerErrorCode, Result, registry_schema};
use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Map, Number, Value};
use zeroize::Zeroize;

/// The longest value, in bytes of JSON, that an error message quotes.
const MAX_QUOTED: usize = 200;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| registry_schema(DEFAULT_TYPE_NAME));

static VALIDATOR: LazyLock<std::result::Result<Validator, String>> =
    LazyLock::new(|| jsonschema::options().with_draft(Draft::Draft7).build(&SCHEMA).map_err(|error| error.to_string()));

/// What a request may say of an access key, which depends on what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// CREATE: the schema holds, and read-only properties may not be set.
    Create,
    /// UPDATE: the schema holds; read-only properties may come along.
    Update,
    /// A callback: what this handler answered before, and validated then.
    Callback,
    /// The previous properties of an UPDATE: what was wrong with them may be what is being put right.
    Previous,
    /// READ, DELETE and LIST: which key, or whose, however wrong the rest may be.
    Lookup,
}

impl Rules {
    /// Whether a handler makes use of the property. Of the read-only ones it is the primary identifier alone, so that no
    /// error message can quote a secret.
    fn needs(self, property: &str) -> bool {
        let primary_identifier = property == AccessKey::ref_property();
        match self {
            Self::Create => !AccessKey::get_att_properties().contains(&property),
            Self::Update | Self::Callback => primary_identifier || !AccessKey::get_att_properties().contains(&property),
            Self::Previous => {
                AccessKey::create_only_properties().contains(&property) || property == AccessKey::tag_property()
            }
            Self::Lookup => primary_identifier || property == "UserName",
        }
    }
}

/// The model in `properties`.
///
/// # Errors
/// `InvalidRequest` that names every violation of the rules, each with its property.
pub(crate) fn model(mut properties: Map<String, Value>, rules: Rules) -> Result<AccessKey> {
    recast(&mut properties);
    let mut violations = vec![];
    if rules == Rules::Create {
        let set = AccessKey::get_att_properties().iter().filter(|name| properties.contains_key(**name));
        violations.extend(set.map(|name| format!("{name} is read-only and cannot be set")));
    }
    properties.retain(|name, value| {
        let needed = rules.needs(name);
        if !needed && let Value::String(unused) = value {
            unused.zeroize();
        }
        needed
    });
    let properties = Value::Object(properties);
    if matches!(rules, Rules::Create | Rules::Update) {
        let validator = VALIDATOR.as_ref().map_err(|error| {
            HandlerError::new(HandlerErrorCode::InternalFailure, format!("the registry schema is broken: {error}"))
        })?;
        violations.extend(validator.iter_errors(&properties).map(|error| describe(&error)));
    }
    if !violations.is_empty() {
        return Err(HandlerError::new(HandlerErrorCode::InvalidRequest, violations.join("; ")));
    }
    let model: AccessKey = serde_path_to_error::deserialize(&properties).map_err(|error| {
        HandlerError::new(HandlerErrorCode::InvalidRequest, format!("{}: {}", error.path(), error.inner()))
    })?;
    match model.repeated_tag_key() {
        Some(key) if matches!(rules, Rules::Create | Rules::Update) => Err(HandlerError::new(
            HandlerErrorCode::InvalidRequest,
            format!("{}: the key {key:?} is there more than once", AccessKey::tag_property()),
        )),
        _ => Ok(model),
    }
}

/// Turns strings back into what the schema declares: CloudFormation may send every primitive as a string. One that
/// does not fit stays a string, and is refused as one. A `null` is an absent property.
fn recast(properties: &mut Map<String, Value>) {
    properties.retain(|_, value| !value.is_null());
    for (name, value) in properties {
        if let Value::String(text) = value
            && SCHEMA["properties"][name]["type"] == "integer"
            && let Ok(integer) = text.parse::<i64>()
        {
            *value = Number::from(integer).into();
        }
    }
}

/// A violation of the schema with the property it is about.
fn describe(error: &ValidationError) -> String {
    let place = error.instance_path().as_str().trim_start_matches('/');
    match error.kind() {
        ValidationErrorKind::Required { property } if place.is_empty() => format!("{} is required", text(property)),
        ValidationErrorKind::AdditionalProperties { unexpected } if place.is_empty() => {
            let mut unexpected = unexpected.clone();
            unexpected.sort();
            format!("{} is not a property of this type", unexpected.join(", "))
        }
        // The message quotes the value, and an OpenPGP key would fill the screen.
        _ if error.instance().to_string().len() > MAX_QUOTED => format!("{place}: {}", error.masked_with("its value")),
        _ => format!("{place}: {error}"),
    }
}

/// A string without its quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use access_key_schema::{Secret, Status};
    use serde_json::json;

    use super::*;

    fn check(properties: Value, rules: Rules) -> std::result::Result<AccessKey, String> {
        let Value::Object(properties) = properties else { panic!("not an object") };
        model(properties, rules).map_err(|error| {
            assert_eq!(error.code, HandlerErrorCode::InvalidRequest);
            error.message
        })
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
            for rules in [Rules::Create, Rules::Update, Rules::Callback, Rules::Previous] {
                let message = check(json!({"UserName": "alice", "Serial": serial}), rules).unwrap_err();
                assert!(message.starts_with("Serial: "), "{serial}: {message}");
            }
        }
    }

    #[test]
    fn every_violation_is_named_in_one_message() {
        let message = check(
            json!({"Serial": "two", "Status": "Asleep", "Id": "AKIA", "Colour": "red", "Size": 1}),
            Rules::Create,
        )
        .unwrap_err();
        for part in [
            "Id is read-only and cannot be set",
            "UserName is required",
            "Colour, Size is not a property of this type",
            r#"Serial: "two" is not of type "integer""#,
            r#"Status: "Asleep" is not one of "Active" or "Inactive""#,
        ] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }

    #[test]
    fn a_user_name_of_the_wrong_length_or_characters_is_refused_by_name() {
        for user in [json!(""), json!("x".repeat(129)), json!("a b"), json!("ünal"), json!(7)] {
            let message = check(json!({"UserName": user}), Rules::Create).unwrap_err();
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
    fn a_value_is_quoted_in_the_refusal_only_if_it_is_short() {
        for (property, value) in [
            ("PgpKey", json!("k".repeat(1_000_001))),
            ("PgpKey", json!(["k".repeat(500)])),
            ("SesSmtpRegion", json!("k".repeat(500))),
        ] {
            let message = check(json!({"UserName": "alice", property: value}), Rules::Create).unwrap_err();
            assert!(message.starts_with(&format!("{property}: its value ")), "{message}");
            assert!(message.len() < 300 && !message.contains("kkk"), "{message}");
        }
        let message = check(json!({"UserName": "alice", "PgpKey": ""}), Rules::Create).unwrap_err();
        assert!(message.starts_with("PgpKey: \"\" is shorter"), "{message}");
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
            let message = check(json!({"UserName": "alice", "SesSmtpRegion": region}), Rules::Create).unwrap_err();
            assert!(message.starts_with("SesSmtpRegion: "), "{message}");
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
        assert!(check(json!({"Id": 7}), Rules::Lookup).unwrap_err().starts_with("Id: "));
    }

    #[test]
    fn what_was_wrong_with_the_previous_properties_does_not_stop_an_update_that_puts_it_right() {
        let key = check(json!({"UserName": "alice", "Serial": "1", "Status": "Asleep"}), Rules::Previous).unwrap();
        assert_eq!((key.serial, key.status), (Some(1), None::<Status>));
    }
}
