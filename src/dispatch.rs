//! From an event to the progress event that answers it: decode, recast, validate, hand on to the handler.
//!
//! Whatever goes wrong on the way, a panic included, becomes a FAILED event: CloudFormation cannot read anything
//! else.

use std::{panic::AssertUnwindSafe, time::Duration};

use access_key_handlers::{Deadline, handle};
use access_key_schema::{
    Action, HandlerError, HandlerErrorCode, ProgressEvent, Request, RequestContext, RequestPayload, Result,
    TypeConfiguration,
};
use futures_util::FutureExt;
use serde_json::Value;
use tracing::{error, info};

use crate::{
    clients::Clients,
    decode::{Event, decode, properties, without_value},
    validate::{Rules, model},
};

/// Answers an event, `time_left` before Lambda ends the invocation.
pub(crate) async fn answer(clients: &Clients, event: Event, time_left: Duration) -> ProgressEvent {
    let answer = contain_panics(respond(clients, event, time_left)).await;
    match answer {
        Ok(event) => {
            info!(status = ?event.status, "answered");
            event
        }
        Err(error) => {
            error!(code = %error.code, error.message, "failed");
            error.into()
        }
    }
}

async fn respond(clients: &Clients, event: Event, time_left: Duration) -> Result<ProgressEvent> {
    let (payload, context) = decode(event)?;
    let action: Action = payload.action.parse()?;
    info!(%action, stack_id = context.stack_id, logical_resource_id = context.logical_resource_id, "asked");
    let credentials = payload.caller_credentials.clone().ok_or_else(no_credentials)?;
    let region = payload.region.clone().filter(|region| is_host_label(region));
    let region = region.ok_or_else(|| invalid("the request names no region, or none that could be one"))?;
    let request = typed(action, region, payload, context)?;
    let deadline = Deadline::after(time_left.saturating_sub(MARGIN).min(time_of(action)));
    let services = clients.services(&credentials, request.region.clone(), request.type_configuration.clone(), deadline);
    handle(&services, &request).await
}

/// What is kept of an invocation's time to write the answer.
const MARGIN: Duration = Duration::from_secs(1);

/// How long CloudFormation waits for a handler, less some time to answer: 60 seconds, 30 for READ and LIST.
fn time_of(action: Action) -> Duration {
    match action {
        Action::Read | Action::List => Duration::from_secs(27),
        Action::Create | Action::Update | Action::Delete => Duration::from_secs(57),
    }
}

/// The request with its properties recast and, where the action demands it, validated.
fn typed(action: Action, region: String, payload: RequestPayload, context: RequestContext) -> Result<Request> {
    let rules = match action {
        _ if context.callback_context.is_some() => Rules::Callback,
        Action::Create => Rules::Create,
        Action::Update => Rules::Update,
        Action::Read | Action::Delete | Action::List => Rules::Lookup,
    };
    let previous = payload.previous_resource_properties;
    Ok(Request {
        action,
        desired: model(properties(payload.resource_properties.unwrap_or_default())?, rules)?,
        previous: previous.map(|previous| model(properties(previous)?, Rules::Previous)).transpose()?,
        type_configuration: type_configuration(payload.type_configuration)?,
        region,
        context,
    })
}

fn type_configuration(configuration: Option<Value>) -> Result<TypeConfiguration> {
    let Some(configuration) = configuration else { return Ok(TypeConfiguration::default()) };
    serde_json::from_value(configuration).map_err(|error| {
        HandlerError::new(
            HandlerErrorCode::InvalidTypeConfiguration,
            format!(
                "the type configuration cannot be used: {}. Set it with SetTypeConfiguration",
                without_value(&error)
            ),
        )
    })
}

/// A region is part of the host names that AWS is asked at.
fn is_host_label(region: &str) -> bool {
    !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn no_credentials() -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::InvalidCredentials,
        "the request carries no caller credentials: register the type with an execution role, or pass credentials",
    )
}

fn invalid(message: &str) -> HandlerError {
    HandlerError::new(HandlerErrorCode::InvalidRequest, message)
}

/// The process outlives a handler that panics. The panic hook has logged where it happened.
async fn contain_panics(work: impl Future<Output = Result<ProgressEvent>>) -> Result<ProgressEvent> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Err(HandlerError::new(
            HandlerErrorCode::InternalFailure,
            "the handler failed because of a bug in it; its log says where",
        ))
    })
}

#[cfg(test)]
mod tests {
    use access_key_schema::OperationStatus;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    /// The whole request in `tests/requests`, as an UPDATE that carries the secret along.
    fn update() -> (RequestPayload, RequestContext) {
        let mut event: Value = serde_json::from_str(include_str!("../tests/requests/registry.json")).unwrap();
        let properties = json!({"UserName": "alice", "Id": "AKIA", "SecretAccessKey": "wJalrXUtnFEMI"});
        event["requestData"]["resourceProperties"] = properties.clone();
        event["requestData"]["previousResourceProperties"] = properties;
        decode(Event::deserialize(event).unwrap()).unwrap()
    }

    #[test]
    fn neither_a_request_nor_its_services_show_a_secret_in_debug() {
        let (payload, context) = update();
        let credentials = payload.caller_credentials.clone().unwrap();
        let request = typed(Action::Update, "us-east-1".to_owned(), payload, context).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clients = runtime.block_on(Clients::from_environment());
        let services = clients.services(
            &credentials,
            request.region.clone(),
            request.type_configuration.clone(),
            Deadline::after(Duration::from_secs(1)),
        );
        let debug = format!("{credentials:?} {request:#?} {clients:#?} {services:#?}");
        assert!(debug.contains("alice"), "{debug}");
        for secret in ["ThatMustNotBeLogged", "wJalr"] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_an_internal_failure_without_the_words_of_the_panic() {
        let error = contain_panics(async { panic!("wJalrXUtnFEMI") }).await.unwrap_err();
        assert_eq!(error.code, HandlerErrorCode::InternalFailure);
        assert!(!error.message.contains("wJalr"));
        let event = ProgressEvent::from(error);
        assert_eq!(event.status, OperationStatus::Failed);
    }

    /// Any JSON, a few levels deep.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let name = prop_oneof![
                "[A-Za-z]{1,12}",
                Just("requestData".to_owned()),
                Just("action".to_owned()),
                Just("Tags".to_owned()),
                Just("__COMPRESSED__".to_owned()),
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..6).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    /// Without credentials whatever is asked fails, before AWS is called.
    fn assert_well_formed_failure(event: Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shown = event.to_string();
        let answer = runtime.block_on(async {
            let clients = Clients::from_environment().await;
            answer(&clients, Event::deserialize(event).unwrap(), Duration::MAX).await
        });
        let answer = serde_json::to_value(answer).unwrap();
        let fields: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["status", "errorCode", "message"], "{shown}: {answer}");
        assert!(answer["status"] == "FAILED" && answer["message"] != "", "{shown}: {answer}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_json_at_all_gets_a_well_formed_event(event in any_json()) {
            assert_well_formed_failure(event);
        }

        #[test]
        fn a_request_with_any_json_in_any_place_gets_a_well_formed_event(
            json in any_json(),
            place in prop::sample::select(vec![
                "/action", "/region", "/bearerToken", "/callbackContext", "/nextToken", "/maxResults", "/requestData",
                "/requestData/resourceProperties", "/requestData/resourceProperties/UserName",
                "/requestData/resourceProperties/Serial", "/requestData/previousResourceProperties",
                "/requestData/stackTags", "/requestData/typeConfiguration",
            ]),
        ) {
            let mut event: Value = serde_json::from_str(include_str!("../tests/requests/registry.json")).unwrap();
            *event.pointer_mut(place).unwrap() = json;
            if let Some(data) = event["requestData"].as_object_mut() {
                data.remove("callerCredentials");
            }
            assert_well_formed_failure(event);
        }
    }
}
