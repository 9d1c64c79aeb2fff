//! Once the key exists, every later step can fail: then neither the key nor its secret is left, or the event names
//! what is.

use serde_json::{Value, json};

use crate::support::{Fault, Lab, requests};

fn inactive() -> Value {
    requests::registry("CREATE", json!({"UserName": "alice", "Status": "Inactive"}))
}

#[tokio::test]
async fn a_failing_step_leaves_neither_key_nor_secret_and_its_reason_is_told() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    // Operation, calls let through first, fault, code.
    let cases = [
        ("CreateSecret", 0, Fault::Answer(400, "LimitExceededException"), "ServiceLimitExceeded"),
        ("CreateSecret", 0, Fault::Answer(400, "AccessDeniedException"), "AccessDenied"),
        ("CreateSecret", 0, Fault::Answer(500, "InternalServiceError"), "ServiceInternalError"),
        ("CreateSecret", 0, Fault::CutBefore, "NetworkFailure"),
        ("CreateSecret", 0, Fault::CutAfter, "NetworkFailure"),
        ("UpdateAccessKey", 0, Fault::Answer(403, "AccessDenied"), "AccessDenied"),
        ("UpdateAccessKey", 0, Fault::CutAfter, "NetworkFailure"),
        // The first ListAccessKeys looks at the quota.
        ("ListAccessKeys", 1, Fault::Answer(400, "Throttling"), "Throttling"),
        ("ListAccessKeys", 1, Fault::CutBefore, "NetworkFailure"),
    ];
    for (operation, skip, fault, code) in cases {
        lab.front.fault_times(operation, skip, usize::MAX, fault.clone());
        let answer = lab.invoke(&inactive()).await;
        lab.front.heal();
        assert_eq!(answer["errorCode"], code, "{operation} {fault:?}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(operation), "{operation} {fault:?}: {answer}");
        assert_eq!(answer.get("resourceModel"), None, "{operation} {fault:?}: {answer}");
        assert_eq!(lab.aws.keys("alice").await, [], "{operation} {fault:?}: {answer}");
        assert_eq!(lab.aws.stored().await, Vec::<String>::new(), "{operation} {fault:?}: {answer}");
    }
}

#[tokio::test]
async fn when_the_key_cannot_be_taken_back_the_event_carries_its_id_and_rollback_deletes_it() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    lab.front.fault("UpdateAccessKey", Fault::Answer(403, "AccessDenied"));
    lab.front.fault("DeleteAccessKey", Fault::Answer(403, "AccessDenied"));
    let answer = lab.invoke(&inactive()).await;
    lab.front.heal();
    assert_eq!(answer["errorCode"], "AccessDenied", "{answer}");
    let keys = lab.aws.keys("alice").await;
    let id = answer["resourceModel"]["Id"].as_str().unwrap();
    assert_eq!(keys, [(id.to_owned(), "Active".to_owned())]);
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains(&format!("delete-access-key --user-name alice --access-key-id {id}")), "{message}");

    let rollback = lab.invoke(&requests::registry("DELETE", answer["resourceModel"].clone())).await;
    assert_eq!(rollback, json!({"status": "SUCCESS"}));
    assert_eq!(lab.aws.keys("alice").await, []);
    assert_eq!(lab.aws.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_that_iam_does_not_know_yet_is_not_taken_for_one_that_was_taken_back() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let unknown = Fault::Answer(404, "NoSuchEntity");
    for (times, left) in [(2, 0), (usize::MAX, 1)] {
        lab.front.fault("CreateSecret", Fault::Answer(400, "AccessDeniedException"));
        lab.front.fault_times("DeleteAccessKey", 0, times, unknown.clone());
        let answer = lab.invoke(&inactive()).await;
        lab.front.heal();
        assert_eq!(answer["errorCode"], "AccessDenied", "{answer}");
        let keys = lab.aws.keys("alice").await;
        assert_eq!(keys.len(), left, "{answer}");
        assert_eq!(answer["resourceModel"]["Id"].as_str(), keys.first().map(|(id, _)| id.as_str()), "{answer}");
    }
}

#[tokio::test]
async fn a_secret_that_was_never_stored_is_not_said_to_be_left_and_one_that_may_be_is() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let denied = Fault::Answer(400, "AccessDeniedException");
    lab.front.fault("CreateSecret", denied.clone());
    lab.front.fault("DeleteSecret", denied.clone());
    let refused = lab.invoke(&inactive()).await;
    assert_eq!(refused.get("resourceModel"), None, "nothing is left for the rollback: {refused}");

    // The first attempt stores it, and the second is refused.
    lab.front.heal();
    lab.front.fault_times("CreateSecret", 0, 1, Fault::CutAfter);
    lab.front.fault("CreateSecret", denied.clone());
    let refused = lab.invoke(&inactive()).await;
    assert_eq!(refused["errorCode"], "AccessDenied", "{refused}");
    assert_eq!(lab.aws.stored().await, Vec::<String>::new());

    lab.front.heal();
    lab.front.fault("UpdateAccessKey", Fault::Answer(403, "AccessDenied"));
    lab.front.fault("DeleteSecret", denied);
    let answer = lab.invoke(&inactive()).await;
    lab.front.heal();
    assert_eq!(lab.aws.keys("alice").await, []);
    let stored = lab.aws.stored().await;
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("was deleted again") && message.contains(&stored[0]), "{stored:?}: {message}");
    let rollback = lab.invoke(&requests::registry("DELETE", answer["resourceModel"].clone())).await;
    assert_eq!(rollback["errorCode"], "NotFound", "the key was gone already: {rollback}");
    assert_eq!(lab.aws.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_status_that_iam_does_not_take_yet_is_set_a_moment_later() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    lab.front.fault_times("UpdateAccessKey", 0, 3, Fault::Answer(404, "NoSuchEntity"));
    let created = lab.invoke(&inactive()).await;
    assert_eq!(created["resourceModel"]["Status"], "Inactive", "{created}");
    assert_eq!(lab.aws.keys("alice").await[0].1, "Inactive");
}

#[tokio::test]
async fn create_access_key_is_sent_once_even_when_aws_does_not_answer() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    for fault in [Fault::CutBefore, Fault::Answer(500, "ServiceFailure"), Fault::Answer(400, "Throttling")] {
        lab.front.calls();
        lab.front.fault("CreateAccessKey", fault.clone());
        let answer = lab.invoke(&inactive()).await;
        lab.front.heal();
        assert_eq!(answer["status"], "FAILED", "{fault:?}: {answer}");
        let sent = lab.front.operations().into_iter().filter(|operation| operation == "CreateAccessKey").count();
        assert_eq!(sent, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_that_iam_does_not_show_yet_is_waited_for_across_invocations_without_a_secret_in_between() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    lab.front.fault_times("ListAccessKeys", 1, usize::MAX, Fault::HideKeys);
    let request = inactive();
    let waiting = lab.invoke(&request).await;
    assert_eq!(waiting["status"], "IN_PROGRESS", "{waiting}");
    assert!(waiting["callbackDelaySeconds"].as_u64().unwrap() > 0);
    let id = waiting["resourceModel"]["Id"].as_str().unwrap();
    let secret = lab.aws.stored_value(&format!("cloudformation/iam-access-key/{id}")).await["SecretAccessKey"].clone();
    assert!(!waiting.to_string().contains(secret.as_str().unwrap()));

    lab.front.heal();
    lab.front.calls();
    let mut callback = request.clone();
    callback["callbackContext"] = waiting["callbackContext"].clone();
    callback["requestData"]["resourceProperties"] = waiting["resourceModel"].clone();
    let created = lab.invoke(&callback).await;
    assert_eq!(created["status"], "SUCCESS", "{created}");
    assert_eq!(created["resourceModel"]["SecretAccessKey"], secret);
    assert_eq!(lab.aws.keys("alice").await, [(id.to_owned(), "Inactive".to_owned())]);
    assert!(!lab.front.operations().contains(&"CreateAccessKey".to_owned()));
}

#[tokio::test]
async fn a_key_that_iam_still_does_not_show_at_the_last_callback_is_taken_back() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    lab.front.fault_times("ListAccessKeys", 1, usize::MAX, Fault::HideKeys);
    let request = inactive();
    let waiting = lab.invoke(&request).await;
    assert_eq!(waiting["callbackContext"]["Invocations"], 1, "{waiting}");
    let mut last = request.clone();
    last["callbackContext"] = waiting["callbackContext"].clone();
    last["callbackContext"]["Invocations"] = 29.into();
    last["requestData"]["resourceProperties"] = waiting["resourceModel"].clone();
    let answer = lab.invoke(&last).await;
    lab.front.heal();
    assert_eq!(answer["errorCode"], "NotStabilized", "{answer}");
    assert_eq!(lab.aws.keys("alice").await, []);
    assert_eq!(lab.aws.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_callback_context_of_another_request_reveals_and_changes_nothing() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let created = lab.invoke(&requests::registry("CREATE", json!({"UserName": "alice"}))).await;
    let mut forged = requests::registry("CREATE", json!({"UserName": "alice"}));
    forged["bearerToken"] = "another-operation".into();
    forged["callbackContext"] = json!({"AccessKeyId": created["resourceModel"]["Id"], "Invocations": 30});
    let answer = lab.invoke(&forged).await;
    assert_eq!(answer["errorCode"], "NotFound", "{answer}");
    forged["callbackContext"] = json!({"something": "else"});
    let answer = lab.invoke(&forged).await;
    assert_eq!(answer["errorCode"], "InvalidRequest", "{answer}");
    assert_eq!(lab.aws.keys("alice").await.len(), 1);
    assert_eq!(lab.aws.stored().await.len(), 1);
}
