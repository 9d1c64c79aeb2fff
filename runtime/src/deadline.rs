//! When an invocation has to have answered, and how long one call to AWS may take.
//!
//! CloudFormation gives CREATE, UPDATE and DELETE 60 seconds, READ and LIST 30 ([handler contract]).
//!
//! [handler contract]: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::{Action, HandlerError, HandlerErrorCode};

/// How long connecting to AWS takes at most.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one attempt of a call to AWS takes at most.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);

/// How long one call to AWS takes at most, its retries included.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(9);

/// How long a request and its answer travel between CloudFormation and the function at most.
const TRANSFER_TIME: Duration = Duration::from_secs(2);

/// How long delivering an invocation's logs and metrics takes at most, after the handler and before its answer.
pub const DELIVERY_TIME: Duration = Duration::from_secs(1);

/// How long writing the answer takes at most.
pub const ANSWER_TIME: Duration = Duration::from_secs(1);

/// How long CREATE, UPDATE and DELETE may run: CloudFormation's 60 seconds, less the transfer and the delivery.
pub const WRITE_LIMIT: Duration = Duration::from_mins(1).saturating_sub(TRANSFER_TIME).saturating_sub(DELIVERY_TIME);

/// The same for READ and LIST, which have 30 seconds.
pub const READ_LIMIT: Duration = Duration::from_secs(30).saturating_sub(TRANSFER_TIME).saturating_sub(DELIVERY_TIME);

/// The moment by which an invocation must have answered.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of an invocation that Lambda ends in `time_left`.
    #[must_use]
    pub fn of(action: Action, time_left: Duration) -> Self {
        let limit = match action {
            Action::Read | Action::List => READ_LIMIT,
            Action::Create | Action::Update | Action::Delete => WRITE_LIMIT,
        };
        Self::after(time_left.saturating_sub(ANSWER_TIME + DELIVERY_TIME).min(limit))
    }

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

    /// Whether at least `time` is left.
    #[must_use]
    pub fn leaves(self, time: Duration) -> bool {
        self.remaining() >= time
    }

    /// Gives `work` up at the deadline. Only for work that changes nothing.
    ///
    /// # Errors
    /// What `work` answers, or `NetworkFailure`, which CloudFormation retries.
    pub async fn bound<T, M>(
        self,
        work: impl Future<Output = Result<T, HandlerError<M>>>,
    ) -> Result<T, HandlerError<M>> {
        timeout_at(self.0, work).await.unwrap_or_else(|_| {
            Err(HandlerError::new(
                HandlerErrorCode::NetworkFailure,
                "AWS did not answer within the time that a handler has",
            ))
        })
    }

    /// Refuses to begin a write of so many calls if it might not end in time: a write may not be given up. For work that can be
    /// done again from its beginning.
    ///
    /// # Errors
    /// `NetworkFailure`, which CloudFormation retries: less than the time of these calls is left.
    pub fn refuse_late_write<M>(self, calls: u32) -> Result<(), HandlerError<M>> {
        if self.leaves(OPERATION_TIMEOUT * calls) {
            return Ok(());
        }
        Err(HandlerError::new(
            HandlerErrorCode::NetworkFailure,
            "AWS answered so slowly that the time of this invocation is over before everything was written. Try again",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lambda_may_end_an_invocation_earlier_than_cloudformation() {
        assert_eq!(Deadline::of(Action::Create, Duration::MAX).remaining(), WRITE_LIMIT);
        assert_eq!(Deadline::of(Action::List, Duration::MAX).remaining(), READ_LIMIT);
        assert_eq!(Deadline::of(Action::Read, Duration::from_secs(10)).remaining(), Duration::from_secs(8));
        assert_eq!(Deadline::of(Action::Read, Duration::ZERO).remaining(), Duration::ZERO);
    }
}
