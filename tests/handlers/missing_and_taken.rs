//! Keys, users and secrets that are not there, not the request's, or too many.

use serde_json::{Value, json};

use crate::support::{Fault, Lab, requests};

const NO_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

async fn create(lab: &Lab, properties: Value) -> Value {
    let answer = lab.invoke(&requests::registry("CREATE", properties)).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    answer["resourceModel"].clone()
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn read_update_and_delete_of_a_key_that_is_not_there_are_not_found() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    for properties in [json!({"Id": NO_KEY}), json!({"Id": NO_KEY, "UserName": "alice"})] {
        for action in ["READ", "DELETE"] {
            let answer = lab.invoke(&requests::registry(action, properties.clone())).await;
            assert_eq!(answer["errorCode"], "NotFound", "{action} {properties}: {answer}");
            assert!(message(&answer).contains(NO_KEY), "{answer}");
        }
    }
    let properties = json!({"Id": NO_KEY, "UserName": "alice"});
    let answer = lab.invoke(&requests::registry("UPDATE", properties)).await;
    assert_eq!(answer["errorCode"], "NotFound", "{answer}");
}

#[tokio::test]
async fn deleting_a_key_that_somebody_deleted_leaves_no_secret_behind() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    for named in [true, false] {
        let model = create(&lab, json!({"UserName": "alice"})).await;
        let id = model["Id"].as_str().unwrap();
        lab.aws.iam.delete_access_key().user_name("alice").access_key_id(id).send().await.unwrap();
        let properties = if named { model.clone() } else { requests::primary_identifier(&model) };
        let answer = lab.invoke(&requests::registry("DELETE", properties)).await;
        assert_eq!(answer["errorCode"], "NotFound", "{answer}");
        assert_eq!(lab.aws.stored().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_key_that_iam_knows_in_one_place_only_is_deleted_when_it_knows_it_in_both() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let model = create(&lab, json!({"UserName": "alice"})).await;
    lab.front.fault("DeleteAccessKey", Fault::Answer(404, "NoSuchEntity"));
    let undecided = lab.invoke(&requests::registry("DELETE", model.clone())).await;
    lab.front.heal();
    assert_eq!(undecided["errorCode"], "ResourceConflict", "{undecided}");
    assert_eq!((lab.aws.keys("alice").await.len(), lab.aws.stored().await.len()), (1, 1));

    lab.front.fault_times("DeleteAccessKey", 0, 3, Fault::Answer(404, "NoSuchEntity"));
    lab.front.fault_times("GetAccessKeyLastUsed", 0, 2, Fault::Answer(404, "NoSuchEntity"));
    let deleted = lab.invoke(&requests::registry("DELETE", model)).await;
    assert_eq!(deleted, json!({"status": "SUCCESS"}));
    assert_eq!(lab.aws.keys("alice").await, []);
    assert_eq!(lab.aws.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn access_denied_to_whose_key_it_is_means_gone_only_where_the_user_was_asked_for_it_first() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let model = create(&lab, json!({"UserName": "alice"})).await;
    let id = requests::primary_identifier(&model);
    lab.front.fault("GetAccessKeyLastUsed", Fault::Answer(403, "AccessDenied"));
    for action in ["READ", "DELETE"] {
        let answer = lab.invoke(&requests::registry(action, id.clone())).await;
        assert_eq!(answer["errorCode"], "AccessDenied", "{answer}");
        assert!(message(&answer).contains("may not call iam:GetAccessKeyLastUsed, or the key is not"), "{answer}");
    }
    assert_eq!((lab.aws.keys("alice").await.len(), lab.aws.stored().await.len()), (1, 1));

    lab.aws.iam.delete_access_key().user_name("alice").access_key_id(id["Id"].as_str().unwrap()).send().await.unwrap();
    let answer = lab.invoke(&requests::registry("DELETE", model)).await;
    assert_eq!(answer["errorCode"], "NotFound", "{answer}");
    assert_eq!(lab.aws.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_user_that_iam_does_not_know_yet_is_waited_for() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    lab.front.fault_times("ListAccessKeys", 0, 2, Fault::Answer(404, "NoSuchEntity"));
    create(&lab, json!({"UserName": "alice"})).await;
    assert_eq!(lab.aws.keys("alice").await.len(), 1);
}

#[tokio::test]
async fn a_key_can_be_deleted_by_its_id_alone() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let model = create(&lab, json!({"UserName": "alice"})).await;
    let answer = lab.invoke(&requests::registry("DELETE", requests::primary_identifier(&model))).await;
    assert_eq!(answer, json!({"status": "SUCCESS"}));
    assert_eq!(lab.aws.keys("alice").await, []);
    assert_eq!(lab.aws.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_user_that_does_not_exist_is_named() {
    let lab = Lab::start().await;
    let answer = lab.invoke(&requests::registry("CREATE", json!({"UserName": "nobody"}))).await;
    assert_eq!(answer["errorCode"], "NotFound", "{answer}");
    assert!(message(&answer).contains("nobody") && message(&answer).contains("request id"), "{answer}");
}

#[tokio::test]
async fn a_third_key_is_refused_before_anything_is_created_and_the_keys_in_the_way_are_named() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let keys = [lab.aws.create_access_key("alice").await, lab.aws.create_access_key("alice").await];
    let answer = lab.invoke(&requests::registry("CREATE", json!({"UserName": "alice"}))).await;
    assert_eq!(answer["errorCode"], "ServiceLimitExceeded", "{answer}");
    assert!(keys.iter().all(|key| message(&answer).contains(key)), "{answer}");
    assert_eq!(lab.front.operations(), ["GetSecretValue", "GetSecretValue", "ListAccessKeys"]);
}

#[tokio::test]
async fn the_key_of_another_user_is_neither_updated_nor_deleted_nor_loses_its_secret() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    lab.aws.create_user("bob").await;
    let model = create(&lab, json!({"UserName": "alice"})).await;
    let mut claimed = model.clone();
    claimed["UserName"] = "bob".into();
    claimed["Status"] = "Inactive".into();

    let updated = lab.invoke(&requests::registry("UPDATE", claimed.clone())).await;
    assert_eq!(updated["errorCode"], "NotFound", "{updated}");
    let deleted = lab.invoke(&requests::registry("DELETE", claimed.clone())).await;
    assert_eq!(deleted["errorCode"], "InvalidRequest", "{deleted}");
    assert!(message(&deleted).contains("belongs to user alice, not to bob"), "{deleted}");
    let read = lab.invoke(&requests::registry("READ", claimed)).await;
    assert_eq!(read["resourceModel"], model, "READ tells whose it is");

    assert_eq!(lab.aws.keys("alice").await, [(model["Id"].as_str().unwrap().to_owned(), "Active".to_owned())]);
    assert_eq!(lab.aws.stored().await.len(), 1);
}

#[tokio::test]
async fn two_resources_on_one_user_live_side_by_side() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let second = crate::support::Function::start(lab.front.address).await;
    let request = |token: &str, logical_id: &str| {
        let mut request = requests::registry("CREATE", json!({"UserName": "alice"}));
        request["bearerToken"] = token.into();
        request["requestData"]["logicalResourceId"] = logical_id.into();
        request.to_string()
    };
    let (one, two) = tokio::join!(
        lab.function.invoke(request("5f0c8c5e-0000-4000-8000-000000000001", "One")),
        second.invoke(request("5f0c8c5e-0000-4000-8000-000000000002", "Two")),
    );
    let (one, two) = (&one["resourceModel"], &two["resourceModel"]);
    assert_ne!(one["Id"], two["Id"]);
    assert_eq!(lab.aws.keys("alice").await.len(), 2);
    assert_eq!(lab.aws.stored().await.len(), 2);

    let deleted = lab.invoke(&requests::registry("DELETE", one.clone())).await;
    assert_eq!(deleted["status"], "SUCCESS", "{deleted}");
    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(two))).await;
    assert_eq!(read["resourceModel"], *two);
}

#[tokio::test]
async fn a_key_without_a_stored_secret_is_read_updated_and_deleted_without_its_secret_properties() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let id = lab.aws.create_access_key("alice").await;
    let read = lab.invoke(&requests::registry("READ", json!({"Id": id}))).await;
    let model = &read["resourceModel"];
    assert_eq!(read["status"], "SUCCESS", "{read}");
    assert_eq!((&model["UserName"], &model["Status"]), (&json!("alice"), &json!("Active")));
    assert!(model["CreateDate"].is_string());
    assert!(model.get("SecretAccessKey").is_none() && model.get("SecretArn").is_none(), "{model}");

    let mut wanted = model.clone();
    wanted["Status"] = "Inactive".into();
    let updated = lab.invoke(&requests::registry_update(model.clone(), wanted.clone())).await;
    assert_eq!(updated["resourceModel"], wanted, "{updated}");
    let deleted = lab.invoke(&requests::registry("DELETE", wanted)).await;
    assert_eq!(deleted, json!({"status": "SUCCESS"}));
    assert_eq!(lab.aws.keys("alice").await, []);
}

#[tokio::test]
async fn a_stored_secret_that_somebody_overwrote_is_reported_without_its_content() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let model = create(&lab, json!({"UserName": "alice"})).await;
    let name = format!("cloudformation/iam-access-key/{}", model["Id"].as_str().unwrap());
    lab.aws.secrets.put_secret_value().secret_id(&name).secret_string("hunter2").send().await.unwrap();
    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(&model))).await;
    assert_eq!(read["errorCode"], "GeneralServiceException", "{read}");
    assert!(message(&read).contains(&name) && !read.to_string().contains("hunter2"), "{read}");
}

#[tokio::test]
async fn a_secret_that_is_scheduled_for_deletion_counts_as_gone() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let model = create(&lab, json!({"UserName": "alice"})).await;
    let name = format!("cloudformation/iam-access-key/{}", model["Id"].as_str().unwrap());
    lab.aws.secrets.delete_secret().secret_id(&name).recovery_window_in_days(7).send().await.unwrap();
    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(&model))).await;
    assert_eq!(read["status"], "SUCCESS", "{read}");
    assert!(read["resourceModel"].get("SecretAccessKey").is_none());
}

#[tokio::test]
async fn a_changed_create_only_property_is_not_updatable_and_nothing_is_called() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let model = create(&lab, json!({"UserName": "alice", "Serial": 2})).await;
    lab.front.calls();
    let cases = [
        ("UserName", json!("bob"), "UserName cannot be changed"),
        ("Serial", json!("1"), "can only be incremented, and went from 2 to 1"),
        ("Serial", Value::Null, "can only be incremented, and went from 2 to none"),
        ("Serial", json!(3), "rotates the key, which CloudFormation does by replacement"),
    ];
    for (property, value, reason) in cases {
        let mut wanted = model.clone();
        wanted[property] = value;
        let answer = lab.invoke(&requests::registry_update(model.clone(), wanted)).await;
        assert_eq!(answer["errorCode"], "NotUpdatable", "{answer}");
        assert!(message(&answer).contains(reason), "{answer}");
    }
    assert_eq!(lab.front.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_update_without_a_status_makes_the_key_active() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let model = create(&lab, json!({"UserName": "alice", "Status": "Inactive"})).await;
    assert_eq!(model["Status"], "Inactive");
    assert_eq!(lab.aws.keys("alice").await[0].1, "Inactive");
    let mut wanted = model.clone();
    wanted.as_object_mut().unwrap().remove("Status");
    let updated = lab.invoke(&requests::registry_update(model, wanted)).await;
    assert_eq!(updated["resourceModel"]["Status"], "Active", "{updated}");
    assert_eq!(lab.aws.keys("alice").await[0].1, "Active");
}

#[tokio::test]
async fn the_type_configuration_names_the_prefix_and_the_stacks_tags_reach_the_secret() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let mut request = requests::registry("CREATE", json!({"UserName": "alice"}));
    request["requestData"]["typeConfiguration"] = json!({"SecretNamePrefix": "acme/keys/"});
    let created = lab.invoke(&request).await;
    let name = format!("acme/keys/{}", created["resourceModel"]["Id"].as_str().unwrap());
    let secret = lab.aws.secrets.describe_secret().secret_id(&name).send().await.unwrap();
    let tags: Vec<_> = secret.tags().iter().map(|tag| (tag.key().unwrap(), tag.value().unwrap())).collect();
    assert_eq!(tags, [("team", "payments")]);
}
