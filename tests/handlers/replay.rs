//! CloudFormation calls again, with the same bearer token, when an answer is lost: the key is not made twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Fault, Function, Lab, requests};

fn create(token: &str, properties: Value) -> Value {
    let mut request = requests::registry("CREATE", properties);
    request["bearerToken"] = token.into();
    request
}

#[tokio::test]
async fn the_same_request_again_answers_with_the_same_key_and_secret_and_creates_nothing() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let request = create("operation-1", json!({"UserName": "alice", "Status": "Inactive", "Serial": "7"}));
    let first = lab.invoke(&request).await;
    assert_eq!(first["status"], "SUCCESS", "{first}");
    lab.front.calls();
    let second = lab.invoke(&request).await;
    assert_eq!(second, first);
    assert!(!lab.front.operations().contains(&"CreateAccessKey".to_owned()));
    assert_eq!(lab.aws.keys("alice").await.len(), 1);

    let other = lab.invoke(&create("operation-2", json!({"UserName": "alice"}))).await;
    assert_ne!(other["resourceModel"]["Id"], first["resourceModel"]["Id"], "another operation makes another key");
    lab.invoke(&requests::registry("DELETE", other["resourceModel"].clone())).await;

    let mut sibling = request.clone();
    sibling["requestData"]["logicalResourceId"] = "Sibling".into();
    let sibling = lab.invoke(&sibling).await;
    assert_ne!(sibling["resourceModel"]["Id"], first["resourceModel"]["Id"], "and so does another resource");
}

#[tokio::test]
async fn a_replay_works_with_the_quota_full() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let request = create("operation-1", json!({"UserName": "alice"}));
    let first = lab.invoke(&request).await;
    lab.aws.create_access_key("alice").await;
    assert_eq!(lab.invoke(&request).await, first);
    assert_eq!(lab.aws.keys("alice").await.len(), 2);
}

#[tokio::test]
async fn a_replay_finishes_what_the_first_invocation_left_undone() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let request = create("operation-1", json!({"UserName": "alice", "Status": "Inactive"}));
    lab.front.fault("UpdateAccessKey", Fault::Answer(503, "ServiceUnavailable"));
    lab.front.fault("DeleteAccessKey", Fault::Answer(503, "ServiceUnavailable"));
    let failed = lab.invoke(&request).await;
    assert_eq!(failed["errorCode"], "ServiceInternalError", "{failed}");
    let id = failed["resourceModel"]["Id"].clone();
    lab.front.heal();
    let created = lab.invoke(&request).await;
    assert_eq!(created["status"], "SUCCESS", "{created}");
    assert_eq!(created["resourceModel"]["Id"], id);
    assert_eq!(lab.aws.keys("alice").await, [(id.as_str().unwrap().to_owned(), "Inactive".to_owned())]);
}

#[tokio::test]
async fn two_overlapping_invocations_of_one_request_end_with_one_key() {
    let lab = Lab::start().await;
    let second = Function::start(lab.front.address).await;
    for number in 0..5 {
        let user = format!("user-{number}");
        lab.aws.create_user(&user).await;
        let request = create(&format!("operation-{number}"), json!({"UserName": user})).to_string();
        tokio::join!(lab.function.invoke(request.clone()), second.invoke(request.clone()));
        let settled = lab.function.invoke(request).await;
        assert_eq!(settled["status"], "SUCCESS", "{settled}");
        let id = settled["resourceModel"]["Id"].as_str().unwrap();
        assert_eq!(lab.aws.keys(&user).await, [(id.to_owned(), "Active".to_owned())]);
    }
    assert_eq!(lab.aws.stored().await.len(), 5);
}

#[tokio::test]
async fn serial_of_the_same_resource_can_only_be_incremented_even_by_create() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let first = lab.invoke(&create("operation-1", json!({"UserName": "alice", "Serial": "5"}))).await;
    for (serial, words) in [(json!("4"), "from 5 to 4"), (Value::Null, "from 5 to none")] {
        lab.front.calls();
        let answer = lab.invoke(&create("operation-2", json!({"UserName": "alice", "Serial": serial}))).await;
        assert_eq!(answer["errorCode"], "InvalidRequest", "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
        assert!(!lab.front.operations().contains(&"CreateAccessKey".to_owned()));
    }
    let mut other = create("operation-3", json!({"UserName": "alice", "Serial": "1"}));
    other["requestData"]["logicalResourceId"] = "AnotherKey".into();
    let other = lab.invoke(&other).await;
    assert_eq!(other["status"], "SUCCESS", "another resource has a Serial of its own: {other}");
    lab.invoke(&requests::registry("DELETE", other["resourceModel"].clone())).await;
    for serial in ["5", "6"] {
        let answer =
            lab.invoke(&create(&format!("operation-{serial}"), json!({"UserName": "alice", "Serial": serial}))).await;
        assert_eq!(answer["status"], "SUCCESS", "an equal or a higher Serial is fine: {answer}");
        lab.invoke(&requests::registry("DELETE", answer["resourceModel"].clone())).await;
    }
    assert_eq!(lab.aws.keys("alice").await[0].0, first["resourceModel"]["Id"].as_str().unwrap());
}

/// The ids of the user's keys.
async fn ids(lab: &Lab, user: &str) -> BTreeSet<String> {
    lab.aws.keys(user).await.into_iter().map(|(id, _)| id).collect()
}

#[tokio::test]
async fn a_create_access_key_whose_answer_is_lost_leaves_no_key_and_the_retry_makes_one() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let request = create("operation-1", json!({"UserName": "alice"}));
    lab.front.fault("CreateAccessKey", Fault::CutAfter);
    let lost = lab.invoke(&request).await;
    lab.front.heal();
    assert_eq!(lost["errorCode"], "NetworkFailure", "{lost}");
    assert!(lost["message"].as_str().unwrap().contains("which was deleted again"), "{lost}");
    assert_eq!(ids(&lab, "alice").await, BTreeSet::new());
    let created = lab.invoke(&request).await;
    assert_eq!(created["status"], "SUCCESS", "{created}");
    assert_eq!(ids(&lab, "alice").await.len(), 1);
}

#[tokio::test]
async fn the_keys_of_others_survive_a_create_access_key_whose_answer_is_lost() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    lab.aws.create_user("bob").await;

    // A person makes a key while ours is being made: there are two that nobody knows.
    lab.front.fault("CreateAccessKey", Fault::CutAfter);
    let request = create("operation-1", json!({"UserName": "alice"}));
    let person = async {
        while ids(&lab, "alice").await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        lab.aws.create_access_key("alice").await
    };
    let (answer, theirs) = tokio::join!(lab.invoke(&request), person);
    let left = ids(&lab, "alice").await;
    assert!(left.contains(&theirs) && left.len() == 2, "{left:?}");
    let message = answer["message"].as_str().unwrap();
    assert!(left.iter().all(|id| message.contains(&format!("--user-name alice --access-key-id {id}"))), "{message}");
    lab.front.heal();

    // Another resource of the stack makes a key, and stores its secret.
    let sibling_function = Function::start(lab.aws.address).await;
    lab.front.fault("CreateAccessKey", Fault::CutBefore);
    let mut sibling = create("operation-2", json!({"UserName": "bob"}));
    sibling["requestData"]["logicalResourceId"] = "Sibling".into();
    let request = create("operation-3", json!({"UserName": "bob"}));
    let (answer, sibling) = tokio::join!(lab.invoke(&request), sibling_function.invoke(sibling.to_string()));
    assert_eq!(answer["errorCode"], "NetworkFailure", "{answer}");
    let sibling = sibling["resourceModel"]["Id"].as_str().unwrap().to_owned();
    assert_eq!(ids(&lab, "bob").await, BTreeSet::from([sibling]));
}

#[tokio::test]
async fn a_key_that_was_used_or_is_older_than_the_lost_create_access_key_survives_it() {
    let lab = Lab::start().await;
    for user in ["alice", "bob"] {
        lab.aws.create_user(user).await;
    }
    let older = lab.aws.create_access_key("bob").await;

    // While ours is not being made, a person makes a key, and uses it.
    lab.front.fault("CreateAccessKey", Fault::CutBefore);
    let person = async {
        let id = lab.aws.create_access_key("alice").await;
        lab.aws.use_access_key(&id).await;
        id
    };
    let request = create("operation-1", json!({"UserName": "alice"})).to_string();
    let (used, answer) = tokio::join!(person, async {
        // IAM shows it only when ours is looked for.
        lab.front.fault_times("ListAccessKeys", 0, 1, Fault::HideKeys);
        lab.function.invoke(request).await
    });
    assert!(answer["message"].as_str().unwrap().contains(&used), "{answer}");
    assert_eq!(ids(&lab, "alice").await, BTreeSet::from([used]));

    // By now this one is older than the clocks can differ.
    lab.front.fault_times("ListAccessKeys", 0, 1, Fault::HideKeys);
    let answer = lab.invoke(&create("operation-2", json!({"UserName": "bob"}))).await;
    assert!(answer["message"].as_str().unwrap().contains(&older), "{answer}");
    assert_eq!(ids(&lab, "bob").await, BTreeSet::from([older]));
}

#[tokio::test]
async fn a_key_that_an_interrupted_create_left_is_named_by_the_next_one() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let left = lab.aws.create_access_key("alice").await;
    let created = lab.invoke(&create("operation-1", json!({"UserName": "alice"}))).await;
    assert_eq!(created["status"], "SUCCESS", "{created}");
    assert!(created["message"].as_str().unwrap().contains(&left), "{created}");
}
