//! Connections that died while Lambda froze the process: what they cost the next invocation.

use std::time::Duration;

use serde_json::json;

use crate::support::{TestEnvironment, requests::registry};

#[tokio::test]
async fn connections_that_died_while_the_process_was_frozen_cost_no_call() {
    let env = TestEnvironment::with_user("alice").await;
    let created = env.create(json!({"UserName": "alice"})).await;
    env.proxy.let_connections_die();
    env.function.freeze(Duration::from_secs(6)).await;
    let event = env.read(&created).await;
    assert_eq!((&event["status"], env.proxy.take_lost_calls()), (&json!("SUCCESS"), 0), "{event}");
}

/// As after a freeze during which the process's clock stood still.
#[tokio::test]
async fn connections_that_died_a_moment_ago_leave_a_call_its_last_attempt() {
    let env = TestEnvironment::with_user("alice").await;
    let created = env.create(json!({"UserName": "alice"})).await;
    for number in 0..10 {
        env.aws.create_user(&format!("user-{number}")).await;
    }
    // Eight calls side by side, on as many connections.
    env.invoke(&registry("LIST", json!({}))).await;
    env.proxy.let_connections_die();
    let event = env.read(&created).await;
    let lost = env.proxy.take_lost_calls();
    assert!(event["status"] == "SUCCESS" && lost <= 2, "{lost} calls were lost: {event}");
}
