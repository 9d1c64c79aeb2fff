//! Logs and metrics of an invocation: JSON lines on standard output, which Lambda collects, and the same lines and metrics for
//! the account that registered the type.
//!
//! It is a layer around dispatch. Dispatch and the handlers do not know it: they emit `tracing` events.
//!
//! - `lines.rs`: which lines are an invocation's own
//! - `delivery.rs`: sends logs and metrics, within a time limit, without failing the request
//! - `provider_logs.rs`, `metrics.rs`: the two services that they go to; `undelivered.rs`: why something was not delivered

mod delivery;
mod lines;
mod metrics;
mod provider_logs;
mod undelivered;

use std::{env, io, panic, time::Duration};

use tokio::time::Instant;
use tracing::{Instrument, Level, Subscriber, error, error_span, field::Empty, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::{Targets, dynamic_filter_fn},
    fmt::{self, MakeWriter, writer::MakeWriterExt},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use delivery::Delivery;
use lines::Keeper;
use metrics::Outcome;

use crate::{Connections, LogLevel, ProgressEvent, ProviderContext, contain_panics, panics::Panicked};

/// How many characters of a bearer token are shown: enough to tell operations apart.
const SHOWN_OF_TOKEN: usize = 8;

/// Starts logging, and logs where a panic happens. `crates` are the crates whose lines are written, beside this one's.
///
/// The level is the type configuration's, or else `AWS_LAMBDA_LOG_LEVEL`, which Lambda's log settings set, or else `INFO`.
pub fn start(crates: &[&str]) {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    subscriber(crates, level, io::stdout).init();

    // A panic's message can quote a secret, so only the place is logged.
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(location, "handler panicked");
    }));
}

/// Writes lines to `output`, and keeps them for their invocation.
///
/// Other crates never log below `WARN`: at finer levels the AWS SDK, hyper and the Lambda runtime write whole requests and
/// responses, with their secrets and credentials.
pub fn subscriber<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(
    crates: &[&str],
    default: Level,
    output: W,
) -> impl Subscriber + Send + Sync + use<W> {
    let own = crates.iter().copied().chain([env!("CARGO_CRATE_NAME")]).map(|name| (name, LevelFilter::TRACE));
    let targets = Targets::new().with_default(LevelFilter::WARN).with_targets(own);
    let level = dynamic_filter_fn(move |metadata, _| *metadata.level() <= lines::level().unwrap_or(default));
    let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(output.and(|| Keeper));
    tracing_subscriber::registry().with(lines).with(targets).with(level)
}

/// Does the `work` of one invocation, `time_left` before Lambda ends it, and delivers its logs and metrics.
pub(crate) async fn observe<M>(
    connections: &Connections,
    provider: &ProviderContext,
    time_left: Duration,
    work: impl Future<Output = ProgressEvent<M>>,
) -> ProgressEvent<M> {
    let start = Instant::now();
    // Each line of the invocation carries these. The primary identifier is known later.
    let invocation = error_span!(
        "invocation",
        action = provider.action.map(tracing::field::display),
        bearer_token = shortened_token(provider),
        id = Empty
    );
    let (event, logged) = lines::keep(level(provider), work.instrument(invocation)).await;
    let duration = start.elapsed();
    let deliver = async {
        if let (Some(action), Some(delivery)) = (provider.action, Delivery::of(connections, provider)) {
            let outcome = Outcome { action, duration, error_code: event.error_code };
            // Boxed, as the handlers' futures are.
            Box::pin(delivery.send(&logged, &outcome, time_left.saturating_sub(duration))).await;
        }
        Ok::<_, Panicked>(())
    };
    // Not even a bug in the delivery changes the answer. The place of a panic is logged.
    let _ = contain_panics(deliver).await;
    event
}

fn level(provider: &ProviderContext) -> Option<Level> {
    provider.log_level().map(|level| match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
    })
}

fn shortened_token(provider: &ProviderContext) -> Option<String> {
    let token = provider.bearer_token.as_ref()?.expose();
    // A short token is hidden whole: eight characters would reveal most of it.
    let shown = if token.chars().count() < 3 * SHOWN_OF_TOKEN { 0 } else { SHOWN_OF_TOKEN };
    Some(format!("{}…", token.chars().take(shown).collect::<String>()))
}
