//! How much time an invocation has left.

use std::{future::Future, time::Duration};

use access_key_schema::{HandlerError, HandlerErrorCode, Result};
use tokio::time::{Instant, timeout_at};

/// The moment by which an invocation must have answered.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `time` from now.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// What is left, zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Gives `work` up at the deadline. Only for work that changes nothing.
    ///
    /// # Errors
    /// What `work` answers, or `NetworkFailure`, which CloudFormation retries.
    pub(crate) async fn bound<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        timeout_at(self.0, work).await.unwrap_or_else(|_| {
            Err(HandlerError::new(
                HandlerErrorCode::NetworkFailure,
                "AWS did not answer within the time a handler has; nothing was changed",
            ))
        })
    }
}
