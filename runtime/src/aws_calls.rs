//! A log line for every attempt of every call to AWS.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeTransmitInterceptorContextRef, Error, FinalizerInterceptorContextRef},
        },
        orchestrator::{HttpResponse, Metadata, OrchestratorError},
        retries::RequestAttempts,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_types::request_id::RequestId;
use serde_json::Value;
use tokio::time::Instant;
use tracing::info;

use crate::is_identifier;

/// Logs each attempt of a call: service, operation, number of the attempt, duration, AWS's id of the attempt, and outcome. It
/// never logs the request or the answer.
#[derive(Debug)]
pub struct AwsCalls;

#[derive(Debug)]
struct Start(Instant);

impl Storable for Start {
    type Storer = StoreReplace<Self>;
}

impl Intercept for AwsCalls {
    fn name(&self) -> &'static str {
        "AwsCalls"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Start(Instant::now()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let call = config.load::<Metadata>();
        let response = context.response();
        info!(
            service = call.map(Metadata::service),
            operation = call.map(Metadata::name),
            attempt = config.load::<RequestAttempts>().map(RequestAttempts::attempts),
            duration_ms = config.load::<Start>().map(milliseconds),
            aws_request_id = response.and_then(RequestId::request_id).filter(|id| is_identifier(id)),
            outcome = match context.output_or_error() {
                Some(Err(error)) => failure(error, response),
                _ => "OK".to_owned(),
            },
            "AWS called"
        );
        Ok(())
    }
}

fn milliseconds(Start(start): &Start) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Why an attempt failed: AWS's own code, or how the way to AWS failed.
fn failure(error: &OrchestratorError<Error>, response: Option<&HttpResponse>) -> String {
    if error.is_timeout_error() {
        return "Timeout".to_owned();
    }
    let Some(response) = response else { return "NoConnection".to_owned() };
    let status = response.status().as_u16();
    match response.body().bytes().and_then(error_code) {
        Some(code) => code,
        None => format!("Http{status}"),
    }
}

/// The code in the body of an error: the SDK shows it only where the operation, and so the type of its error, is known.
/// IAM answers in XML, Secrets Manager in JSON.
fn error_code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let json = serde_json::from_str::<Value>(text).ok();
    let code = match &json {
        Some(json) => json.get("__type")?.as_str()?.rsplit('#').next()?,
        None => text.split_once("<Code>")?.1.split_once("</Code>")?.0,
    };
    is_identifier(code).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_code_is_found_in_xml_and_json_and_no_other_text_counts_as_one() {
        for (body, code) in [
            (
                "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>x</Message></Error></ErrorResponse>",
                "NoSuchEntity",
            ),
            (r#"{"__type":"ResourceNotFoundException","Message":"x"}"#, "ResourceNotFoundException"),
            (r#"{"__type":"com.amazonaws.secretsmanager#InternalServiceError"}"#, "InternalServiceError"),
        ] {
            assert_eq!(error_code(body.as_bytes()).as_deref(), Some(code));
        }
        for body in
            ["", "<Code>", "<Code>wJalr XUtn</Code>", "{}", r#"{"__type":["wJalr"]}"#, r#"{"__type":"wJalr/XUtn"}"#]
        {
            assert_eq!(error_code(body.as_bytes()), None, "{body}");
        }
    }
}
