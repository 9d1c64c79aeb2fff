//! The delivery of an invocation's lines to the log group of the type's provider.

use aws_sdk_cloudwatchlogs::{Client, error::SdkError, types::InputLogEvent};

use super::{lines::Line, undelivered::Undelivered};
use crate::ProviderContext;

/// The longest name of a log stream, in characters ([`CreateLogStream`]).
///
/// [`CreateLogStream`]: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html
const MAX_STREAM_NAME: usize = 512;

/// Where the lines go.
#[derive(Debug)]
pub(crate) struct LogStream {
    group: String,
    stream: String,
}

impl LogStream {
    /// The stream of the resource in its stack, or of the account and region if there is no stack. The official runtimes use the
    /// same names.
    pub(crate) fn of(provider: &ProviderContext, group: &str) -> Self {
        let stream = match (&provider.stack_id, &provider.logical_resource_id) {
            (Some(stack), Some(resource)) => format!("{stack}/{resource}"),
            _ => format!(
                "{}-{}",
                provider.aws_account_id.as_deref().unwrap_or_default(),
                provider.region.as_deref().unwrap_or_default()
            ),
        };
        // No stream's name may hold these two.
        let stream = stream.replace([':', '*'], "__").chars().take(MAX_STREAM_NAME).collect();
        Self { group: group.to_owned(), stream }
    }

    /// Sends the lines. It does not look for the stream or group first, but creates it, once, when AWS misses it.
    ///
    /// # Errors
    /// What AWS answers, or how the way to it failed.
    pub(crate) async fn put(&self, client: &Client, lines: &[Line]) -> Result<(), Undelivered> {
        let events: Vec<_> = lines
            .iter()
            .filter_map(|line| InputLogEvent::builder().timestamp(line.time).message(&line.json).build().ok())
            .collect();
        if events.is_empty() {
            return Ok(());
        }
        let put = || {
            let call = client.put_log_events().log_group_name(&self.group).log_stream_name(&self.stream);
            call.set_log_events(Some(events.clone())).send()
        };
        let answer = match put().await {
            Err(SdkError::ServiceError(error)) if error.err().is_resource_not_found_exception() => {
                self.create(client).await?;
                put().await
            }
            answer => answer,
        };
        match answer?.rejected_log_events_info {
            None => Ok(()),
            Some(_) => Err(Undelivered("rejectedLogEventsInfo".to_owned())),
        }
    }

    async fn create(&self, client: &Client) -> Result<(), Undelivered> {
        if self.create_stream(client).await? {
            return Ok(());
        }
        match client.create_log_group().log_group_name(&self.group).send().await {
            Err(SdkError::ServiceError(error)) if error.err().is_resource_already_exists_exception() => {}
            created => {
                created?;
            }
        }
        self.create_stream(client).await.map(|_| ())
    }

    /// Creates the stream, and returns whether it exists: `false` if its group is missing.
    async fn create_stream(&self, client: &Client) -> Result<bool, Undelivered> {
        let call = client.create_log_stream().log_group_name(&self.group).log_stream_name(&self.stream);
        match call.send().await {
            Err(SdkError::ServiceError(error)) if error.err().is_resource_already_exists_exception() => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_resource_not_found_exception() => Ok(false),
            created => Ok(created.map(|_| true)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_after_stack_and_resource_or_else_account_and_region() {
        let some = |text: &str| Some(text.to_owned());
        let name = |provider: &ProviderContext| LogStream::of(provider, "group").stream;
        let mut provider = ProviderContext {
            aws_account_id: some("123456789012"),
            region: some("eu-central-1"),
            logical_resource_id: some("DeployKey"),
            ..ProviderContext::default()
        };
        assert_eq!(name(&provider), "123456789012-eu-central-1");
        provider.stack_id = some("arn:aws:cloudformation:eu-central-1:123456789012:stack/a*/5c2b");
        let stream = "arn__aws__cloudformation__eu-central-1__123456789012__stack/a__/5c2b/DeployKey";
        assert_eq!(name(&provider), stream);
        provider.stack_id = Some("é".repeat(600));
        assert_eq!(name(&provider), "é".repeat(512));
    }
}
