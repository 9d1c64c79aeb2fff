//! `PgpKey`: the secrets of a new key are encrypted to it, and exist in plain text nowhere.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::{
    gnupg::{GnuPg, LONG_AGO},
    ses_smtp,
    support::{Fault, Lab, requests},
};

const ED25519: &str = "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign";
const CV25519: &str = "Subkey-Type: ECDH\nSubkey-Curve: cv25519\nSubkey-Usage: encrypt";

/// The fingerprint of a new key, and its public part in base64.
fn key(gnupg: &GnuPg) -> (String, String) {
    let fingerprint = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    let public = base64(gnupg, &fingerprint);
    (fingerprint.to_lowercase(), public)
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

async fn create(lab: &Lab, properties: Value) -> Value {
    let answer = lab.invoke(&requests::registry("CREATE", properties)).await;
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    answer["resourceModel"].clone()
}

/// Creates a key for a user of its own, holds what is answered and stored against what GnuPG decrypts, reads it, deletes
/// it, and returns the secrets.
async fn assert_encrypted(lab: &Lab, gnupg: &GnuPg, fingerprint: &str, pgp_key: &str) -> [String; 2] {
    let user = format!("user-{}", &fingerprint[..8]);
    lab.aws.create_user(&user).await;
    let model = create(lab, json!({"UserName": user, "PgpKey": pgp_key})).await;
    let secret = decrypted(gnupg, &model["EncryptedSecret"]);
    assert_eq!(secret.len(), 40, "IAM's secrets have 40 characters");
    let password = decrypted(gnupg, &model["EncryptedSesSmtpPasswordV4"]);
    assert_eq!(password, ses_smtp::password(&secret, "us-east-1"));
    assert_eq!(model["KeyFingerprint"], fingerprint.to_lowercase());
    assert_eq!(model["PgpKey"], pgp_key);
    for plain in ["SecretAccessKey", "SesSmtpPasswordV4"] {
        assert_eq!(model.get(plain), None);
    }

    let id = model["Id"].as_str().unwrap();
    let stored = lab.aws.stored_value(&format!("cloudformation/iam-access-key/{id}")).await;
    assert_eq!(stored["EncryptedSecret"], model["EncryptedSecret"]);
    for place in [&model, &stored] {
        assert!(!place.to_string().contains(&secret) && !place.to_string().contains(&password));
    }

    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(&model))).await;
    assert_eq!(read, json!({"status": "SUCCESS", "resourceModel": model}), "READ returns what CREATE returned");
    let deleted = lab.invoke(&requests::registry("DELETE", requests::primary_identifier(&model))).await;
    assert_eq!(deleted, json!({"status": "SUCCESS"}));
    [secret, password]
}

fn assert_not_logged(lab: &Lab, secrets: &[String]) {
    let log = lab.function.log();
    assert!(log.iter().any(|line| line.contains("CREATE")), "{log:?}");
    for secret in secrets {
        assert!(!log.iter().any(|line| line.contains(secret)), "a secret is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gnupg_decrypts_the_secrets_that_are_encrypted_to_each_kind_of_key() {
    let lab = Lab::start().await;
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
        secrets.extend(assert_encrypted(&lab, &gnupg, &key, &base64(&gnupg, &key)).await);
    }
    let gnupg = GnuPg::new();
    let several = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    gnupg.add_encryption_subkey(&several, "rsa2048", "20240301T000000!", "never");
    secrets.extend(assert_encrypted(&lab, &gnupg, &several, &armored(&gnupg, &several)).await);

    let expired_beside_good = gnupg.make_long_ago(ED25519);
    gnupg.add_encryption_subkey(&expired_beside_good, "cv25519", LONG_AGO, "1y");
    gnupg.add_encryption_subkey(&expired_beside_good, "cv25519", "20200201T000000!", "never");
    let public = base64(&gnupg, &expired_beside_good);
    secrets.extend(assert_encrypted(&lab, &gnupg, &expired_beside_good, &public).await);
    assert_not_logged(&lab, &secrets);
}

#[tokio::test]
async fn read_update_and_a_replay_answer_with_what_create_answered() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let gnupg = GnuPg::new();
    let (_, public) = key(&gnupg);
    let properties = json!({"UserName": "alice", "Serial": "3", "PgpKey": public, "SesSmtpRegion": "eu-west-1"});
    let model = create(&lab, properties.clone()).await;
    let calls = lab.front.operations();
    assert_eq!(calls, ["CreateAccessKey", "CreateSecret", "ListAccessKeys", "ListAccessKeys"], "as without a PgpKey");
    assert_eq!(model["SesSmtpRegion"], "eu-west-1");
    let secret = decrypted(&gnupg, &model["EncryptedSecret"]);
    let password = decrypted(&gnupg, &model["EncryptedSesSmtpPasswordV4"]);
    assert_eq!(password, ses_smtp::password(&secret, "eu-west-1"));

    assert_eq!(create(&lab, properties).await, model, "a replay encrypts nothing anew");
    let mut wanted = model.clone();
    wanted["Status"] = "Inactive".into();
    let updated = lab.invoke(&requests::registry_update(model.clone(), wanted.clone())).await;
    assert_eq!(updated, json!({"status": "SUCCESS", "resourceModel": wanted}));
    let read = lab.invoke(&requests::test_entrypoint("READ", requests::primary_identifier(&model))).await;
    assert_eq!(read, json!({"status": "SUCCESS", "resourceModel": wanted}));
    assert_not_logged(&lab, &[secret, password]);
}

#[tokio::test]
async fn an_answer_given_while_iam_does_not_show_the_key_carries_no_secret_and_the_next_one_the_encrypted() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let gnupg = GnuPg::new();
    let (fingerprint, public) = key(&gnupg);
    lab.front.fault("ListAccessKeys", Fault::HideKeys);
    let mut request = requests::registry("CREATE", json!({"UserName": "alice", "PgpKey": public}));
    let waiting = lab.invoke(&request).await;
    assert_eq!(waiting["status"], "IN_PROGRESS", "{waiting}");
    assert_eq!(waiting["resourceModel"]["PgpKey"], public);
    assert_eq!(waiting["resourceModel"].get("EncryptedSecret"), None);
    lab.front.heal();
    request["requestData"]["resourceProperties"] = waiting["resourceModel"].clone();
    request["callbackContext"] = waiting["callbackContext"].clone();
    let done = lab.invoke(&request).await;
    assert_eq!(done["status"], "SUCCESS", "{done}");
    let model = &done["resourceModel"];
    assert_eq!(model["KeyFingerprint"], fingerprint);
    let secret = decrypted(&gnupg, &model["EncryptedSecret"]);
    assert!(!waiting.to_string().contains(&secret));
    assert_not_logged(&lab, &[secret]);
}

#[tokio::test]
async fn a_key_that_cannot_be_encrypted_to_is_refused_before_any_call_to_aws() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
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
        (base64(&gnupg, &expired), "which expired at 2020-12-31"),
        (base64(&gnupg, &revoked), "which is revoked"),
        (base64(&gnupg, &sign_only), "it can only sign"),
        (BASE64_STANDARD.encode(two), "holds 2 public keys"),
        (BASE64_STANDARD.encode(secret), "holds a secret key"),
        (damaged, "damaged"),
        ("no key at all".to_owned(), "neither base64"),
        (BASE64_STANDARD.encode(b"no key at all"), "does not hold an OpenPGP public key"),
        (String::new(), "an OpenPGP public key is expected"),
        ("k".repeat(1_000_000), "at most 56,000 characters"),
        ("keybase:not a name".to_owned(), "names no Keybase user"),
    ] {
        let answer = lab.invoke(&requests::registry("CREATE", json!({"UserName": "alice", "PgpKey": pgp_key}))).await;
        assert_eq!((&answer["status"], &answer["errorCode"]), (&json!("FAILED"), &json!("InvalidRequest")), "{answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(
            message.starts_with("PgpKey") && message.contains(reason) && message.len() < 400,
            "{reason}: {message}"
        );
    }
    assert_eq!(lab.front.operations(), Vec::<String>::new());
    assert_eq!(lab.aws.keys("alice").await, []);
}

#[tokio::test]
async fn a_key_too_long_for_the_secret_store_is_refused_before_any_call_to_aws() {
    let lab = Lab::start().await;
    let gnupg = GnuPg::new();
    let (_, public) = key(&gnupg);
    let padded = format!("{public}{}", "\n".repeat(40_000));
    let answer = lab.invoke(&requests::registry("CREATE", json!({"UserName": "alice", "PgpKey": padded}))).await;
    assert_eq!(answer["errorCode"], "InvalidRequest", "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("export-minimal"), "{answer}");
    assert_eq!(lab.front.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_store_that_refuses_leaves_no_key_and_says_nothing_secret() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let gnupg = GnuPg::new();
    let (_, public) = key(&gnupg);
    lab.front.fault("CreateSecret", Fault::Answer(400, "AccessDeniedException"));
    let answer = lab.invoke(&requests::registry("CREATE", json!({"UserName": "alice", "PgpKey": public}))).await;
    assert_eq!(answer["errorCode"], "AccessDenied", "{answer}");
    assert_eq!(lab.aws.keys("alice").await, []);
    let calls = lab.front.calls();
    let sent = calls.iter().find(|call| call.operation == "CreateSecret").unwrap();
    assert!(sent.body.contains("EncryptedSecret") && !sent.body.contains("SecretAccessKey"), "{}", sent.body);
}

#[tokio::test]
async fn pgp_key_and_ses_smtp_region_cannot_be_changed_in_place() {
    let lab = Lab::start().await;
    let id = "AKIAIOSFODNN7EXAMPLE";
    let previous = json!({"Id": id, "UserName": "alice", "PgpKey": "keybase:alice", "SesSmtpRegion": "us-east-1"});
    for (property, value) in [
        ("PgpKey", json!("keybase:bob")),
        ("PgpKey", Value::Null),
        ("SesSmtpRegion", json!("eu-west-1")),
        ("SesSmtpRegion", Value::Null),
    ] {
        let mut wanted = previous.clone();
        wanted[property] = value;
        let answer = lab.invoke(&requests::registry_update(previous.clone(), wanted)).await;
        assert_eq!(answer["errorCode"], "NotUpdatable", "{answer}");
        assert!(answer["message"].as_str().unwrap().starts_with(&format!("{property} cannot be changed")), "{answer}");
    }
    assert_eq!(lab.front.operations(), Vec::<String>::new());
}

/// A server that gives the same answer, a status and a body, to everybody; without one, none. It ends with the test.
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
            let head =
                format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).await.unwrap();
        }
    });
    (url, server)
}

/// What Keybase answers about a user: with this bundle, without a key, or not knowing the user.
fn lookup(them: &Value) -> (u16, String) {
    (200, json!({"status": {"code": 0, "name": "OK"}, "them": [them]}).to_string())
}

fn create_with_keybase(url: &str) -> Value {
    let mut request = requests::registry("CREATE", json!({"UserName": "alice", "PgpKey": "keybase:alice"}));
    request["requestData"]["typeConfiguration"] = json!({"KeybaseUrl": url});
    request
}

#[tokio::test]
async fn the_secrets_are_encrypted_to_the_key_of_a_keybase_user_who_is_asked_for_it_once() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let gnupg = GnuPg::new();
    let fingerprint = gnupg.make(&format!("{ED25519}\n{CV25519}"));
    let bundle = armored(&gnupg, &fingerprint);
    let (url, server) = keybase(Some(lookup(&json!({"public_keys": {"primary": {"bundle": bundle}}})))).await;
    let created = lab.invoke(&create_with_keybase(&url)).await;
    assert_eq!(created["status"], "SUCCESS", "{created}");
    let model = &created["resourceModel"];
    assert_eq!(model["PgpKey"], "keybase:alice");
    assert_eq!(model["KeyFingerprint"], fingerprint.to_lowercase());
    let secret = decrypted(&gnupg, &model["EncryptedSecret"]);
    assert_eq!(secret.len(), 40);

    server.abort();
    let read = lab.invoke(&requests::registry("READ", requests::primary_identifier(model))).await;
    assert_eq!(read["resourceModel"], *model, "and without Keybase");
    let again = lab.invoke(&create_with_keybase(&url)).await;
    assert_eq!(again["resourceModel"], *model, "a replay needs no Keybase either");
    assert_not_logged(&lab, &[secret]);
}

#[tokio::test]
async fn whatever_keeps_keybase_from_giving_a_key_is_told_apart_before_a_key_is_created() {
    let lab = Lab::start().await;
    lab.aws.create_user("alice").await;
    let gnupg = GnuPg::new();
    let sign_only = armored(&gnupg, &gnupg.make(ED25519));
    for (answer, code, reason) in [
        (Some(lookup(&Value::Null)), "InvalidRequest", "Keybase has no user alice"),
        (Some(lookup(&json!({"public_keys": {}}))), "InvalidRequest", "the Keybase user alice has no PGP key"),
        (
            Some(lookup(&json!({"public_keys": {"primary": {"bundle": sign_only}}}))),
            "InvalidRequest",
            "it can only sign (it is the key of the Keybase user alice)",
        ),
        (Some((500, "oops".to_owned())), "ServiceInternalError", "Keybase failed with status 500"),
        (None, "NetworkFailure", "did not answer within 5 seconds"),
    ] {
        let (url, server) = keybase(answer).await;
        let answer = lab.invoke(&create_with_keybase(&url)).await;
        assert_eq!(answer["errorCode"], code, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(reason), "{answer}");
        // A Keybase that fails may work the next time: then this may be a replay, which needs none.
        let asked: &[&str] = if code == "InvalidRequest" { &[] } else { &["ListAccessKeys"] };
        assert_eq!(lab.front.operations(), asked, "{answer}");
        server.abort();
    }
    let answer = lab.invoke(&create_with_keybase("http://keybase.example")).await;
    assert_eq!(answer["errorCode"], "InvalidTypeConfiguration", "{answer}");
    assert_eq!(lab.front.operations(), Vec::<String>::new());
}
