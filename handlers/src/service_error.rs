//! The one place that turns what an AWS service, or the way to it, says into a handler error.

use access_key_schema::{HandlerError, HandlerErrorCode};
use aws_sdk_iam::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// What became of `operation`, called for `subject` ("user alice", "key AKIA… of user alice").
pub(crate) fn failed<E>(operation: &str, subject: &str, error: &SdkError<E, HttpResponse>) -> HandlerError
where
    E: ProvideErrorMetadata,
{
    let (code, reason) = match error {
        SdkError::ServiceError(service) => {
            let name = service.err().code().unwrap_or("an error without a code");
            let code = handler_error_code(name, service.raw().status().as_u16());
            let reason = match service.err().message() {
                Some(message) => format!("{name}: {message}"),
                None => name.to_owned(),
            };
            (code, reason)
        }
        SdkError::TimeoutError(_) => (HandlerErrorCode::NetworkFailure, "AWS did not answer in time".to_owned()),
        SdkError::DispatchFailure(_) => (HandlerErrorCode::NetworkFailure, "AWS could not be reached".to_owned()),
        SdkError::ResponseError(response) if response.raw().status().is_server_error() => {
            (HandlerErrorCode::ServiceInternalError, "AWS answered with an error that cannot be read".to_owned())
        }
        SdkError::ResponseError(_) => {
            (HandlerErrorCode::NetworkFailure, "the answer broke off or cannot be read".to_owned())
        }
        _ => (HandlerErrorCode::InternalFailure, "the request could not be built".to_owned()),
    };
    let request_id = error.request_id().map(|id| format!(" (request id {id})")).unwrap_or_default();
    HandlerError::new(code, format!("{operation} for {subject} failed: {reason}{request_id}"))
}

/// The handler error code for a service's error code, by the code's name, and by the HTTP status where the name
/// says nothing.
///
/// IAM's names come from its Query protocol (`Throttling`), Secrets Manager's from JSON (`ThrottlingException`).
fn handler_error_code(service_code: &str, http_status: u16) -> HandlerErrorCode {
    match service_code.strip_suffix("Exception").unwrap_or(service_code) {
        "NoSuchEntity" | "ResourceNotFound" => HandlerErrorCode::NotFound,
        "LimitExceeded" => HandlerErrorCode::ServiceLimitExceeded,
        "InvalidInput" | "ValidationError" | "Validation" | "InvalidParameter" => HandlerErrorCode::InvalidRequest,
        "AccessDenied" | "UnauthorizedOperation" => HandlerErrorCode::AccessDenied,
        "InvalidClientTokenId" | "UnrecognizedClient" | "ExpiredToken" | "SignatureDoesNotMatch" => {
            HandlerErrorCode::InvalidCredentials
        }
        "Throttling" | "TooManyRequests" | "RequestLimitExceeded" => HandlerErrorCode::Throttling,
        "EntityTemporarilyUnmodifiable" | "ConcurrentModification" => HandlerErrorCode::ResourceConflict,
        "ServiceFailure" | "InternalFailure" => HandlerErrorCode::ServiceInternalError,
        _ if http_status == 429 => HandlerErrorCode::Throttling,
        _ if http_status >= 500 => HandlerErrorCode::ServiceInternalError,
        _ => HandlerErrorCode::GeneralServiceException,
    }
}
