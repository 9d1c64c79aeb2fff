//! The key's `Description`: a tag of the user.

use serde_json::{Value, json};

use crate::support::{
    Fault, TestEnvironment,
    events::{id, message},
    requests::{self, primary_identifier, with},
};

const DENIED: Fault = Fault::Error(403, "AccessDenied");

/// An environment with a key of alice that has this description, and the key's model. Alice has another tag.
async fn with_described_key(description: &str) -> (TestEnvironment, Value) {
    let env = TestEnvironment::with_user("alice").await;
    // Of a user who is seconds old, a denial passes.
    env.proxy.make_everything_old();
    env.aws.tag_user("alice", "team", "web").await;
    let model = env.create(json!({"UserName": "alice", "Description": description})).await;
    (env, model)
}

/// Asserts that the key has this description, and alice the tag that she had.
async fn assert_described(env: &TestEnvironment, model: &Value, description: Option<&str>) {
    let mut tags = env.aws.user_tags("alice").await;
    assert_eq!(tags.remove("team").as_deref(), Some("web"));
    assert_eq!(tags.remove(id(model)).as_deref(), description);
    assert!(tags.is_empty(), "{tags:?}");
}

#[tokio::test]
async fn a_description_is_a_users_tag_changes_in_place_and_goes_with_its_key() {
    let (env, model) = with_described_key("payments").await;
    assert_eq!(model["Description"], "payments");
    assert_described(&env, &model, Some("payments")).await;
    assert_eq!(env.read(&model).await["resourceModel"], model);

    let orders = env.succeed(&requests::update(model.clone(), with(&model, "Description", "orders"))).await;
    assert_eq!(orders, with(&model, "Description", "orders"));
    assert_described(&env, &model, Some("orders")).await;
    assert_eq!(env.read(&model).await["resourceModel"], orders);

    // An empty one is none, and is answered as it was declared.
    let none = env.succeed(&requests::update(orders.clone(), with(&orders, "Description", ""))).await;
    assert_eq!(none["Description"], "");
    assert_described(&env, &model, None).await;
    assert_eq!(env.read(&model).await["resourceModel"], none);

    let again = env.succeed(&requests::update(none.clone(), with(&none, "Description", "again"))).await;
    assert_described(&env, &model, Some("again")).await;
    env.succeed(&requests::delete(&again)).await;
    assert_described(&env, &model, None).await;
    env.assert_nothing_left("alice", "").await;
}

#[tokio::test]
async fn what_somebody_changes_in_the_console_is_read() {
    let (env, model) = with_described_key("payments").await;
    env.aws.tag_user("alice", id(&model), "by hand").await;
    let read = env.read(&model).await["resourceModel"].clone();
    assert_eq!(read, with(&model, "Description", "by hand"));
    // An UPDATE of something else says so too.
    let inactive = env.succeed(&requests::update(model.clone(), with(&model, "Status", "Inactive"))).await;
    assert_eq!(inactive["Description"], "by hand");
    env.aws.tag_user("alice", id(&model), "").await;
    assert_eq!(env.read(&model).await["resourceModel"].get("Description"), None);
}

#[tokio::test]
async fn where_the_role_may_not_see_tags_read_answers_what_was_declared() {
    let (env, model) = with_described_key("payments").await;
    env.proxy.inject("ListUserTags", .., DENIED);
    assert_eq!(env.read(&model).await["resourceModel"], model);
    let orders = env.succeed(&requests::update(model.clone(), with(&model, "Description", "orders"))).await;
    assert_eq!(env.read(&model).await["resourceModel"], orders);
    let another = env.create(json!({"UserName": "alice", "Description": "another"})).await;
    assert_eq!(another["Description"], "another");
}

#[tokio::test]
async fn a_role_that_may_not_tag_is_refused_a_description_and_nothing_is_left() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    for operation in ["TagUser", "UntagUser", "ListUserTags"] {
        env.proxy.inject(operation, .., DENIED);
    }
    let create = requests::create(json!({"UserName": "alice", "Description": "payments"}));
    let event = env.fail(&create, "UnauthorizedTaggingOperation", "TagUser").await;
    assert!(!message(&event).contains("payments") && message(&event).contains("was rolled back"), "{event}");
    env.assert_nothing_left("alice", event).await;

    // Without one, all goes on.
    let model = env.create(json!({"UserName": "alice"})).await;
    let described = with(&model, "Description", "payments");
    env.fail(&requests::update(model.clone(), described.clone()), "UnauthorizedTaggingOperation", "TagUser").await;
    assert_eq!(env.read(&model).await["resourceModel"], model);
    // The rollback, and the rest of the key's life.
    env.succeed(&requests::update(described, model.clone())).await;
    env.succeed(&requests::update(model.clone(), with(&model, "Status", "Inactive"))).await;
    env.succeed(&requests::delete(&model)).await;
    env.assert_nothing_left("alice", "").await;
}

#[tokio::test]
async fn an_update_whose_description_is_denied_changes_nothing_and_can_be_undone() {
    let (env, model) = with_described_key("payments").await;
    let tags = json!([{"Key": "stage", "Value": "test"}]);
    let wanted = with(&with(&with(&model, "Description", "orders"), "Tags", tags), "Status", "Inactive");
    env.proxy.inject("TagUser", .., DENIED);
    env.fail(&requests::update(model.clone(), wanted.clone()), "UnauthorizedTaggingOperation", "TagUser").await;
    assert_eq!(env.read(&model).await["resourceModel"], model);
    assert_eq!(env.succeed(&requests::update(wanted.clone(), model.clone())).await, model);
    env.proxy.clear_faults();

    // Nor does one whose status is refused.
    env.proxy.inject("UpdateAccessKey", .., DENIED);
    env.fail(&requests::update(model.clone(), wanted), "AccessDenied", "UpdateAccessKey").await;
    env.proxy.clear_faults();
    assert_eq!(env.read(&model).await["resourceModel"], model);
    assert_described(&env, &model, Some("payments")).await;
}

#[tokio::test]
async fn a_create_that_fails_takes_its_description_back() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    let create = || requests::create(json!({"UserName": "alice", "Description": "payments"}));
    env.proxy.inject("CreateSecret", .., Fault::Error(400, "AccessDeniedException"));
    env.fail(&create(), "AccessDenied", "CreateSecret").await;
    assert!(env.aws.user_tags("alice").await.is_empty());

    env.proxy.inject("UntagUser", .., DENIED);
    let event = env.fail(&create(), "AccessDenied", "CreateSecret").await;
    let left = env.aws.user_tags("alice").await;
    assert_eq!(left.keys().collect::<Vec<_>>(), [id(&event["resourceModel"])], "{event}");
    let command = format!("aws iam untag-user --user-name alice --tag-keys {}", id(&event["resourceModel"]));
    assert!(message(&event).contains(&command), "{event}");

    // The rollback of the stack, by the model that the event has.
    env.proxy.clear_faults();
    env.delete(&event["resourceModel"]).await;
    assert!(env.aws.user_tags("alice").await.is_empty(), "{event}");
}

#[tokio::test]
async fn delete_by_id_alone_removes_the_description_and_a_refusal_fails_nothing() {
    let (env, model) = with_described_key("payments").await;
    env.succeed(&requests::delete(&primary_identifier(&model))).await;
    assert_described(&env, &model, None).await;

    let model = env.create(json!({"UserName": "alice", "Description": "orders"})).await;
    env.proxy.inject("UntagUser", .., DENIED);
    env.succeed(&requests::delete(&model)).await;
    env.assert_nothing_left("alice", "").await;
    assert_described(&env, &model, Some("orders")).await;
    let log = env.function.log();
    assert!(log.iter().any(|line| line.contains("description of a deleted key was not removed")), "{log:?}");
}

/// As when CloudFormation deletes two keys of one user at once.
#[tokio::test]
async fn a_change_of_the_user_at_the_same_moment_leaves_no_description() {
    let (env, model) = with_described_key("payments").await;
    let conflict = Fault::Error(409, "ConcurrentModification");
    env.proxy.inject("UntagUser", ..1, conflict.clone());
    env.succeed(&requests::delete(&model)).await;
    assert_eq!(env.proxy.faults_injected("UntagUser"), 1);
    assert_described(&env, &model, None).await;

    env.proxy.clear_faults();
    env.proxy.inject("CreateSecret", .., Fault::Error(400, "AccessDeniedException"));
    env.proxy.inject("UntagUser", ..1, conflict);
    let create = requests::create(json!({"UserName": "alice", "Description": "orders"}));
    let event = env.fail(&create, "AccessDenied", "CreateSecret").await;
    assert_eq!((env.proxy.faults_injected("UntagUser"), &event["resourceModel"]["Id"]), (1, &Value::Null), "{event}");
    assert_eq!(env.aws.user_tags("alice").await.len(), 1, "{event}");
}
