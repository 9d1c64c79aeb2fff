//! The whole life of an access key, by both shapes of request.

use serde_json::{Value, json};

use crate::support::{
    TestEnvironment,
    events::{id, secret_name},
    requests::{self, Shape, primary_identifier, with},
};

async fn live_and_die(request: Shape) {
    let env = TestEnvironment::with_user("alice").await;

    let model = env.succeed(&request("CREATE", json!({"UserName": "alice", "Serial": "1"}))).await;
    assert_eq!(model["UserName"], "alice");
    assert_eq!(model["Serial"], 1);
    assert_eq!(model["Status"], "Active");
    assert!(model["SecretArn"].as_str().unwrap().starts_with("arn:aws:secretsmanager:us-east-1:"));
    assert!(model["CreateDate"].as_str().unwrap().ends_with('Z'));
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Active")]);

    assert_eq!(env.aws.secret_names().await, [secret_name(&model)]);
    let stored = env.aws.secret_value(&secret_name(&model)).await;
    assert_eq!(stored["AccessKeyId"], model["Id"]);
    assert_eq!(stored["SecretAccessKey"], model["SecretAccessKey"]);
    assert_eq!(stored["UserName"], "alice");
    assert_eq!(stored["LogicalResourceId"], "DeployKey");

    let read = env.succeed(&request("READ", primary_identifier(&model))).await;
    assert_eq!(read, model, "READ returns what CREATE returned");

    let wanted = with(&model, "Status", "Inactive");
    assert_eq!(env.succeed(&request("UPDATE", wanted.clone())).await, wanted);
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);

    let listed = env.invoke(&request("LIST", Value::Null)).await;
    let expected = json!({
        "UserName": "alice", "Id": id(&model), "Status": "Inactive", "CreateDate": model["CreateDate"],
    });
    assert_eq!(listed, json!({"status": "SUCCESS", "resourceModels": [expected]}));

    let deleted = env.invoke(&request("DELETE", wanted)).await;
    assert_eq!(deleted, json!({"status": "SUCCESS"}));
    env.assert_nothing_left("alice", deleted).await;
    env.fail(&request("READ", primary_identifier(&model)), "NotFound", id(&model)).await;
}

#[tokio::test]
async fn a_key_lives_and_dies_by_registry_requests() {
    live_and_die(requests::registry).await;
}

#[tokio::test]
async fn a_key_lives_and_dies_by_test_entry_point_requests() {
    live_and_die(requests::test_entrypoint).await;
}
