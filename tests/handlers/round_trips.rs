//! How many AWS calls each action costs, and that the registry schema grants exactly those.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Call, Lab, requests};

/// The permission that a call needs.
fn permission(call: &Call) -> String {
    let service = if call.operation.ends_with("Secret") || call.operation.ends_with("SecretValue") {
        "secretsmanager"
    } else {
        "iam"
    };
    format!("{service}:{}", call.operation)
}

fn granted(action: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(include_str!("../../schema/aws-iam-accesskey.json")).unwrap();
    let permissions = schema["handlers"][action.to_lowercase()]["permissions"].as_array().unwrap();
    permissions.iter().map(|permission| permission.as_str().unwrap().to_owned()).collect()
}

/// Invokes, and returns the answer's model with the sorted operations it took.
async fn invoke(lab: &Lab, action: &str, properties: Value) -> (Value, Vec<String>) {
    lab.front.calls();
    let answer = lab.invoke(&requests::registry(action, properties)).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    let calls = lab.front.calls();
    let needed: BTreeSet<_> = calls.iter().map(permission).collect();
    let granted = granted(action);
    assert!(needed.is_subset(&granted), "{action} needs {needed:?}, and the schema grants {granted:?}");
    assert!(
        calls.iter().all(|call| !call.operation.ends_with("AccessKey") || call.body.contains("UserName=alice")),
        "an IAM key call without a user acts on the caller's own keys"
    );
    let mut operations: Vec<_> = calls.into_iter().map(|call| call.operation).collect();
    operations.sort();
    (answer["resourceModel"].clone(), operations)
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

    let (_, calls) = invoke(&lab, "UPDATE", model.clone()).await;
    assert_eq!(calls, ["GetSecretValue", "ListAccessKeys", "UpdateAccessKey"]);

    let (_, calls) = invoke(&lab, "LIST", Value::Null).await;
    assert_eq!(calls, ["ListAccessKeys", "ListUsers"]);
    let (_, calls) = invoke(&lab, "LIST", json!({"UserName": "alice"})).await;
    assert_eq!(calls, ["ListAccessKeys"]);

    let (_, calls) = invoke(&lab, "DELETE", model).await;
    assert_eq!(calls, ["DeleteAccessKey", "DeleteSecret"]);

    let (model, calls) = invoke(&lab, "CREATE", json!({"UserName": "alice", "Status": "Inactive"})).await;
    assert!(calls.len() <= 6, "{calls:?}");
    let (_, calls) = invoke(&lab, "DELETE", requests::primary_identifier(&model)).await;
    assert_eq!(calls, ["DeleteAccessKey", "DeleteSecret", "GetAccessKeyLastUsed"]);
}
