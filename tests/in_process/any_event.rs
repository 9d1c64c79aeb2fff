//! Whatever arrives, CloudFormation gets an event that it can read.

use std::time::Duration;

use access_key_schema::AccessKey;
use cfn_resource_runtime::{Connections, Deadline, Event, Invocation, ResourceType, Validator, decode};
use iam_access_key::{AccessKeyType, Function};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::listen;

#[test]
fn neither_a_request_nor_its_services_show_a_secret_in_debug() {
    let mut event: Value = serde_json::from_str(include_str!("../requests/registry.json")).unwrap();
    event["action"] = "UPDATE".into();
    let properties = json!({"UserName": "alice", "Id": "AKIA", "SecretAccessKey": "wJalrXUtnFEMI"});
    event["requestData"]["resourceProperties"] = properties.clone();
    event["requestData"]["previousResourceProperties"] = properties;
    let (payload, context) = decode::<AccessKey>(Event::deserialize(event).unwrap()).request.unwrap();
    let credentials = payload.caller_credentials.clone().unwrap();
    let request = Validator::default().validate(payload, context).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let connections = Connections::from_environment();
    let deadline = Deadline::after(Duration::from_secs(1));
    let invocation = Invocation::new(deadline, &connections, Some(&credentials), &request.region);
    let services = AccessKeyType::handlers(&invocation, &request).unwrap();
    let debug = format!("{credentials:?} {request:#?} {invocation:#?} {services:#?}");
    assert!(debug.contains("alice"), "{debug}");
    for secret in ["ThatMustNotBeLogged", "wJalr"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}

#[test]
fn a_failed_update_carries_the_identifier_and_nothing_else() {
    let id = "AKIAIOSFODNN7EXAMPLE";
    for (action, properties, expected) in [
        ("UPDATE", json!({"Id": id, "UserName": "alice", "SecretAccessKey": "wJalr"}), json!({"Id": id})),
        ("UPDATE", json!({"Id": id, "UserName": "a b"}), json!({"Id": id})),
        ("UPDATE", json!({"Id": "wJalr/", "UserName": "alice"}), Value::Null),
        ("UPDATE", json!({"UserName": "alice"}), Value::Null),
        ("READ", json!({"Id": id}), Value::Null),
    ] {
        let event = json!({"action": action, "region": "us-east-1", "requestData": {"resourceProperties": properties}});
        let answer = without_credentials(event);
        assert_eq!(answer["status"], "FAILED", "{answer}");
        assert_eq!(answer.get("resourceModel").unwrap_or(&Value::Null), &expected, "{answer}");
    }
}

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let name = prop_oneof![
            "[A-Za-z]{1,12}",
            Just("requestData".to_owned()),
            Just("action".to_owned()),
            Just("Tags".to_owned()),
            Just("__COMPRESSED__".to_owned()),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// The answer to an event without credentials: whatever it asks fails, before AWS is called.
fn without_credentials(event: Value) -> Value {
    let _listening = listen();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let function = Function::new(Connections::from_environment());
        function.answer(Event::deserialize(event).unwrap(), Duration::MAX).await
    });
    serde_json::to_value(answer).unwrap()
}

fn assert_well_formed_failure(event: Value) {
    let shown = event.to_string();
    let answer = without_credentials(event);
    let fields: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["status", "errorCode", "message"], "{shown}: {answer}");
    assert!(answer["status"] == "FAILED" && answer["message"] != "", "{shown}: {answer}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_json_at_all_gets_a_well_formed_event(event in any_json()) {
        assert_well_formed_failure(event);
    }

    #[test]
    fn a_request_with_any_json_in_any_place_gets_a_well_formed_event(
        json in any_json(),
        place in prop::sample::select(vec![
            "/action", "/region", "/bearerToken", "/callbackContext", "/nextToken", "/maxResults", "/requestData",
            "/requestData/resourceProperties", "/requestData/resourceProperties/UserName",
            "/requestData/resourceProperties/Serial", "/requestData/previousResourceProperties",
            "/requestData/stackTags", "/requestData/typeConfiguration",
        ]),
    ) {
        let mut event: Value = serde_json::from_str(include_str!("../requests/registry.json")).unwrap();
        *event.pointer_mut(place).unwrap() = json;
        if let Some(data) = event["requestData"].as_object_mut() {
            data.remove("callerCredentials");
            // Nothing is delivered: that would go to AWS itself.
            data.remove("providerCredentials");
        }
        assert_well_formed_failure(event);
    }
}
