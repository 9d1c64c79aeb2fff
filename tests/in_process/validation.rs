//! What may be said of an access key in a request, and in which words it is refused.

use std::sync::LazyLock;

use access_key_schema::{
    AccessKey, HandlerErrorCode, Request, RequestContext, RequestPayload, ResourceModel, Result, Secret,
    TypeConfiguration,
};
use cfn_resource_runtime::Validator;
use jsonschema::Draft;
use serde_json::{Value, json};

static VALIDATOR: LazyLock<Validator<AccessKey>> = LazyLock::new(Validator::default);

static SCHEMA: LazyLock<&Value> = LazyLock::new(|| VALIDATOR.schema());

/// What a request is for.
#[derive(Clone, Copy, PartialEq)]
enum Rules {
    Create,
    Update,
    Callback,
    Lookup,
}

fn validate(payload: RequestPayload, context: RequestContext) -> Result<Request> {
    VALIDATOR.validate(payload, context)
}

fn check(properties: impl Into<Value>, rules: Rules) -> std::result::Result<AccessKey, String> {
    let action = match rules {
        Rules::Create | Rules::Callback => "CREATE",
        Rules::Update => "UPDATE",
        Rules::Lookup => "READ",
    };
    let payload = payload(&json!({
        "action": action, "resourceType": AccessKey::TYPE_NAME, "resourceProperties": properties.into(),
    }));
    let callback_context = (rules == Rules::Callback).then(|| json!({"AccessKeyId": "AKIA"}));
    let request = validate(payload, RequestContext { callback_context, ..RequestContext::default() });
    request.map(|request| request.desired).map_err(|error| {
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
    let pgp_key = "an OpenPGP public key is expected: base64 of a binary key, an ASCII-armored key, or keybase:NAME";
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
        ("Description", json!("d".repeat(257)), "Description: at most 256 characters are expected".to_owned()),
        (
            "Description",
            json!("50% off"),
            "Description: letters, digits, spaces and any of _.:/=+-@ are expected".to_owned(),
        ),
        ("Description", json!(7), "Description: a text of at most 256 characters is expected".to_owned()),
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
    for property in properties.filter(|name| !AccessKey::READ_ONLY_PROPERTIES.contains(name)) {
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
    for serial in [json!("two"), json!("2.5"), json!(2.5), json!("9223372036854775808"), json!(1e300), json!("1e3")] {
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
fn a_description_is_what_iam_takes_as_the_value_of_a_tag() {
    for description in ["", "payments", "Team A: prod/eu v1.2 = x+y@z_-", "für Zahlungen", &"ü".repeat(256)] {
        assert!(check(json!({"UserName": "alice", "Description": description}), Rules::Create).is_ok());
    }
    for description in ["a\tb", "a\nb", "50%", "a, b", "\"a\"", "<a>", &"ü".repeat(257)] {
        let refusal = message(json!({"UserName": "alice", "Description": description}));
        assert!(refusal.starts_with("Description: ") && !refusal.contains(description), "{refusal}");
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
fn update_accepts_read_only_properties_and_keeps_the_identifier_alone() {
    let properties = json!({"UserName": "alice", "Id": "AKIA", "SecretAccessKey": "s", "CreateDate": 7});
    let key = check(properties, Rules::Update).unwrap();
    assert_eq!((key.id.as_deref(), key.secret_access_key, key.create_date), (Some("AKIA"), None::<Secret>, None));
}

#[test]
fn read_and_delete_look_at_nothing_but_the_id_and_the_user() {
    let properties = json!({"Id": "AKIA", "UserName": "alice", "Status": "Asleep", "Serial": "x", "Colour": 1});
    let key = check(properties, Rules::Lookup).unwrap();
    assert_eq!((key.primary_identifier(), key.status, key.serial), (Some("AKIA"), None, None));
    assert_eq!(check(json!({"Id": 7}), Rules::Lookup).unwrap_err(), "Id: a string is expected");
}

/// What UPDATE gets as the previous properties, beside a key that has every property.
fn previous_of(properties: &Value) -> (AccessKey, Option<AccessKey>) {
    let desired = json!({
        "UserName": "alice", "Serial": 1, "Status": "Inactive", "PgpKey": "keybase:alice",
        "SesSmtpRegion": "eu-central-1", "Tags": [{"Key": "team", "Value": "a"}], "Description": "payments",
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
        json!([null]),
        json!([[tag]]),
    ];
    let wrong = [json!(""), json!("a b"), json!({"team": "a"}), json!([7]), json!(2.5), json!(true), json!(1e19)];
    for property in ["UserName", "Serial", "Status", "PgpKey", "SesSmtpRegion", "Tags", "Description"] {
        for value in if property == "Tags" { tags.iter().chain(&wrong) } else { [].iter().chain(&wrong) } {
            let mut properties = json!({"UserName": "bob", "Status": "Active", "Colour": "red"});
            let expected = previous_of(&properties).1.map(|previous| json!(previous));
            properties[property] = value.clone();
            let (desired, previous) = previous_of(&properties);
            let is_absent = property == "Serial" && *value == "";
            let is_right = property == "PgpKey" && *value == "a b" || property == "Description" && value.is_string();
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
    for nothing in [Value::Null, json!({}), json!({"Tags": null}), json!({"Id": "AKIA"}), json!([]), json!("alice")] {
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
    let mut fields = json!({"action": action, "resourceProperties": {"UserName": "alice"}, "typeConfiguration": {}});
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
fn the_pattern_of_tag_keys_means_the_same_as_one_with_a_lookahead() {
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
