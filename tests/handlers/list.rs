//! LIST: the whole account page by page, or one user.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Fault, Lab, requests};

async fn page(lab: &Lab, properties: Value, max_results: Value, token: Option<&str>) -> Value {
    let mut request = requests::registry("LIST", properties);
    request["maxResults"] = max_results;
    request["nextToken"] = token.into();
    let answer = lab.invoke(&request).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    answer
}

/// Every key of every page, and how many pages there were.
async fn all_pages(lab: &Lab, properties: Value, max_results: usize) -> (Vec<Value>, usize) {
    let (mut keys, mut pages, mut token) = (vec![], 0, None);
    loop {
        let answer = page(lab, properties.clone(), max_results.into(), token.as_deref()).await;
        let models = answer["resourceModels"].as_array().unwrap();
        assert!(models.len() <= max_results, "{} models on a page of {max_results}", models.len());
        keys.extend(models.iter().cloned());
        pages += 1;
        match answer["nextToken"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None => return (keys, pages),
        }
    }
}

#[tokio::test]
async fn listing_250_users_gives_every_key_once_page_by_page() {
    let lab = Lab::start().await;
    let mut expected = BTreeSet::new();
    for number in 0..250 {
        let user = format!("user-{number:03}");
        lab.aws.create_user(&user).await;
        for _ in 0..number % 3 {
            expected.insert(lab.aws.create_access_key(&user).await);
        }
    }
    let (keys, pages) = all_pages(&lab, Value::Null, 50).await;
    assert!(pages >= 5, "{pages} pages");
    let listed: Vec<_> = keys.iter().map(|key| key["Id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed.len(), expected.len(), "no key twice");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
    assert!(keys.iter().all(|key| key.get("SecretAccessKey").is_none() && key["CreateDate"].is_string()));
}

#[tokio::test]
async fn a_page_of_one_key_goes_on_in_the_middle_of_a_user() {
    let lab = Lab::start().await;
    let mut expected = BTreeSet::new();
    for user in ["alice", "bob", "carol"] {
        lab.aws.create_user(user).await;
    }
    for user in ["alice", "alice", "carol", "carol"] {
        expected.insert(lab.aws.create_access_key(user).await);
    }
    for max_results in [1, 3] {
        let (keys, _) = all_pages(&lab, Value::Null, max_results).await;
        assert_eq!(keys.len(), 4);
        let listed: BTreeSet<_> = keys.iter().map(|key| key["Id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(listed, expected);
    }
}

#[tokio::test]
async fn listing_by_user_name_gives_only_that_users_keys_and_honours_max_results() {
    let lab = Lab::start().await;
    for user in ["alice", "bob"] {
        lab.aws.create_user(user).await;
        lab.aws.create_access_key(user).await;
        lab.aws.create_access_key(user).await;
    }
    let answer = page(&lab, json!({"UserName": "bob"}), Value::Null, None).await;
    let models = answer["resourceModels"].as_array().unwrap();
    assert_eq!(models.len(), 2);
    assert!(models.iter().all(|key| key["UserName"] == "bob"));
    let (keys, pages) = all_pages(&lab, json!({"UserName": "bob"}), 1).await;
    assert_eq!((keys.len(), pages), (2, 2));
    assert_eq!(page(&lab, json!({"UserName": "bob"}), "1".into(), None).await["resourceModels"], json!([keys[0]]));
}

#[tokio::test]
async fn a_user_who_is_deleted_while_the_account_is_listed_has_no_keys() {
    let lab = Lab::start().await;
    for user in ["alice", "bob"] {
        lab.aws.create_user(user).await;
        lab.aws.create_access_key(user).await;
    }
    lab.front.fault_times("ListAccessKeys", 0, 1, Fault::Answer(404, "NoSuchEntity"));
    let answer = page(&lab, Value::Null, Value::Null, None).await;
    assert_eq!(answer["resourceModels"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer.get("message"), None, "{answer}");
}

#[tokio::test]
async fn the_keys_of_users_whom_the_role_does_not_reach_are_left_out_and_the_event_says_so() {
    let lab = Lab::start().await;
    for user in ["alice", "bob", "carol"] {
        lab.aws.create_user(user).await;
        lab.aws.create_access_key(user).await;
    }
    lab.front.fault_times("ListAccessKeys", 1, 1, Fault::Answer(403, "AccessDenied"));
    let answer = page(&lab, Value::Null, Value::Null, None).await;
    assert_eq!(answer["resourceModels"].as_array().unwrap().len(), 2, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().starts_with("the keys of 1 of this page's users are left out"),
        "{answer}"
    );

    lab.front.fault("ListAccessKeys", Fault::Answer(403, "AccessDenied"));
    for properties in [json!({"UserName": "bob"}), Value::Null] {
        let answer = lab.invoke(&requests::registry("LIST", properties)).await;
        assert_eq!(answer["errorCode"], "AccessDenied", "whoever is asked for must be reached, or anybody: {answer}");
    }
}

#[tokio::test]
async fn an_empty_account_is_an_empty_list_and_a_forged_token_or_a_missing_user_is_refused() {
    let lab = Lab::start().await;
    assert_eq!(page(&lab, Value::Null, Value::Null, None).await, json!({"status": "SUCCESS", "resourceModels": []}));
    let mut request = requests::registry("LIST", Value::Null);
    request["nextToken"] = "forged".into();
    assert_eq!(lab.invoke(&request).await["errorCode"], "InvalidRequest");
    let nobody = lab.invoke(&requests::registry("LIST", json!({"UserName": "nobody"}))).await;
    assert_eq!(nobody["errorCode"], "NotFound", "{nobody}");
}
