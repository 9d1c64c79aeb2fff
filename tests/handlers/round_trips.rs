//! Which AWS calls each action makes: what the registry schema grants, and no more than the architecture promises.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{Call, Fault, Lab, requests};

/// The permission that a call needs.
fn permission(call: &Call) -> String {
    let of_a_secret = ["Secret", "SecretValue", "tagResource", "TagResource"];
    let service = if of_a_secret.iter().any(|end| call.operation.ends_with(end)) { "secretsmanager" } else { "iam" };
    format!("{service}:{}", call.operation)
}

fn granted(action: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(include_str!("../../schema/aws-iam-accesskey.json")).unwrap();
    let permissions = schema["handlers"][action.to_lowercase()]["permissions"].as_array().unwrap();
    permissions.iter().map(|permission| permission.as_str().unwrap().to_owned()).collect()
}

/// Whether IAM would act on the caller's own keys, were the call to name no user. `GetAccessKeyLastUsed` takes none.
fn acts_on_a_users_keys(call: &Call) -> bool {
    call.operation.contains("AccessKey") && call.operation != "GetAccessKeyLastUsed"
}

/// Invokes, and returns the answer with the calls it took.
async fn send(lab: &Lab, request: &Value) -> (Value, Vec<Call>) {
    lab.front.calls();
    let answer = lab.invoke(request).await;
    let calls = lab.front.calls();
    assert!(calls.iter().filter(|call| acts_on_a_users_keys(call)).all(|call| call.body.contains("UserName=alice")));
    (answer, calls)
}

/// The answer's model with the sorted operations it took.
async fn succeed(lab: &Lab, request: Value) -> (Value, Vec<String>) {
    let (answer, calls) = send(lab, &request).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    let mut operations: Vec<_> = calls.into_iter().map(|call| call.operation).collect();
    operations.sort();
    (answer["resourceModel"].clone(), operations)
}

/// The same for a request of the registry.
async fn invoke(lab: &Lab, action: &str, properties: Value) -> (Value, Vec<String>) {
    succeed(lab, requests::registry(action, properties)).await
}

#[tokio::test]
async fn the_registry_schema_grants_each_handler_exactly_what_it_calls_when_things_go_wrong_too() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let create = |token: &str| {
        let mut request = requests::registry("CREATE", json!({"UserName": "alice", "Status": "Inactive"}));
        request["bearerToken"] = token.into();
        request
    };
    let mut needed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut record = |action: &str, calls: Vec<Call>| {
        needed.entry(action.to_owned()).or_default().extend(calls.iter().map(permission));
    };

    // The answer to the one is lost, and the secret of the other cannot be stored.
    for operation in ["CreateAccessKey", "CreateSecret"] {
        lab.front.fault(operation, Fault::CutAfter);
        let (answer, calls) = send(&lab, &create(operation)).await;
        lab.front.heal();
        assert_eq!(answer["errorCode"], "NetworkFailure", "{answer}");
        record("create", calls);
    }
    let (answer, calls) = send(&lab, &create("first")).await;
    record("create", calls);
    // A second key, beside the first.
    record("create", send(&lab, &create("second")).await.1);

    let model = answer["resourceModel"].clone();
    let id = requests::primary_identifier(&model);
    let mut tagged = model.clone();
    tagged["Tags"] = json!([{"Key": "team", "Value": "platform"}, {"Key": "stage", "Value": "test"}]);
    let updates = [(model.clone(), tagged.clone()), (tagged, model)];
    let updates = updates.map(|(previous, wanted)| requests::registry_update(previous, wanted));
    let others = ["READ", "LIST", "DELETE"].map(|action| requests::registry(action, id.clone()));
    for request in updates.into_iter().chain(others) {
        let (answer, calls) = send(&lab, &request).await;
        assert_eq!(answer["status"], "SUCCESS", "{answer}");
        record(&request["action"].as_str().unwrap().to_lowercase(), calls);
    }

    for (action, mut needed) in needed {
        if action == "create" {
            // CreateSecret sets the tags.
            needed.insert("secretsmanager:TagResource".to_owned());
        }
        let granted: BTreeSet<_> = granted(&action).into_iter().filter(|name| !name.starts_with("kms:")).collect();
        assert_eq!(needed, granted, "{action}");
    }
}

#[tokio::test]
async fn each_action_costs_no_more_calls_than_the_architecture_promises() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;

    // ListAccessKeys, CreateAccessKey, then the rest side by side.
    let (model, calls) = invoke(&lab, "CREATE", json!({"UserName": "alice"})).await;
    assert_eq!(calls, ["CreateAccessKey", "CreateSecret", "ListAccessKeys", "ListAccessKeys"]);
    let id = requests::primary_identifier(&model);

    // The secret and the owner side by side, then the owner's keys.
    let (_, calls) = invoke(&lab, "READ", id.clone()).await;
    assert_eq!(calls, ["GetAccessKeyLastUsed", "GetSecretValue", "ListAccessKeys"]);
    let (_, calls) = invoke(&lab, "READ", model.clone()).await;
    assert_eq!(calls, ["GetSecretValue", "ListAccessKeys"]);

    let (_, calls) = succeed(&lab, requests::registry_update(model.clone(), model.clone())).await;
    assert_eq!(calls, ["GetSecretValue", "ListAccessKeys", "UpdateAccessKey"]);

    // Tags cost three calls more, where they change.
    let mut tagged = model.clone();
    tagged["Tags"] = json!([{"Key": "team", "Value": "platform"}]);
    let (tagged, calls) = succeed(&lab, requests::registry_update(model.clone(), tagged)).await;
    assert_eq!(calls, ["GetSecretValue", "ListAccessKeys", "PutSecretValue", "TagResource", "UpdateAccessKey"]);
    let mut untagged = requests::registry_update(tagged, model.clone());
    untagged["requestData"]["stackTags"] = json!({});
    let (_, calls) = succeed(&lab, untagged).await;
    assert_eq!(calls, ["GetSecretValue", "ListAccessKeys", "PutSecretValue", "UntagResource", "UpdateAccessKey"]);

    let (_, calls) = invoke(&lab, "LIST", Value::Null).await;
    assert_eq!(calls, ["ListAccessKeys", "ListUsers"]);
    let (_, calls) = invoke(&lab, "LIST", json!({"UserName": "alice"})).await;
    assert_eq!(calls, ["ListAccessKeys"]);

    let (_, calls) = invoke(&lab, "DELETE", model).await;
    assert_eq!(calls, ["DeleteAccessKey", "DeleteSecret"]);

    let (model, calls) = invoke(&lab, "CREATE", json!({"UserName": "alice", "Status": "Inactive"})).await;
    assert_eq!(calls, ["CreateAccessKey", "CreateSecret", "ListAccessKeys", "ListAccessKeys", "UpdateAccessKey"]);

    // What is stored of the keys that the user has already, all at once.
    let mut second = requests::registry("CREATE", json!({"UserName": "alice"}));
    second["bearerToken"] = "another-operation".into();
    let (_, calls) = succeed(&lab, second).await;
    assert_eq!(calls, ["CreateAccessKey", "CreateSecret", "GetSecretValue", "ListAccessKeys", "ListAccessKeys"]);

    let (_, calls) = invoke(&lab, "DELETE", requests::primary_identifier(&model)).await;
    assert_eq!(calls, ["DeleteAccessKey", "DeleteSecret", "GetAccessKeyLastUsed"]);
}
