//! What happened in a life, line by line, in simulated time; and what the handlers logged meanwhile.

use std::{
    fmt::{self, Debug},
    sync::{Arc, Mutex},
};

use tokio::{task_local, time::Instant};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};

task_local! {
    /// The operation that an invocation is part of.
    static SPEAKER: Option<usize>;
}

/// Does this work as part of an operation, so that what it logs is that operation's.
pub(crate) async fn speaking_as<T>(operation: Option<usize>, work: impl Future<Output = T>) -> T {
    SPEAKER.scope(operation, work).await
}

/// A line of the log.
#[derive(Debug)]
pub(crate) struct Logged {
    /// The operation that said so.
    pub(crate) operation: Option<usize>,
    pub(crate) level: Level,
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl Logged {
    /// Whether the line has this field with this value.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.fields.iter().any(|(field, logged)| *field == name && logged == value)
    }
}

impl fmt::Display for Logged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.level)?;
        self.fields.iter().try_for_each(|(name, value)| write!(formatter, " {name}={value}"))
    }
}

/// The lines of a life, the first first.
#[derive(Debug)]
pub(crate) struct Story {
    start: Instant,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
    /// What the handlers have logged, for the search for secrets.
    log: Vec<Logged>,
}

impl Story {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), told: Mutex::default() })
    }

    pub(crate) fn line(&self, line: impl AsRef<str>) {
        let seconds = self.start.elapsed().as_secs_f64();
        self.told.lock().unwrap().lines.push(format!("{seconds:9.3}  {}", line.as_ref()));
    }

    /// The whole story.
    pub(crate) fn tell(&self) -> String {
        self.told.lock().unwrap().lines.join("\n")
    }

    /// What was logged since this was asked last.
    pub(crate) fn take_log(&self) -> Vec<Logged> {
        std::mem::take(&mut self.told.lock().unwrap().log)
    }

    /// Takes down what this thread logs, until the guard is dropped: from the handlers everything, from others what a
    /// function logs.
    pub(crate) fn listen(self: &Arc<Self>) -> tracing::subscriber::DefaultGuard {
        let listener = Listener(Arc::clone(self)).with_filter(Loud);
        tracing::subscriber::set_default(tracing_subscriber::registry().with(listener))
    }
}

/// Writes log events into the story.
struct Listener(Arc<Story>);

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let operation = SPEAKER.try_with(|operation| *operation).ok().flatten();
        let mut logged = Logged { operation, level: *event.metadata().level(), fields: vec![] };
        event.record(&mut logged);
        self.0.line(format!("     log {logged}"));
        self.0.told.lock().unwrap().log.push(logged);
    }
}

struct Loud;

impl Loud {
    fn hears(metadata: &Metadata<'_>) -> bool {
        // The SDK asks for the connection behind an answer, to close it after a fault; the model's answers have none.
        let is_about_connections = metadata.target().ends_with("connection_poisoning");
        let is_loud = metadata.is_event() && *metadata.level() <= Level::INFO && !is_about_connections;
        metadata.target().starts_with("access_key") || is_loud
    }
}

impl<S> Filter<S> for Loud {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        Self::hears(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        if Self::hears(metadata) {
            tracing::subscriber::Interest::always()
        } else {
            tracing::subscriber::Interest::never()
        }
    }
}

impl Visit for Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }
}
