//! Whole invocations in one process and on simulated time: from an event to its answer, and what is said on the way.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod any_event;
mod aws;
mod deliveries;
mod echoes;
mod validation;

use std::{io, time::Duration};

use aws::Aws;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use cfn_resource_runtime::{Connections, Event, telemetry};
use iam_access_key::{CRATES, Function};
use serde::Deserialize;
use serde_json::Value;
use tracing::Level;

/// What a handler has in these tests.
const TIME_LEFT: Duration = Duration::from_mins(1);

/// A request for the key of a stack with this name, in an operation of its own.
pub(crate) fn request(action: &str, stack: &str, properties: Value) -> Value {
    let mut request: Value = serde_json::from_str(include_str!("../requests/registry.json")).unwrap();
    request["action"] = action.into();
    request["stackId"] = stack.into();
    request["bearerToken"] = format!("{stack:-<8}-{action}-operation-of-this-stack").into();
    request["requestData"]["resourceProperties"] = properties;
    request
}

pub(crate) async fn invoke(aws: &Aws, request: &Value) -> Value {
    let connector = SharedHttpConnector::new(aws.clone());
    let function = Function::new(Connections::with_http_client(http_client_fn(move |_, _| connector.clone())));
    // Boxed: a test's thread has a stack of 2 MB, which two unoptimized invocations beside each other do not fit on.
    let event = Box::pin(function.answer(Event::deserialize(request).unwrap(), TIME_LEFT)).await;
    serde_json::to_value(event).unwrap()
}

/// Has the lines written to nowhere. Every test that plays an invocation does so first: `tracing` takes a line for one that nobody
/// wants if nobody listens anywhere when it is first met, and may miss that somebody begins to at this moment.
pub(crate) fn listen() -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(telemetry::subscriber(CRATES, Level::INFO, io::sink))
}
