//! What the function logs: JSON lines on standard output, which Lambda collects.

use std::{env, panic};

use tracing::{Level, error, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging, and logs where a panic happens.
///
/// The level of this project's own lines is `AWS_LAMBDA_LOG_LEVEL`, which Lambda's log settings set, and `INFO` by
/// default. Other crates never log below `WARN`: at finer levels the AWS SDK, hyper and the Lambda runtime write whole
/// requests and responses, with their secrets and credentials.
pub fn start() {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("iam_access_key", level)
        .with_target("access_key_handlers", level)
        .with_target("access_key_schema", level);
    tracing_subscriber::registry().with(fmt::layer().json().flatten_event(true)).with(targets).init();

    // A panic's message can quote a secret, so only the place is logged.
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(location, "handler panicked");
    }));
}
