//! `make demo`: the life of an access key on this machine, told step by step.
//!
//! The Lambda binary answers requests shaped as CloudFormation sends them, through the Lambda API, and talks to a
//! real IAM and Secrets Manager API (moto). Nothing leaves the machine, and nothing keeps running.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use access_key_schema::AccessKey;
use serde_json::{Value, json};
use support::{Lab, requests};

/// How much of a secret the demo shows.
const SHOWN: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("== starting moto (IAM, Secrets Manager), the Lambda API and the function");
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    println!("== the life of an access key of user alice\n");

    let first = step(&lab, "create a key", create("1")).await;
    step(&lab, "read it, by its id alone, as Fn::GetAtt does", read(&first)).await;
    let mut inactive = first.clone();
    inactive["Status"] = "Inactive".into();
    step(&lab, "deactivate it in place", requests::registry_update(first.clone(), inactive.clone())).await;
    step(&lab, "list the account's keys", requests::registry("LIST", Value::Null)).await;

    println!("-- rotation: Serial goes from 1 to 2, and CloudFormation replaces the key\n");
    let second = step(&lab, "create the new key", create("2")).await;
    step(&lab, "delete the old key", requests::registry("DELETE", inactive)).await;
    step(&lab, "what is gone is not found", read(&first)).await;
    let mut lowered = second.clone();
    lowered["Serial"] = 1.into();
    step(&lab, "Serial can only be incremented", requests::registry_update(second.clone(), lowered)).await;
    step(&lab, "delete the new key", requests::registry("DELETE", second)).await;

    let (keys, secrets) = (lab.aws.keys("alice").await.len(), lab.aws.stored().await.len());
    println!("== left behind: {keys} keys, {secrets} secrets");
    assert_eq!((keys, secrets), (0, 0), "nothing may be left");
}

fn create(serial: &str) -> Value {
    let mut request = requests::registry("CREATE", json!({"UserName": "alice", "Serial": serial}));
    request["bearerToken"] = format!("demo-serial-{serial}").into();
    request
}

fn read(model: &Value) -> Value {
    requests::registry("READ", requests::primary_identifier(model))
}

/// Sends a request, tells what came of it, and returns the model.
async fn step(lab: &Lab, title: &str, request: Value) -> Value {
    let answer = lab.invoke(&request).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    println!("{:<6} {title}: {} {}", text(&request["action"]), text(&answer["status"]), text(&answer["errorCode"]));
    if let Some(message) = answer["message"].as_str() {
        println!("       {message}");
    }
    let listed = answer["resourceModels"].as_array().cloned().unwrap_or_default();
    for model in listed.iter().chain(answer.get("resourceModel")) {
        tell(model);
    }
    println!();
    answer["resourceModel"].clone()
}

/// What a template sees of a key.
fn tell(model: &Value) {
    println!("       {:<28} {}", "Ref", shown(AccessKey::ref_property(), model));
    for name in AccessKey::get_att_properties().iter().filter(|name| model.get(**name).is_some()) {
        println!("       {:<28} {}", format!("Fn::GetAtt {name}"), shown(name, model));
    }
    println!("       {:<28} {}", "Status", shown("Status", model));
}

fn shown(property: &str, model: &Value) -> String {
    let value = model[property].as_str().unwrap_or_default();
    if matches!(property, "SecretAccessKey" | "SesSmtpPasswordV4") {
        format!("{}{}", &value[..SHOWN.min(value.len())], "*".repeat(12))
    } else {
        value.to_owned()
    }
}
