//! CloudFormation calls again, with the same bearer token, when an answer is lost: the key is not made twice.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Fault, Function, OF_A_RECORD, TestEnvironment,
    events::{id, message},
    requests::{self, create_with_token, of_resource, with},
};

fn alice() -> Value {
    json!({"UserName": "alice"})
}

/// Asserts that the function has not called `CreateAccessKey` since the last look.
fn assert_nothing_created(env: &TestEnvironment) {
    assert!(!env.proxy.take_operations().contains(&"CreateAccessKey".to_owned()));
}

#[tokio::test]
async fn a_repeated_create_makes_nothing_and_answers_the_same_key_and_secret() {
    let env = TestEnvironment::with_user("alice").await;
    let properties = json!({"UserName": "alice", "Status": "Inactive", "Serial": "7"});
    let request = create_with_token("operation-1", properties);
    let event = env.invoke(&request).await;
    assert_eq!(event["status"], "SUCCESS", "{event}");
    env.proxy.take_calls();
    assert_eq!(env.invoke(&request).await, event);
    assert_nothing_created(&env);
    let first = &event["resourceModel"];
    assert_eq!(env.aws.keys("alice").await.len(), 1);

    let other = create_with_token("operation-2", json!({"UserName": "alice", "Serial": "8"}));
    let other = env.succeed(&other).await;
    assert_ne!(id(&other), id(first), "another operation makes another key");
    env.succeed(&requests::delete(&other)).await;

    let sibling = env.succeed(&of_resource(&request, "Sibling")).await;
    assert_ne!(id(&sibling), id(first), "and so does another resource");
}

#[tokio::test]
async fn a_replay_works_with_the_quota_full() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    let request = create_with_token("operation-1", alice());
    let first = env.invoke(&request).await;
    assert_eq!(first["status"], "SUCCESS", "{first}");
    env.aws.create_access_key("alice").await;
    assert_eq!(env.invoke(&request).await, first);
    assert_eq!(env.aws.keys("alice").await.len(), 2);
}

#[tokio::test]
async fn a_replay_finishes_what_the_first_invocation_left_undone() {
    let env = TestEnvironment::with_user("alice").await;
    let request = create_with_token("operation-1", json!({"UserName": "alice", "Status": "Inactive"}));
    env.proxy.inject("UpdateAccessKey", .., Fault::Error(503, "ServiceUnavailable"));
    let waiting = env.invoke(&request).await;
    env.proxy.clear_faults();
    assert_eq!(waiting["status"], "IN_PROGRESS", "{waiting}");
    let model = env.succeed(&request).await;
    assert_eq!(model["Id"], waiting["resourceModel"]["Id"]);
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);
}

#[tokio::test]
async fn two_overlapping_invocations_of_one_request_end_with_one_key() {
    let env = TestEnvironment::start().await;
    let second = Function::start(env.proxy.address).await;
    for number in 0..2 {
        let user = format!("user-{number}");
        env.aws.create_user(&user).await;
        let request = create_with_token(&format!("operation-{number}"), json!({"UserName": user}));
        tokio::join!(env.invoke(&request), second.invoke(request.to_string()));
        let settled = env.succeed(&request).await;
        assert_eq!(env.aws.keys(&user).await, [(id(&settled), "Active")]);
    }
    assert_eq!(env.aws.secret_names().await.len(), 2);
}

#[tokio::test]
async fn serial_of_the_same_resource_can_only_be_incremented_even_by_create() {
    let env = TestEnvironment::with_user("alice").await;
    let create = |token: &str, serial: Value| create_with_token(token, json!({"UserName": "alice", "Serial": serial}));
    let first = env.succeed(&create("operation-1", "5".into())).await;
    for serial in [json!("4"), Value::Null] {
        env.proxy.take_calls();
        let reason = format!("lower than 5, that of access key {}. Nothing was created", id(&first));
        env.fail(&create("operation-2", serial), "InvalidRequest", &reason).await;
        assert_nothing_created(&env);
    }
    // Another resource has a Serial of its own, and an equal or a higher one is fine.
    let other = of_resource(&create("operation-3", "1".into()), "AnotherKey");
    for request in [other, create("operation-5", "5".into()), create("operation-6", "6".into())] {
        let model = env.succeed(&request).await;
        env.succeed(&requests::delete(&model)).await;
    }
    assert_eq!(env.aws.key_ids("alice").await, [id(&first)]);
}

/// Waits until a minute has gone by for the records of `CREATE`: whoever made them has ended.
async fn let_the_holder_be_gone(env: &TestEnvironment) {
    env.aws.age_records(Duration::from_secs(70)).await;
}

#[tokio::test]
async fn after_a_lost_answer_the_next_attempt_creates_a_key_and_names_the_other() {
    let env = TestEnvironment::with_user("alice").await;
    let request = create_with_token("operation-1", alice());
    env.proxy.inject("CreateAccessKey", ..1, Fault::CutAfter);
    let event = env.fail(&request, "NetworkFailure", "aws iam list-access-keys --user-name alice").await;
    let [lost] = &*env.aws.key_ids("alice").await else { panic!("{event}") };
    assert_eq!(event.get("resourceModel"), None, "nobody knows which key: {event}");
    assert_eq!(env.aws.open_records().await.len(), 1);

    let_the_holder_be_gone(&env).await;
    let created = env.invoke_to_the_end(&request).await;
    assert_eq!(created["status"], "SUCCESS", "{created}");
    assert!(message(&created).contains(&format!("--user-name alice --access-key-id {lost}")), "{created}");
    let mut expected = [lost.as_str(), id(&created["resourceModel"])];
    expected.sort_unstable();
    assert_eq!(env.aws.key_ids("alice").await, expected);
    assert_eq!(env.aws.open_records().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_call_that_was_lost_before_iam_got_it_leaves_one_key() {
    let env = TestEnvironment::with_user("alice").await;
    let request = create_with_token("operation-1", alice());
    env.proxy.inject("CreateAccessKey", ..1, Fault::CutBefore);
    env.fail(&request, "NetworkFailure", "").await;
    let_the_holder_be_gone(&env).await;
    let created = env.succeed(&request).await;
    assert_eq!(env.aws.key_ids("alice").await, [id(&created)]);
}

#[tokio::test]
async fn nobody_creates_while_the_record_of_another_invocation_is_young() {
    let env = TestEnvironment::with_user("alice").await;
    let request = create_with_token("operation-1", alice());
    env.proxy.inject("CreateAccessKey", ..1, Fault::CutBefore);
    env.fail(&request, "NetworkFailure", "").await;
    env.aws.age_records(Duration::from_secs(50)).await;
    env.proxy.take_calls();
    // It waits until the record is old, and never creates after it has waited.
    env.fail(&request, "ResourceConflict", "Another invocation of this operation").await;
    assert_nothing_created(&env);
    env.succeed(&request).await;
}

#[tokio::test]
async fn the_key_of_an_attempt_that_stored_no_secret_is_deleted_by_its_record() {
    let env = TestEnvironment::with_user("alice").await;
    let request = create_with_token("operation-1", alice());
    // The key is made, its id is in the record, and nothing can be undone.
    env.proxy.inject("CreateSecret", .., Fault::Error(500, "InternalServiceError"));
    env.proxy.inject("DeleteAccessKey", .., Fault::Error(500, "ServiceFailure"));
    let event = env.invoke(&request).await;
    env.proxy.clear_faults();
    let [left] = &*env.aws.key_ids("alice").await else { panic!("{event}") };
    assert_eq!(event["resourceModel"]["Id"], left.as_str(), "{event}");
    let_the_holder_be_gone(&env).await;
    let created = env.succeed(&request).await;
    assert_eq!(env.aws.key_ids("alice").await, [id(&created)], "the one that was left is deleted");
    assert_eq!(env.aws.open_records().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_regions_make_a_new_users_keys_and_both_stay_although_a_call_fails() {
    let env = TestEnvironment::with_user("alice").await;
    let here = create_with_token("operation-1", alice());
    let there = with(&create_with_token("operation-2", alice()), "region", "eu-west-1");
    env.proxy.inject("CreateAccessKey", ..1, Fault::Error(500, "ServiceFailure"));
    env.fail(&here, "ServiceInternalError", "").await;
    let theirs = env.succeed(&there).await;
    let_the_holder_be_gone(&env).await;
    let ours = env.invoke_to_the_end(&here).await;
    assert_eq!(ours["status"], "SUCCESS", "{ours}");
    let mut expected = [id(&theirs), id(&ours["resourceModel"])];
    expected.sort_unstable();
    assert_eq!(env.aws.key_ids("alice").await, expected);
    assert!(message(&ours).contains("another region's"), "{ours}");
}

#[tokio::test]
async fn without_a_token_an_answer_that_is_lost_is_final() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.inject("CreateAccessKey", ..1, Fault::CutAfter);
    let request = requests::test_entrypoint("CREATE", alice());
    let request = with(&request, "request.clientRequestToken", Value::Null);
    env.fail(&request, "GeneralServiceException", "aws iam list-access-keys --user-name alice").await;
    assert!(env.proxy.take_operations().iter().all(|operation| !operation.ends_with(OF_A_RECORD)));
}

#[tokio::test]
async fn a_repeated_create_with_a_late_unreadable_secret_makes_no_second_key() {
    let env = TestEnvironment::with_user("alice").await;
    let request = create_with_token("operation-1", alice());
    let model = env.succeed(&request).await;
    env.proxy.take_calls();
    env.proxy.inject("DescribeSecret", ..1, Fault::Error(400, "ResourceNotFoundException"));
    env.proxy.inject("GetSecretValue", .., Fault::Error(400, "AccessDeniedException"));
    let event = env.invoke(&request).await;
    assert_eq!(event["resourceModel"]["Id"], model["Id"], "the rollback finds the key: {event}");
    assert_eq!(env.aws.key_ids("alice").await, [id(&model)], "{event}");
}

#[tokio::test]
async fn cloudtrail_tells_which_operation_has_made_a_key_whose_answer_was_lost() {
    let env = TestEnvironment::with_user("alice").await;
    let named = async |token: &str| {
        env.proxy.inject("CreateAccessKey", .., Fault::CutAfter);
        env.proxy.take_calls();
        let event = env.invoke(&create_with_token(token, alice())).await;
        env.proxy.clear_faults();
        let calls = env.proxy.take_calls().into_iter().filter(|call| call.operation == "CreateAccessKey");
        let agents: Vec<_> = calls.map(|call| call.user_agent).collect();
        let [agent] = &*agents else { panic!("{agents:?}") };
        let app = agent.split(' ').find(|part| part.starts_with("app/")).unwrap().to_owned();
        assert!(app.starts_with("app/access-key-") && message(&event).contains(&app), "{agent}: {event}");
        app
    };
    assert_ne!(named("operation-1").await, named("operation-2").await);
}

#[tokio::test]
async fn a_callback_with_another_token_goes_on_with_the_key_that_it_names() {
    let env = TestEnvironment::with_user("alice").await;
    let request = create_with_token("operation-1", alice());
    let model = env.succeed(&request).await;
    let event = json!({"callbackContext": {"AccessKeyId": id(&model), "Invocations": 1}, "resourceModel": model});
    let callback = requests::callback(&create_with_token("operation-2", alice()), &event);
    assert_eq!(env.succeed(&callback).await, model);
    // Of another resource it is told nothing.
    env.fail(&of_resource(&callback, "AnotherKey"), "NotFound", "was not created by this operation").await;
}
