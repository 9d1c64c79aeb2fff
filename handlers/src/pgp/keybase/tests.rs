use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr},
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::Instant,
};

use super::*;

const BUNDLE: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: Keybase OpenPGP v1.0.0\n\nxo0E\n-----END PGP PUBLIC KEY BLOCK-----\n";

/// How a server answers.
enum Answer {
    /// With this status and body.
    Plain(u16, String),
    /// With a status and a body without end.
    Endless,
    /// With half of what it promised.
    BrokenOff,
    /// Not at all.
    Never,
}

/// A server that gives one answer. Its handle is the request it was sent.
async fn serve(answer: Answer) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_head(&mut stream).await;
        match answer {
            Answer::Plain(status, body) => {
                let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"status\":\"").await.unwrap();
                // Until the client hangs up.
                while stream.write_all(&[b' '; 4096]).await.is_ok() {}
            }
            Answer::BrokenOff => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await.unwrap(),
            Answer::Never => pending().await,
        }
        request
    });
    (address, server)
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The connector that the binary has, certificates and all.
fn connector() -> SharedHttpConnector {
    SharedHttpConnector::new(Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build())
}

/// The user's key from the Keybase at `base_url`.
async fn public_key(base_url: &str, name: &str) -> Result<String> {
    Keybase::new(connector, Some(base_url.to_owned())).public_key(name).await
}

/// What becomes of alice's key when Keybase answers with `answer`.
async fn look_up(answer: Answer) -> Result<String> {
    let (address, server) = serve(answer).await;
    let key = public_key(&format!("http://{address}"), "alice").await;
    server.abort();
    key
}

async fn look_up_json(answer: Value) -> Result<String> {
    look_up(Answer::Plain(200, answer.to_string())).await
}

fn found(public_keys: &Value) -> Value {
    json!({
        "status": {"code": 0, "name": "OK"},
        "them": [{"id": "9a2c8a8ac48162723c7992570c87da00", "public_keys": public_keys}],
        "csrf_token": "lgHZIDQ1NTU0",
    })
}

fn assert_error(result: Result<String>, code: HandlerErrorCode, message: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (code, message));
}

#[test]
fn only_what_starts_with_keybase_names_a_keybase_user() {
    assert_eq!(user_name("keybase:alice").unwrap(), Some("alice"));
    assert_eq!(user_name("keybase:alice\n").unwrap(), Some("alice"));
    assert_eq!(user_name("mQENBF").unwrap(), None);
    assert_eq!(user_name("alice").unwrap(), None);
}

#[tokio::test]
async fn the_primary_key_of_the_user_is_the_one() {
    let answer = found(&json!({
        "primary": {"kid": "0101995d", "key_fingerprint": "e53878db", "key_type": 1, "bundle": BUNDLE},
        "all_bundles": ["another"],
    }));
    let (address, server) = serve(Answer::Plain(200, answer.to_string())).await;
    let key = public_key(&format!("http://{address}/"), "alice_1").await;
    assert_eq!(key.unwrap(), BUNDLE);
    let request = server.await.unwrap();
    assert!(
        request.starts_with("GET /_/api/1.0/user/lookup.json?usernames=alice_1&fields=public_keys HTTP/1.1\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_mirror_may_lie_below_a_path() {
    let (address, server) = serve(Answer::Plain(200, found(&json!({"primary": {"bundle": BUNDLE}})).to_string())).await;
    public_key(&format!("http://{address}/mirrors/keybase"), "alice").await.unwrap();
    assert!(server.await.unwrap().starts_with("GET /mirrors/keybase/_/api/1.0/user/lookup.json?"));
}

#[tokio::test]
async fn an_unknown_user_is_named() {
    let unknown = "PgpKey names a user whom Keybase does not have";
    let ok = json!({"code": 0, "name": "OK"});
    for answer in [
        json!({"status": ok, "them": [null]}),
        json!({"status": ok, "them": []}),
        json!({"status": {"code": 205, "name": "NOT_FOUND", "desc": "user not found"}}),
    ] {
        assert_error(look_up_json(answer).await, HandlerErrorCode::InvalidRequest, unknown);
    }
}

#[tokio::test]
async fn a_user_without_keys_is_named() {
    for public_keys in [json!({}), json!([]), json!(null), json!({"primary": null}), json!({"subkeys": []})] {
        assert_error(
            look_up_json(found(&public_keys)).await,
            HandlerErrorCode::InvalidRequest,
            "PgpKey names a Keybase user who has no PGP key, or hides it",
        );
    }
}

#[test]
fn a_name_that_no_user_can_have_is_refused_unasked() {
    for name in ["", "alice-b", "alice&fields=basics", "alice,bob", "ali ce", "älice", "abcdefghijklmnopq", "../../x"]
    {
        let error = user_name(&format!("keybase:{name}")).unwrap_err();
        assert_eq!(error.code, HandlerErrorCode::InvalidRequest);
        assert!(error.message.starts_with("PgpKey names no Keybase user: "));
    }
}

#[tokio::test]
async fn a_base_url_that_is_not_https_is_refused_unasked() {
    for base_url in [
        "http://keybase.example",
        "http://localhost.example",
        "http://127.0.0.1@keybase.example",
        "http://127.0.0.1:80@keybase.example:80",
        "http://localhost:80@keybase.example",
        "https://user:password@keybase.example",
        "https://keybase.example/?mirror=",
        "https://keybase.example/#",
        "ftp://keybase.example",
        "keybase.io",
        "https://",
        "https://key base",
        "",
    ] {
        let error = public_key(base_url, "alice").await.unwrap_err();
        assert_eq!(error.code, HandlerErrorCode::InvalidTypeConfiguration, "{base_url}: {error}");
        assert!(!error.message.contains("password"), "{error}");
    }
    assert!(lookup(DEFAULT_BASE_URL, "alice").is_ok());
    assert!(lookup("http://localhost:8080/keybase", "alice").is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_keybase_that_hangs_is_given_up_after_5_seconds() {
    let start = Instant::now();
    let result = look_up(Answer::Never).await;
    assert_eq!(result.as_ref().unwrap_err().code, HandlerErrorCode::NetworkFailure);
    assert!(result.unwrap_err().message.ends_with("did not answer within 5 seconds"));
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_keybase_that_cannot_be_reached_is_a_network_failure() {
    // A port that is bound refuses connections until somebody listens on it.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    assert_error(
        public_key(&format!("http://{address}"), "alice").await,
        HandlerErrorCode::NetworkFailure,
        "PgpKey could not be looked up: Keybase at the KeybaseUrl of the type configuration could not be reached",
    );
    assert_error(
        look_up(Answer::BrokenOff).await,
        HandlerErrorCode::NetworkFailure,
        "PgpKey could not be looked up: Keybase broke the connection off before its answer was complete",
    );
}

#[tokio::test]
async fn the_status_of_an_answer_tells_what_to_do_about_it() {
    for (status, code, message) in [
        (500, HandlerErrorCode::ServiceInternalError, "PgpKey could not be looked up: Keybase failed with status 500"),
        (503, HandlerErrorCode::ServiceInternalError, "PgpKey could not be looked up: Keybase failed with status 503"),
        (
            429,
            HandlerErrorCode::Throttling,
            "PgpKey could not be looked up: Keybase is throttling requests: try again later",
        ),
        (
            404,
            HandlerErrorCode::GeneralServiceException,
            "PgpKey could not be looked up: Keybase answered a user lookup with status 404",
        ),
        (
            302,
            HandlerErrorCode::GeneralServiceException,
            "PgpKey could not be looked up: Keybase answered a user lookup with status 302",
        ),
    ] {
        assert_error(look_up(Answer::Plain(status, "oops".to_owned())).await, code, message);
    }
    assert_error(
        look_up_json(json!({"status": {"code": 218, "name": "GENERIC"}})).await,
        HandlerErrorCode::GeneralServiceException,
        "PgpKey could not be looked up: Keybase refused a user lookup with its status code 218",
    );
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    assert_error(
        look_up(Answer::Endless).await,
        HandlerErrorCode::GeneralServiceException,
        "PgpKey could not be looked up: Keybase answered a user lookup with more than 4 MB",
    );
}

#[tokio::test]
async fn garbage_is_not_taken_for_an_answer() {
    for garbage in
        ["", "<html>", "[]", "{}", "null", r#"{"status":{"code":0}}"#, r#"{"status":{"code":"0"},"them":[]}"#]
    {
        assert_error(
            look_up(Answer::Plain(200, garbage.to_owned())).await,
            HandlerErrorCode::GeneralServiceException,
            "PgpKey could not be looked up: Keybase answered a user lookup with something other than a user",
        );
    }
}
