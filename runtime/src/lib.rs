//! The part of a CloudFormation resource type in Rust that does not depend on the resource.
//!
//! A type gives its properties ([`ResourceModel`]) and what its five actions mean ([`Handlers`]). The model gives the
//! [registry schema](registry_schema()), the rules for requests, and the words of refusals. With the feature `lambda`, `run` is the
//! whole Lambda function. It decodes a request from either entry point, validates it, and calls the handler within the time that
//! CloudFormation allows. It answers whatever happens, a panic included, and delivers logs and metrics to the account that
//! registered the type.
//!
//! `examples/note` is a whole type.

mod clock;
mod deadline;
mod error;
mod names;
mod panics;
mod progress;
mod registry_schema;
mod request;
mod resource_type;
mod secret;
mod spelling;
mod stabilize;

pub use clock::Clock;
pub use deadline::{
    ANSWER_TIME, ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, DELIVERY_TIME, Deadline, OPERATION_TIMEOUT, READ_LIMIT, WRITE_LIMIT,
};
pub use error::{HandlerError, HandlerErrorCode};
pub use names::is_identifier;
pub use panics::{Panicked, contain_panics};
pub use progress::{OperationStatus, ProgressEvent};
pub use registry_schema::{TIMEOUT_IN_MINUTES, print_registry_schema, registry_schema};
pub use request::{
    Action, CallerCredentials, LogLevel, ProviderContext, ProviderCredentials, Request, RequestContext, RequestPayload,
};
pub use resource_type::{Answer, Handlers, NoTypeConfiguration, Permissions, ResourceModel, TypeConfiguration, handle};
pub use secret::Secret;
pub use spelling::{WholeNumber, boolean};
pub use stabilize::{CALLBACK_DELAY_SECONDS, LOOK_TIME, MAX_INVOCATIONS, POLL_INTERVAL, pause, poll, unless_retriable};

#[cfg(feature = "lambda")]
mod aws;
#[cfg(feature = "lambda")]
mod aws_calls;
#[cfg(feature = "lambda")]
mod decode;
#[cfg(feature = "lambda")]
mod dispatch;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg(feature = "lambda")]
mod memory;
#[cfg(feature = "lambda")]
pub mod telemetry;
#[cfg(feature = "lambda")]
mod validate;

#[cfg(feature = "lambda")]
pub use aws::{Connections, https, retry_quota};
#[cfg(feature = "lambda")]
pub use aws_calls::AwsCalls;
#[cfg(feature = "lambda")]
pub use decode::{Decoded, Event, decode};
#[cfg(feature = "lambda")]
pub use dispatch::{Function, Invocation, ResourceType};
#[cfg(feature = "lambda")]
pub use lambda::run;
#[cfg(feature = "lambda")]
pub use validate::Validator;
