//! The delivery of what one invocation logged and how it went, to the account that registered the type.
//!
//! Lambda freezes the process after the answer, so it is done before it: for a second at most, which the handlers leave of
//! their time. Nothing that goes wrong here changes an answer.

use std::time::Duration;

use access_key_handlers::{ANSWER_TIME, DELIVERY_TIME, is_identifier};
use access_key_schema::ProviderContext;
use aws_sdk_cloudwatchlogs::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use tokio::{
    join,
    time::{Instant, timeout_at},
};
use tracing::warn;

use super::{
    lines::Kept,
    metrics::{Metrics, Outcome},
    provider_logs::LogStream,
};
use crate::{
    clients::{Clients, DeliveryClients},
    validate::{is_type_name, region},
};

/// What a second is kept of for the metric that says that the logs could not be delivered.
const TIME_TO_REPORT: Duration = Duration::from_millis(250);

/// Why something could not be delivered: AWS's own code, or how the way to AWS failed. Never AWS's words, which may quote
/// what they refuse.
#[derive(Debug)]
pub(crate) struct Undelivered(pub(crate) String);

impl<E: ProvideErrorMetadata> From<SdkError<E, HttpResponse>> for Undelivered {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        Self(match &error {
            SdkError::TimeoutError(_) => "Timeout".to_owned(),
            SdkError::DispatchFailure(_) => "NoConnection".to_owned(),
            error => error.code().filter(|code| is_identifier(code)).unwrap_or("UnreadableAnswer").to_owned(),
        })
    }
}

/// Where an invocation's logs and metrics go.
pub(crate) struct Delivery {
    clients: DeliveryClients,
    stream: LogStream,
    resource_type: String,
}

impl Delivery {
    /// `None` where the type was registered without logging, or the request does not say enough of itself.
    pub(crate) fn of(clients: &Clients, provider: &ProviderContext) -> Option<Self> {
        let (credentials, group) =
            (provider.provider_credentials.as_ref()?, provider.provider_log_group_name.as_ref()?);
        let region = region(provider.region.clone()).ok()?;
        Some(Self {
            clients: clients.delivery(credentials, &region),
            stream: LogStream::of(provider, group),
            resource_type: provider.resource_type.clone().filter(|name| is_type_name(name))?,
        })
    }

    /// Sends logs and metrics side by side, `time_left` before Lambda ends the invocation. What fails is a line on standard
    /// output; the logs' failure is a metric as well.
    pub(crate) async fn send(&self, logged: &Kept, outcome: &Outcome, time_left: Duration) {
        let (start, time) = (Instant::now(), time_left.saturating_sub(ANSWER_TIME).min(DELIVERY_TIME));
        let end = start + time;
        let metrics = Metrics { client: &self.clients.metrics, resource_type: &self.resource_type };
        let logs = async {
            let put = self.stream.put(&self.clients.logs, &logged.lines);
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
