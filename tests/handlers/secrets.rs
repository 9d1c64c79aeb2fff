//! A secret is in the answer's model and in the store, and nowhere else.

use serde_json::{Value, json};

use crate::support::{Fault, Lab, requests};

/// Everything in the fixtures that must not be logged either.
const CALLERS: &str = "ThatMustNotBeLogged";

#[tokio::test]
async fn no_log_line_of_a_whole_life_holds_a_secret_at_any_level() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let mut secrets = vec![CALLERS.to_owned()];

    for make in [requests::registry as fn(&str, Value) -> Value, requests::test_entrypoint] {
        let created = lab.invoke(&make("CREATE", json!({"UserName": "alice", "Serial": "1"}))).await;
        let model = &created["resourceModel"];
        secrets.push(model["SecretAccessKey"].as_str().unwrap().to_owned());
        lab.invoke(&make("READ", requests::primary_identifier(model))).await;
        lab.invoke(&make("UPDATE", model.clone())).await;
        let listed = lab.invoke(&make("LIST", Value::Null)).await;
        assert!(!secrets.iter().any(|secret| listed.to_string().contains(secret)), "{listed}");
        let mut wrong = model.clone();
        wrong["Serial"] = "one".into();
        lab.invoke(&make("UPDATE", wrong)).await;
        lab.front.fault("DeleteSecret", Fault::Answer(500, "InternalServiceError"));
        lab.invoke(&make("DELETE", model.clone())).await;
        lab.front.heal();
        lab.invoke(&make("DELETE", model.clone())).await;
    }

    let log = lab.function.log();
    assert!(log.iter().any(|line| line.contains("CREATE")), "the function logs what it is asked: {log:?}");
    for secret in secrets {
        let leaks: Vec<_> = log.iter().filter(|line| line.contains(&secret)).collect();
        assert!(leaks.is_empty(), "{leaks:?}");
    }
}

#[tokio::test]
async fn the_process_keeps_its_memory_to_itself() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let created = lab.invoke(&requests::registry("CREATE", json!({"UserName": "alice"}))).await;
    assert_eq!(created["status"], "SUCCESS", "{created}");
    let process = format!("/proc/{}", lab.function.process_id());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    // What belongs to a process that may not be dumped belongs to root, whoever runs it; root can read it all the same.
    if let Ok(environment) = std::fs::read(format!("{process}/environ")) {
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let secret = created["resourceModel"]["SecretAccessKey"].as_str().unwrap();
        assert!(!environment.contains(secret) && !environment.contains(CALLERS));
    }
}
