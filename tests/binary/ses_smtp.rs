//! The SES SMTP password: derived from the secret and a region. It is stored only where
//! answers may not carry it (`secrets.rs`).

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{
    TestEnvironment,
    events::{message, secret_access_key, secret_name},
    requests,
};

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

#[test]
fn the_password_that_the_others_are_held_against_is_right() {
    assert_eq!(password("some+secret+key", "eu-central-1"), "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2");
}

#[tokio::test]
async fn the_password_is_for_the_given_region_or_the_stacks_and_stored_nowhere() {
    let env = TestEnvironment::start().await;
    for (user, properties, region) in [
        ("here", json!({"UserName": "here"}), "us-east-1"),
        ("there", json!({"UserName": "there", "SesSmtpRegion": "eu-central-1"}), "eu-central-1"),
    ] {
        env.aws.create_user(user).await;
        let model = env.create(properties).await;
        let password = password(secret_access_key(&model), region);
        assert_eq!(model["SesSmtpPasswordV4"], password);
        for encrypted in ["EncryptedSecret", "KeyFingerprint", "EncryptedSesSmtpPasswordV4"] {
            assert_eq!(model[encrypted], "");
        }
        assert_eq!(model.get("PgpKey"), None);
        let stored = env.aws.secret_value(&secret_name(&model)).await;
        assert_eq!(stored.get("SesSmtpRegion"), model.get("SesSmtpRegion"));
        assert!(!stored.to_string().contains(&password), "{stored}");

        assert_eq!(env.read(&model).await["resourceModel"], model, "READ returns what CREATE returned");
        assert_eq!(env.update(&model, &model).await["resourceModel"], model, "and so does UPDATE");
        let listed = env.invoke(&requests::registry("LIST", Value::Null)).await;
        assert_eq!(listed["status"], "SUCCESS", "{listed}");
        assert!(!listed.to_string().contains("Smtp"), "{listed}");
        env.assert_not_logged(&[password]);
    }
}

#[tokio::test]
async fn a_region_that_does_not_look_like_one_is_refused_before_any_call_to_aws() {
    let env = TestEnvironment::start().await;
    for region in [json!("Frankfurt"), json!("eu-central"), json!(""), json!(1)] {
        let request = requests::create(json!({"UserName": "alice", "SesSmtpRegion": region}));
        let event = env.fail(&request, "InvalidRequest", "").await;
        assert!(message(&event).starts_with("SesSmtpRegion"), "{event}");
    }
    env.assert_no_calls();
}
