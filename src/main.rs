//! The Lambda binary of the resource type: it answers CloudFormation's handler requests for IAM access keys.

use std::{
    env,
    time::{Duration, SystemTime},
};

use iam_access_key::{Clients, Event, answer, memory, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    memory::keep_private()?;
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Err("This program runs as an AWS Lambda function; `make demo` runs it locally".into());
    }
    let clients = Clients::from_environment();
    let service = |event: LambdaEvent<Event>| {
        // Lambda never sends an invocation whose deadline has passed. cargo-lambda's local API does: its deadline is a
        // duration where a date belongs. Then the protocol's own limits hold.
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(Duration::MAX);
        let answer = answer(&clients, event.payload, time_left);
        async { Ok::<_, Error>(answer.await) }
    };
    lambda_runtime::run(service_fn(service)).await
}
