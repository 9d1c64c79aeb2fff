//! AWS, as a case scripts it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::{pending, ready},
    panic::resume_unwind,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

/// What AWS answers to each operation: one answer after the other, the last one again and again. What stands under an
/// operation and an access key id (`DescribeSecret AKIA…`) is for that key alone; what stands under [`OF_A_RECORD`] and a
/// number (`DescribeSecret of a record .2`), for the record of that attempt.
pub(crate) type Script = BTreeMap<String, Vec<Answer>>;

/// What the operation of a call is followed by where it is about a record of CREATE.
const OF_A_RECORD: &str = " of a record";

/// What every CREATE does with its record. It succeeds where the case does not say otherwise.
const WRITES_OF_A_RECORD: [&str; 3] =
    ["CreateSecret of a record", "UpdateSecret of a record", "DeleteSecret of a record"];

#[derive(Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Answer {
    Fault {
        fault: Fault,
    },
    Error {
        status: u16,
        code: String,
        message: String,
    },
    /// What comes only after so many seconds.
    Late {
        seconds: u64,
        answer: Box<Answer>,
    },
    /// What cannot be read, or without a body, what breaks off.
    Unreadable {
        status: u16,
        body: Option<String>,
    },
    /// Success, with the members that the API reference names.
    Output(Map<String, Value>),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// Nothing ever comes back.
    Hang,
    /// The connection breaks.
    Cut,
    /// The code that makes the call panics.
    Panic,
}

/// AWS behind the SDK's own HTTP interface. A call that the case does not script is remembered, and fails it.
#[derive(Clone)]
pub(crate) struct Aws(Arc<Mutex<State>>);

struct State {
    script: Script,
    /// How many answers the script had for each operation.
    scripted: BTreeMap<String, usize>,
    /// How often each was called.
    called: BTreeMap<String, usize>,
    unscripted: BTreeSet<String>,
}

impl Aws {
    pub(crate) fn new(script: Script) -> Self {
        let scripted = script.iter().map(|(name, answers)| (name.clone(), answers.len())).collect();
        Self(Arc::new(Mutex::new(State { script, scripted, called: BTreeMap::new(), unscripted: BTreeSet::new() })))
    }

    /// What the script lacks, and what it has too much of.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let State { scripted, called, unscripted, .. } = &*self.0.lock().unwrap();
        let unused = scripted.iter().filter_map(|(name, answers)| {
            let calls = called.get(name).copied().unwrap_or_default();
            (calls < *answers).then(|| format!("{name} has {answers} answers, and was called {calls} times"))
        });
        unscripted.iter().map(|name| format!("{name} has no answer")).chain(unused).collect()
    }

    fn answer(&self, call: &Call) -> Option<Answer> {
        let State { script, called, unscripted, .. } = &mut *self.0.lock().unwrap();
        let of_key = script.keys().find(|name| {
            name.rsplit_once(' ').is_some_and(|(operation, id)| operation == call.operation && call.body.contains(id))
        });
        let name = of_key.unwrap_or(&call.operation).clone();
        let Some(answers) = script.get_mut(&name).filter(|answers| !answers.is_empty()) else {
            if WRITES_OF_A_RECORD.contains(&name.as_str()) {
                return Some(Answer::Output(Map::new()));
            }
            unscripted.insert(name);
            return None;
        };
        *called.entry(name).or_default() += 1;
        Some(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Aws")
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::read(&request);
        match self.answer(&call) {
            Some(Answer::Late { seconds, answer }) => HttpConnectorFuture::new(async move {
                sleep(Duration::from_secs(seconds)).await;
                respond(&call, Some(*answer)).await
            }),
            answer => respond(&call, answer),
        }
    }
}

/// What a call gets, where `None` is what the case does not script.
fn respond(call: &Call, answer: Option<Answer>) -> HttpConnectorFuture {
    let (status, body) = match answer {
        Some(Answer::Late { .. }) => unreachable!("late twice"),
        Some(Answer::Fault { fault: Fault::Hang }) => return HttpConnectorFuture::new(pending()),
        Some(Answer::Fault { fault: Fault::Panic }) => resume_unwind(Box::new("as the case says")),
        Some(Answer::Fault { fault: Fault::Cut }) | None => {
            return HttpConnectorFuture::new(ready(Err(ConnectorError::io("connection reset".into()))));
        }
        Some(Answer::Error { status, code, message }) => (status, call.error(&code, &message).into()),
        Some(Answer::Unreadable { status, body }) => (status, body.map_or_else(SdkBody::taken, SdkBody::from)),
        Some(Answer::Output(output)) => (200, call.output(output).into()),
    };
    let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), body);
    response.headers_mut().insert("x-amzn-requestid", "7a62c49f-347e-4fc4-9331-6e8e2f0d1a55");
    HttpConnectorFuture::new(ready(Ok(response)))
}

/// A call as AWS reads it.
struct Call {
    operation: String,
    body: String,
    /// IAM speaks the Query protocol, Secrets Manager JSON.
    is_query: bool,
}

impl Call {
    fn read(request: &HttpRequest) -> Self {
        let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
        if let Some(target) = request.headers().get("x-amz-target") {
            let input: Value = serde_json::from_str(&body).unwrap();
            let secret = input["Name"].as_str().or(input["SecretId"].as_str()).unwrap_or_default();
            let is_of_a_record = secret.rsplit('/').next().is_some_and(|name| name.starts_with("operation-"));
            let subject = if is_of_a_record { OF_A_RECORD } else { "" };
            let operation = format!("{}{subject}", target.trim_start_matches("secretsmanager."));
            return Self { operation, body, is_query: false };
        }
        let action = form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "Action");
        let operation = action.map(|(_, action)| action.into_owned()).unwrap_or_default();
        Self { operation, body, is_query: true }
    }

    fn error(&self, code: &str, message: &str) -> String {
        if self.is_query {
            let error = xml(&json!({"Error": {"Code": code, "Message": message}}));
            format!("<ErrorResponse>{error}</ErrorResponse>")
        } else {
            json!({"__type": code, "message": message}).to_string()
        }
    }

    fn output(&self, output: Map<String, Value>) -> String {
        if self.is_query {
            let Self { operation, .. } = self;
            let result = xml(&Value::Object(output));
            format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>")
        } else {
            Value::Object(output.into_iter().map(|(name, value)| (name.clone(), json_member(&name, value))).collect())
                .to_string()
        }
    }
}

fn xml(value: &Value) -> String {
    let element = |name: &str, value: &Value| format!("<{name}>{}</{name}>", xml(value));
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| element(name, value)).collect::<Vec<_>>().concat(),
        Value::Array(members) => members.iter().map(|value| element("member", value)).collect::<Vec<_>>().concat(),
        Value::String(text) => text.replace('&', "&amp;").replace('<', "&lt;"),
        value => value.to_string(),
    }
}

/// A member as Secrets Manager sends it: dates are seconds since 1970, and a secret's value is text that may be JSON.
fn json_member(name: &str, value: Value) -> Value {
    match value {
        Value::String(date) if name.ends_with("Date") => {
            DateTime::from_str(&date, Format::DateTime).unwrap().secs().into()
        }
        Value::Object(_) if name == "SecretString" => value.to_string().into(),
        value => value,
    }
}
