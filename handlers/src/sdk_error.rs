//! The one place that turns the error of an AWS service, or of the way to it, into a handler error.

use access_key_schema::{HandlerError, HandlerErrorCode};
use aws_sdk_iam::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use cfn_resource_runtime::is_identifier;

use crate::confidential::Confidential;

/// The error of `operation`, called for `subject` ("user alice", "key AKIA… of user alice"). The service's message may quote what
/// it was sent, so `confidential` is taken out of it. When credentials are refused, only the code is told: the message about a
/// signature that does not match is the request, session token and all.
pub(crate) fn failed<E>(
    operation: &str,
    subject: &str,
    error: &SdkError<E, HttpResponse>,
    confidential: &Confidential,
) -> HandlerError
where
    E: ProvideErrorMetadata,
{
    let (code, reason) = match error {
        SdkError::ServiceError(service) => {
            let name = service.err().code().filter(|code| is_identifier(code));
            let name = name.unwrap_or("the answer cannot be read");
            let message = service.err().message();
            let code = match handler_error_code(name, service.raw().status().as_u16()) {
                HandlerErrorCode::AccessDenied if is_tagging(operation, message) => {
                    HandlerErrorCode::UnauthorizedTaggingOperation
                }
                code => code,
            };
            let reason = match message {
                Some(message) if code != HandlerErrorCode::InvalidCredentials => {
                    format!("{name}: {}", confidential.redact(message))
                }
                _ => name.to_owned(),
            };
            (code, reason)
        }
        SdkError::TimeoutError(_) => return timed_out(operation, subject),
        SdkError::DispatchFailure(_) => (HandlerErrorCode::NetworkFailure, "AWS could not be reached".to_owned()),
        SdkError::ResponseError(response) if response.raw().status().is_server_error() => {
            (HandlerErrorCode::ServiceInternalError, "AWS answered with an error that cannot be read".to_owned())
        }
        SdkError::ResponseError(_) => {
            (HandlerErrorCode::NetworkFailure, "the answer broke off or cannot be read".to_owned())
        }
        _ => (HandlerErrorCode::InternalFailure, "the request could not be built".to_owned()),
    };
    let request_id = error.request_id().filter(|id| is_identifier(id));
    let request_id = request_id.map(|id| format!(" (request id {id})")).unwrap_or_default();
    HandlerError::new(code, format!("{operation} for {subject} failed: {reason}{request_id}"))
}

/// The error of an `operation` that took too long.
pub(crate) fn timed_out(operation: &str, subject: &str) -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::NetworkFailure,
        format!("{operation} for {subject} failed: AWS did not answer in time"),
    )
}

/// Whether tagging was denied, which has a handler error code of its own. Creating a secret with tags takes the permission to tag
/// as well; AWS's message names the permission that is missing.
fn is_tagging(operation: &str, message: Option<&str>) -> bool {
    let tags = ["TagResource", "UntagResource", "TagUser", "UntagUser"];
    tags.contains(&operation) || message.is_some_and(|message| message.contains("secretsmanager:TagResource"))
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
        "InvalidClientTokenId"
        | "UnrecognizedClient"
        | "ExpiredToken"
        | "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => HandlerErrorCode::InvalidCredentials,
        "Throttling" | "TooManyRequests" | "RequestLimitExceeded" => HandlerErrorCode::Throttling,
        "EntityTemporarilyUnmodifiable" | "ConcurrentModification" => HandlerErrorCode::ResourceConflict,
        "ServiceFailure" | "InternalFailure" => HandlerErrorCode::ServiceInternalError,
        // The service succeeded, and its answer broke off.
        _ if http_status < 300 => HandlerErrorCode::NetworkFailure,
        _ if http_status == 429 => HandlerErrorCode::Throttling,
        _ if http_status >= 500 => HandlerErrorCode::ServiceInternalError,
        _ => HandlerErrorCode::GeneralServiceException,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::SystemTime};

    use access_key_schema::{Result, TypeConfiguration, UserName};
    use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
    use aws_smithy_http_client::test_util::infallible_client_fn;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::{Clock, Iam, SecretStore, secret_store::SecretValue};

    macro_rules! client {
        ($sdk:ident, $status:expr, $body:expr) => {{
            let (status, body): (u16, String) = ($status, $body);
            let answer = move |_| {
                http::Response::builder()
                    .status(status)
                    .header("x-amzn-requestid", "11111111-2222-3333-4444-555555555555")
                    .body(SdkBody::from(body.clone()))
                    .unwrap()
            };
            let config = $sdk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider(Credentials::for_tests())
                .region(Region::from_static("us-east-1"))
                .retry_config(RetryConfig::disabled())
                .http_client(infallible_client_fn(answer))
                .build();
            $sdk::Client::from_conf(config)
        }};
    }

    fn now() -> Clock {
        Clock::starting_at(SystemTime::now())
    }

    /// The handler error for an error of IAM's.
    async fn iam(status: u16, code: &str) -> HandlerError {
        let body = format!("<ErrorResponse><Error><Code>{code}</Code><Message>why</Message></Error></ErrorResponse>");
        let client = client!(aws_sdk_iam, status, body);
        let user = UserName::try_from("alice".to_owned()).unwrap();
        Iam::new(client, now(), Confidential::default()).list_access_keys(&user).await.unwrap_err()
    }

    /// The handler error for an error of Secrets Manager's.
    async fn secrets_manager(status: u16, code: &str) -> Result<()> {
        let body = format!(r#"{{"__type":"{code}","message":"why"}}"#);
        let client = client!(aws_sdk_secretsmanager, status, body);
        SecretStore::new(client, TypeConfiguration::default(), Confidential::default())
            .delete("AKIAIOSFODNN7EXAMPLE")
            .await
    }

    #[tokio::test]
    async fn every_error_of_either_service_has_its_handler_error_code() {
        use HandlerErrorCode::*;
        let rows = [
            (404, "NoSuchEntity", NotFound),
            (409, "LimitExceeded", ServiceLimitExceeded),
            (400, "LimitExceededException", ServiceLimitExceeded),
            (400, "InvalidInput", InvalidRequest),
            (400, "ValidationError", InvalidRequest),
            (400, "ValidationException", InvalidRequest),
            (400, "InvalidParameter", InvalidRequest),
            (400, "InvalidParameterException", InvalidRequest),
            (403, "AccessDenied", AccessDenied),
            (400, "AccessDeniedException", AccessDenied),
            (403, "UnauthorizedOperation", AccessDenied),
            (403, "InvalidClientTokenId", InvalidCredentials),
            (400, "UnrecognizedClientException", InvalidCredentials),
            (403, "ExpiredToken", InvalidCredentials),
            (400, "ExpiredTokenException", InvalidCredentials),
            (403, "SignatureDoesNotMatch", InvalidCredentials),
            (400, "InvalidSignatureException", InvalidCredentials),
            (400, "IncompleteSignature", InvalidCredentials),
            (403, "MissingAuthenticationToken", InvalidCredentials),
            (400, "Throttling", Throttling),
            (400, "ThrottlingException", Throttling),
            (400, "TooManyRequestsException", Throttling),
            (429, "SlowDown", Throttling),
            (400, "RequestLimitExceeded", Throttling),
            (409, "EntityTemporarilyUnmodifiable", ResourceConflict),
            (409, "ConcurrentModification", ResourceConflict),
            (500, "ServiceFailure", ServiceInternalError),
            (500, "InternalFailure", ServiceInternalError),
            (500, "InternalServiceError", ServiceInternalError),
            (503, "ServiceUnavailable", ServiceInternalError),
            (400, "MalformedPolicyDocumentException", GeneralServiceException),
        ];
        for (status, service_code, code) in rows {
            assert_eq!(iam(status, service_code).await.code, code, "IAM's {service_code}");
            let error = secrets_manager(status, service_code).await.err();
            // Deleting what is not there is no error.
            assert_eq!(error.map(|error| error.code), Some(code).filter(|code| *code != NotFound), "{service_code}");
        }
        assert!(secrets_manager(400, "ResourceNotFoundException").await.is_ok());
    }

    #[tokio::test]
    async fn denied_tagging_has_a_code_of_its_own() {
        let stored = serde_json::json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "UserName": "alice"});
        let value: SecretValue = serde_json::from_value(stored).unwrap();
        for (denied, code) in [
            ("TagResource", HandlerErrorCode::UnauthorizedTaggingOperation),
            ("CreateSecret", HandlerErrorCode::AccessDenied),
        ] {
            // IAM writes a colon after "perform", or none.
            for perform in ["perform:", "perform"] {
                let reason =
                    format!("User: role is not authorized to {perform} secretsmanager:{denied} on resource: secret");
                let body = serde_json::json!({"__type": "AccessDeniedException", "message": reason}).to_string();
                let client = client!(aws_sdk_secretsmanager, 400, body);
                let store = SecretStore::new(client, TypeConfiguration::default(), Confidential::default());
                assert_eq!(store.put(&value, &BTreeMap::new()).await.unwrap_err().error.code, code);
            }
        }
    }

    #[tokio::test]
    async fn a_message_names_operation_subject_reason_and_request_id() {
        let message = iam(409, "LimitExceeded").await.message;
        assert_eq!(
            message,
            "ListAccessKeys for user alice failed: LimitExceeded: why \
             (request id 11111111-2222-3333-4444-555555555555)"
        );
        let message = secrets_manager(400, "DecryptionFailure").await.unwrap_err().message;
        assert!(
            message.contains("DeleteSecret for secret cloudformation/iam-access-key/AKIAIOSFODNN7EXAMPLE"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_is_a_network_or_a_service_failure() {
        let user = UserName::try_from("alice".to_owned()).unwrap();
        let iam = |client| Iam::new(client, now(), Confidential::default());
        let broken = iam(client!(aws_sdk_iam, 200, "<ListAccessKeysResponse><ListAcc".to_owned()));
        assert_eq!(broken.list_access_keys(&user).await.unwrap_err().code, HandlerErrorCode::NetworkFailure);
        let html = iam(client!(aws_sdk_iam, 502, "<html>bad gateway".to_owned()));
        assert_eq!(html.list_access_keys(&user).await.unwrap_err().code, HandlerErrorCode::ServiceInternalError);
    }

    #[tokio::test]
    async fn nobody_listening_is_a_network_failure() {
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::for_tests())
            .region(Region::from_static("us-east-1"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url("http://127.0.0.1:1")
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let user = UserName::try_from("alice".to_owned()).unwrap();
        let iam = Iam::new(aws_sdk_iam::Client::from_conf(config), now(), Confidential::default());
        let error = iam.list_access_keys(&user).await.unwrap_err();
        assert_eq!(error.code, HandlerErrorCode::NetworkFailure);
        assert!(error.message.contains("could not be reached"), "{}", error.message);
    }

    #[tokio::test]
    async fn of_refused_credentials_only_the_code_is_told() {
        let codes =
            ["SignatureDoesNotMatch", "InvalidSignatureException", "ExpiredToken", "UnrecognizedClientException"];
        for code in codes {
            let error = iam(403, code).await;
            assert_eq!(error.code, HandlerErrorCode::InvalidCredentials);
            assert_eq!(
                error.message,
                format!(
                    "ListAccessKeys for user alice failed: {code} (request id 11111111-2222-3333-4444-555555555555)"
                )
            );
        }
    }

    #[tokio::test]
    async fn what_stands_in_the_place_of_a_code_and_is_none_is_not_shown() {
        let error = iam(400, "wJalr/XUtn FEMI").await;
        assert!(
            error.message.contains("the answer cannot be read: why") && !error.message.contains("wJalr"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_secret_that_a_service_refuses_and_quotes_is_not_in_the_message() {
        let body =
            r#"{"__type":"ValidationException","message":"'wJalrXUtnFEMI' or 'BMXhUYlu' or '9f1c2b7e' is no good"}"#
                .to_owned();
        let client = client!(aws_sdk_secretsmanager, 400, body);
        let store = SecretStore::new(client, TypeConfiguration::default(), Confidential::default());
        let value: SecretValue = serde_json::from_value(serde_json::json!({
            "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI",
            "SesSmtpPasswordV4": "BMXhUYlu", "UserName": "alice", "ClientRequestToken": "9f1c2b7e",
        }))
        .unwrap();
        let error = store.put(&value, &BTreeMap::new()).await.unwrap_err().error;
        assert!(error.message.contains("'[redacted]' or '[redacted]' or '[redacted]' is no good"), "{}", error.message);
    }
}
