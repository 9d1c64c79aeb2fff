//! The process that Lambda starts.

use std::{
    env,
    time::{Duration, SystemTime},
};

use lambda_runtime::{Error, LambdaEvent, service_fn};

use crate::{Connections, Event, Function, ResourceType, memory, telemetry};

/// Answers the invocations of the resource type's function, as long as Lambda keeps the process. `crates` are the crates whose
/// log lines are written, beside this one's.
///
/// # Errors
/// The process was not started by Lambda, or Lambda cannot be reached.
pub async fn run<R: ResourceType>(crates: &[&str]) -> Result<(), Error> {
    telemetry::start(crates);
    memory::keep_private()?;
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Err("This program runs as an AWS Lambda function; README.md says how to run it locally".into());
    }
    let function = Function::<R>::new(Connections::from_environment());
    let service = |event: LambdaEvent<Event>| {
        // Lambda never sends an invocation whose deadline has passed. cargo-lambda's local API does: its deadline is a
        // duration where a date belongs. Then the protocol's own limits hold.
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(Duration::MAX);
        let answer = function.answer(event.payload, time_left);
        async { Ok::<_, Error>(answer.await) }
    };
    lambda_runtime::run(service_fn(service)).await
}
