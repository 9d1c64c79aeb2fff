//! Waits until AWS shows what was written.
//!
//! AWS is eventually consistent. A handler answers `SUCCESS` only when READ would show the same; until then it answers
//! `IN_PROGRESS`, and CloudFormation calls again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Deadline, HandlerError, OPERATION_TIMEOUT};

/// The pause before AWS is asked again whether it shows what was written.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long one look takes at most: one call, and the pause before it.
pub const LOOK_TIME: Duration = OPERATION_TIMEOUT.saturating_add(POLL_INTERVAL);

/// Seconds until CloudFormation calls again while AWS does not show what was written.
pub const CALLBACK_DELAY_SECONDS: u32 = 5;

/// How many invocations wait for AWS. Usually it takes seconds; after minutes something is wrong.
pub const MAX_INVOCATIONS: u32 = 30;

/// Waits a moment, and logs the reason: "waiting until …".
pub async fn pause(reason: &str) {
    tracing::info!("{reason}");
    sleep(POLL_INTERVAL).await;
}

/// Looks until `is_enough` holds, for `wait` at most, and only while one more look and `reserve` fit before the deadline.
/// `reason` says in words what is waited for. Returns what was seen last.
///
/// # Errors
/// The error of a look.
pub async fn poll<T, E>(
    deadline: Deadline,
    reason: &str,
    wait: Duration,
    reserve: Duration,
    is_enough: impl Fn(&T) -> bool,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let start = Instant::now();
    loop {
        let seen = look().await?;
        if is_enough(&seen) || start.elapsed() >= wait || !deadline.leaves(reserve + LOOK_TIME) {
            return Ok(seen);
        }
        pause(reason).await;
    }
}

/// An answer, or `None` for a failure that passes: the next look asks again, as CloudFormation would.
///
/// # Errors
/// A failure that CloudFormation does not retry.
pub fn unless_retriable<T, M>(answer: Result<T, HandlerError<M>>) -> Result<Option<T>, HandlerError<M>> {
    match answer {
        Err(error) if error.code.is_retriable() => Ok(None),
        answer => answer.map(Some),
    }
}
