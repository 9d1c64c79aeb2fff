//! Keys, users and secrets that are not there, not the request's, or too many.

use serde_json::{Value, json};

use crate::support::{
    Fault, Function, TestEnvironment,
    events::{id, message, secret_name},
    requests::{self, primary_identifier, with},
};

const NO_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// An environment with the user alice and an access key of hers, and the key's model.
async fn with_key() -> (TestEnvironment, Value) {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice"})).await;
    (env, model)
}

/// Asserts that the model's access key is the only one that alice has, active, and its secret the only one stored.
async fn assert_untouched(env: &TestEnvironment, model: &Value) {
    assert_eq!(env.aws.keys("alice").await, [(id(model), "Active")]);
    assert_eq!(env.aws.secret_names().await, [secret_name(model)]);
}

#[tokio::test]
async fn read_update_and_delete_of_a_key_that_is_not_there_are_not_found() {
    let env = TestEnvironment::with_user("alice").await;
    let (by_id, with_user) = (json!({"Id": NO_KEY}), json!({"Id": NO_KEY, "UserName": "alice"}));
    for (action, properties) in
        [("READ", &by_id), ("DELETE", &by_id), ("READ", &with_user), ("DELETE", &with_user), ("UPDATE", &with_user)]
    {
        env.fail(&requests::registry(action, properties.clone()), "NotFound", NO_KEY).await;
    }
}

#[tokio::test]
async fn deleting_a_key_that_somebody_deleted_leaves_no_secret_behind() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    for by_id in [false, true] {
        let model = env.create(json!({"UserName": "alice"})).await;
        env.aws.delete_access_key("alice", id(&model)).await;
        let properties = if by_id { primary_identifier(&model) } else { model };
        let event = env.fail(&requests::delete(&properties), "NotFound", "").await;
        env.assert_no_secret_left(event).await;
    }
}

#[tokio::test]
async fn a_key_that_iam_knows_in_one_place_is_deleted_once_both_places_know_it() {
    let (env, model) = with_key().await;
    let unknown = Fault::Error(404, "NoSuchEntity");
    env.proxy.inject("DeleteAccessKey", .., unknown.clone());
    env.fail(&requests::delete(&model), "ResourceConflict", "").await;
    env.proxy.clear_faults();
    assert_untouched(&env, &model).await;

    env.proxy.inject("DeleteAccessKey", ..3, unknown.clone());
    env.proxy.inject("GetAccessKeyLastUsed", ..2, unknown);
    let deleted = env.delete(&model).await;
    assert_eq!(deleted, json!({"status": "SUCCESS"}));
    env.assert_nothing_left("alice", deleted).await;
}

#[tokio::test]
async fn a_key_that_the_store_knows_needs_no_word_from_iam_about_its_owner() {
    let (env, model) = with_key().await;
    env.proxy.make_everything_old();
    let foreign = json!({"Id": env.aws.create_access_key("alice").await});
    env.proxy.inject("GetAccessKeyLastUsed", .., Fault::Error(403, "AccessDenied"));
    for action in ["READ", "DELETE"] {
        let request = requests::registry(action, foreign.clone());
        env.fail(&request, "NotFound", "as for a key that does not exist in this account").await;
    }
    env.succeed(&requests::read(&model)).await;
    env.aws.delete_access_key("alice", id(&model)).await;
    env.fail(&requests::read(&model), "NotFound", id(&model)).await;
    let event = env.fail(&requests::delete(&primary_identifier(&model)), "NotFound", "").await;
    env.assert_no_secret_left(event).await;
}

#[tokio::test]
async fn a_role_that_is_denied_a_missing_user_is_told_that_the_user_is_missing() {
    let env = TestEnvironment::start().await;
    let denied = Fault::Error(403, "AccessDenied");
    for operation in ["ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"] {
        env.proxy.inject(operation, .., denied.clone());
    }
    let gone = json!({"Id": NO_KEY, "UserName": "nobody"});
    for action in ["READ", "UPDATE", "DELETE"] {
        env.fail(&requests::registry(action, gone.clone()), "NotFound", "").await;
    }
    let listed = env.invoke(&requests::registry("LIST", json!({"UserName": "nobody"}))).await;
    assert_eq!(listed, json!({"status": "SUCCESS", "resourceModels": []}));
    env.aws.create_user("nobody").await;
    let list = requests::registry("LIST", json!({"UserName": "nobody"}));
    env.fail(&list, "ResourceConflict", "The user is seconds old").await;
    env.proxy.make_everything_old();
    env.fail(&list, "AccessDenied", "").await;
}

#[tokio::test]
async fn a_user_that_iam_does_not_know_yet_is_waited_for() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.inject("ListAccessKeys", ..2, Fault::Error(404, "NoSuchEntity"));
    let model = env.create(json!({"UserName": "alice"})).await;
    assert_untouched(&env, &model).await;
}

#[tokio::test]
async fn an_update_of_a_key_without_a_secret_waits_while_iam_hides_the_key() {
    let env = TestEnvironment::with_user("alice").await;
    let model = json!({"Id": env.aws.create_access_key("alice").await, "UserName": "alice", "Status": "Active"});
    env.proxy.inject("ListAccessKeys", ..2, Fault::Error(404, "NoSuchEntity"));
    env.proxy.inject("GetAccessKeyLastUsed", ..1, Fault::Error(404, "NoSuchEntity"));
    let inactive = with(&model, "Status", "Inactive");
    let updated = env.succeed(&requests::update(model, inactive)).await;
    assert_eq!(env.aws.keys("alice").await, [(id(&updated), "Inactive")]);
}

#[tokio::test]
async fn a_key_can_be_deleted_by_its_id_alone() {
    let (env, model) = with_key().await;
    let deleted = env.delete(&primary_identifier(&model)).await;
    assert_eq!(deleted, json!({"status": "SUCCESS"}));
    env.assert_nothing_left("alice", deleted).await;
}

#[tokio::test]
async fn a_user_that_does_not_exist_is_not_found_and_not_named() {
    let env = TestEnvironment::start().await;
    // A resolved reference in the wrong property.
    let event = env.fail(&requests::create(json!({"UserName": "hunter2+wJalr"})), "NotFound", "[UserName]").await;
    assert!(message(&event).contains("request id") && !message(&event).contains("hunter2"), "{event}");
    env.assert_not_logged(&["hunter2"]);
}

#[tokio::test]
async fn a_third_key_is_refused_by_iam_and_the_two_in_the_way_are_named() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    let keys = [env.aws.create_access_key("alice").await, env.aws.create_access_key("alice").await];
    let event = env.fail(&requests::create(json!({"UserName": "alice"})), "ServiceLimitExceeded", "").await;
    assert!(keys.iter().all(|key| message(&event).contains(key)), "{event}");
    assert_eq!(env.aws.key_ids("alice").await.len(), 2);
}

#[tokio::test]
async fn the_key_of_another_user_is_neither_updated_nor_without_proof_deleted() {
    let (env, model) = with_key().await;
    env.aws.create_user("bob").await;
    let foreign = json!({"UserName": "alice", "Id": env.aws.create_access_key("bob").await});
    env.fail(&requests::delete(&foreign), "InvalidRequest", "belongs to user bob, not to alice").await;
    assert_eq!(env.aws.key_ids("bob").await, [id(&foreign)]);
    let claimed = with(&with(&model, "UserName", "bob"), "Status", "Inactive");

    let update = requests::registry("UPDATE", claimed.clone());
    env.fail(&update, "InvalidRequest", "belongs to user alice, not to bob").await;
    let read = env.succeed(&requests::registry("READ", claimed)).await;
    assert_eq!(read, model, "READ tells whose it is");
    assert_untouched(&env, &model).await;
}

#[tokio::test]
async fn two_resources_on_one_user_live_side_by_side() {
    let env = TestEnvironment::with_user("alice").await;
    let second = Function::start(env.proxy.address).await;
    let request = |token: &str, logical_id: &str| {
        let request = requests::create_with_token(token, json!({"UserName": "alice"}));
        requests::of_resource(&request, logical_id).to_string()
    };
    let (one, two) = tokio::join!(
        env.function.invoke(request("5f0c8c5e-0000-4000-8000-000000000001", "One")),
        second.invoke(request("5f0c8c5e-0000-4000-8000-000000000002", "Two")),
    );
    let (one, two) = (&one["resourceModel"], &two["resourceModel"]);
    assert_ne!(id(one), id(two));
    assert_eq!(env.aws.keys("alice").await.len(), 2);
    assert_eq!(env.aws.secret_names().await.len(), 2);

    env.succeed(&requests::delete(one)).await;
    assert_eq!(env.succeed(&requests::read(two)).await, *two);
}

#[tokio::test]
async fn a_key_without_a_stored_secret_is_read_updated_and_deleted() {
    let env = TestEnvironment::with_user("alice").await;
    let key = env.aws.create_access_key("alice").await;
    let model = env.succeed(&requests::read(&json!({"Id": key}))).await;
    assert_eq!((&model["UserName"], &model["Status"]), (&json!("alice"), &json!("Active")));
    assert!(model["CreateDate"].is_string());
    for property in [
        "SecretAccessKey",
        "SecretArn",
        "SesSmtpPasswordV4",
        "EncryptedSecret",
        "KeyFingerprint",
        "EncryptedSesSmtpPasswordV4",
    ] {
        assert_eq!(model[property], "", "{model}");
    }

    let wanted = with(&model, "Status", "Inactive");
    let updated = env.update(&model, &wanted).await;
    assert_eq!(updated["resourceModel"], wanted, "{updated}");
    let deleted = env.delete(&wanted).await;
    assert_eq!(deleted, json!({"status": "SUCCESS"}));
    env.assert_nothing_left("alice", deleted).await;
}

#[tokio::test]
async fn a_secret_that_is_scheduled_for_deletion_counts_as_gone() {
    let (env, model) = with_key().await;
    let call = env.aws.secrets_manager.delete_secret().secret_id(secret_name(&model)).recovery_window_in_days(7);
    call.send().await.unwrap();
    let read = env.succeed(&requests::read(&model)).await;
    assert_eq!((&read["SecretAccessKey"], &read["SecretArn"]), (&json!(""), &json!("")), "{read}");
}

#[tokio::test]
async fn an_update_without_a_status_makes_the_key_active() {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice", "Status": "Inactive"})).await;
    assert_eq!(model["Status"], "Inactive");
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);
    let mut wanted = model.clone();
    wanted.as_object_mut().unwrap().remove("Status");
    let updated = env.update(&model, &wanted).await;
    assert_eq!(updated["resourceModel"]["Status"], "Active", "{updated}");
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Active")]);
}

#[tokio::test]
async fn a_secret_has_the_type_configurations_prefix_and_the_stacks_tags() {
    let env = TestEnvironment::with_user("alice").await;
    let request = requests::create(json!({"UserName": "alice"}));
    let model = env.succeed(&requests::configured(&request, json!({"SecretNamePrefix": "acme/keys/"}))).await;
    let tags = env.aws.secret_tags(&format!("acme/keys/{}", id(&model))).await;
    assert_eq!(Vec::from_iter(tags), [("team".to_owned(), "payments".to_owned())]);
}
