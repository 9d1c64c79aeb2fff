//! Stored secrets that are not as CREATE writes them today: of an earlier layout, changed by hand, out of the role's reach,
//! replicated.

use serde_json::{Value, json};

use crate::support::{
    Fault, TestEnvironment,
    events::{id, message, secret_name},
    requests::{self, callback, create_with_token, primary_identifier, with},
};

/// Stored secrets as releases have written them, kept for ever: every later release reads them.
const UNVERSIONED: &str = include_str!("../stored-secrets/unversioned.json");
const LAYOUT_1: &str = include_str!("../stored-secrets/1.json");
const LAYOUT_1_WITH_SMTP_PASSWORD: &str = include_str!("../stored-secrets/1-return-secrets-false.json");
const LAYOUT_1_WITH_PGP_KEY: &str = include_str!("../stored-secrets/1-pgp.json");
const LAYOUT_1_WITH_DESCRIPTION: &str = include_str!("../stored-secrets/1-description.json");

/// An environment with the user alice, an old access key of hers, and its secret as `stored` has it, without a
/// description. Returns the key's model too.
async fn with_stored_secret(stored: &str) -> (TestEnvironment, Value) {
    let env = TestEnvironment::with_user("alice").await;
    env.proxy.make_everything_old();
    let model = json!({"Id": env.aws.create_access_key("alice").await});
    let value = with(&serde_json::from_str(stored).unwrap(), "AccessKeyId", id(&model)).to_string();
    let call = env.aws.secrets_manager.create_secret().name(secret_name(&model)).secret_string(value);
    call.send().await.unwrap();
    let model = env.succeed(&requests::read(&model)).await;
    (env, model)
}

/// The same with a secret of the layout that had no version, and the owner in the value alone.
async fn with_older_secret() -> (TestEnvironment, Value) {
    with_stored_secret(UNVERSIONED).await
}

/// An environment with a key of alice whose secret cannot be decrypted, and the key's model without it.
async fn with_undecryptable_secret() -> (TestEnvironment, Value) {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice", "Serial": 1})).await;
    env.proxy.make_everything_old();
    env.proxy.inject("GetSecretValue", .., Fault::Error(400, "AccessDeniedException"));
    let model = env.succeed(&requests::read(&model)).await;
    (env, model)
}

#[tokio::test]
async fn create_writes_the_newest_of_the_layouts_that_are_kept() {
    let env = TestEnvironment::with_user("alice").await;
    let tags = json!([{"Key": "stage", "Value": "test"}]);
    let wanted = json!({"UserName": "alice", "Serial": 5, "SesSmtpRegion": "eu-west-1", "Tags": tags});
    let written = env.aws.secret_value(&secret_name(&env.create(wanted).await)).await;
    let kept: Value = serde_json::from_str(LAYOUT_1).unwrap();
    assert_eq!(written["LayoutVersion"], kept["LayoutVersion"]);
    assert!(written.as_object().unwrap().keys().eq(kept.as_object().unwrap().keys()), "{kept}");
}

#[tokio::test]
async fn a_stored_description_is_read_as_the_users_tag_says_it() {
    let (env, model) = with_stored_secret(LAYOUT_1_WITH_DESCRIPTION).await;
    assert_eq!(model["Description"], Value::Null);
    env.aws.tag_user("alice", id(&model), "payments").await;
    assert_eq!(env.succeed(&requests::read(&model)).await["Description"], "payments");
    env.succeed(&requests::delete(&primary_identifier(&model))).await;
    assert!(!env.aws.user_tags("alice").await.contains_key(id(&model)), "the value says that there is one");
}

#[tokio::test]
async fn a_secret_of_layout_1_is_read_with_and_without_pgp_key_and_smtp_password() {
    for stored in [LAYOUT_1, LAYOUT_1_WITH_SMTP_PASSWORD, LAYOUT_1_WITH_PGP_KEY] {
        let (_env, model) = with_stored_secret(stored).await;
        let stored: Value = serde_json::from_str(stored).unwrap();
        // What it was created for is not part of the model.
        let told = ["SecretAccessKey", "EncryptedSecret", "EncryptedSesSmtpPasswordV4", "KeyFingerprint", "PgpKey"];
        for property in told.into_iter().filter(|property| stored.get(property).is_some()) {
            assert_eq!(model[property], stored[property], "{property}");
        }
        for property in ["SesSmtpRegion", "UserName", "Serial", "Tags"] {
            assert_eq!(model[property], stored[property], "{property}");
        }
    }
}

#[tokio::test]
async fn a_secret_of_the_older_layout_is_read_and_its_key_is_found_by_a_replay() {
    let (env, model) = with_older_secret().await;
    assert_eq!(model["SecretAccessKey"], "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    assert_eq!((&model["Serial"], &model["Tags"][0]["Key"]), (&json!(5), &json!("stage")));
    let replayed = env.succeed(&requests::registry("CREATE", json!({"UserName": "alice", "Serial": 5}))).await;
    assert_eq!(replayed, model);
}

#[tokio::test]
async fn a_key_with_a_secret_of_the_older_layout_is_rotated() {
    let (env, model) = with_older_secret().await;
    let rotate = |serial: u32| create_with_token("another-operation", json!({"UserName": "alice", "Serial": serial}));
    env.fail(&rotate(4), "InvalidRequest", &format!("lower than 5, that of access key {}", id(&model))).await;
    let rotated = env.succeed(&rotate(6)).await;
    assert_eq!(env.delete(&primary_identifier(&model)).await, json!({"status": "SUCCESS"}));
    assert_eq!(env.aws.key_ids("alice").await, [id(&rotated)]);
    assert_eq!(env.aws.secret_names().await, [secret_name(&rotated)]);
}

#[tokio::test]
async fn an_update_of_tags_writes_an_older_secret_in_the_layout_of_today() {
    let (env, model) = with_older_secret().await;
    let wanted = with(&model, "Tags", json!([{"Key": "stage", "Value": "live"}]));
    let updated = env.update(&model, &wanted).await;
    assert_eq!(updated["resourceModel"], wanted, "{updated}");
    let described = env.aws.secrets_manager.describe_secret().secret_id(secret_name(&model)).send().await.unwrap();
    let description = described.description.unwrap();
    assert!(description.starts_with(&format!("Access key {} of IAM user alice", id(&model))), "{description}");
    assert!(description.contains("ClientRequestTokenSha256"), "{description}");

    env.proxy.take_calls();
    assert_eq!(env.delete(&primary_identifier(&model)).await, json!({"status": "SUCCESS"}));
    assert!(!env.proxy.take_operations().contains(&"GetSecretValue".to_owned()), "the description names the owner");
}

#[tokio::test]
async fn what_a_person_added_to_a_stored_secret_survives_an_update_of_tags() {
    let added =
        with(&serde_json::from_str(LAYOUT_1).unwrap(), "Rotation", json!({"Owner": "payments", "Days": [30, 90]}));
    let (env, model) = with_stored_secret(&added.to_string()).await;
    env.update(&model, &with(&model, "Tags", json!([{"Key": "stage", "Value": "live"}]))).await;
    let written = env.aws.secret_value(&secret_name(&model)).await;
    assert_eq!(written["Rotation"], added["Rotation"]);
    assert_eq!(written["Tags"], json!([{"Key": "stage", "Value": "live"}]));
    assert!(written.as_object().unwrap().keys().eq(added.as_object().unwrap().keys()), "{written}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_decrypted_is_read_as_empty_with_the_reason() {
    let (env, model) = with_undecryptable_secret().await;
    let event = env.read(&model).await;
    assert_eq!(event["resourceModel"]["SecretAccessKey"], "", "{event}");
    assert!(event["resourceModel"]["SecretArn"].is_string(), "{event}");
    assert_eq!(event["resourceModel"]["Serial"], 1, "{event}");
    assert!(
        message(&event).contains("cannot be read, and the properties from it are empty: GetSecretValue"),
        "{event}"
    );
    let is_warning = |line: &&String| line.contains("WARN") && line.contains("secret cannot be read");
    let log = env.function.log();
    let warning = log.iter().find(is_warning).expect("a warning");
    assert!(warning.contains(id(&model)), "{warning}");
}

#[tokio::test]
async fn an_undecryptable_secret_blocks_no_deactivation_rotation_or_deletion() {
    let (env, model) = with_undecryptable_secret().await;
    let inactive = with(&model, "Status", "Inactive");
    let updated = env.update(&model, &inactive).await;
    assert_eq!(updated["resourceModel"], inactive, "{updated}");
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);

    let tagged = with(&inactive, "Tags", json!([{"Key": "stage", "Value": "live"}]));
    let refused = env.update(&inactive, &tagged).await;
    assert_eq!(refused["errorCode"], "AccessDenied", "{refused}");
    assert!(message(&refused).contains("increment Serial"), "{refused}");

    // The new key's secret is stored under another KMS key.
    env.proxy.clear_faults();
    let rotated = env.succeed(&create_with_token("another-operation", json!({"UserName": "alice", "Serial": 1}))).await;
    env.proxy.inject("GetSecretValue", .., Fault::Error(400, "AccessDeniedException"));
    for gone in [&model, &rotated] {
        assert_eq!(env.delete(&primary_identifier(gone)).await, json!({"status": "SUCCESS"}));
    }
    env.assert_nothing_left("alice", "after both DELETEs").await;
}

#[tokio::test]
async fn a_key_is_deactivated_although_nothing_is_known_of_its_secret() {
    let (env, model) = with_undecryptable_secret().await;
    let inactive = with(&model, "Status", "Inactive");
    env.proxy.inject("DescribeSecret", .., Fault::Error(400, "AccessDeniedException"));
    let updated = env.update(&model, &inactive).await;
    assert_eq!(updated["resourceModel"]["Status"], "Inactive", "{updated}");
    assert!(message(&updated).contains("cannot be read"), "{updated}");
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Inactive")]);

    // What passes is waited for, in the next invocation if need be.
    env.proxy.clear_faults();
    env.proxy.inject("GetSecretValue", .., Fault::Error(500, "InternalServiceError"));
    let request = requests::update(inactive, model.clone());
    let waiting = env.invoke(&request).await;
    assert_eq!(waiting["status"], "IN_PROGRESS", "{waiting}");
    assert_eq!(env.aws.keys("alice").await, [(id(&model), "Active")]);
    let last = with(&callback(&request, &waiting), "callbackContext.Invocations", 30);
    let updated = env.invoke(&last).await;
    assert_eq!(updated["resourceModel"]["Status"], "Active", "{updated}");
    assert!(message(&updated).contains("cannot be read"), "{updated}");
}

#[tokio::test]
async fn a_secret_that_somebody_changed_is_named_not_quoted_and_blocks_nothing() {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice"})).await;
    let name = secret_name(&model);
    env.aws.secrets_manager.put_secret_value().secret_id(&name).secret_string("hunter2").send().await.unwrap();
    let event = env.read(&model).await;
    assert_eq!(event["status"], "SUCCESS", "{event}");
    assert_eq!(event["resourceModel"]["SecretAccessKey"], "", "{event}");
    assert!(message(&event).contains(&name) && message(&event).contains("somebody changed it"), "{event}");

    let updated = env.update(&model, &with(&model, "Status", "Inactive")).await;
    assert_eq!(updated["resourceModel"]["Status"], "Inactive", "{updated}");
    assert_eq!(env.delete(&primary_identifier(&model)).await, json!({"status": "SUCCESS"}));
    env.assert_nothing_left("alice", updated).await;
    env.assert_not_logged(&["hunter2"]);
}

#[tokio::test]
async fn a_replicated_secret_is_deleted_with_its_replicas() {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice"})).await;
    let replicas = ["eu-west-1", "us-west-2"];
    let mut call = env.aws.secrets_manager.replicate_secret_to_regions().secret_id(secret_name(&model));
    for region in replicas {
        let replica = aws_sdk_secretsmanager::types::ReplicaRegionType::builder().region(region).build();
        call = call.add_replica_regions(replica);
    }
    call.send().await.unwrap();
    assert_eq!(env.delete(&model).await, json!({"status": "SUCCESS"}));
    env.assert_nothing_left("alice", "after DELETE").await;
    for region in replicas {
        let there =
            aws_sdk_secretsmanager::Config::builder().region(aws_sdk_secretsmanager::config::Region::new(region));
        let listed = env.aws.secrets_manager.list_secrets().customize().config_override(there).send().await.unwrap();
        assert!(listed.secret_list().is_empty(), "{region}: {listed:?}");
    }
}
