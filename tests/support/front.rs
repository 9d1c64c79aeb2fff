//! What stands between the function and moto: it records every call, pages `ListUsers`, which moto does not, and
//! plays the faults a test asks for.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

/// What happens to a call instead of a plain answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The service answers with this status and error code, without doing anything.
    Answer(u16, &'static str),
    /// The connection ends before the service gets the call.
    CutBefore,
    /// The service does what it is asked, and the connection ends before the answer.
    CutAfter,
    /// The service gets the call, and does not answer within any timeout.
    Hang,
    /// The function's process is to be killed, before the service gets the call or after it has answered.
    Kill { after: bool },
    /// The key is left out of `ListAccessKeys`, as IAM does for a moment after it was created.
    HideKeys,
}

/// A call that reached the front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub operation: String,
    pub body: String,
}

pub struct Front {
    pub address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    upstream: SocketAddr,
    client: reqwest::Client,
    kill: Notify,
    played: AtomicUsize,
    calls: Mutex<Vec<Call>>,
    /// Operation, how many of its calls to let through first, how many to play the fault on.
    faults: Mutex<Vec<(&'static str, usize, usize, Fault)>>,
}

impl Front {
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            upstream,
            client: reqwest::Client::new(),
            kill: Notify::new(),
            played: AtomicUsize::new(0),
            calls: Mutex::default(),
            faults: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, server }
    }

    /// Plays `fault` on every call of `operation` from now on.
    pub fn fault(&self, operation: &'static str, fault: Fault) {
        self.fault_times(operation, 0, usize::MAX, fault);
    }

    /// Plays `fault` on `times` calls of `operation`, after the next `skip` of them.
    pub fn fault_times(&self, operation: &'static str, skip: usize, times: usize, fault: Fault) {
        lock(&self.state.faults).push((operation, skip, times, fault));
    }

    /// Waits until a [`Fault::Kill`] is played.
    pub async fn killing(&self) {
        self.state.kill.notified().await;
    }

    /// How many calls had a fault since the last [`Front::heal`].
    pub fn faults_played(&self) -> usize {
        self.state.played.load(Ordering::Relaxed)
    }

    pub fn heal(&self) {
        lock(&self.state.faults).clear();
        self.state.played.store(0, Ordering::Relaxed);
    }

    /// The calls since the last time this was asked.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.state.calls))
    }

    /// The operations of [`Front::calls`], sorted: calls made side by side arrive in any order.
    pub fn operations(&self) -> Vec<String> {
        let mut operations: Vec<_> = self.calls().into_iter().map(|call| call.operation).collect();
        operations.sort();
        operations
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| state.answer(request));
            // An error here is a connection that a fault cut.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        let operation = operation(&parts.headers, &text);
        lock(&self.calls).push(Call { operation: operation.clone(), body: text.clone() });
        let fault = self.fault_for(&operation);
        match fault {
            Some(Fault::Answer(status, code)) => {
                return Ok(error(status, code, parts.headers.contains_key("x-amz-target")));
            }
            Some(Fault::CutBefore) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Kill { after: false }) => return self.wait_to_be_killed().await,
            _ => {}
        }
        let upstream = self
            .client
            .request(parts.method, format!("http://{}{}", self.upstream, parts.uri))
            .headers(parts.headers)
            .body(body);
        let answer = upstream.send().await.map_err(io::Error::other)?;
        let mut response = Response::new(Full::default());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        response.headers_mut().remove("content-length");
        response.headers_mut().remove("transfer-encoding");
        let mut body = answer.bytes().await.map_err(io::Error::other)?;
        match (operation.as_str(), fault) {
            (_, Some(Fault::CutAfter)) => return Err(io::ErrorKind::ConnectionReset.into()),
            (_, Some(Fault::Hang)) => return std::future::pending().await,
            (_, Some(Fault::Kill { after: true })) => return self.wait_to_be_killed().await,
            ("ListAccessKeys", Some(Fault::HideKeys)) => body = without_members(&body),
            ("ListUsers", _) => body = page(&body, &text),
            _ => {}
        }
        *response.body_mut() = Full::new(body);
        Ok(response)
    }

    /// Says that the function may be killed now, and never answers.
    async fn wait_to_be_killed(&self) -> io::Result<Response<Full<Bytes>>> {
        self.kill.notify_one();
        std::future::pending().await
    }

    fn fault_for(&self, operation: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let (_, skip, times, fault) = faults.iter_mut().find(|(name, _, times, _)| *name == operation && *times > 0)?;
        if *skip > 0 {
            *skip -= 1;
            return None;
        }
        *times -= 1;
        self.played.fetch_add(1, Ordering::Relaxed);
        Some(fault.clone())
    }
}

/// IAM names the operation in the form it is sent, Secrets Manager in a header.
fn operation(headers: &hyper::HeaderMap, body: &str) -> String {
    match headers.get("x-amz-target") {
        Some(target) => target.to_str().unwrap_or_default().rsplit('.').next().unwrap_or_default().to_owned(),
        None => form_field(body, "Action").unwrap_or_default(),
    }
}

fn form_field(form: &str, name: &str) -> Option<String> {
    form.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).map(ToOwned::to_owned)
}

/// An error as the service words it: JSON from Secrets Manager, XML from IAM.
fn error(status: u16, code: &str, json: bool) -> Response<Full<Bytes>> {
    let body = if json {
        format!(r#"{{"__type":"{code}","message":"made up by the test"}}"#)
    } else {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>made up by the test</Message></Error>\
             <RequestId>11111111-2222-3333-4444-555555555555</RequestId></ErrorResponse>"
        )
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
    response
}

/// The list of an XML answer, its members taken out.
fn without_members(body: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(body);
    match (text.find("<member>"), text.rfind("</member>")) {
        (Some(first), Some(last)) => format!("{}{}", &text[..first], &text[last + "</member>".len()..]).into(),
        _ => body.clone(),
    }
}

/// The page of `ListUsers` that `form` asks for: its marker is the number of users before it.
fn page(body: &Bytes, form: &str) -> Bytes {
    let text = String::from_utf8_lossy(body);
    let (Some(first), Some(last)) = (text.find("<member>"), text.rfind("</member>")) else { return body.clone() };
    let last = last + "</member>".len();
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
