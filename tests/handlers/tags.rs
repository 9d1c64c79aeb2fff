//! The resource's `Tags` and the stack's, on the stored secret.

use serde_json::{Value, json};

use crate::support::{Fault, Lab, requests};

fn tags(tags: &[(&str, &str)]) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The tags of the only stored secret.
async fn stored(lab: &Lab) -> Vec<(String, String)> {
    let names = lab.aws.stored().await;
    lab.aws.tags(&names[0]).await.into_iter().collect()
}

fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// An UPDATE from one set of the resource's and the stack's tags to another.
fn update(model: &Value, own: (Value, Value), stack: (Value, Value)) -> Value {
    let with = |tags: Value| {
        let mut model = model.clone();
        model["Tags"] = tags;
        model
    };
    let mut request = requests::registry_update(with(own.0), with(own.1));
    request["requestData"]["previousStackTags"] = stack.0;
    request["requestData"]["stackTags"] = stack.1;
    request
}

async fn created(lab: &Lab, own: &Value) -> Value {
    lab.aws.create_user("alice").await;
    let answer = lab.invoke(&requests::registry("CREATE", json!({"UserName": "alice", "Tags": own}))).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    answer["resourceModel"].clone()
}

#[tokio::test]
async fn create_tags_the_secret_with_the_resources_tags_over_the_stacks_and_read_returns_only_its_own() {
    let lab = Lab::start().await;
    let own = tags(&[("team", "platform"), ("cost-center", "42")]);
    let model = created(&lab, &own).await;
    assert_eq!(model["Tags"], own);
    assert_eq!(stored(&lab).await, pairs(&[("cost-center", "42"), ("team", "platform")]));

    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(&model))).await;
    assert_eq!(read["resourceModel"]["Tags"], own);
}

#[tokio::test]
async fn a_key_without_tags_of_its_own_reads_without_tags_although_its_secret_has_the_stacks() {
    let lab = Lab::start().await;
    let model = created(&lab, &Value::Null).await;
    assert_eq!(stored(&lab).await, pairs(&[("team", "payments")]));
    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(&model))).await;
    assert_eq!(read["resourceModel"].get("Tags"), None);
}

#[tokio::test]
async fn update_adds_changes_and_removes_tags_in_place() {
    let lab = Lab::start().await;
    let (before, after) = (tags(&[("a", "1"), ("b", "1")]), tags(&[("b", "2"), ("c", "1")]));
    let model = created(&lab, &before).await;
    let stack = json!({"team": "payments"});
    let answer = lab.invoke(&update(&model, (before, after.clone()), (stack.clone(), stack))).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    assert_eq!(answer["resourceModel"]["Tags"], after);
    assert_eq!(answer["resourceModel"]["SecretAccessKey"], model["SecretAccessKey"]);
    assert_eq!(stored(&lab).await, pairs(&[("b", "2"), ("c", "1"), ("team", "payments")]));
    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(&model))).await;
    assert_eq!(read["resourceModel"], answer["resourceModel"]);
}

#[tokio::test]
async fn a_tag_that_the_stack_changes_or_drops_follows_and_the_resources_own_stays() {
    let lab = Lab::start().await;
    let own = tags(&[("team", "platform")]);
    let model = created(&lab, &own).await;
    let stacks = (json!({"team": "payments"}), json!({"team": "orders", "env": "test"}));
    let answer = lab.invoke(&update(&model, (own.clone(), own.clone()), stacks.clone())).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    assert_eq!(stored(&lab).await, pairs(&[("env", "test"), ("team", "platform")]));

    let answer = lab.invoke(&update(&model, (own.clone(), json!([])), (stacks.1.clone(), stacks.1.clone()))).await;
    assert_eq!(answer["resourceModel"]["Tags"], json!([]), "{answer}");
    assert_eq!(stored(&lab).await, pairs(&[("env", "test"), ("team", "orders")]));

    let answer = lab.invoke(&update(&model, (json!([]), json!([])), (stacks.1, json!({})))).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    assert_eq!(stored(&lab).await, []);
}

#[tokio::test]
async fn an_update_that_failed_halfway_is_finished_by_the_next_one() {
    let lab = Lab::start().await;
    let (first, second, third) = (tags(&[("a", "1")]), tags(&[("b", "1")]), tags(&[("c", "1")]));
    let model = created(&lab, &first).await;
    let stack = || (json!({}), json!({}));
    lab.front.fault("UntagResource", Fault::Answer(400, "AccessDeniedException"));
    let answer = lab.invoke(&update(&model, (first.clone(), second), stack())).await;
    assert_eq!(answer["errorCode"], "AccessDenied", "{answer}");
    lab.front.heal();
    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(&model))).await;
    assert_eq!(read["resourceModel"]["Tags"], first);

    let answer = lab.invoke(&update(&model, (first, third.clone()), stack())).await;
    assert_eq!(answer["resourceModel"]["Tags"], third, "{answer}");
    assert!(!stored(&lab).await.contains(&("a".to_owned(), "1".to_owned())));
}

#[tokio::test]
async fn fifty_tags_can_be_replaced_by_fifty_others_and_no_secret_can_have_more() {
    let lab = Lab::start().await;
    let many = |prefix: &str, count: usize| -> Value {
        (0..count).map(|number| json!({"Key": format!("{prefix}-{number:02}"), "Value": ""})).collect()
    };
    let model = created(&lab, &many("old", 49)).await;
    let stack = json!({"team": "payments"});
    let answer = lab.invoke(&update(&model, (many("old", 49), many("new", 49)), (stack.clone(), stack.clone()))).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    let stored = stored(&lab).await;
    assert_eq!(stored.len(), 50);
    assert!(stored.iter().all(|(key, _)| key.starts_with("new-") || key == "team"), "{stored:?}");
    let calls: Vec<_> = lab.front.calls().into_iter().map(|call| call.operation).collect();
    let position = |operation| calls.iter().position(|call| call == operation).unwrap();
    assert!(position("UntagResource") < position("TagResource"), "there is no room for both: {calls:?}");

    let too_many = update(&model, (many("new", 49), many("new", 50)), (stack.clone(), stack));
    let create = requests::registry("CREATE", json!({"UserName": "alice", "Tags": many("new", 50)}));
    for request in [too_many, create] {
        let answer = lab.invoke(&request).await;
        assert_eq!(answer["errorCode"], "InvalidRequest", "{answer}");
        assert!(answer["message"].as_str().unwrap().contains("51 together"), "{answer}");
    }
    assert_eq!(lab.front.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn tags_of_a_secret_that_somebody_deleted_do_not_stand_in_the_way_of_another_change() {
    let lab = Lab::start().await;
    let own = tags(&[("team", "platform")]);
    let mut wanted = created(&lab, &own).await;
    let name = lab.aws.stored().await.remove(0);
    lab.aws.secrets.delete_secret().secret_id(name).force_delete_without_recovery(true).send().await.unwrap();
    let previous = wanted.clone();
    wanted["Status"] = "Inactive".into();
    for (previous, wanted) in [(previous.clone(), wanted.clone()), (wanted, previous)] {
        let answer = lab.invoke(&requests::registry_update(previous, wanted.clone())).await;
        assert_eq!(answer["resourceModel"]["Status"], wanted["Status"], "{answer}");
        assert_eq!(answer["resourceModel"].get("Tags"), None, "{answer}");
    }
}

#[tokio::test]
async fn an_imported_key_takes_no_tags_and_says_why() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let id = lab.aws.create_access_key("alice").await;
    let model = json!({"UserName": "alice", "Id": id});
    let mut tagged = model.clone();
    tagged["Tags"] = tags(&[("team", "platform")]);
    let answer = lab.invoke(&requests::registry_update(model.clone(), tagged)).await;
    assert_eq!(answer["errorCode"], "InvalidRequest");
    assert!(answer["message"].as_str().unwrap().contains("no stored secret that could carry Tags"), "{answer}");
    let answer = lab.invoke(&requests::registry_update(model.clone(), model)).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
}
