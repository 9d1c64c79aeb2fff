//! Once the key exists, every later step can fail: then neither the key nor its secret is left, or the event names
//! what is.

use serde_json::{Value, json};

use crate::support::{
    Fault, OF_A_RECORD, TestEnvironment,
    events::{id, message, secret_name},
    requests::{self, callback, with},
};

/// A CREATE that makes every call there is, `UpdateAccessKey` too.
fn create_inactive() -> Value {
    requests::create(json!({"UserName": "alice", "Status": "Inactive"}))
}

/// What Secrets Manager says to a caller without the permission.
fn denied() -> Fault {
    Fault::Error(400, "AccessDeniedException")
}

#[tokio::test]
async fn a_failing_step_leaves_neither_key_nor_secret_and_its_reason_is_told() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    // Operation, its first call to fail, fault, error code.
    let cases = [
        ("CreateSecret", 0, Fault::Error(400, "LimitExceededException"), "ServiceLimitExceeded"),
        ("CreateSecret", 0, denied(), "AccessDenied"),
        ("CreateSecret", 0, Fault::Error(500, "InternalServiceError"), "ServiceInternalError"),
        ("CreateSecret", 0, Fault::CutBefore, "NetworkFailure"),
        ("CreateSecret", 0, Fault::CutAfter, "NetworkFailure"),
        ("CreateSecret of a record", 0, denied(), "AccessDenied"),
        ("UpdateSecret of a record", 0, denied(), "AccessDenied"),
        ("UpdateSecret of a record", 0, Fault::CutBefore, "NetworkFailure"),
        ("UpdateAccessKey", 0, Fault::Error(403, "AccessDenied"), "AccessDenied"),
    ];
    for (operation, first, fault, code) in cases {
        let case = format!("{operation} {fault:?}");
        env.proxy.inject(operation, first.., fault);
        let event = env.fail(&create_inactive(), code, operation.trim_end_matches(OF_A_RECORD)).await;
        env.proxy.clear_faults();
        assert_eq!(event.get("resourceModel"), None, "{case}: {event}");
        env.assert_nothing_left("alice", format!("{case}: {event}")).await;
    }
}

#[tokio::test]
async fn a_failure_after_the_secret_is_stored_undoes_nothing_and_names_the_key() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    // The first ListAccessKeys looks at the user's keys.
    for (operation, first, fault) in
        [("ListAccessKeys", 1, Fault::Error(403, "AccessDenied")), ("GetSecretValue", 0, denied())]
    {
        env.proxy.inject(operation, first.., fault);
        let event = env.fail(&create_inactive(), "AccessDenied", operation).await;
        env.proxy.clear_faults();
        assert_eq!(env.aws.keys("alice").await, [(id(&event["resourceModel"]), "Inactive")], "{event}");
        env.delete(&event["resourceModel"]).await;
        env.assert_nothing_left("alice", event).await;
    }
}

#[tokio::test]
async fn a_passing_failure_after_the_secret_is_stored_costs_time_but_no_key() {
    let env = TestEnvironment::with_user("alice").await;
    for (operation, first, fault) in
        [("UpdateAccessKey", 0, Fault::CutBefore), ("ListAccessKeys", 1, Fault::Error(400, "Throttling"))]
    {
        env.proxy.inject(operation, first.., fault);
        let waiting = env.invoke(&create_inactive()).await;
        env.proxy.clear_faults();
        assert_eq!(waiting["status"], "IN_PROGRESS", "{operation}: {waiting}");
        let model = env.succeed(&callback(&create_inactive(), &waiting)).await;
        assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);
        env.delete(&model).await;
        env.assert_nothing_left("alice", operation).await;
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_deleted_is_in_the_event_for_the_rollback_to_delete() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    for operation in ["UpdateAccessKey", "DeleteAccessKey"] {
        env.proxy.inject(operation, .., Fault::Error(403, "AccessDenied"));
    }
    let event = env.fail(&create_inactive(), "AccessDenied", "").await;
    env.proxy.clear_faults();
    let model = &event["resourceModel"];
    assert_eq!(env.aws.keys("alice").await, [(id(model), "Active")]);
    let command = format!("delete-access-key --user-name alice --access-key-id {}", id(model));
    assert!(message(&event).contains(&command), "{event}");

    let rollback = env.delete(model).await;
    assert_eq!(rollback, json!({"status": "SUCCESS"}));
    env.assert_nothing_left("alice", rollback).await;
}

#[tokio::test]
async fn a_key_that_iam_does_not_know_yet_does_not_count_as_rolled_back() {
    let env = TestEnvironment::with_user("alice").await;
    for (times, left) in [(2, 0), (usize::MAX, 1)] {
        env.proxy.inject("CreateSecret", .., denied());
        env.proxy.inject("DeleteAccessKey", ..times, Fault::Error(404, "NoSuchEntity"));
        let event = env.fail(&create_inactive(), "AccessDenied", "").await;
        env.proxy.clear_faults();
        let keys = env.aws.key_ids("alice").await;
        assert_eq!(keys.len(), left, "{event}");
        assert_eq!(event["resourceModel"]["Id"].as_str(), keys.first().map(String::as_str), "{event}");
    }
}

#[tokio::test]
async fn only_a_secret_that_may_be_stored_is_said_to_be_left() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    env.proxy.inject("CreateSecret", .., denied());
    env.proxy.inject("DeleteSecret", .., denied());
    let event = env.invoke(&create_inactive()).await;
    assert_eq!(event["status"], "FAILED", "{event}");
    assert_eq!(event.get("resourceModel"), None, "nothing is left for the rollback: {event}");
    env.proxy.clear_faults();

    // The first attempt stores it, and the second is refused.
    env.proxy.inject("CreateSecret", ..1, Fault::CutAfter);
    env.proxy.inject("CreateSecret", 1.., denied());
    let event = env.fail(&create_inactive(), "AccessDenied", "").await;
    env.assert_no_secret_left(event).await;
    env.proxy.clear_faults();
    env.proxy.inject("CreateSecret", ..1, Fault::CutAfter);
    env.proxy.inject("CreateSecret", 1.., denied());
    env.proxy.inject("DeleteSecret", .., denied());
    let event = env.fail(&create_inactive(), "AccessDenied", "its secret").await;
    env.proxy.clear_faults();
    assert!(message(&event).contains(&env.aws.secret_names().await[0]), "{event}");
    env.delete(&event["resourceModel"]).await;
    env.assert_no_secret_left(event).await;

    env.proxy.inject("UpdateAccessKey", .., Fault::Error(403, "AccessDenied"));
    env.proxy.inject("DeleteSecret", .., denied());
    let event = env.invoke(&create_inactive()).await;
    env.proxy.clear_faults();
    assert!(env.aws.keys("alice").await.is_empty(), "{event}");
    let names = env.aws.secret_names().await;
    assert!(message(&event).contains("was rolled back") && message(&event).contains(&names[0]), "{names:?}: {event}");
    let rollback = env.delete(&event["resourceModel"]).await;
    assert_eq!(rollback["errorCode"], "NotFound", "the key was gone already: {rollback}");
    env.assert_no_secret_left(rollback).await;
}

#[tokio::test]
async fn a_status_that_iam_does_not_take_yet_is_set_a_moment_later() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.inject("UpdateAccessKey", ..3, Fault::Error(404, "NoSuchEntity"));
    let model = env.succeed(&create_inactive()).await;
    assert_eq!(model["Status"], "Inactive", "{model}");
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);
}

#[tokio::test]
async fn create_access_key_is_sent_once_even_when_aws_does_not_answer() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.inject("CreateAccessKey", .., Fault::CutBefore);
    env.fail(&create_inactive(), "NetworkFailure", "").await;
    assert_eq!(env.proxy.take_operations().iter().filter(|operation| *operation == "CreateAccessKey").count(), 1);
}

#[tokio::test]
async fn create_access_key_is_sent_again_when_iam_throttles_it() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.inject("CreateAccessKey", ..2, Fault::Error(400, "Throttling"));
    let model = env.succeed(&create_inactive()).await;
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);
}

/// An environment whose IAM does not show new keys, and the `IN_PROGRESS` event of [`create_inactive`] there.
async fn waiting_for_the_key() -> (TestEnvironment, Value) {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.inject("ListAccessKeys", 1.., Fault::HideKeys);
    let event = env.invoke(&create_inactive()).await;
    assert_eq!(event["status"], "IN_PROGRESS", "{event}");
    (env, event)
}

#[tokio::test]
async fn a_key_that_iam_shows_late_is_waited_for_without_a_secret_in_the_event() {
    let (env, waiting) = waiting_for_the_key().await;
    assert!(waiting["callbackDelaySeconds"].as_u64().unwrap() > 0);
    let model = &waiting["resourceModel"];
    let secret = env.aws.secret_value(&secret_name(model)).await["SecretAccessKey"].clone();
    assert!(!waiting.to_string().contains(secret.as_str().unwrap()));

    env.proxy.clear_faults();
    env.proxy.take_calls();
    let created = env.succeed(&callback(&create_inactive(), &waiting)).await;
    assert_eq!(created["SecretAccessKey"], secret);
    assert_eq!(env.aws.keys("alice").await, [(id(model), "Inactive")]);
    assert!(!env.proxy.take_operations().contains(&"CreateAccessKey".to_owned()));
}

#[tokio::test]
async fn a_key_that_iam_hides_until_the_last_callback_is_left_to_the_rollback() {
    let (env, waiting) = waiting_for_the_key().await;
    assert_eq!(waiting["callbackContext"]["Invocations"], 1, "{waiting}");
    let last = with(&callback(&create_inactive(), &waiting), "callbackContext.Invocations", 30);
    let event = env.fail(&last, "NotStabilized", "aws iam list-access-keys --user-name alice").await;
    env.proxy.clear_faults();
    assert_eq!(event["resourceModel"]["Id"], waiting["resourceModel"]["Id"], "{event}");
    let rollback = env.delete(&event["resourceModel"]).await;
    env.assert_nothing_left("alice", rollback).await;
}

#[tokio::test]
async fn a_callback_context_of_another_request_reveals_and_changes_nothing() {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice"})).await;
    let request = requests::of_resource(&requests::create(json!({"UserName": "alice"})), "AnotherKey");
    for (context, code) in [
        (json!({"AccessKeyId": model["Id"], "Invocations": 30}), "NotFound"),
        (json!({"something": "else"}), "InvalidRequest"),
    ] {
        env.fail(&with(&request, "callbackContext", context), code, "").await;
    }
    let of_another = json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Invocations": 1});
    for request in [requests::delete(&model), requests::update(model.clone(), with(&model, "Status", "Inactive"))] {
        env.fail(&with(&request, "callbackContext", of_another.clone()), "InvalidRequest", "").await;
    }
    // With the key's own id, DELETE waits until the key is gone, which nothing has deleted.
    let of_this = json!({"AccessKeyId": model["Id"], "Invocations": 1});
    let event = env.invoke(&with(&requests::delete(&model), "callbackContext", of_this)).await;
    assert_eq!(event["status"], "IN_PROGRESS", "{event}");
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Active")]);
    assert_eq!(env.aws.secret_names().await, [secret_name(&model)]);
}
