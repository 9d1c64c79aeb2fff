//! Whatever arrives is answered with a well-formed FAILED event, and nothing is asked of AWS.

use serde_json::{Value, json};

use crate::support::{
    TestEnvironment,
    requests::{self, compressed},
};

fn without(pointer: &str, field: &str) -> String {
    let mut request = requests::registry("CREATE", json!({"UserName": "alice"}));
    request.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(field);
    request.to_string()
}

fn in_region(region: &str) -> String {
    let mut request = requests::registry("CREATE", json!({"UserName": "alice"}));
    request["region"] = region.into();
    request.to_string()
}

fn create(properties: Value) -> String {
    requests::registry("CREATE", properties).to_string()
}

#[tokio::test]
async fn every_bad_request_is_refused_with_code_and_reason_before_aws_is_called() {
    let env = TestEnvironment::start().await;
    let mut configured = requests::registry("CREATE", json!({"UserName": "alice"}));
    configured["requestData"]["typeConfiguration"] = json!({"KmsKeyId": 7});
    let bomb = compressed(&vec![b' '; 7 * 1024 * 1024]);
    let zeros = format!(r#"{{"x":[{}0]}}"#, "0,".repeat(2_900_000));
    let cases: Vec<(String, &str, &str)> = vec![
        ("no JSON at all".to_owned(), "InvalidRequest", "not JSON"),
        (String::new(), "InvalidRequest", "not JSON"),
        ("[1]".to_owned(), "InvalidRequest", "not a JSON object"),
        ("null".to_owned(), "InvalidRequest", "not a JSON object"),
        ("{}".to_owned(), "InvalidRequest", "requestData"),
        ("[".repeat(100_000), "InvalidRequest", "recursion limit"),
        (without("", "requestData"), "InvalidRequest", "requestData"),
        (without("", "action"), "InvalidRequest", "The request cannot be read: missing field `action`"),
        (in_region(""), "InvalidRequest", "names no region"),
        (in_region("elsewhere.example/#"), "InvalidRequest", "names no region"),
        (requests::registry("EXPLODE", json!({})).to_string(), "InvalidRequest", "expected one of `CREATE`, `READ`"),
        (without("/requestData", "callerCredentials"), "InvalidCredentials", "caller credentials"),
        (
            without("/requestData/callerCredentials", "secretAccessKey"),
            "InvalidRequest",
            "callerCredentials cannot be read: missing field `secretAccessKey`",
        ),
        (
            json!({"__COMPRESSED__": "!", "__COMPRESSION_METHOD__": "gzip_base64"}).to_string(),
            "InvalidRequest",
            "base64",
        ),
        (
            json!({"__COMPRESSED__": "AAAA", "__COMPRESSION_METHOD__": "gzip_base64"}).to_string(),
            "InvalidRequest",
            "gzip",
        ),
        (json!({"__COMPRESSED__": "AAAA", "__COMPRESSION_METHOD__": "zstd"}).to_string(), "InvalidRequest", "not gzip"),
        (compressed(b"no JSON").to_string(), "InvalidRequest", "not JSON"),
        (bomb.to_string(), "InvalidRequest", "more than 6 MB"),
        (compressed(zeros.as_bytes()).to_string(), "InvalidRequest", "it has more than 10,000 values"),
        (zeros, "InvalidRequest", "The request has more than 10,000 values"),
        (configured.to_string(), "InvalidTypeConfiguration", "KmsKeyId cannot be used: expected a string"),
        (create(json!("alice")), "InvalidRequest", "not a JSON object"),
        (create(json!({})), "InvalidRequest", "UserName is required"),
        (create(Value::Null), "InvalidRequest", "UserName is required"),
        (create(json!({"UserName": ""})), "InvalidRequest", "UserName"),
        (create(json!({"UserName": "a b"})), "InvalidRequest", "UserName"),
        (create(json!({"UserName": "x".repeat(129)})), "InvalidRequest", "UserName"),
        (create(json!({"UserName": "alice", "Serial": "two"})), "InvalidRequest", "Serial"),
        (create(json!({"UserName": "alice", "Serial": 2.5})), "InvalidRequest", "Serial"),
        (create(json!({"UserName": "alice", "Serial": "9223372036854775808"})), "InvalidRequest", "Serial"),
        (create(json!({"UserName": "alice", "Status": "Asleep"})), "InvalidRequest", "Status"),
        (create(json!({"UserName": "alice", "Colour": "red"})), "InvalidRequest", "Colour"),
        (create(json!({"UserName": "alice", "Id": "AKIAIOSFODNN7EXAMPLE"})), "InvalidRequest", "Id is read-only"),
        (
            create(json!({"UserName": "alice", "SecretAccessKey": "s"})),
            "InvalidRequest",
            "SecretAccessKey is read-only",
        ),
        (requests::registry("UPDATE", json!({"Id": "AKIAIOSFODNN7EXAMPLE"})).to_string(), "InvalidRequest", "UserName"),
        (requests::registry("READ", json!({})).to_string(), "NotFound", "Id is missing"),
        (requests::registry("DELETE", Value::Null).to_string(), "NotFound", "Id is missing"),
        (requests::registry("READ", json!({"Id": "../../x"})).to_string(), "NotFound", "16 to 128"),
    ];
    for (body, code, reason) in cases {
        let shown: String = body.chars().take(200).collect();
        let answer = env.function.invoke(body).await;
        assert_eq!(answer["status"], "FAILED", "{shown}: {answer}");
        assert_eq!(answer["errorCode"], code, "{shown}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(reason), "{shown}: {answer}");
    }
    env.assert_no_calls();
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_neither_quoted_nor_logged() {
    let env = TestEnvironment::start().await;
    let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12";
    let data = ["callerCredentials", "stackTags", "typeConfiguration"].map(|field| format!("/requestData/{field}"));
    let properties = ["UserName", "Serial", "Status", "SesSmtpRegion", "Tags", "Id"];
    let properties = properties.map(|property| format!("/requestData/resourceProperties/{property}"));
    let others = ["/requestData", "/requestData/resourceProperties", "/bearerToken"].map(ToOwned::to_owned);
    let values = [
        json!(secret),
        json!(format!("{secret} ")),
        json!([secret]),
        json!({secret: 1}),
        json!({"Secret": {secret: secret}}),
        json!([{"Key": secret, "Value": secret}, {"Key": secret, "Value": ""}]),
    ];
    for place in data.iter().chain(&properties).chain(&others) {
        for value in &values {
            // Refused even where the value can be the property's.
            let mut request = requests::registry("CREATE", json!({"UserName": "alice", "Colour": "red"}));
            let (parent, field) = place.rsplit_once('/').unwrap();
            request.pointer_mut(parent).unwrap()[field] = value.clone();
            let answer = env.invoke(&request).await;
            assert_eq!(answer["status"], "FAILED", "{place}: {answer}");
            assert!(!answer.to_string().contains(secret), "{place}: {answer}");
        }
    }
    env.assert_not_logged(&[secret]);
}
