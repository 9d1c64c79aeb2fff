//! A handler that panics fails like any other: the process outlives it, and CloudFormation gets an answer.

use std::{future::Future, panic::AssertUnwindSafe};

use access_key_schema::{HandlerError, HandlerErrorCode};
use futures_util::FutureExt;

/// Turns a panic into an error, without the words of the panic, which may quote a secret. The panic hook logs where it
/// happened.
///
/// # Errors
/// What `work` answers, or `InternalFailure`.
pub async fn contain_panics<T, E: From<HandlerError>>(
    work: impl Future<Output = std::result::Result<T, E>>,
) -> std::result::Result<T, E> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Err(E::from(HandlerError::new(
            HandlerErrorCode::InternalFailure,
            "The handler failed because of a bug in it. The function's log says where",
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_an_internal_failure_without_the_words_of_the_panic() {
        let work = async { panic!("wJalrXUtnFEMI") };
        let error: HandlerError = contain_panics::<(), _>(work).await.unwrap_err();
        assert_eq!(error.code, HandlerErrorCode::InternalFailure);
        assert!(!error.message.contains("wJalr"));
    }
}
