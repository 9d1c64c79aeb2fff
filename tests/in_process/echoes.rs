//! An AWS that quotes in its errors whatever it was sent.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use cfn_resource_runtime::telemetry;
use iam_access_key::CRATES;
use proptest::prelude::*;
use serde_json::{Value, json};
use tracing::Level;

use crate::{
    aws::{Account, Aws, Refusal},
    invoke, request,
};

/// The codes that the handlers tell apart, of IAM and of Secrets Manager, and one that they do not know.
const CODES: [&str; 27] = [
    "NoSuchEntity",
    "ResourceNotFoundException",
    "LimitExceeded",
    "LimitExceededException",
    "InvalidInput",
    "ValidationError",
    "ValidationException",
    "InvalidParameterException",
    "InvalidRequestException",
    "DecryptionFailure",
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "ExpiredToken",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "EntityTemporarilyUnmodifiable",
    "ConcurrentModification",
    "ServiceFailure",
    "SomethingNew",
];

/// How much of a mark must not be shown. Of a bearer token, a log line shows eight characters.
const SHOWN: usize = 12;

/// What is in a request and must stay there.
#[derive(Clone, Debug)]
struct Marks {
    secret_access_key: String,
    session_token: String,
    bearer_token: String,
    tag_value: String,
    stack_tag_value: String,
}

impl Marks {
    fn any() -> impl Strategy<Value = Self> {
        let credentials = ("[A-Za-z0-9/+]{40}", "[A-Za-z0-9/+]{60,400}={0,2}", "[a-z0-9]{8}-[A-Za-z0-9-]{16,100}");
        let value = || "mark[A-Za-z0-9_.:/=+@-]{16,60}";
        (credentials, value(), value()).prop_map(|(credentials, tag_value, stack_tag_value)| {
            let (secret_access_key, session_token, bearer_token) = credentials;
            Self { secret_access_key, session_token, bearer_token, tag_value, stack_tag_value }
        })
    }

    /// The request, with the marks in it.
    fn mark(&self, mut request: Value, properties: Value) -> Value {
        request["bearerToken"] = self.bearer_token.clone().into();
        let data = &mut request["requestData"];
        data["callerCredentials"]["secretAccessKey"] = self.secret_access_key.clone().into();
        data["callerCredentials"]["sessionToken"] = self.session_token.clone().into();
        data["stackTags"] = json!({"team": self.stack_tag_value});
        data["resourceProperties"] = properties;
        request
    }

    fn create(&self) -> Value {
        let tags = json!([{"Key": "purpose", "Value": self.tag_value}]);
        self.mark(request("CREATE", "stack", Value::Null), json!({"UserName": "alice", "Serial": 1, "Tags": tags}))
    }

    /// A request that touches as much as it can of the key that `create` has created.
    fn about(&self, action: &str, created: &Value) -> Value {
        let id = &created["resourceModel"]["Id"];
        match action {
            "CREATE" => self.create(),
            "UPDATE" => {
                let tags = json!([{"Key": "purpose", "Value": format!("{}-changed", self.tag_value)}]);
                let wanted = json!({"Id": id, "UserName": "alice", "Serial": 1, "Tags": tags, "Status": "Inactive"});
                let mut update = self.mark(request("UPDATE", "stack", Value::Null), wanted);
                update["requestData"]["previousResourceProperties"] = created["resourceModel"].clone();
                update
            }
            "LIST" => self.mark(request("LIST", "stack", Value::Null), json!({"UserName": "alice"})),
            _ => self.mark(request(action, "stack", Value::Null), json!({"Id": id, "UserName": "alice"})),
        }
    }

    /// The marks of which `text` shows a piece, as it is or URL-encoded.
    fn in_text(&self, text: &str) -> Vec<&str> {
        let Self { secret_access_key, session_token, bearer_token, tag_value, stack_tag_value } = self;
        let marks = [secret_access_key, session_token, bearer_token, tag_value, stack_tag_value];
        let is_shown = |mark: &&String| {
            let encoded = form_urlencoded::byte_serialize(mark.as_bytes()).collect::<String>();
            [mark.as_str(), &encoded].iter().any(|spelling| {
                let (begin, end) = (&spelling[..SHOWN], &spelling[spelling.len() - SHOWN..]);
                text.contains(begin) || text.contains(end)
            })
        };
        marks.into_iter().filter(is_shown).map(String::as_str).collect()
    }
}

/// What was written to standard output.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plays a CREATE that goes well, and then `action` while AWS refuses what comes after the first calls. Everything that was
/// said: the event, without the model of a success, the lines, and what was delivered.
async fn said(marks: &Marks, action: &str, refusal: Refusal) -> String {
    let output = Output::default();
    let lines = output.clone();
    let _listening =
        tracing::subscriber::set_default(telemetry::subscriber(CRATES, Level::TRACE, move || lines.clone()));
    let aws = Aws::new(Account::default());
    // Another operation of the same stack.
    let mut create = marks.create();
    create["bearerToken"] = "the-operation-that-created-the-key".into();
    let created = if action == "CREATE" { Value::Null } else { invoke(&aws, &create).await };
    aws.account().refusal = Some(refusal);
    let mut event = invoke(&aws, &marks.about(action, &created)).await;
    for model in ["resourceModel", "resourceModels"] {
        event.as_object_mut().unwrap().remove(model);
    }
    let written = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    let account = aws.account();
    let delivered: Vec<_> = account.streams.values().flatten().cloned().collect();
    let metrics: Vec<_> = account.metrics.iter().map(ToString::to_string).collect();
    assert!(!delivered.is_empty() && !metrics.is_empty() && written.contains("request received"));
    format!("{event}\n{written}\n{}\n{}", delivered.join("\n"), metrics.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_a_request_holds_in_confidence_is_said_whatever_aws_quotes(
        marks in Marks::any(),
        code in prop::sample::select(&CODES[..]),
        status in prop::sample::select(vec![400_u16, 403, 409, 429, 500, 503]),
        answered in 0_usize..8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        for action in ["CREATE", "READ", "UPDATE", "DELETE", "LIST"] {
            let refusal = Refusal { status, code: code.to_owned(), answered, refused: usize::MAX };
            let said = runtime.block_on(said(&marks, action, refusal));
            let shown = marks.in_text(&said);
            prop_assert!(shown.is_empty(), "{action}, {code}: {shown:?} in {said}");
        }
    }
}
