//! A secret is in the answer's model and in the store, and nowhere else.

use serde_json::{Value, json};

use crate::support::{
    Fault, TestEnvironment,
    events::secret_access_key,
    requests::{self, Shape, primary_identifier, with},
};

/// What every credential in the fixtures ends with.
const CALLERS: &str = "ThatMustNotBeLogged";

#[tokio::test]
async fn no_log_line_of_a_whole_life_holds_a_secret_at_any_level() {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    let mut secrets = vec![CALLERS.to_owned()];

    for request in [requests::registry as Shape, requests::test_entrypoint] {
        let model = env.succeed(&request("CREATE", json!({"UserName": "alice", "Serial": "1"}))).await;
        secrets.push(secret_access_key(&model).to_owned());
        env.invoke(&request("READ", primary_identifier(&model))).await;
        env.invoke(&request("UPDATE", model.clone())).await;
        let listed = env.invoke(&request("LIST", Value::Null)).await;
        assert!(!secrets.iter().any(|secret| listed.to_string().contains(secret)), "{listed}");
        env.invoke(&request("UPDATE", with(&model, "Serial", "one"))).await;
        env.proxy.inject("DeleteSecret", .., Fault::Error(500, "InternalServiceError"));
        env.invoke(&request("DELETE", model.clone())).await;
        env.proxy.clear_faults();
        env.invoke(&request("DELETE", model)).await;
    }
    env.assert_not_logged(&secrets);
}

#[tokio::test]
async fn the_process_keeps_its_memory_to_itself() {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice"})).await;
    let process = format!("/proc/{}", env.function.process_id());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    // The files of a process that cannot be dumped belong to root, whoever runs it. Only root can read them.
    if let Ok(environment) = std::fs::read(format!("{process}/environ")) {
        let environment = String::from_utf8_lossy(&environment).into_owned();
        assert!(!environment.contains(secret_access_key(&model)) && !environment.contains(CALLERS));
    }
}
