//! The Lambda binary of the resource type: it answers CloudFormation's handler requests for IAM access keys.

mod clients;
mod decode;
mod dispatch;
mod telemetry;
mod validate;

use std::time::{Duration, SystemTime};

use rustix::{
    io,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
};

use lambda_runtime::{LambdaEvent, service_fn};

use crate::{clients::Clients, decode::Event};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    keep_memory_private()?;
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Err(
            "this program answers AWS Lambda's runtime API, which is not here; `make demo` shows it at work".into()
        );
    }
    let clients = Clients::from_environment().await;
    let answer = |event: LambdaEvent<Event>| {
        // Lambda never hands out an invocation whose deadline has passed. cargo-lambda's local API does: it sends a
        // duration for a date. Then the protocol's own limits hold.
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(Duration::MAX);
        let answer = dispatch::answer(&clients, event.payload, time_left);
        async { Ok::<_, lambda_runtime::Error>(answer.await) }
    };
    lambda_runtime::run(service_fn(answer)).await
}

/// No core dump is written, and no other process of the same user may read this one's memory or environment: both can
/// hold secrets.
fn keep_memory_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}
