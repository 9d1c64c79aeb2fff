//! Which AWS calls each action makes: what the registry schema grants, and no more than the architecture promises.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{
    Call, Fault, TestEnvironment,
    requests::{self, create_with_token, primary_identifier, registry, with},
};

/// The permission that a call needs.
fn permission(call: &Call) -> String {
    let of_a_secret = ["Secret", "SecretValue", "tagResource", "TagResource"];
    let service = if of_a_secret.iter().any(|end| call.operation.ends_with(end)) { "secretsmanager" } else { "iam" };
    format!("{service}:{}", call.operation)
}

/// The permissions that the registry schema grants a handler.
fn granted(handler: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(include_str!("../../schema/aws-iam-accesskey.json")).unwrap();
    let permissions = schema["handlers"][handler]["permissions"].as_array().unwrap();
    permissions.iter().map(|permission| permission.as_str().unwrap().to_owned()).collect()
}

/// Whether IAM would act on the caller's own keys, were the call to name no user. `GetAccessKeyLastUsed` takes none.
fn acts_on_a_users_keys(call: &Call) -> bool {
    call.operation.contains("AccessKey") && call.operation != "GetAccessKeyLastUsed"
}

/// Invokes, and returns the event with the calls it took.
async fn invoke(env: &TestEnvironment, request: &Value) -> (Value, Vec<Call>) {
    env.proxy.take_calls();
    let event = env.invoke(request).await;
    let calls = env.proxy.take_calls();
    assert!(calls.iter().filter(|call| acts_on_a_users_keys(call)).all(|call| call.body.contains("UserName=alice")));
    (event, calls)
}

/// Invokes, asserts that the request succeeds with these sorted operations, and returns the model.
async fn assert_operations(env: &TestEnvironment, request: &Value, expected: &[&str]) -> Value {
    let (event, calls) = invoke(env, request).await;
    assert_eq!(event["status"], "SUCCESS", "{event}");
    let mut operations: Vec<_> = calls.into_iter().map(|call| call.operation).collect();
    operations.sort();
    assert_eq!(operations, expected, "{}", request["action"]);
    event["resourceModel"].clone()
}

#[tokio::test]
async fn the_registry_schema_grants_each_handler_exactly_what_it_calls_when_things_go_wrong_too() {
    let env = TestEnvironment::with_user("alice").await;
    let create = |token: &str| create_with_token(token, json!({"UserName": "alice", "Status": "Inactive"}));
    let mut needed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut record = |handler: &'static str, calls: Vec<Call>| {
        needed.entry(handler).or_default().extend(calls.iter().map(permission));
    };

    // The answer to the one is lost, and the secret of the other cannot be stored.
    for operation in ["CreateAccessKey", "CreateSecret"] {
        env.proxy.inject(operation, .., Fault::CutAfter);
        let (event, calls) = invoke(&env, &create(operation)).await;
        env.proxy.clear_faults();
        assert_eq!(event["errorCode"], "NetworkFailure", "{event}");
        record("create", calls);
    }
    let (event, calls) = invoke(&env, &create("first")).await;
    record("create", calls);
    // A second key, beside the first.
    record("create", invoke(&env, &create("second")).await.1);

    let model = event["resourceModel"].clone();
    let tags = json!([{"Key": "team", "Value": "platform"}, {"Key": "stage", "Value": "test"}]);
    let tagged = with(&model, "Tags", tags);
    for (handler, request) in [
        ("update", requests::update(model.clone(), tagged.clone())),
        ("update", requests::update(tagged, model.clone())),
        ("read", requests::read(&model)),
        ("list", registry("LIST", primary_identifier(&model))),
        ("delete", requests::delete(&primary_identifier(&model))),
    ] {
        let (event, calls) = invoke(&env, &request).await;
        assert_eq!(event["status"], "SUCCESS", "{event}");
        record(handler, calls);
    }

    // CreateSecret sets the tags.
    needed.entry("create").or_default().insert("secretsmanager:TagResource".to_owned());
    for (handler, needed) in needed {
        let granted: BTreeSet<_> = granted(handler).into_iter().filter(|name| !name.starts_with("kms:")).collect();
        assert_eq!(needed, granted, "{handler}");
    }
}

#[tokio::test]
async fn each_action_costs_no_more_calls_than_the_architecture_promises() {
    let env = TestEnvironment::with_user("alice").await;
    let alice = || json!({"UserName": "alice"});

    // ListAccessKeys, CreateAccessKey, then the rest side by side.
    let calls = ["CreateAccessKey", "CreateSecret", "ListAccessKeys", "ListAccessKeys"];
    let model = assert_operations(&env, &requests::create(alice()), &calls).await;

    // The secret and the owner side by side, then the owner's keys.
    let calls = ["GetAccessKeyLastUsed", "GetSecretValue", "ListAccessKeys"];
    assert_operations(&env, &requests::read(&model), &calls).await;
    let calls = ["GetSecretValue", "ListAccessKeys"];
    assert_operations(&env, &registry("READ", model.clone()), &calls).await;

    let calls = ["GetSecretValue", "ListAccessKeys", "UpdateAccessKey"];
    assert_operations(&env, &requests::update(model.clone(), model.clone()), &calls).await;

    // Changed tags cost two calls more.
    let tagged = with(&model, "Tags", json!([{"Key": "team", "Value": "platform"}]));
    let calls = ["GetSecretValue", "ListAccessKeys", "PutSecretValue", "TagResource", "UpdateAccessKey"];
    let tagged = assert_operations(&env, &requests::update(model.clone(), tagged), &calls).await;
    let untagged = with(&requests::update(tagged, model.clone()), "requestData.stackTags", json!({}));
    let calls = ["GetSecretValue", "ListAccessKeys", "PutSecretValue", "UntagResource", "UpdateAccessKey"];
    assert_operations(&env, &untagged, &calls).await;

    assert_operations(&env, &registry("LIST", Value::Null), &["ListAccessKeys", "ListUsers"]).await;
    assert_operations(&env, &registry("LIST", alice()), &["ListAccessKeys"]).await;

    assert_operations(&env, &requests::delete(&model), &["DeleteAccessKey", "DeleteSecret"]).await;

    let inactive = requests::create(with(&alice(), "Status", "Inactive"));
    let calls = ["CreateAccessKey", "CreateSecret", "ListAccessKeys", "ListAccessKeys", "UpdateAccessKey"];
    let model = assert_operations(&env, &inactive, &calls).await;

    // What is stored of the keys that the user has already, all at once.
    let calls = ["CreateAccessKey", "CreateSecret", "GetSecretValue", "ListAccessKeys", "ListAccessKeys"];
    assert_operations(&env, &create_with_token("another-operation", alice()), &calls).await;

    let calls = ["DeleteAccessKey", "DeleteSecret", "GetAccessKeyLastUsed"];
    assert_operations(&env, &requests::delete(&primary_identifier(&model)), &calls).await;
}
