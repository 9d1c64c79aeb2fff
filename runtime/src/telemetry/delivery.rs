//! The delivery of one invocation's logs and metrics to the account that registered the type.
//!
//! Lambda freezes the process after the answer, so the delivery comes before it. It takes a second at most, which the handlers
//! leave of their time. No failure here changes an answer.

use std::time::Duration;

use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use tokio::{
    join,
    time::{Instant, timeout_at},
};
use tracing::warn;

use super::{
    lines::Kept,
    metrics::{Metrics, Outcome},
    provider_logs::LogStream,
    undelivered::Undelivered,
};
use crate::{
    ANSWER_TIME, Connections, DELIVERY_TIME, ProviderContext,
    aws::retry_quota,
    names::{is_region, is_type_name},
};

/// Time reserved to report that logs were not delivered.
const TIME_TO_REPORT: Duration = Duration::from_millis(250);

/// How long to wait before a call of the delivery is sent again.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Where an invocation's logs and metrics go.
pub(crate) struct Delivery {
    logs: aws_sdk_cloudwatchlogs::Client,
    metrics: aws_sdk_cloudwatch::Client,
    stream: LogStream,
    resource_type: String,
}

impl Delivery {
    /// `None` if the type was registered without logging, or the request does not say enough.
    pub(crate) fn of(connections: &Connections, provider: &ProviderContext) -> Option<Self> {
        let (credentials, group) =
            (provider.provider_credentials.as_ref()?, provider.provider_log_group_name.as_ref()?);
        let region = provider.region.as_ref().filter(|region| is_region(region))?;
        let resource_type = provider.resource_type.clone().filter(|name| is_type_name(name))?;
        // No call takes longer than the delivery.
        let timeouts = TimeoutConfig::builder().operation_timeout(DELIVERY_TIME).build();
        // A connection that was kept while Lambda froze the process may be dead.
        let retries = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(RETRY_DELAY);
        let config = connections.for_provider(credentials, region);
        let config = config.into_builder().timeout_config(timeouts).retry_config(retries).build();
        let logs = aws_sdk_cloudwatchlogs::config::Builder::from(&config).retry_partition(retry_quota());
        let metrics = aws_sdk_cloudwatch::config::Builder::from(&config).retry_partition(retry_quota());
        Some(Self {
            logs: aws_sdk_cloudwatchlogs::Client::from_conf(logs.build()),
            metrics: aws_sdk_cloudwatch::Client::from_conf(metrics.build()),
            stream: LogStream::of(provider, group),
            resource_type,
        })
    }

    /// Sends logs and metrics side by side, `time_left` before Lambda ends the invocation. A failure is a line on standard
    /// output; a failure to deliver logs is a metric as well.
    pub(crate) async fn send(&self, logged: &Kept, outcome: &Outcome, time_left: Duration) {
        let (start, time) = (Instant::now(), time_left.saturating_sub(ANSWER_TIME).min(DELIVERY_TIME));
        let end = start + time;
        let metrics = Metrics { client: &self.metrics, resource_type: &self.resource_type };
        let logs = async {
            let put = self.stream.put(&self.logs, &logged.lines);
            let delivered = within(start + time.saturating_sub(TIME_TO_REPORT), put).await;
            if let Err(why) = &delivered {
                warn!(service = "CloudWatch Logs", outcome = why.0, "logs not delivered");
            }
            delivered
        };
        let (logs, counted) = join!(logs, within(end, metrics.put_outcome(outcome)));
        let reported = match &logs {
            Ok(()) => Ok(()),
            Err(why) => within(end, metrics.put_undelivered_logs(why)).await,
        };
        for Undelivered(why) in [counted, reported].into_iter().filter_map(Result::err) {
            warn!(service = "CloudWatch", outcome = why, "metrics not delivered");
        }
        if logged.omitted > 0 {
            warn!(lines = logged.omitted, "more was logged than is delivered");
        }
    }
}

async fn within(end: Instant, work: impl Future<Output = Result<(), Undelivered>>) -> Result<(), Undelivered> {
    timeout_at(end, work).await.unwrap_or_else(|_| Err(Undelivered("Timeout".to_owned())))
}
