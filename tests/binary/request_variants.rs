//! What CloudFormation, its Java runtime and SAM's documented test events send in other ways is taken as well.

use serde_json::{Value, json};

use crate::support::{
    FUNCTION_REGION, TestEnvironment,
    events::{id, secret_name},
    requests::{self, Shape, compressed, with},
};

#[tokio::test]
async fn a_compressed_request_is_served_with_unknown_fields_and_in_any_case() {
    let env = TestEnvironment::with_user("alice").await;
    let request = requests::registry("CREATE", json!({"UserName": "alice"})).to_string();
    let request = request.replace("\"action\"", "\"ACTION\"").replace("\"requestData\"", "\"RequestDATA\"");
    let request = request.replace("\"callerCredentials\"", "\"comment\": 1, \"ignored\": {}, \"CallerCREDENTIALS\"");
    for method in ["gzip_base64", "gzip", ""] {
        let request = with(&compressed(request.as_bytes()), "__COMPRESSION_METHOD__", method);
        let answer = env.invoke(&request).await;
        assert_eq!(answer["status"], "SUCCESS", "{method}: {answer}");
    }
}

#[tokio::test]
async fn numbers_and_blanks_for_strings_are_taken_as_cloudformation_means_them() {
    let env = TestEnvironment::with_user("alice").await;
    for serial in [json!(5), json!(5.0), json!("+5"), json!(" 5 "), json!(""), json!("  ")] {
        let request = requests::create_with_token(&serial.to_string(), json!({"UserName": "alice", "Serial": serial}));
        let request = with(&with(&request, "awsAccountId", 123_456_789_012_u64), "resourceTypeVersion", 1);
        let model = env.succeed(&request).await;
        let expected = if serial.as_str().is_some_and(|text| text.trim().is_empty()) { Value::Null } else { json!(5) };
        assert_eq!(model["Serial"], expected, "{serial}");
        env.delete(&model).await;
    }
}

#[tokio::test]
async fn a_request_without_a_region_is_served_in_the_functions() {
    let env = TestEnvironment::with_user("alice").await;
    for (request, region, absent, token) in [
        (requests::registry as Shape, "region", Value::Null, "bearerToken"),
        (requests::test_entrypoint, "request.region", "".into(), "request.clientRequestToken"),
    ] {
        let request = with(&request("CREATE", json!({"UserName": "alice"})), region, absent);
        let model = env.succeed(&with(&request, token, region)).await;
        let arn = model["SecretArn"].as_str().unwrap();
        assert!(arn.starts_with(&format!("arn:aws:secretsmanager:{FUNCTION_REGION}:")), "{arn}");
    }
}

#[tokio::test]
async fn an_empty_callback_context_is_a_first_call_which_is_validated() {
    let env = TestEnvironment::with_user("alice").await;
    let with_empty_context = |properties| with(&requests::create(properties), "callbackContext", json!({}));
    let wrong = with_empty_context(json!({"UserName": "alice", "Status": "Asleep"}));
    env.fail(&wrong, "InvalidRequest", "must be Active or Inactive").await;
    let model = env.succeed(&with_empty_context(json!({"UserName": "alice"}))).await;
    assert_eq!(env.aws.secret_names().await, [secret_name(&model)]);
}

#[tokio::test]
async fn a_test_event_can_carry_the_type_configuration_beside_its_request() {
    let env = TestEnvironment::with_user("alice").await;
    let request = requests::test_entrypoint("CREATE", json!({"UserName": "alice"}));
    let request = with(&request, "typeConfiguration", json!({"SecretNamePrefix": "acme/keys/"}));
    let model = env.succeed(&request).await;
    assert_eq!(env.aws.secret_names().await, [format!("acme/keys/{}", id(&model))]);
}

#[tokio::test]
async fn settings_of_another_version_are_ignored_and_a_warning_names_them() {
    let env = TestEnvironment::with_user("alice").await;
    let request = requests::create(json!({"UserName": "alice"}));
    let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12";
    let settings = json!({"SecretNamePrefix": "acme/keys/", "Colour": "red", secret: 1});
    let model = env.succeed(&requests::configured(&request, settings)).await;
    assert_eq!(env.aws.secret_names().await, [format!("acme/keys/{}", id(&model))]);
    let log = env.function.log();
    let warning = log.iter().find(|line| line.contains("WARN") && line.contains("unknown settings"));
    assert!(warning.expect("a warning").contains("Colour"), "{warning:?}");
    env.assert_not_logged(&[secret]);
}

#[tokio::test]
async fn read_only_properties_come_back_as_they_were_answered_except_in_create() {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice", "Serial": 1})).await;
    assert_eq!((&model["EncryptedSecret"], &model["KeyFingerprint"]), (&json!(""), &json!("")));
    assert_eq!(env.succeed(&requests::registry("READ", model.clone())).await, model);
    assert_eq!(env.update(&model, &model).await["resourceModel"], model);
    let again = requests::create_with_token("another-operation", json!({"UserName": "alice", "EncryptedSecret": ""}));
    env.fail(&again, "InvalidRequest", "EncryptedSecret is read-only and cannot be set").await;
    assert_eq!(env.delete(&model).await, json!({"status": "SUCCESS"}));
    env.assert_nothing_left("alice", "after DELETE").await;
}
