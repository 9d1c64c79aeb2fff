//! The whole life of an access key, by both shapes of request.

use serde_json::{Value, json};

use crate::support::{Lab, requests};

type MakeRequest = fn(&str, Value) -> Value;

async fn the_life_of_a_key(request: MakeRequest) {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;

    let created = lab.invoke(&request("CREATE", json!({"UserName": "alice", "Serial": "1"}))).await;
    assert_eq!(created["status"], "SUCCESS", "{created}");
    let model = &created["resourceModel"];
    let id = model["Id"].as_str().unwrap();
    assert_eq!(model["UserName"], "alice");
    assert_eq!(model["Serial"], 1);
    assert_eq!(model["Status"], "Active");
    assert!(model["SecretArn"].as_str().unwrap().starts_with("arn:aws:secretsmanager:us-east-1:"));
    assert!(model["CreateDate"].as_str().unwrap().ends_with('Z'));
    assert_eq!(lab.aws.keys("alice").await, [(id.to_owned(), "Active".to_owned())]);

    let name = format!("cloudformation/iam-access-key/{id}");
    assert_eq!(lab.aws.stored().await, [name.as_str()]);
    let stored = lab.aws.stored_value(&name).await;
    assert_eq!(stored["AccessKeyId"], *id);
    assert_eq!(stored["SecretAccessKey"], model["SecretAccessKey"]);
    assert_eq!(stored["UserName"], "alice");
    assert_eq!(stored["LogicalResourceId"], "DeployKey");

    let read = lab.invoke(&request("READ", requests::primary_identifier(model))).await;
    assert_eq!(read["status"], "SUCCESS", "{read}");
    assert_eq!(read["resourceModel"], *model, "READ returns what CREATE returned");

    let mut wanted = model.clone();
    wanted["Status"] = "Inactive".into();
    let updated = lab.invoke(&request("UPDATE", wanted.clone())).await;
    assert_eq!(updated["status"], "SUCCESS", "{updated}");
    assert_eq!(updated["resourceModel"], wanted);
    assert_eq!(lab.aws.keys("alice").await, [(id.to_owned(), "Inactive".to_owned())]);

    let listed = lab.invoke(&request("LIST", Value::Null)).await;
    assert_eq!(listed["status"], "SUCCESS", "{listed}");
    let expected = json!({
        "UserName": "alice", "Id": id, "Status": "Inactive", "CreateDate": model["CreateDate"],
    });
    assert_eq!(listed["resourceModels"], json!([expected]));

    let deleted = lab.invoke(&request("DELETE", wanted)).await;
    assert_eq!(deleted, json!({"status": "SUCCESS"}));
    assert_eq!(lab.aws.keys("alice").await, []);
    assert_eq!(lab.aws.stored().await, Vec::<String>::new());
    let again = lab.invoke(&request("READ", requests::primary_identifier(model))).await;
    assert_eq!(again["errorCode"], "NotFound", "{again}");
}

#[tokio::test]
async fn a_key_lives_and_dies_by_registry_requests() {
    the_life_of_a_key(requests::registry).await;
}

#[tokio::test]
async fn a_key_lives_and_dies_by_test_entry_point_requests() {
    the_life_of_a_key(requests::test_entrypoint).await;
}
