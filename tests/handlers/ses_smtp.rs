//! The SES SMTP password: derived from the secret and a region, and stored nowhere.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Lab, requests};

/// The password, derived by Python as AWS documents it.
pub(crate) fn password(secret: &str, region: &str) -> String {
    const PROGRAM: &str = "import base64, hashlib, hmac, sys
secret, region = sys.stdin.read().split('\\n')
key = ('AWS4' + secret).encode()
for part in '11111111', region, 'ses', 'aws4_request', 'SendRawEmail':
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
print(base64.b64encode(b'\\x04' + key).decode(), end='')";
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    write!(python.stdin.take().unwrap(), "{secret}\n{region}").unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

async fn create(lab: &Lab, properties: Value) -> Value {
    lab.aws.create_user(properties["UserName"].as_str().unwrap()).await;
    let answer = lab.invoke(&requests::registry("CREATE", properties)).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    answer["resourceModel"].clone()
}

#[test]
fn the_password_that_the_others_are_held_against_is_right() {
    assert_eq!(password("some+secret+key", "eu-central-1"), "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2");
}

#[tokio::test]
async fn the_password_is_for_the_given_region_or_the_stacks_and_stored_nowhere() {
    let lab = Lab::start().await;
    let here = create(&lab, json!({"UserName": "here"})).await;
    let there = create(&lab, json!({"UserName": "there", "SesSmtpRegion": "eu-central-1"})).await;
    for (model, region) in [(&here, "us-east-1"), (&there, "eu-central-1")] {
        let secret = model["SecretAccessKey"].as_str().unwrap();
        assert_eq!(model["SesSmtpPasswordV4"], password(secret, region));
        for encrypted in ["EncryptedSecret", "KeyFingerprint", "EncryptedSesSmtpPasswordV4", "PgpKey"] {
            assert_eq!(model.get(encrypted), None);
        }
        let name = format!("cloudformation/iam-access-key/{}", model["Id"].as_str().unwrap());
        let stored = lab.aws.stored_value(&name).await;
        assert_eq!(stored.get("SesSmtpRegion"), model.get("SesSmtpRegion"));
        assert!(!stored.to_string().contains(&password(secret, region)), "{stored}");

        let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(model))).await;
        assert_eq!(read["resourceModel"], *model, "READ returns what CREATE returned");
        let updated = lab.invoke(&requests::registry_update(model.clone(), model.clone())).await;
        assert_eq!(updated["resourceModel"], *model, "and so does UPDATE");
        let listed = lab.invoke(&requests::registry("LIST", Value::Null)).await;
        assert!(!listed.to_string().contains("Smtp"), "{listed}");
        let log = lab.function.log();
        assert!(!log.iter().any(|line| line.contains(&password(secret, region))), "a password is in the log");
    }
}

#[tokio::test]
async fn a_region_that_does_not_look_like_one_is_refused_before_any_call_to_aws() {
    let lab = Lab::start().await;
    for region in [json!("Frankfurt"), json!("eu-central"), json!(""), json!(1)] {
        let properties = json!({"UserName": "alice", "SesSmtpRegion": region});
        let answer = lab.invoke(&requests::registry("CREATE", properties)).await;
        assert_eq!(answer["errorCode"], "InvalidRequest", "{answer}");
        assert!(answer["message"].as_str().unwrap().starts_with("SesSmtpRegion: "), "{answer}");
    }
    assert_eq!(lab.front.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_key_that_was_not_made_here_has_no_password() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let id = lab.aws.create_access_key("alice").await;
    let read = lab.invoke(&requests::registry("READ", json!({"Id": id}))).await;
    assert_eq!(read["status"], "SUCCESS", "{read}");
    assert_eq!(read["resourceModel"].get("SesSmtpPasswordV4"), None);
}
