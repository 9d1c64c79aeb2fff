//! A secret is in the answer's model and in the store, and nowhere else.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::{
    ses_smtp,
    support::{
        Fault, TestEnvironment,
        events::{secret_access_key, secret_name},
        requests::{self, Shape, primary_identifier, with},
    },
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
async fn an_account_that_forbids_plaintext_finds_it_in_the_stored_secret_alone() {
    let env = TestEnvironment::with_user("alice").await;
    let forbidden = |request: Value, value: Value| requests::configured(&request, json!({"ReturnSecrets": value}));
    let create = || requests::create(json!({"UserName": "alice", "SesSmtpRegion": "eu-central-1"}));
    let model = env.succeed(&forbidden(create(), json!(false))).await;
    let stored = env.aws.secret_value(&secret_name(&model)).await;
    let secret = secret_access_key(&stored);
    let password = ses_smtp::password(secret, "eu-central-1");
    assert_eq!(stored["SesSmtpPasswordV4"], password);

    let tagged = with(&model, "Tags", json!([{"Key": "stage", "Value": "live"}]));
    let update = requests::update(model.clone(), tagged.clone());
    let read = requests::registry("READ", primary_identifier(&model));
    let list = requests::registry("LIST", Value::Null);
    for (request, value) in [
        (create(), json!(false)),
        (read.clone(), json!(false)),
        (read.clone(), json!("false")),
        (update, json!(false)),
        (list, json!(false)),
    ] {
        let event = env.invoke(&forbidden(request, value)).await;
        assert_eq!(event["status"], "SUCCESS", "{event}");
        assert!(![secret, &password].iter().any(|plain| event.to_string().contains(*plain)), "{event}");
        if let Some(model) = event.get("resourceModel") {
            assert_eq!((&model["SecretAccessKey"], &model["SesSmtpPasswordV4"]), (&json!(""), &json!("")), "{event}");
            assert!(model["SecretArn"].as_str().unwrap().starts_with("arn:"), "{event}");
        }
    }
    let after_update = env.aws.secret_value(&secret_name(&model)).await;
    assert_eq!(after_update["SesSmtpPasswordV4"], password);

    let allowed = env.succeed(&forbidden(read, json!(true))).await;
    assert_eq!((&allowed["SecretAccessKey"], &allowed["SesSmtpPasswordV4"]), (&json!(secret), &json!(password)));
    env.assert_not_logged(&[secret, &password]);
}

#[tokio::test]
async fn the_process_keeps_its_memory_to_itself() {
    let env = TestEnvironment::with_user("alice").await;
    env.create(json!({"UserName": "alice"})).await;
    let process = format!("/proc/{}", env.function.process_id());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    // The files of a process that cannot be dumped belong to root and root's group, whoever runs it and in whichever group.
    let environment = std::fs::metadata(format!("{process}/environ")).unwrap();
    assert_eq!((environment.uid(), environment.gid()), (0, 0));
}
