//! A case: its file, and what comes of it.

use std::{
    env, fs, io,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_types::{DateTime, date_time::Format};
use cfn_resource_runtime::{Connections, Event};
use iam_access_key::{CRATES, Function};
use libtest_mimic::Failed;
use regex::{Captures, Regex};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    filter::filter_fn,
    fmt,
    layer::{Layer, SubscriberExt},
};

use crate::{
    aws::{Aws, Script},
    keybase::Keybase,
};

/// The line that parts what a person writes from what the function answers.
const EVENT: &str = "[event]\n";

/// The longest message that a stack event shows.
const MAX_MESSAGE_CHARACTERS: usize = 2048;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What happens, in one line.
    #[allow(dead_code)]
    about: String,
    /// What is other than in `tests/requests/registry.json`. In `requestData` too, it replaces whole fields.
    #[serde(default)]
    request: Map<String, Value>,
    /// The fields of that request that are left out, as JSON pointers.
    #[serde(default)]
    without: Vec<String>,
    /// The request as text, instead.
    request_text: Option<String>,
    /// What Lambda leaves of the invocation, in seconds.
    seconds_left: Option<u64>,
    #[serde(default)]
    aws: Script,
    keybase: Option<Keybase>,
}

/// Holds the event of the case in the file at `path` against the one that the function answers with, or writes it there.
pub(crate) fn check(path: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(path).unwrap();
    let (given, expected) = text.split_once(EVENT).unwrap_or((&text, ""));
    let dates = Dates::now();
    let case: Case = toml::from_str(&dates.fill(given))?;
    let warnings = Warnings::default();
    let (event, mistakes) = tracing::subscriber::with_default(warnings.subscriber(), || case.play());
    if !mistakes.is_empty() {
        return Err(format!("{}\nThe event is {event:#}", mistakes.join("\n")).into());
    }
    if let Some(message) = event["message"].as_str() {
        check_message(message)?;
    }
    let warnings = warnings.0.lock().unwrap().clone();
    check_secrets(&warnings)?;
    let actual = dates.take_out(&format!("{}{}", written(&event), written_warnings(&warnings)));
    if actual == expected {
        return Ok(());
    }
    if env::var_os("UPDATE_MESSAGES").is_some() {
        fs::write(path, format!("{}\n\n{EVENT}{actual}", given.trim_end())).unwrap();
        return Ok(());
    }
    Err(format!("expected:\n{expected}\nanswered:\n{actual}\nUPDATE_MESSAGES=1 writes it to {}", path.display()).into())
}

impl Case {
    /// The event, and what is wrong with the script.
    fn play(self) -> (Value, Vec<String>) {
        let is_time_simulated = !self.keybase.as_ref().is_some_and(Keybase::takes_time);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(is_time_simulated).build().unwrap();
        let aws = Aws::new(self.aws.clone());
        let keybase = self.keybase.clone().map(Keybase::start);
        let request = self.request(keybase.as_deref());
        let time_left = self.seconds_left.map_or(Duration::MAX, Duration::from_secs);
        let event = runtime.block_on(async {
            let connector = SharedHttpConnector::new(aws.clone());
            let function = Function::new(Connections::with_http_client(http_client_fn(move |_, _| connector.clone())));
            let mut json = serde_json::Deserializer::from_str(&request);
            function.answer(Event::deserialize(&mut json).unwrap(), time_left).await
        });
        let event = serde_json::to_string(&event).unwrap();
        let event = keybase.map_or(event.clone(), |url| event.replace(&url, "http://127.0.0.1:PORT"));
        (serde_json::from_str(&event).unwrap(), aws.mistakes())
    }

    fn request(&self, keybase: Option<&str>) -> String {
        if let Some(text) = &self.request_text {
            return text.clone();
        }
        let mut request: Value = serde_json::from_str(include_str!("../requests/registry.json")).unwrap();
        // A case is about the event, so nothing is delivered.
        request["requestData"]["providerLogGroupName"] = Value::Null;
        for (name, value) in &self.request {
            match (name.as_str(), value) {
                ("requestData", Value::Object(fields)) => {
                    request[name].as_object_mut().unwrap().extend(fields.clone());
                }
                _ => request[name] = value.clone(),
            }
        }
        for pointer in &self.without {
            *request.pointer_mut(pointer).unwrap() = Value::Null;
        }
        if let Some(url) = keybase {
            request["requestData"]["typeConfiguration"] = json!({"KeybaseUrl": url});
        }
        request.to_string()
    }
}

/// What every message is: a sentence, short enough, and without a secret.
fn check_message(message: &str) -> Result<(), Failed> {
    let length = message.chars().count();
    if length > MAX_MESSAGE_CHARACTERS {
        return Err(format!("{length} characters are too long: {message}").into());
    }
    if !message.starts_with(|first: char| first.is_ascii_uppercase()) {
        return Err(format!("no capital letter: {message:?}").into());
    }
    check_secrets(message)
}

fn check_secrets(text: &str) -> Result<(), Failed> {
    match ["wJalr", "MustNotBeLogged"].into_iter().find(|secret| text.contains(secret)) {
        Some(secret) => Err(format!("the secret {secret} is told: {text}").into()),
        None => Ok(()),
    }
}

/// The event as it stands in a case: status, error code, message, and the id of the model.
fn written(event: &Value) -> String {
    let line = |name: &str, value: &Value| value.as_str().map(|value| format!("{name} = {value:?}\n"));
    let lines = [
        line("status", &event["status"]),
        line("errorCode", &event["errorCode"]),
        line("Id", &event["resourceModel"]["Id"]),
    ];
    let message = event["message"].as_str().map(|message| format!("message = {}\n", quoted(message)));
    lines.into_iter().flatten().chain(message).collect()
}

/// The WARN lines of the log as they stand in a case, if there are any.
fn written_warnings(lines: &str) -> String {
    let lines = lines.lines().map(|line| quoted(line) + ",\n").collect::<String>();
    if lines.is_empty() { lines } else { format!("warnings = [\n{lines}]\n") }
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace("\"\"\"", r#"\"\"\""#);
    format!("\"\"\"\\\n{}\"\"\"", wrapped(&text))
}

/// The text in lines of 100 characters, unless a word is longer. TOML makes one line of them.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() || line.chars().count() + word.chars().count() < 99 => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(" \\\n")
}

/// The WARN lines of this type's own, one JSON object a line.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<String>>);

impl Warnings {
    fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        let own = || CRATES.iter().chain(&["cfn_resource_runtime"]);
        let is_own = move |target: &str| own().any(|name| target.starts_with(name));
        let is_warning = filter_fn(move |line| *line.level() == Level::WARN && is_own(line.target()));
        let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
        let warnings = self.clone();
        let lines = lines.without_time().with_level(false).with_target(false).with_writer(move || warnings.clone());
        tracing_subscriber::registry().with(lines.with_filter(is_warning))
    }
}

impl io::Write for Warnings {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Dates that depend on when the test runs: `{now}`, or `{7 minutes ago}`; as a record has them, `{now in ms}`, or
/// `{7 minutes ago in ms}`.
struct Dates(SystemTime);

impl Dates {
    fn now() -> Self {
        Self(SystemTime::now())
    }

    fn minutes_ago(&self, minutes: u64) -> String {
        let then = DateTime::from(self.0 - Duration::from_secs(60 * minutes));
        DateTime::from_secs(then.secs()).fmt(Format::DateTime).unwrap()
    }

    /// In milliseconds since 1970.
    fn milliseconds(&self, minutes_ago: u64) -> String {
        let then = self.0 - Duration::from_secs(60 * minutes_ago);
        then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().to_string()
    }

    fn fill(&self, text: &str) -> String {
        let date = Regex::new(r"\{(?:now|(\d+) minutes ago)( in ms)?\}").unwrap();
        let fill_in = |found: &Captures<'_>| {
            let minutes = found.get(1).map_or(0, |minutes| minutes.as_str().parse().unwrap());
            if found.get(2).is_some() { self.milliseconds(minutes) } else { self.minutes_ago(minutes) }
        };
        date.replace_all(text, fill_in).into_owned()
    }

    fn take_out(&self, text: &str) -> String {
        let text = text.replace(&self.minutes_ago(0), "{now}");
        (1..60)
            .fold(text, |text, minutes| text.replace(&self.minutes_ago(minutes), &format!("{{{minutes} minutes ago}}")))
    }
}
