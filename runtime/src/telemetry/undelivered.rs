//! Why something could not be delivered.

use aws_sdk_cloudwatchlogs::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::is_identifier;

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
