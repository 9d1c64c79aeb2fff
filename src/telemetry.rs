//! What the function logs: JSON lines on standard output, where Lambda collects them.

use std::{env, panic};

use tracing::{Level, error, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging, and makes panics log lines.
///
/// `AWS_LAMBDA_LOG_LEVEL`, as set by Lambda's log settings, is the level of this project's own lines, `INFO` where
/// it is not set. Every other crate is kept at warnings, whatever it says: the AWS SDK, hyper and the Lambda
/// runtime write whole requests and responses at finer levels, secrets and credentials included.
pub(crate) fn start() {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("iam_access_key", level)
        .with_target("access_key_handlers", level)
        .with_target("access_key_schema", level);
    tracing_subscriber::registry().with(fmt::layer().json().flatten_event(true)).with(targets).init();

    // The place only: a panic's message can quote the data it is about.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panicked");
    }));
}
