//! Create-only properties: an UPDATE that changes one is refused, and nothing is written.

use serde_json::{Value, json};

use crate::support::{
    TestEnvironment,
    events::message,
    requests::{self, with},
};

/// Asserts that an UPDATE from `previous` with another value of a property is refused for this reason.
async fn assert_not_updatable(env: &TestEnvironment, previous: &Value, cases: &[(&str, Value, &str)]) {
    for (property, value, reason) in cases {
        let wanted = with(previous, property, value.clone());
        let event = env.fail(&requests::update(previous.clone(), wanted), "NotUpdatable", reason).await;
        assert!(message(&event).starts_with(property), "{event}");
    }
    let calls = env.proxy.take_operations();
    assert!(calls.iter().all(|call| ["GetSecretValue", "DescribeSecret"].contains(&&**call)), "{calls:?}");
}

#[tokio::test]
async fn user_name_and_serial_cannot_be_changed_in_place() {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice", "Serial": 2})).await;
    env.proxy.take_calls();
    let cases = [
        ("UserName", json!("bob"), "UserName cannot be changed"),
        ("Serial", json!("1"), "can only be incremented, and this update lowers it"),
        ("Serial", Value::Null, "can only be incremented, and this update lowers it or leaves it out"),
        ("Serial", json!(3), "rotates the key, which CloudFormation does by replacement"),
    ];
    assert_not_updatable(&env, &model, &cases).await;
}

#[tokio::test]
async fn pgp_key_and_ses_smtp_region_cannot_be_changed_in_place() {
    let env = TestEnvironment::start().await;
    let id = "AKIAIOSFODNN7EXAMPLE";
    let previous = json!({"Id": id, "UserName": "alice", "PgpKey": "keybase:alice", "SesSmtpRegion": "us-east-1"});
    let cases = [
        ("PgpKey", json!("keybase:bob"), "PgpKey cannot be changed"),
        ("PgpKey", Value::Null, "PgpKey cannot be changed"),
        ("SesSmtpRegion", json!("eu-west-1"), "SesSmtpRegion cannot be changed"),
        ("SesSmtpRegion", Value::Null, "SesSmtpRegion cannot be changed"),
    ];
    assert_not_updatable(&env, &previous, &cases).await;
}
