//! From an event to the progress event that answers it.
//!
//! Whatever goes wrong on the way, a panic included, becomes a FAILED event: CloudFormation cannot read anything else.

use std::time::Duration;

use access_key_handlers::{Deadline, contain_panics, handle};
use access_key_schema::{
    AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, ProviderContext, RequestContext, RequestPayload, Result,
};
use tracing::{Span, error, info};

use crate::{
    clients::Clients,
    decode::{Event, Fields},
    telemetry,
    validate::validate,
};

/// The answer to an event, `time_left` before Lambda ends the invocation. What happened is delivered before it returns.
pub async fn answer(clients: &Clients, event: Event, time_left: Duration) -> ProgressEvent {
    let decode = async {
        let fields = Fields::of(event)?;
        let provider = fields.provider_context();
        Ok::<_, HandlerError>((fields, provider))
    };
    let (fields, provider) = match contain_panics(decode).await {
        Ok((fields, provider)) => (Ok(fields), provider),
        Err(error) => (Err(error), ProviderContext::default()),
    };
    telemetry::observe(clients, &provider, time_left, outcome(clients, fields, &provider, time_left)).await
}

async fn outcome(
    clients: &Clients,
    fields: Result<Fields>,
    provider: &ProviderContext,
    time_left: Duration,
) -> ProgressEvent {
    info!(
        stack_id = provider.stack_id,
        logical_resource_id = provider.logical_resource_id,
        resource_type = provider.resource_type,
        resource_type_version = provider.resource_type_version,
        region = provider.region,
        "request received"
    );
    match respond(clients, fields, time_left).await {
        Ok(event) => {
            record_id(event.resource_model.as_ref());
            info!(status = %event.status, "request completed");
            event
        }
        Err(error) => {
            record_id(error.resource_model.as_deref());
            error!(code = %error.code, error_message = error.message, "request failed");
            error.into()
        }
    }
}

async fn respond(clients: &Clients, fields: Result<Fields>, time_left: Duration) -> Result<ProgressEvent> {
    let (payload, context) = contain_panics(async { fields?.request() }).await?;
    let updated = payload.updated_key();
    contain_panics(serve(clients, payload, context, time_left)).await.map_err(|error| error.about(updated))
}

async fn serve(
    clients: &Clients,
    mut payload: RequestPayload,
    context: RequestContext,
    time_left: Duration,
) -> Result<ProgressEvent> {
    // The event that SAM's documentation shows for the test entry point names no region.
    payload.region = payload.region.or_else(|| clients.function_region.clone());
    let caller = payload.caller_credentials.take().ok_or_else(no_credentials)?;
    let request = validate(payload, context)?;
    if request.primary_identifier().is_ok() {
        record_id(Some(&request.desired));
    }
    let deadline = Deadline::of(request.action, time_left);
    let services = clients.services(&caller, &request, deadline);
    // Boxed: the compiler refuses a type as deep as the handlers' futures in those of the Lambda runtime.
    Box::pin(handle(&services, &request)).await
}

/// From now on the lines of this invocation name the resource.
fn record_id(model: Option<&AccessKey>) {
    if let Some(id) = model.and_then(AccessKey::reference) {
        Span::current().record("id", id);
    }
}

fn no_credentials() -> HandlerError {
    HandlerError::new(
        HandlerErrorCode::InvalidCredentials,
        "The request carries no caller credentials: register the type with an execution role (ExecutionRoleArn), or \
         pass credentials to the test entry point",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    /// The whole request in `tests/requests`, as an UPDATE that carries the secret along.
    fn update() -> (RequestPayload, RequestContext) {
        let mut event: Value = serde_json::from_str(include_str!("../tests/requests/registry.json")).unwrap();
        event["action"] = "UPDATE".into();
        let properties = json!({"UserName": "alice", "Id": "AKIA", "SecretAccessKey": "wJalrXUtnFEMI"});
        event["requestData"]["resourceProperties"] = properties.clone();
        event["requestData"]["previousResourceProperties"] = properties;
        crate::decode(Event::deserialize(event).unwrap()).unwrap()
    }

    #[test]
    fn neither_a_request_nor_its_services_show_a_secret_in_debug() {
        let (payload, context) = update();
        let credentials = payload.caller_credentials.clone().unwrap();
        let request = validate(payload, context).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let clients = Clients::from_environment();
        let services = clients.services(&credentials, &request, Deadline::after(Duration::from_secs(1)));
        let debug = format!("{credentials:?} {request:#?} {clients:#?} {services:#?}");
        assert!(debug.contains("alice"), "{debug}");
        for secret in ["ThatMustNotBeLogged", "wJalr"] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }

    #[test]
    fn a_failed_update_carries_the_identifier_and_nothing_else() {
        let id = "AKIAIOSFODNN7EXAMPLE";
        for (action, properties, expected) in [
            ("UPDATE", json!({"Id": id, "UserName": "alice", "SecretAccessKey": "wJalr"}), json!({"Id": id})),
            ("UPDATE", json!({"Id": id, "UserName": "a b"}), json!({"Id": id})),
            ("UPDATE", json!({"Id": "wJalr/", "UserName": "alice"}), Value::Null),
            ("UPDATE", json!({"UserName": "alice"}), Value::Null),
            ("READ", json!({"Id": id}), Value::Null),
        ] {
            let event =
                json!({"action": action, "region": "us-east-1", "requestData": {"resourceProperties": properties}});
            let answer = without_credentials(event);
            assert_eq!(answer["status"], "FAILED", "{answer}");
            assert_eq!(answer.get("resourceModel").unwrap_or(&Value::Null), &expected, "{answer}");
        }
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

    /// The answer to an event without credentials: whatever it asks fails, before AWS is called.
    fn without_credentials(event: Value) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let clients = Clients::from_environment();
            answer(&clients, Event::deserialize(event).unwrap(), Duration::MAX).await
        });
        serde_json::to_value(answer).unwrap()
    }

    fn assert_well_formed_failure(event: Value) {
        let shown = event.to_string();
        let answer = without_credentials(event);
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
