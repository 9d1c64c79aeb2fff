//! A model of AWS behind the SDK's HTTP interface, on simulated time: IAM and Secrets Manager in fair weather or refusing
//! whatever they are asked, and a Logs and a CloudWatch that do whatever may go wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::pending,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard},
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
use aws_smithy_types::body::SdkBody;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;

/// The secret of every key that the model creates.
pub(super) const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYwJ";

/// An account of AWS.
#[derive(Clone)]
pub(super) struct Aws(Arc<Mutex<Account>>);

#[derive(Default)]
pub(super) struct Account {
    /// The user of each key, by its id.
    pub(super) keys: BTreeMap<String, String>,
    /// The value of each secret, by its name.
    pub(super) secrets: BTreeMap<String, String>,
    /// The description of each record of CREATE, by its name, and whether it is scheduled for deletion.
    pub(super) records: BTreeMap<String, (String, bool)>,
    /// How many keys were created.
    pub(super) created: usize,
    /// How often IAM shows no key, as it does for a while after one was created.
    pub(super) looks_without_keys: usize,
    /// Why IAM and Secrets Manager refuse calls, if they do.
    pub(super) refusal: Option<Refusal>,
    /// How long IAM and Secrets Manager take at most.
    pub(super) delay: Duration,
    /// What becomes of the calls that deliver; nothing goes wrong without it.
    pub(super) weather: Option<Rng>,
    /// The lines of each log stream.
    pub(super) streams: BTreeMap<String, Vec<String>>,
    pub(super) groups: BTreeSet<String>,
    /// What `PutMetricData` was sent.
    pub(super) metrics: Vec<Value>,
    /// The operations of the calls that delivered.
    pub(super) deliveries: Vec<String>,
}

/// Why IAM and Secrets Manager refuse a call. The message is the whole call.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    /// How many calls are answered before.
    pub(super) answered: usize,
    /// How many are refused then.
    pub(super) refused: usize,
}

/// What becomes of a call.
enum Fate {
    Answered,
    Echoed(u16, String),
    Refused(u16, &'static str),
    Cut,
    Hanging,
    Late(Duration),
    Unreadable,
    /// The code that makes the call panics.
    Panic,
}

impl Aws {
    pub(super) fn new(account: Account) -> Self {
        Self(Arc::new(Mutex::new(account)))
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap()
    }
}

impl Fate {
    fn any(weather: &mut Rng) -> Self {
        match weather.u8(..12) {
            0 => Self::Refused(400, "AccessDeniedException"),
            1 => Self::Refused(400, "ThrottlingException"),
            2 => Self::Refused(500, "InternalFailure"),
            3 => Self::Refused(503, "ServiceUnavailable"),
            4 => Self::Refused(400, "ResourceNotFoundException"),
            5 => Self::Cut,
            6 => Self::Hanging,
            7 => Self::Late(Duration::from_millis(weather.u64(..3000))),
            8 => Self::Unreadable,
            9 => Self::Panic,
            _ => Self::Answered,
        }
    }
}

impl Account {
    /// The refusal of a call, if it is time for one.
    fn refuse(&mut self) -> Option<Fate> {
        let Refusal { status, code, answered, refused } = self.refusal.as_mut()?;
        if *answered > 0 {
            *answered -= 1;
            return None;
        }
        *refused = refused.checked_sub(1)?;
        Some(Fate::Echoed(*status, code.clone()))
    }

    /// The answer of IAM, in XML, or the code of its error.
    fn iam(&mut self, field: impl Fn(&str) -> String, operation: &str) -> Result<String, &'static str> {
        let date = "2026-01-01T00:00:00Z";
        match operation {
            "ListAccessKeys" if self.looks_without_keys > 0 && self.created > 0 => {
                self.looks_without_keys -= 1;
                Ok("<AccessKeyMetadata/>".to_owned())
            }
            "ListAccessKeys" => {
                let user = field("UserName");
                let keys = self.keys.iter().filter(|(_, owner)| **owner == user).map(|(id, _)| {
                    format!(
                        "<member><UserName>{user}</UserName><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>\
                         <CreateDate>{date}</CreateDate></member>"
                    )
                });
                Ok(format!("<AccessKeyMetadata>{}</AccessKeyMetadata>", keys.collect::<String>()))
            }
            "CreateAccessKey" => {
                self.created += 1;
                let (id, user) = (format!("AKIA{:016}", self.created), field("UserName"));
                self.keys.insert(id.clone(), user.clone());
                Ok(format!(
                    "<AccessKey><UserName>{user}</UserName><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>\
                     <SecretAccessKey>{SECRET}</SecretAccessKey><CreateDate>{date}</CreateDate></AccessKey>"
                ))
            }
            "UpdateAccessKey" => Ok(String::new()),
            "DeleteAccessKey" => self.keys.remove(&field("AccessKeyId")).map(|_| String::new()).ok_or("NoSuchEntity"),
            _ => Err("NoSuchEntity"),
        }
    }

    /// The answer of Secrets Manager, or the code of its error.
    fn secrets_manager(&mut self, body: &Value, operation: &str) -> Result<Value, &'static str> {
        let name = body["SecretId"].as_str().or(body["Name"].as_str()).unwrap_or_default().to_owned();
        let missing = "ResourceNotFoundException";
        match operation {
            // A record has no value.
            "CreateSecret" if body["SecretString"].is_null() => {
                let description = body["Description"].as_str().unwrap().to_owned();
                let is_new = !self.records.contains_key(&name);
                self.records.entry(name).or_insert((description, false));
                if is_new { Ok(json!({})) } else { Err("ResourceExistsException") }
            }
            "UpdateSecret" if body["SecretString"].is_null() => {
                let (description, _) = self.records.get_mut(&name).ok_or(missing)?;
                body["Description"].as_str().unwrap().clone_into(description);
                Ok(json!({}))
            }
            "DescribeSecret" => {
                let (description, is_over) = self.records.get(&name).ok_or(missing)?;
                Ok(json!({"Description": description, "DeletedDate": is_over.then_some(1)}))
            }
            "DeleteSecret" if self.records.contains_key(&name) => {
                let (_, is_over) = self.records.get_mut(&name).ok_or(missing)?;
                *is_over = true;
                Ok(json!({}))
            }
            "CreateSecret" | "UpdateSecret" => {
                self.secrets.insert(name, body["SecretString"].as_str().unwrap().to_owned());
                Ok(json!({}))
            }
            "TagResource" | "UntagResource" => Ok(json!({})),
            "GetSecretValue" => {
                self.secrets.get(&name).map(|value| json!({"ARN": name, "SecretString": value})).ok_or(missing)
            }
            "DeleteSecret" => self.secrets.remove(&name).map(|_| json!({})).ok_or(missing),
            _ => Err(missing),
        }
    }

    /// The answer of CloudWatch Logs, or the code of its error.
    fn logs(&mut self, body: &Value, operation: &str) -> Result<Value, &'static str> {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let (group, missing) = (text("logGroupName"), "ResourceNotFoundException");
        match operation {
            "CreateLogGroup" => {
                let is_new = self.groups.insert(group);
                if is_new { Ok(json!({})) } else { Err("ResourceAlreadyExistsException") }
            }
            _ if !self.groups.contains(&group) => Err(missing),
            "CreateLogStream" if self.streams.contains_key(&text("logStreamName")) => {
                Err("ResourceAlreadyExistsException")
            }
            "CreateLogStream" => {
                self.streams.insert(text("logStreamName"), vec![]);
                Ok(json!({}))
            }
            _ => {
                let stream = self.streams.get_mut(&text("logStreamName")).ok_or(missing)?;
                let events = body["logEvents"].as_array().unwrap();
                stream.extend(events.iter().map(|event| event["message"].as_str().unwrap().to_owned()));
                Ok(json!({}))
            }
        }
    }

    /// What a call is answered with.
    fn answer(&mut self, request: &HttpRequest) -> HttpResponse {
        let body = request.body().bytes().unwrap_or_default();
        if request.uri().contains("/operation/PutMetricData") {
            self.metrics.push(ciborium::from_reader(body).unwrap());
            // An empty map in CBOR.
            let mut response = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(vec![0xa0]));
            response.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
            return response;
        }
        let Some(target) = request.headers().get("x-amz-target") else {
            let fields: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
            let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
            let operation = field("Action");
            return match self.iam(field, &operation) {
                Ok(result) => response(
                    200,
                    format!(
                        "<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"
                    ),
                ),
                Err(code) => {
                    response(404, format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"))
                }
            };
        };
        let body: Value = serde_json::from_slice(body).unwrap();
        let (service, operation) = target.split_once('.').unwrap();
        let answer = match service {
            "secretsmanager" => self.secrets_manager(&body, operation),
            _ => self.logs(&body, operation),
        };
        match answer {
            Ok(answer) => response(200, answer.to_string()),
            Err(code) => response(400, json!({"__type": code}).to_string()),
        }
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Aws")
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.clone();
        HttpConnectorFuture::new(async move {
            match aws.fate(&request) {
                Fate::Answered => {}
                Fate::Late(delay) => sleep(delay).await,
                Fate::Echoed(status, code) => return Ok(echo(&request, status, &code)),
                Fate::Refused(status, code) => return Ok(response(status, json!({"__type": code}).to_string())),
                Fate::Cut => return Err(ConnectorError::io("connection reset".into())),
                Fate::Hanging => pending().await,
                Fate::Unreadable => return Ok(response(200, "<html>".to_owned())),
                Fate::Panic => resume_unwind(Box::new("as the weather has it")),
            }
            Ok(aws.account().answer(&request))
        })
    }
}

impl Aws {
    fn fate(&self, request: &HttpRequest) -> Fate {
        let account = &mut *self.account();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = match target.strip_prefix("Logs_20140328.") {
            Some(operation) => operation,
            None if request.uri().contains("/operation/PutMetricData") => "PutMetricData",
            None => return account.refuse().unwrap_or_else(|| Fate::Late(account.delay.mul_f64(fastrand::f64()))),
        };
        account.deliveries.push(operation.to_owned());
        account.weather.as_mut().map_or(Fate::Answered, Fate::any)
    }
}

/// An error that says all of the call that it refuses: as it came, and decoded.
fn echo(request: &HttpRequest, status: u16, code: &str) -> HttpResponse {
    let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
    let headers = request.headers().iter().map(|(name, value)| {
        let encoded = form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>();
        format!("{name}:{value} {name}={encoded}")
    });
    let parts = [vec![request.method().to_owned(), request.uri().to_owned()], headers.collect(), vec![body.clone()]];
    let message = parts.concat().join("\n");
    if request.headers().contains_key("x-amz-target") {
        return response(status, json!({"__type": code, "message": message}).to_string());
    }
    let form = form_urlencoded::parse(body.as_bytes()).map(|(name, value)| format!("'{value}' at '{name}'"));
    let message = format!("{message}\n{}", form.collect::<Vec<_>>().join(", "));
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    response(status, format!("<ErrorResponse>{error}</ErrorResponse>"))
}

fn response(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into())
}
