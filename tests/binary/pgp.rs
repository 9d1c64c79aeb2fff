//! `PgpKey`: the secrets of a new key are encrypted to it, and exist in plain text nowhere.

use base64::{Engine, prelude::BASE64_STANDARD};
use gnupg::{GnuPg, LONG_AGO};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::{
    ses_smtp,
    support::{
        Fault, TestEnvironment,
        events::{message, secret_name},
        requests::{self, callback, primary_identifier, with},
    },
};

/// What CREATE calls when it is refused before a key is made: whose keys are there, and a record that is over again.
const BEFORE_A_KEY: [&str; 3] = ["CreateSecret of a record", "DeleteSecret of a record", "ListAccessKeys"];

const ED25519: &str = "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign";
const CV25519: &str = "Subkey-Type: ECDH\nSubkey-Curve: cv25519\nSubkey-Usage: encrypt";

/// GnuPG with a new key of the usual kind, and the key's fingerprint.
fn gnupg_with_key() -> (GnuPg, String) {
    let gnupg = GnuPg::new();
    let fingerprint = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    (gnupg, fingerprint)
}

fn base64(gnupg: &GnuPg, fingerprint: &str) -> String {
    BASE64_STANDARD.encode(gnupg.export(fingerprint))
}

fn armored(gnupg: &GnuPg, fingerprint: &str) -> String {
    String::from_utf8(gnupg.run(&["--armor", "--export", fingerprint], b"")).unwrap()
}

/// What `base64 --decode | gpg --decrypt` makes of an attribute.
fn decrypted(gnupg: &GnuPg, attribute: &Value) -> String {
    let message = BASE64_STANDARD.decode(attribute.as_str().unwrap()).unwrap();
    String::from_utf8(gnupg.decrypt(&message)).unwrap()
}

/// The secret access key and the SES SMTP password of a model, decrypted and checked.
fn decrypted_secrets(gnupg: &GnuPg, model: &Value, region: &str) -> [String; 2] {
    let secret = decrypted(gnupg, &model["EncryptedSecret"]);
    assert_eq!(secret.len(), 40, "IAM's secrets have 40 characters");
    let password = decrypted(gnupg, &model["EncryptedSesSmtpPasswordV4"]);
    assert_eq!(password, ses_smtp::password(&secret, region));
    [secret, password]
}

/// A CREATE for alice with this `PgpKey`.
fn create(pgp_key: impl Into<Value>) -> Value {
    requests::create(json!({"UserName": "alice", "PgpKey": pgp_key.into()}))
}

/// Creates a key for a new user, decrypts with GnuPG what is answered and stored, reads the key, deletes it, and returns
/// the secrets.
async fn assert_encrypted(env: &TestEnvironment, gnupg: &GnuPg, fingerprint: &str, pgp_key: &str) -> [String; 2] {
    let user = format!("user-{}", &fingerprint[..8]);
    env.aws.create_user(&user).await;
    let model = env.create(json!({"UserName": user, "PgpKey": pgp_key})).await;
    let secrets = decrypted_secrets(gnupg, &model, "us-east-1");
    assert_eq!(model["KeyFingerprint"], fingerprint.to_lowercase());
    assert_eq!(model["PgpKey"], pgp_key);
    for plain in ["SecretAccessKey", "SesSmtpPasswordV4"] {
        assert_eq!(model[plain], "");
    }

    let stored = env.aws.secret_value(&secret_name(&model)).await;
    assert_eq!(stored["EncryptedSecret"], model["EncryptedSecret"]);
    for place in [&model, &stored] {
        assert!(!secrets.iter().any(|secret| place.to_string().contains(secret)));
    }

    let read = env.read(&model).await;
    assert_eq!(read, json!({"status": "SUCCESS", "resourceModel": model}), "READ returns what CREATE returned");
    assert_eq!(env.delete(&primary_identifier(&model)).await, json!({"status": "SUCCESS"}));
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn gnupg_decrypts_the_secrets_that_are_encrypted_to_each_kind_of_key() {
    let env = TestEnvironment::start().await;
    let mut secrets = vec![];
    let rsa = |bits| {
        format!(
            "Key-Type: RSA\nKey-Length: {bits}\nKey-Usage: sign\n\
             Subkey-Type: RSA\nSubkey-Length: {bits}\nSubkey-Usage: encrypt"
        )
    };
    let nist = "Key-Type: ECDSA\nKey-Curve: nistp256\nKey-Usage: sign\n\
                Subkey-Type: ECDH\nSubkey-Curve: nistp256\nSubkey-Usage: encrypt";
    for parameters in [rsa(2048), rsa(4096), format!("{ED25519}\n{CV25519}"), nist.to_owned()] {
        let gnupg = GnuPg::new();
        let key = gnupg.make(&parameters);
        secrets.extend(assert_encrypted(&env, &gnupg, &key, &base64(&gnupg, &key)).await);
    }
    let (gnupg, several) = gnupg_with_key();
    gnupg.add_encryption_subkey(&several, "rsa2048", "20240301T000000!", "never");
    secrets.extend(assert_encrypted(&env, &gnupg, &several, &armored(&gnupg, &several)).await);

    let expired_beside_good = gnupg.make_long_ago(ED25519);
    gnupg.add_encryption_subkey(&expired_beside_good, "cv25519", LONG_AGO, "1y");
    gnupg.add_encryption_subkey(&expired_beside_good, "cv25519", "20200201T000000!", "never");
    let public = base64(&gnupg, &expired_beside_good);
    secrets.extend(assert_encrypted(&env, &gnupg, &expired_beside_good, &public).await);
    env.assert_not_logged(&secrets);
}

#[tokio::test]
async fn read_update_and_a_replay_answer_with_what_create_answered() {
    let env = TestEnvironment::with_user("alice").await;
    let (gnupg, fingerprint) = gnupg_with_key();
    let public = base64(&gnupg, &fingerprint);
    let properties = json!({"UserName": "alice", "Serial": "3", "PgpKey": public, "SesSmtpRegion": "eu-west-1"});
    let request = requests::create(properties);
    let model = env.succeed(&request).await;
    let calls = env.proxy.take_operations();
    let expected = [
        "CreateAccessKey",
        "CreateSecret",
        "CreateSecret of a record",
        "DeleteSecret of a record",
        "GetSecretValue",
        "ListAccessKeys",
        "ListAccessKeys",
        "UpdateSecret of a record",
    ];
    assert_eq!(calls, expected, "as without a PgpKey");
    assert_eq!(model["SesSmtpRegion"], "eu-west-1");
    let secrets = decrypted_secrets(&gnupg, &model, "eu-west-1");

    assert_eq!(env.succeed(&request).await, model, "a replay encrypts nothing anew");
    let wanted = with(&model, "Status", "Inactive");
    let expected = json!({"status": "SUCCESS", "resourceModel": wanted});
    assert_eq!(env.update(&model, &wanted).await, expected);
    assert_eq!(env.invoke(&requests::test_entrypoint("READ", primary_identifier(&model))).await, expected);
    env.assert_not_logged(&secrets);
}

#[tokio::test]
async fn an_in_progress_event_carries_no_secret_and_the_next_one_the_encrypted() {
    let env = TestEnvironment::with_user("alice").await;
    let (gnupg, fingerprint) = gnupg_with_key();
    let request = create(base64(&gnupg, &fingerprint));
    env.proxy.inject("ListAccessKeys", .., Fault::HideKeys);
    let waiting = env.invoke(&request).await;
    env.proxy.clear_faults();
    assert_eq!(waiting["status"], "IN_PROGRESS", "{waiting}");
    assert_eq!(waiting["resourceModel"]["PgpKey"], request["requestData"]["resourceProperties"]["PgpKey"]);
    assert_eq!(waiting["resourceModel"].get("EncryptedSecret"), None);

    let model = env.succeed(&callback(&request, &waiting)).await;
    assert_eq!(model["KeyFingerprint"], fingerprint.to_lowercase());
    let secrets = decrypted_secrets(&gnupg, &model, "us-east-1");
    assert!(!secrets.iter().any(|secret| waiting.to_string().contains(secret)));
    env.assert_not_logged(&secrets);
}

#[tokio::test]
async fn a_key_that_cannot_be_encrypted_to_is_refused_before_any_call_to_aws() {
    let env = TestEnvironment::with_user("alice").await;
    let gnupg = GnuPg::new();
    let expired = gnupg.make_long_ago(&format!("{ED25519}\n{CV25519}\nExpire-Date: 1y"));
    let revoked = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    gnupg.revoke(&revoked);
    let sign_only = gnupg.make(ED25519);
    let two = [gnupg.export(&expired), gnupg.export(&sign_only)].concat();
    let secret = gnupg.run(&["--export-secret-keys", &sign_only], b"");
    let mut damaged = armored(&gnupg, &expired);
    damaged.truncate(damaged.len() / 2);
    for (pgp_key, reason) in [
        (base64(&gnupg, &revoked), "which is revoked"),
        (base64(&gnupg, &sign_only), "it can only sign"),
        (BASE64_STANDARD.encode(two), "holds 2 public keys"),
        (BASE64_STANDARD.encode(secret), "holds a secret key"),
        (damaged, "damaged"),
        ("no key at all".to_owned(), "neither base64"),
        (BASE64_STANDARD.encode(b"no key at all"), "does not hold an OpenPGP public key"),
        (String::new(), "an OpenPGP public key is expected"),
        ("k".repeat(1_000_000), "at most 56,000 characters"),
    ] {
        let event = env.fail(&create(pgp_key), "InvalidRequest", reason).await;
        assert!(message(&event).starts_with("PgpKey") && message(&event).len() < 400, "{reason}: {event}");
    }
    env.assert_no_calls();

    // It may have been good when an earlier attempt created the key: that is looked up first.
    let event = env.fail(&create(base64(&gnupg, &expired)), "InvalidRequest", "which expired at 2020-12-31").await;
    assert_eq!(env.proxy.take_operations(), BEFORE_A_KEY, "{event}");
    env.assert_nothing_left("alice", "after refusals").await;
}

#[tokio::test]
async fn a_replay_goes_on_with_its_key_although_the_openpgp_key_has_expired() {
    let env = TestEnvironment::with_user("alice").await;
    let (gnupg, fingerprint) = gnupg_with_key();
    let request = create(base64(&gnupg, &fingerprint));
    let model = env.succeed(&request).await;

    // Another key, which has expired already, stands in for the same key later.
    let expired = gnupg.make_long_ago(&format!("{ED25519}\n{CV25519}\nExpire-Date: 1y"));
    let mut replay = request.clone();
    replay["requestData"]["resourceProperties"]["PgpKey"] = base64(&gnupg, &expired).into();
    assert_eq!(env.succeed(&replay).await, model);
    assert_eq!(env.aws.keys("alice").await.len(), 1);
}

#[tokio::test]
async fn a_key_too_long_for_the_secret_store_is_refused_before_any_call_to_aws() {
    let env = TestEnvironment::start().await;
    let (gnupg, fingerprint) = gnupg_with_key();
    let padded = base64(&gnupg, &fingerprint) + &"\n".repeat(40_000);
    env.fail(&create(padded), "InvalidRequest", "export-minimal").await;
    env.assert_no_calls();
}

#[tokio::test]
async fn a_store_that_refuses_leaves_no_key_and_says_nothing_secret() {
    let env = TestEnvironment::with_user("alice").await;
    let (gnupg, fingerprint) = gnupg_with_key();
    env.proxy.inject("CreateSecret", .., Fault::Error(400, "AccessDeniedException"));
    let event = env.fail(&create(base64(&gnupg, &fingerprint)), "AccessDenied", "").await;
    env.assert_nothing_left("alice", event).await;
    let calls = env.proxy.take_calls();
    let sent = calls.iter().find(|call| call.operation == "CreateSecret").unwrap();
    assert!(sent.body.contains("EncryptedSecret") && !sent.body.contains("SecretAccessKey"), "{}", sent.body);
}

/// The URL of a Keybase that gives every lookup of alice the same answer, a status and a body, or leaves it unanswered.
async fn keybase(answer: Option<(u16, String)>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            assert!(request.starts_with("GET /_/api/1.0/user/lookup.json?usernames=alice&"), "{request}");
            let Some((status, body)) = &answer else { return std::future::pending().await };
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all((head + body).as_bytes()).await.unwrap();
        }
    });
    (url, server)
}

/// Keybase's answer to a lookup that found this user; null if there is none.
fn lookup(them: &Value) -> (u16, String) {
    (200, json!({"status": {"code": 0, "name": "OK"}, "them": [them]}).to_string())
}

fn create_with_keybase(url: &str) -> Value {
    requests::configured(&create("keybase:alice"), json!({"KeybaseUrl": url}))
}

#[tokio::test]
async fn secrets_are_encrypted_to_a_keybase_users_key_which_is_asked_for_once() {
    let env = TestEnvironment::with_user("alice").await;
    let (gnupg, fingerprint) = gnupg_with_key();
    let bundle = armored(&gnupg, &fingerprint);
    let (url, server) = keybase(Some(lookup(&json!({"public_keys": {"primary": {"bundle": bundle}}})))).await;
    let request = create_with_keybase(&url);
    let model = env.succeed(&request).await;
    assert_eq!(model["PgpKey"], "keybase:alice");
    assert_eq!(model["KeyFingerprint"], fingerprint.to_lowercase());
    let secrets = decrypted_secrets(&gnupg, &model, "us-east-1");

    server.abort();
    assert_eq!(env.succeed(&requests::read(&model)).await, model, "READ needs no Keybase");
    assert_eq!(env.succeed(&request).await, model, "nor does a replay");
    env.assert_not_logged(&secrets);
}

#[tokio::test]
async fn each_failure_of_keybase_is_told_apart_before_an_access_key_is_created() {
    let env = TestEnvironment::with_user("alice").await;
    let gnupg = GnuPg::new();
    let sign_only = armored(&gnupg, &gnupg.make(ED25519));
    for (answer, code, reason) in [
        (Some(lookup(&Value::Null)), "InvalidRequest", "a user whom Keybase does not have"),
        (Some(lookup(&json!({"public_keys": {}}))), "InvalidRequest", "a Keybase user who has no PGP key"),
        (
            Some(lookup(&json!({"public_keys": {"primary": {"bundle": sign_only}}}))),
            "InvalidRequest",
            "it can only sign (it is the key that Keybase has of this user)",
        ),
        (Some((500, "oops".to_owned())), "ServiceInternalError", "Keybase failed with status 500"),
        (None, "NetworkFailure", "did not answer within 5 seconds"),
    ] {
        let (url, server) = keybase(answer).await;
        let event = env.fail(&create_with_keybase(&url), code, reason).await;
        // A replay needs no OpenPGP key, so Keybase is asked only after looking for one.
        assert_eq!(env.proxy.take_operations(), BEFORE_A_KEY, "{event}");
        server.abort();
    }
    let misconfigured = create_with_keybase("http://keybase.example");
    for (request, code, reason) in [
        (misconfigured, "InvalidTypeConfiguration", ""),
        (create("keybase:not a name"), "InvalidRequest", "names no Keybase user"),
    ] {
        env.fail(&request, code, reason).await;
    }
    assert!(!env.proxy.take_operations().contains(&"CreateAccessKey".to_owned()));
}
