//! LIST: the whole account page by page, or one user.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    Fault, TestEnvironment,
    events::id,
    requests::{registry, with},
};

/// An environment with these users, each with a number of access keys, and the ids of all these keys.
async fn with_keys<S: AsRef<str>>(users: &[(S, usize)]) -> (TestEnvironment, BTreeSet<String>) {
    let env = TestEnvironment::start().await;
    let mut ids = BTreeSet::new();
    for (user, keys) in users {
        env.aws.create_user(user.as_ref()).await;
        for _ in 0..*keys {
            ids.insert(env.aws.create_access_key(user.as_ref()).await);
        }
    }
    (env, ids)
}

/// The event of a LIST that must succeed.
async fn page(env: &TestEnvironment, properties: Value, max_results: Value, token: Option<&str>) -> Value {
    let request = with(&registry("LIST", properties), "maxResults", max_results);
    let event = env.invoke(&with(&request, "nextToken", token)).await;
    assert_eq!(event["status"], "SUCCESS", "{event}");
    event
}

fn models(event: &Value) -> &[Value] {
    event["resourceModels"].as_array().unwrap()
}

/// Every model of every page, and how many pages there were.
async fn all_pages(env: &TestEnvironment, properties: Value, max_results: usize) -> (Vec<Value>, usize) {
    let (mut keys, mut pages, mut token) = (vec![], 0, None);
    loop {
        let event = page(env, properties.clone(), max_results.into(), token.as_deref()).await;
        let models = models(&event);
        assert!(models.len() <= max_results, "{} models on a page of {max_results}", models.len());
        keys.extend_from_slice(models);
        pages += 1;
        match event["nextToken"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None => return (keys, pages),
        }
    }
}

/// Asserts that these are the models of exactly the keys with these ids, each of them once.
fn assert_each_once(models: &[Value], ids: &BTreeSet<String>) {
    assert_eq!(models.len(), ids.len(), "no key twice");
    assert_eq!(models.iter().map(|model| id(model).to_owned()).collect::<BTreeSet<_>>(), *ids);
}

#[tokio::test]
async fn listing_120_users_gives_every_key_once_page_by_page() {
    let users: Vec<_> = (0..120).map(|number| (format!("user-{number:03}"), number % 3)).collect();
    let (env, ids) = with_keys(&users).await;
    let (keys, pages) = all_pages(&env, Value::Null, 50).await;
    assert!(pages >= 5, "{pages} pages");
    assert_each_once(&keys, &ids);
    assert!(keys.iter().all(|key| key.get("SecretAccessKey").is_none() && key["CreateDate"].is_string()));
}

#[tokio::test]
async fn a_page_of_one_key_goes_on_in_the_middle_of_a_user() {
    let (env, ids) = with_keys(&[("alice", 2), ("bob", 0), ("carol", 2)]).await;
    for max_results in [1, 3] {
        let (keys, _) = all_pages(&env, Value::Null, max_results).await;
        assert_each_once(&keys, &ids);
    }
}

#[tokio::test]
async fn listing_by_user_name_gives_only_that_users_keys_up_to_max_results() {
    let (env, _) = with_keys(&[("alice", 2), ("bob", 2)]).await;
    let bob = || json!({"UserName": "bob"});
    let event = page(&env, bob(), Value::Null, None).await;
    assert_eq!(models(&event).len(), 2);
    assert!(models(&event).iter().all(|key| key["UserName"] == "bob"));
    let (keys, pages) = all_pages(&env, bob(), 1).await;
    assert_eq!((keys.len(), pages), (2, 2));
    assert_eq!(models(&page(&env, bob(), "1".into(), None).await), &keys[..1]);
}

#[tokio::test]
async fn listing_by_id_and_user_name_means_both() {
    let (env, ids) = with_keys(&[("alice", 2), ("bob", 1)]).await;
    let alices = all_pages(&env, json!({"UserName": "alice"}), 1).await.0;
    for key in &alices {
        let both = json!({"UserName": "alice", "Id": id(key)});
        assert_eq!(models(&page(&env, both, 1.into(), None).await), std::slice::from_ref(key));
        let of_another = json!({"UserName": "bob", "Id": id(key)});
        assert_eq!(models(&page(&env, of_another, Value::Null, None).await), [Value::Null; 0]);
    }
    for id in &ids {
        let (found, _) = all_pages(&env, json!({"Id": id}), 2).await;
        assert_each_once(&found, &BTreeSet::from([id.clone()]));
    }
}

#[tokio::test]
async fn a_user_who_is_deleted_while_the_account_is_listed_has_no_keys() {
    let (env, _) = with_keys(&[("alice", 1), ("bob", 1)]).await;
    env.proxy.inject("ListAccessKeys", ..1, Fault::Error(404, "NoSuchEntity"));
    let event = page(&env, Value::Null, Value::Null, None).await;
    assert_eq!(models(&event).len(), 1, "{event}");
    assert_eq!(event.get("message"), None, "{event}");
}

#[tokio::test]
async fn keys_that_the_role_may_not_list_are_left_out_and_the_event_says_so() {
    let (env, _) = with_keys(&[("alice", 1), ("bob", 1), ("carol", 1)]).await;
    env.proxy.make_everything_old();
    let denied = Fault::Error(403, "AccessDenied");
    env.proxy.inject("ListAccessKeys", 1..2, denied.clone());
    let event = page(&env, Value::Null, Value::Null, None).await;
    assert_eq!(models(&event).len(), 2, "{event}");
    let message = event["message"].as_str().unwrap();
    assert!(message.starts_with("The keys of 1 of this page's users are left out"), "{event}");

    env.proxy.clear_faults();
    env.proxy.inject("ListAccessKeys", .., denied);
    // A LIST that reaches nobody fails.
    for properties in [json!({"UserName": "bob"}), Value::Null] {
        env.fail(&registry("LIST", properties), "AccessDenied", "").await;
    }
}

#[tokio::test]
async fn a_list_is_whole_although_iam_throttles_more_calls_than_the_sdk_retries() {
    let (env, _) = with_keys(&[("alice", 1), ("bob", 2)]).await;
    env.proxy.inject("ListAccessKeys", ..6, Fault::Error(400, "Throttling"));
    let event = page(&env, Value::Null, Value::Null, None).await;
    assert_eq!(models(&event).len(), 3, "{event}");
}

#[tokio::test]
async fn no_keys_and_no_such_user_are_empty_lists_and_a_forged_token_is_refused() {
    let env = TestEnvironment::start().await;
    for properties in [Value::Null, json!({"UserName": "nobody"})] {
        let event = page(&env, properties, Value::Null, None).await;
        assert_eq!(event, json!({"status": "SUCCESS", "resourceModels": []}));
    }
    env.fail(&with(&registry("LIST", Value::Null), "nextToken", "forged"), "InvalidRequest", "").await;
}
