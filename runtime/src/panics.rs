//! A handler that panics fails like any other: the process goes on, and CloudFormation gets an answer.

use std::{future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt;

use crate::{HandlerError, HandlerErrorCode};

/// There was a panic. Its words may quote a secret, so the panic hook logged only where it happened.
#[derive(Debug)]
pub struct Panicked;

impl<M> From<Panicked> for HandlerError<M> {
    fn from(_: Panicked) -> Self {
        Self::new(
            HandlerErrorCode::InternalFailure,
            "The handler failed because of a bug in it. The function's log says where",
        )
    }
}

/// Turns a panic into an error.
///
/// # Errors
/// The error of `work`, or the one that is made from [`Panicked`].
pub async fn contain_panics<T, E: From<Panicked>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(Panicked.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_handler_is_an_internal_failure_without_its_words() {
        let work = async { panic!("wJalrXUtnFEMI") };
        let error: HandlerError<()> = contain_panics::<(), _>(work).await.unwrap_err();
        assert_eq!(error.code, HandlerErrorCode::InternalFailure);
        assert!(!error.message.contains("wJalr"));
    }
}
