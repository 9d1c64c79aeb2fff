//! Which AWS calls each action makes: what the registry schema grants, and no more than the architecture promises.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{
    Call, Fault, OF_A_RECORD, TestEnvironment,
    events::secret_name,
    requests::{self, create_with_token, primary_identifier, registry, with},
};

/// The permission that a call needs.
fn permission(call: &Call) -> String {
    let of_a_secret = ["Secret", "SecretValue", "agResource", "Replication"];
    let operation = call.operation.trim_end_matches(OF_A_RECORD);
    let service = if of_a_secret.iter().any(|end| operation.ends_with(end)) { "secretsmanager" } else { "iam" };
    format!("{service}:{operation}")
}

/// The permissions that the registry schema grants a handler.
fn granted(handler: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(include_str!("../../schema/aws-iam-accesskey.json")).unwrap();
    let permissions = schema["handlers"][handler]["permissions"].as_array().unwrap();
    permissions.iter().map(|permission| permission.as_str().unwrap().to_owned()).collect()
}

/// Whether the call is about a user, whose name it has to give: IAM would act on the caller's own keys. `GetAccessKeyLastUsed` takes none.
fn acts_on_a_users_keys(call: &Call) -> bool {
    let is_about_keys = call.operation.contains("AccessKey") && call.operation != "GetAccessKeyLastUsed";
    is_about_keys || ["ListUserTags", "TagUser", "UntagUser"].contains(&&*call.operation)
}

/// Invokes, and returns the event with the calls it took.
async fn invoke(env: &TestEnvironment, request: &Value) -> (Value, Vec<Call>) {
    env.proxy.take_calls();
    let event = env.invoke(request).await;
    let calls = env.proxy.take_calls();
    assert!(calls.iter().filter(|call| acts_on_a_users_keys(call)).all(|call| call.body.contains("UserName=alice")));
    (event, calls)
}

/// What a CREATE calls for its record.
const RECORD: [&str; 3] = ["CreateSecret of a record", "DeleteSecret of a record", "UpdateSecret of a record"];

/// Invokes, asserts that the request succeeds with these operations, and returns the model.
async fn assert_operations(env: &TestEnvironment, request: &Value, expected: &[&str]) -> Value {
    let (event, calls) = invoke(env, request).await;
    assert_eq!(event["status"], "SUCCESS", "{event}");
    let mut expected = expected.to_vec();
    if request["action"] == "CREATE" {
        expected.extend(RECORD);
    }
    expected.sort_unstable();
    let mut operations: Vec<_> = calls.into_iter().map(|call| call.operation).collect();
    operations.sort();
    assert_eq!(operations, expected, "{}", request["action"]);
    event["resourceModel"].clone()
}

#[tokio::test]
async fn the_schema_grants_each_handler_exactly_what_it_calls_failures_included() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    let mut needed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut record = async |handler: &'static str, request: &Value, faults: &[(&'static str, Fault)]| {
        for (operation, fault) in faults {
            env.proxy.inject(operation, ..1, fault.clone());
        }
        let (event, calls) = invoke(&env, request).await;
        env.proxy.clear_faults();
        needed.entry(handler).or_default().extend(calls.iter().map(permission));
        event["resourceModel"].clone()
    };
    let denied = || Fault::Error(403, "AccessDenied");
    let unknown = || Fault::Error(404, "NoSuchEntity");
    let undecryptable = || Fault::Error(400, "AccessDeniedException");

    let inactive = json!({"UserName": "alice", "Status": "Inactive", "Description": "payments"});
    let create = |token: &str| create_with_token(token, inactive.clone());
    record("create", &create("denied"), &[("ListAccessKeys", denied())]).await;
    // Neither stored nor at once deleted again.
    let faults = [("CreateSecret", undecryptable()), ("DeleteAccessKey", unknown())];
    record("create", &create("rolled back"), &faults).await;
    let model = record("create", &create("first"), &[]).await;
    record("create", &create("second"), &[]).await;
    // CreateSecret sets the tags.
    let tags = [("create", "secretsmanager:TagResource".to_owned())];

    let by_id = requests::read(&model);
    record("read", &by_id, &[]).await;
    record("read", &by_id, &[("GetSecretValue", undecryptable())]).await;
    record("read", &by_id, &[("ListAccessKeys", denied())]).await;
    record("read", &requests::read(&json!({"Id": "AKIAIOSFODNN7EXAMPLE"})), &[]).await;

    let tagged = json!([{"Key": "team", "Value": "platform"}, {"Key": "stage", "Value": "test"}]);
    let tagged = with(&model, "Tags", tagged);
    record("update", &requests::update(model.clone(), tagged.clone()), &[]).await;
    let (orders, none) = (with(&model, "Description", "orders"), with(&model, "Description", ""));
    record("update", &requests::update(model.clone(), orders.clone()), &[]).await;
    record("update", &requests::update(orders, none), &[]).await;
    let active = with(&model, "Status", "Active");
    record("update", &requests::update(tagged, active), &[("UpdateAccessKey", unknown())]).await;
    record("update", &requests::update(model.clone(), model.clone()), &[("GetSecretValue", undecryptable())]).await;
    record("update", &requests::update(model.clone(), model.clone()), &[("ListAccessKeys", denied())]).await;

    record("list", &registry("LIST", Value::Null), &[]).await;
    record("list", &registry("LIST", json!({"UserName": "alice"})), &[("ListAccessKeys", denied())]).await;

    replicate(&env, &model).await;
    record("delete", &requests::delete(&model), &[("DeleteAccessKey", denied())]).await;
    record("delete", &requests::delete(&model), &[]).await;
    record("delete", &requests::delete(&model), &[]).await;

    for (handler, permission) in tags {
        needed.entry(handler).or_default().insert(permission);
    }
    for (handler, needed) in needed {
        let granted: BTreeSet<_> = granted(handler).into_iter().filter(|name| !name.starts_with("kms:")).collect();
        assert_eq!(needed, granted, "{handler}");
    }
}

/// Replicates a key's secret to another region, as a person may.
async fn replicate(env: &TestEnvironment, model: &Value) {
    let replica = aws_sdk_secretsmanager::types::ReplicaRegionType::builder().region("eu-west-1").build();
    let call = env.aws.secrets_manager.replicate_secret_to_regions().secret_id(secret_name(model));
    call.add_replica_regions(replica).send().await.unwrap();
}

#[tokio::test]
async fn each_action_costs_no_more_calls_than_the_architecture_promises() {
    let env = TestEnvironment::with_user("alice").await;
    let alice = || json!({"UserName": "alice"});

    // ListAccessKeys, CreateAccessKey, CreateSecret, then what READ looks at; and those on the record.
    let calls = ["CreateAccessKey", "CreateSecret", "GetSecretValue", "ListAccessKeys", "ListAccessKeys"];
    let model = assert_operations(&env, &requests::create(alice()), &calls).await;

    // The secret, which names the owner, then the owner's keys.
    let calls = ["GetSecretValue", "ListAccessKeys"];
    assert_operations(&env, &requests::read(&model), &calls).await;
    let calls = ["GetSecretValue", "ListAccessKeys"];
    assert_operations(&env, &registry("READ", model.clone()), &calls).await;

    let calls = ["GetSecretValue", "ListAccessKeys", "UpdateAccessKey"];
    let inactive = with(&model, "Status", "Inactive");
    for (previous, wanted) in [(&model, &inactive), (&inactive, &model)] {
        assert_operations(&env, &requests::update(previous.clone(), wanted.clone()), &calls).await;
    }
    let calls = ["GetSecretValue", "ListAccessKeys", "ListAccessKeys"];
    assert_operations(&env, &requests::update(model.clone(), model.clone()), &calls).await;

    // Changed tags cost three calls more.
    let tagged = with(&model, "Tags", json!([{"Key": "team", "Value": "platform"}]));
    let calls = ["GetSecretValue", "GetSecretValue", "ListAccessKeys", "ListAccessKeys", "TagResource", "UpdateSecret"];
    let tagged = assert_operations(&env, &requests::update(model.clone(), tagged), &calls).await;
    let untagged = with(&requests::update(tagged, model.clone()), "requestData.stackTags", json!({}));
    let calls =
        ["GetSecretValue", "GetSecretValue", "ListAccessKeys", "ListAccessKeys", "UntagResource", "UpdateSecret"];
    assert_operations(&env, &untagged, &calls).await;

    assert_operations(&env, &registry("LIST", Value::Null), &["ListAccessKeys", "ListUsers"]).await;
    assert_operations(&env, &registry("LIST", alice()), &["ListAccessKeys"]).await;

    // Whether an UPDATE that was not finished has left a description is asked beside the deletion.
    let of_delete = ["DeleteAccessKey", "DeleteSecret", "DescribeSecret", "ListAccessKeys"];
    assert_operations(&env, &requests::delete(&model), &of_delete).await;

    let inactive = requests::create(with(&alice(), "Status", "Inactive"));
    let calls =
        ["CreateAccessKey", "CreateSecret", "GetSecretValue", "ListAccessKeys", "ListAccessKeys", "UpdateAccessKey"];
    let model = assert_operations(&env, &inactive, &calls).await;

    // What is stored of the keys that the user has already, all at once.
    let calls =
        ["CreateAccessKey", "CreateSecret", "DescribeSecret", "GetSecretValue", "ListAccessKeys", "ListAccessKeys"];
    assert_operations(&env, &create_with_token("another-operation", alice()), &calls).await;

    // By the id alone, whose key it is.
    assert_operations(&env, &requests::delete(&primary_identifier(&model)), &of_delete).await;
}

#[tokio::test]
async fn a_description_costs_a_call_beside_the_others() {
    let env = TestEnvironment::with_user("alice").await;
    let calls = [
        "CreateAccessKey",
        "CreateSecret",
        "GetSecretValue",
        "ListAccessKeys",
        "ListAccessKeys",
        "ListUserTags",
        "TagUser",
    ];
    let described = requests::create(json!({"UserName": "alice", "Description": "payments"}));
    let model = assert_operations(&env, &described, &calls).await;

    assert_operations(&env, &requests::read(&model), &["GetSecretValue", "ListAccessKeys", "ListUserTags"]).await;

    let inactive = with(&model, "Status", "Inactive");
    let calls = ["GetSecretValue", "ListAccessKeys", "ListUserTags", "UpdateAccessKey"];
    assert_operations(&env, &requests::update(model.clone(), inactive.clone()), &calls).await;

    let orders = with(&inactive, "Description", "orders");
    let calls = [
        "DescribeSecret",
        "GetSecretValue",
        "GetSecretValue",
        "ListAccessKeys",
        "ListAccessKeys",
        "ListUserTags",
        "TagUser",
        "UpdateSecret",
    ];
    assert_operations(&env, &requests::update(inactive, orders.clone()), &calls).await;

    let calls = ["DeleteAccessKey", "DeleteSecret", "ListAccessKeys", "UntagUser"];
    assert_operations(&env, &requests::delete(&orders), &calls).await;
}
