//! The resource's `Tags` and the stack's, on the stored secret.

use serde_json::{Value, json};

use crate::support::{
    Fault, TestEnvironment,
    events::{id, message},
    requests::{self, with},
};

fn tags(tags: &[(&str, &str)]) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// An environment with a key of alice that has these tags of its own, and the key's model.
async fn with_tagged_key(own: &Value) -> (TestEnvironment, Value) {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice", "Tags": own})).await;
    (env, model)
}

/// The tags of the only stored secret, by key.
async fn stored(env: &TestEnvironment) -> Vec<(String, String)> {
    let names = env.aws.secret_names().await;
    assert_eq!(names.len(), 1, "{names:?}");
    env.aws.secret_tags(&names[0]).await.into_iter().collect()
}

fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// An UPDATE from one set of the resource's and the stack's tags to another.
fn update(model: &Value, own: [&Value; 2], stack: [&Value; 2]) -> Value {
    let [previous, wanted] = own.map(|tags| with(model, "Tags", tags.clone()));
    let request = requests::update(previous, wanted);
    let request = with(&request, "requestData.previousStackTags", stack[0].clone());
    with(&request, "requestData.stackTags", stack[1].clone())
}

#[tokio::test]
async fn the_resources_tags_override_the_stacks_and_read_returns_the_resources() {
    let own = tags(&[("team", "platform"), ("cost-center", "42")]);
    let (env, model) = with_tagged_key(&own).await;
    assert_eq!(model["Tags"], own);
    assert_eq!(stored(&env).await, pairs(&[("cost-center", "42"), ("team", "platform")]));
    assert_eq!(env.read(&model).await["resourceModel"]["Tags"], own);
}

#[tokio::test]
async fn a_key_without_tags_of_its_own_reads_without_those_of_the_stack() {
    let (env, model) = with_tagged_key(&Value::Null).await;
    assert_eq!(stored(&env).await, pairs(&[("team", "payments")]));
    assert_eq!(env.succeed(&requests::read(&model)).await.get("Tags"), None);
}

#[tokio::test]
async fn tags_that_aws_put_on_the_stack_are_left_out() {
    let env = TestEnvironment::with_user("alice").await;
    let stack = json!({"aws:servicecatalog:provisionedProductArn": "arn", "team": "payments"});
    let create = requests::create(json!({"UserName": "alice"}));
    let model = env.succeed(&with(&create, "requestData.stackTags", stack.clone())).await;
    assert_eq!(stored(&env).await, pairs(&[("team", "payments")]));
    let after = json!({"aws:servicecatalog:provisionedProductArn": "another", "team": "orders"});
    env.succeed(&update(&model, [&Value::Null, &Value::Null], [&stack, &after])).await;
    assert_eq!(stored(&env).await, pairs(&[("team", "orders")]));
}

#[tokio::test]
async fn update_adds_changes_and_removes_tags_in_place() {
    let (before, after) = (tags(&[("a", "1"), ("b", "1")]), tags(&[("b", "2"), ("c", "1")]));
    let (env, model) = with_tagged_key(&before).await;
    let stack = json!({"team": "payments"});
    let updated = env.succeed(&update(&model, [&before, &after], [&stack, &stack])).await;
    assert_eq!(updated["Tags"], after);
    assert_eq!(updated["SecretAccessKey"], model["SecretAccessKey"]);
    assert_eq!(stored(&env).await, pairs(&[("b", "2"), ("c", "1"), ("team", "payments")]));
    assert_eq!(env.read(&model).await["resourceModel"], updated);
}

#[tokio::test]
async fn a_change_of_the_stacks_tags_is_followed_and_the_resources_own_stay() {
    let (own, none) = (tags(&[("team", "platform")]), json!([]));
    let (env, model) = with_tagged_key(&own).await;
    let (before, after) = (json!({"team": "payments"}), json!({"team": "orders", "env": "test"}));
    env.succeed(&update(&model, [&own, &own], [&before, &after])).await;
    assert_eq!(stored(&env).await, pairs(&[("env", "test"), ("team", "platform")]));

    let updated = env.succeed(&update(&model, [&own, &none], [&after, &after])).await;
    assert_eq!(updated["Tags"], none);
    assert_eq!(stored(&env).await, pairs(&[("env", "test"), ("team", "orders")]));

    env.succeed(&update(&model, [&none, &none], [&after, &json!({})])).await;
    assert_eq!(stored(&env).await, []);
}

#[tokio::test]
async fn an_update_that_failed_halfway_is_finished_by_the_next_one() {
    let [first, second, third] = ["a", "b", "c"].map(|key| tags(&[(key, "1")]));
    let (env, model) = with_tagged_key(&first).await;
    let stack = json!({});
    env.proxy.inject("UntagResource", .., Fault::Error(400, "AccessDeniedException"));
    env.fail(&update(&model, [&first, &second], [&stack, &stack]), "UnauthorizedTaggingOperation", "UntagResource")
        .await;
    env.proxy.clear_faults();
    assert_eq!(env.read(&model).await["resourceModel"]["Tags"], first);

    let updated = env.succeed(&update(&model, [&first, &third], [&stack, &stack])).await;
    assert_eq!(updated["Tags"], third);
    assert!(!stored(&env).await.contains(&("a".to_owned(), "1".to_owned())));
}

#[tokio::test]
async fn fifty_tags_can_be_replaced_by_fifty_others_and_no_secret_can_have_more() {
    let many = |prefix: &str, count: usize| -> Value {
        (0..count).map(|number| json!({"Key": format!("{prefix}-{number:02}"), "Value": ""})).collect()
    };
    let (old, new) = (many("old", 49), many("new", 49));
    let (env, model) = with_tagged_key(&old).await;
    let stack = json!({"team": "payments"});
    env.succeed(&update(&model, [&old, &new], [&stack, &stack])).await;
    let stored = stored(&env).await;
    assert_eq!(stored.len(), 50);
    assert!(stored.iter().all(|(key, _)| key.starts_with("new-") || key == "team"), "{stored:?}");
    let calls: Vec<_> = env.proxy.take_calls().into_iter().map(|call| call.operation).collect();
    let last = |operation| calls.iter().rposition(|call| call == operation).unwrap();
    assert!(last("UntagResource") < last("TagResource"), "there is no room for both: {calls:?}");

    let too_many = many("new", 50);
    let create = requests::create(json!({"UserName": "alice", "Tags": too_many}));
    for request in [update(&model, [&new, &too_many], [&stack, &stack]), create] {
        env.fail(&request, "InvalidRequest", "51 together").await;
    }
    env.assert_no_calls();
}

#[tokio::test]
async fn the_tags_of_a_deleted_secret_do_not_block_another_change() {
    let (env, active) = with_tagged_key(&tags(&[("team", "platform")])).await;
    env.aws.delete_secret(&env.aws.secret_names().await[0]).await;
    let inactive = with(&active, "Status", "Inactive");
    for (previous, wanted) in [(&active, &inactive), (&inactive, &active)] {
        let event = env.update(previous, wanted).await;
        assert_eq!(event["resourceModel"]["Status"], wanted["Status"], "{event}");
        assert_eq!(event["resourceModel"].get("Tags"), None, "{event}");
    }
}

#[tokio::test]
async fn a_change_of_tags_does_not_activate_a_key_that_somebody_deactivated() {
    let (env, active) = with_tagged_key(&tags(&[("team", "platform")])).await;
    env.aws.deactivate_access_key("alice", id(&active)).await;
    let tagged = with(&active, "Tags", tags(&[("team", "payments")]));
    let event = env.update(&active, &tagged).await;
    assert_eq!(event["resourceModel"], with(&tagged, "Status", "Inactive"), "{event}");
    assert_eq!(env.aws.keys("alice").await, [(id(&active), "Inactive")]);
}

#[tokio::test]
async fn the_tags_of_an_imported_key_are_kept_nowhere_and_the_answer_says_so() {
    let env = TestEnvironment::with_user("alice").await;
    let model = json!({"UserName": "alice", "Id": env.aws.create_access_key("alice").await});
    let tagged = with(&model, "Tags", tags(&[("team", "platform")]));
    let event = env.update(&model, &with(&tagged, "Status", "Inactive")).await;
    assert_eq!(event["status"], "SUCCESS", "{event}");
    assert!(message(&event).contains("are kept nowhere"), "{event}");
    assert_eq!(event["resourceModel"].get("Tags"), None, "as READ answers: {event}");
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);
    env.succeed(&requests::update(model.clone(), model)).await;
}
