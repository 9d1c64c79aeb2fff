//! The invariants that the head of `main.rs` lists.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{case::Case, operation::Operation, support::TestEnvironment};

/// Asserts the invariants after a case.
///
/// Adds the secrets of this case to `secrets`.
pub(crate) async fn check(
    env: &TestEnvironment,
    case: &Case,
    operation: &Operation<'_>,
    secrets: &mut BTreeSet<String>,
) {
    let events = &operation.events;
    let keys = BTreeSet::from_iter(env.aws.key_ids(&case.user()).await);
    let secret_names = env.aws.secret_names().await;
    let stored: BTreeSet<_> = secret_names.iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect();
    let named = |id: &str| {
        let mut messages = events.iter().filter_map(|event| event["message"].as_str());
        messages.any(|message| message.contains(id))
    };
    let expected = expected_keys(case, operation);
    for id in &keys {
        assert!(expected.contains(id) || named(id), "{case}: key {id} is orphaned: {events:#?}");
        assert!(stored.contains(id) || named(id), "{case}: the secret of key {id} is lost: {events:#?}");
    }
    for id in &expected {
        assert!(keys.contains(id), "{case}: key {id} is gone: {events:#?}");
    }
    assert!(stored.is_subset(&keys), "{case}: a secret is stored without a key: {events:#?}");
    if operation.end["status"] == "SUCCESS" {
        let open = env.aws.open_records().await;
        let may_be_open = case.operation == "DeleteSecret of a record";
        assert!(open.is_empty() || may_be_open, "{case}: records are open: {open:?}");
    }

    let models = events.iter().map(|event| &event["resourceModel"]).chain([&operation.existing]);
    let known = models.filter_map(|model| model["SecretAccessKey"].as_str()).filter(|secret| !secret.is_empty());
    secrets.extend(known.map(ToOwned::to_owned));
    assert_events_hold_no_secret(case, events, secrets);
}

/// The ids of the keys that CloudFormation believes to exist: the one that was there, unless it was deleted, and the new
/// one, if the CREATE succeeded.
fn expected_keys(case: &Case, operation: &Operation<'_>) -> BTreeSet<String> {
    let last = operation.events.last().unwrap();
    let created = case.scenario.is_create() && last["status"] == "SUCCESS";
    let new = created.then(|| last["resourceModel"]["Id"].as_str()).flatten();
    let existing = (!case.scenario.is_delete()).then(|| operation.existing["Id"].as_str().unwrap());
    existing.into_iter().chain(new).map(ToOwned::to_owned).collect()
}

/// Asserts that a secret is nowhere in the events but in the model of a success.
fn assert_events_hold_no_secret(case: &Case, events: &[Value], secrets: &BTreeSet<String>) {
    for event in events {
        let mut event = event.clone();
        if event["status"] == "SUCCESS" {
            event["resourceModel"] = Value::Null;
        }
        let text = event.to_string();
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{case}: an event tells a secret");
    }
}
