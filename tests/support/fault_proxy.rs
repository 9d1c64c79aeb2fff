//! The proxy between the function and moto. It records every call, for the test and for that of the permissions, injects the
//! faults a test asks for, and pages `ListUsers`, which moto does not.

use std::{
    fs, io,
    net::SocketAddr,
    ops::{Bound, Range, RangeBounds},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    http::request,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use super::{cbor, lock};

/// What happens to a call instead of a plain answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The service answers with this HTTP status and error code, and does nothing.
    Error(u16, &'static str),
    /// The connection ends before the service gets the call.
    CutBefore,
    /// The service does what it is asked, and the connection ends before the answer.
    CutAfter,
    /// The service does what it is asked, and does not answer within any timeout.
    Hang,
    /// The test is asked to kill the function before the service gets the call.
    KillBefore,
    /// The service does what it is asked, and the test is asked to kill the function before the answer.
    KillAfter,
    /// `ListAccessKeys` lists no key, as IAM does for a moment after a key was created.
    HideKeys,
}

/// A call to AWS that reached the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service that it was signed for, and whose credentials it was signed with.
    pub service: String,
    pub access_key_id: String,
    /// Followed by [`OF_A_RECORD`] where it is about one.
    pub operation: String,
    /// What `CloudTrail` keeps as `userAgent`.
    pub user_agent: String,
    /// As text: JSON from CloudWatch, which is sent in CBOR.
    pub body: String,
}

impl Call {
    fn is_delivery(&self) -> bool {
        matches!(self.service.as_str(), "logs" | "monitoring")
    }
}

/// An HTTP proxy before moto. It serves until it is dropped.
pub struct FaultProxy {
    pub address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    moto: SocketAddr,
    client: reqwest::Client,
    kill_requested: Notify,
    shows_the_past: AtomicBool,
    /// How often all connections have died.
    deaths: AtomicUsize,
    /// How many calls came over a connection that had died.
    lost_calls: AtomicUsize,
    calls: Mutex<Vec<Call>>,
    /// The action that the function was last asked for.
    action: Mutex<String>,
    /// Every call, as `dev/tests/test_permissions.py` reads it.
    record: Mutex<Vec<String>>,
    rules: Mutex<Vec<Rule>>,
}

/// A fault, and the calls it is injected into.
struct Rule {
    operation: &'static str,
    calls: (Bound<usize>, Bound<usize>),
    /// The number of the operation's next call.
    next: usize,
    /// How many calls got the fault.
    injected: usize,
    fault: Fault,
}

impl FaultProxy {
    /// Starts a proxy at a free port, before the moto server at `moto`.
    pub async fn start(moto: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            moto,
            client: reqwest::Client::new(),
            kill_requested: Notify::new(),
            shows_the_past: AtomicBool::new(false),
            deaths: AtomicUsize::new(0),
            lost_calls: AtomicUsize::new(0),
            calls: Mutex::default(),
            action: Mutex::default(),
            record: Mutex::default(),
            rules: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, server }
    }

    /// The calls from now on are those of a handler for `action`.
    pub fn record_for(&self, action: &Value) {
        action.as_str().unwrap_or_default().clone_into(&mut lock(&self.state.action));
    }

    /// Injects `fault` into these `calls` of an operation, counted from now: `..` are all, `..1` is the next one, `1..`
    /// are all after it.
    pub fn inject(&self, operation: &'static str, calls: impl RangeBounds<usize>, fault: Fault) {
        let calls = (calls.start_bound().cloned(), calls.end_bound().cloned());
        lock(&self.state.rules).push(Rule { operation, calls, next: 0, injected: 0, fault });
    }

    /// Forgets every injected fault.
    pub fn clear_faults(&self) {
        lock(&self.state.rules).clear();
    }

    /// From now on, no call over a connection that is open now gets an answer. As on a real one that died unheard, only the
    /// next call shows it.
    pub fn let_connections_die(&self) {
        self.state.deaths.fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls were lost on connections that had died, since the last time they were taken.
    pub fn take_lost_calls(&self) -> usize {
        self.state.lost_calls.swap(0, Ordering::Relaxed)
    }

    /// From now on, users, keys and secrets look as if they had been created years ago: nothing waits for them to settle.
    pub fn make_everything_old(&self) {
        self.state.shows_the_past.store(true, Ordering::Relaxed);
    }

    /// From now on, everything looks as old as it is.
    pub fn make_everything_new(&self) {
        self.state.shows_the_past.store(false, Ordering::Relaxed);
    }

    /// How many calls of the operation got a fault since the last [`FaultProxy::clear_faults`].
    pub fn faults_injected(&self, operation: &str) -> usize {
        lock(&self.state.rules).iter().filter(|rule| rule.operation == operation).map(|rule| rule.injected).sum()
    }

    /// Waits until a call gets [`Fault::KillBefore`] or [`Fault::KillAfter`].
    pub async fn kill_requested(&self) {
        self.state.kill_requested.notified().await;
    }

    /// The handlers' calls since the last time they were taken.
    pub fn take_calls(&self) -> Vec<Call> {
        self.take(|call| !call.is_delivery())
    }

    /// The calls that delivered logs and metrics, since the last time they were taken.
    pub fn take_deliveries(&self) -> Vec<Call> {
        self.take(Call::is_delivery)
    }

    fn take(&self, is_wanted: impl Fn(&Call) -> bool) -> Vec<Call> {
        let mut calls = lock(&self.state.calls);
        let (taken, left) = std::mem::take(&mut *calls).into_iter().partition(is_wanted);
        *calls = left;
        taken
    }

    /// The operations of [`FaultProxy::take_calls`], sorted: calls made side by side arrive in any order.
    pub fn take_operations(&self) -> Vec<String> {
        let mut operations: Vec<_> = self.take_calls().into_iter().map(|call| call.operation).collect();
        operations.sort();
        operations
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aws-calls");
        let file = folder.join(format!("{}-{}.jsonl", std::process::id(), self.address.port()));
        let record = lock(&self.state.record).join("\n");
        fs::create_dir_all(folder).and_then(|()| fs::write(file, record)).expect("a file for the record");
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let deaths = state.deaths.load(Ordering::Relaxed);
            let service = service_fn(async |request| {
                if state.deaths.load(Ordering::Relaxed) == deaths {
                    return state.answer(request).await;
                }
                state.lost_calls.fetch_add(1, Ordering::Relaxed);
                Err(io::ErrorKind::ConnectionReset.into())
            });
            // An error here is a connection that a fault cut.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl State {
    /// Records a call and answers it as moto does, or as its fault says.
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (mut head, body) = request.into_parts();
        let mut body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let is_cbor = cbor::translate_request(&mut head, &mut body);
        let text = String::from_utf8_lossy(&body).into_owned();
        let operation = operation(&head.headers, &text);
        let (access_key_id, service) = signer(&head.headers);
        let user_agent =
            head.headers.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or_default().to_owned();
        let target = head.headers.get(TARGET).and_then(|target| target.to_str().ok());
        let call = json!({
            "handler": *lock(&self.action), "service": service, "target": target, "path": head.uri.path(), "body": text,
        });
        lock(&self.record).push(call.to_string());
        let (called, body_text) = (operation.clone(), text.clone());
        lock(&self.calls).push(Call { service, access_key_id, operation: called, user_agent, body: body_text });
        let fault = self.fault_for(&operation);
        match fault {
            Some(Fault::Error(status, code)) => {
                let mut error = error(status, code, head.headers.contains_key(TARGET));
                if is_cbor {
                    cbor::translate_response(&mut error);
                }
                return Ok(error.map(Full::new));
            }
            Some(Fault::CutBefore) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Fault::KillBefore) => return self.request_kill().await,
            _ => {}
        }
        let mut response = self.forward(head, body).await?;
        if is_cbor {
            cbor::translate_response(&mut response);
        }
        match (operation.as_str(), fault) {
            (_, Some(Fault::CutAfter)) => return Err(io::ErrorKind::ConnectionReset.into()),
            (_, Some(Fault::Hang)) => return std::future::pending().await,
            (_, Some(Fault::KillAfter)) => return self.request_kill().await,
            ("ListAccessKeys", Some(Fault::HideKeys)) => *response.body_mut() = without_members(response.body()),
            ("ListUsers", _) => *response.body_mut() = page(response.body(), &text),
            _ => {}
        }
        if self.shows_the_past.load(Ordering::Relaxed) && !is_cbor {
            *response.body_mut() = years_ago(response.body());
        }
        Ok(response.map(Full::new))
    }

    /// Sends a call to moto and returns its answer.
    async fn forward(&self, head: request::Parts, body: Bytes) -> io::Result<Response<Bytes>> {
        let url = format!("http://{}{}", self.moto, head.uri);
        let call = self.client.request(head.method, url).headers(head.headers).body(body);
        let answer = call.send().await.map_err(io::Error::other)?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        // The body is sent on as a whole, and may have another length.
        headers.remove("content-length");
        headers.remove("transfer-encoding");
        // moto closes each connection. AWS does not.
        headers.remove("connection");
        let mut response = Response::new(answer.bytes().await.map_err(io::Error::other)?);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Asks the test to kill the function, and never answers.
    async fn request_kill(&self) -> io::Result<Response<Full<Bytes>>> {
        self.kill_requested.notify_one();
        std::future::pending().await
    }

    /// The fault for this call, by the first rule that has one. Every rule of the operation counts the call.
    fn fault_for(&self, operation: &str) -> Option<Fault> {
        let mut fault = None;
        for rule in lock(&self.rules).iter_mut().filter(|rule| rule.operation == operation) {
            if fault.is_none() && rule.calls.contains(&rule.next) {
                fault = Some(rule.fault.clone());
                rule.injected += 1;
            }
            rule.next += 1;
        }
        fault
    }
}

/// The header in which Secrets Manager, unlike IAM, is told the operation.
const TARGET: &str = "x-amz-target";

/// What the operation of a call is followed by where it is about a record of CREATE.
pub const OF_A_RECORD: &str = " of a record";

/// The operation of a call: in a form field for IAM, in a header for Secrets Manager.
fn operation(headers: &hyper::HeaderMap, body: &str) -> String {
    let Some(target) = headers.get(TARGET) else { return form_field(body, "Action").unwrap_or_default() };
    let operation = target.to_str().unwrap_or_default().rsplit('.').next().unwrap_or_default();
    let input: Value = serde_json::from_str(body).unwrap_or_default();
    let secret = input["Name"].as_str().or(input["SecretId"].as_str()).unwrap_or_default();
    let is_of_a_record = secret.rsplit('/').next().is_some_and(|name| name.starts_with("operation-"));
    format!("{operation}{}", if is_of_a_record { OF_A_RECORD } else { "" })
}

/// The access key id and the service in the signature of a call.
fn signer(headers: &hyper::HeaderMap) -> (String, String) {
    let signature = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = signature.split_once("Credential=").map_or("", |(_, scope)| scope);
    let part = |index| scope.split('/').nth(index).unwrap_or_default().to_owned();
    (part(0), part(3))
}

fn form_field(form: &str, name: &str) -> Option<String> {
    form.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).map(ToOwned::to_owned)
}

/// An error as the service words it: JSON from Secrets Manager, XML from IAM.
fn error(status: u16, code: &str, json: bool) -> Response<Bytes> {
    let body = if json {
        format!(r#"{{"__type":"{code}","message":"injected by the test"}}"#)
    } else {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>injected by the test</Message></Error>\
             <RequestId>11111111-2222-3333-4444-555555555555</RequestId></ErrorResponse>"
        )
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
    response
}

/// How many years old everything looks: with leap years, every date is a date in that year too.
const YEARS: i32 = 4;

/// The same in seconds, without the leap day.
const SECONDS: f64 = 4.0 * 365.0 * 86_400.0;

/// An answer of IAM or Secrets Manager with dates of creation that lie years back.
fn years_ago(body: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(body);
    let Ok(mut answer) = serde_json::from_str::<Value>(&text) else {
        return dates_years_ago(&text, "<CreateDate>").into();
    };
    if let Some(created) = answer["CreatedDate"].as_f64() {
        answer["CreatedDate"] = (created - SECONDS).into();
    }
    if let Some(value) = answer["SecretString"].as_str() {
        answer["SecretString"] = dates_years_ago(value, r#""CreateDate":""#).into();
    }
    answer.to_string().into()
}

/// The text with dates that lie years back wherever one follows `marker`.
fn dates_years_ago(text: &str, marker: &str) -> String {
    let mut parts = text.split(marker).map(ToOwned::to_owned);
    let before = parts.next();
    let aged = parts.map(|part| {
        let (year, rest) = part.split_at(4);
        let year: i32 = year.parse().expect("a year");
        format!("{}{rest}", year - YEARS)
    });
    before.into_iter().chain(aged).collect::<Vec<_>>().join(marker)
}

/// An XML answer without the members of its list.
fn without_members(body: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(body);
    match members(&text) {
        Some(members) => format!("{}{}", &text[..members.start], &text[members.end..]).into(),
        None => body.clone(),
    }
}

/// Where the members of an XML answer's list stand, if there are any.
fn members(text: &str) -> Option<Range<usize>> {
    Some(text.find("<member>")?..text.rfind("</member>")? + "</member>".len())
}

/// The page of `ListUsers` that `form` asks for: its marker is the number of users before it.
fn page(body: &Bytes, form: &str) -> Bytes {
    let text = String::from_utf8_lossy(body);
    let Some(Range { start: first, end: last }) = members(&text) else { return body.clone() };
    let members: Vec<&str> = text[first..last].split_inclusive("</member>").map(str::trim).collect();
    let start: usize = form_field(form, "Marker").and_then(|marker| marker.parse().ok()).unwrap_or(0);
    let size: usize = form_field(form, "MaxItems").and_then(|items| items.parse().ok()).unwrap_or(100);
    let end = (start + size).min(members.len());
    let page = members[start.min(end)..end].concat();
    let tail = text[last..].replace("<IsTruncated>false</IsTruncated>", "");
    let more = if end < members.len() {
        format!("<IsTruncated>true</IsTruncated><Marker>{end}</Marker>")
    } else {
        "<IsTruncated>false</IsTruncated>".to_owned()
    };
    let tail = tail.replacen("</Users>", &format!("</Users>{more}"), 1);
    format!("{}{page}{tail}", &text[..first]).into()
}
