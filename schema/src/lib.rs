//! The shared model of `AWS::IAM::AccessKey` and the words CloudFormation and a handler exchange about it.
//!
//! Everything that says what the resource type *is* lives here and nowhere else: its properties and what
//! `Ref` and `Fn::GetAtt` answer ([`AccessKey`]), the registry schema made from them ([`registry_schema()`]), the
//! request a handler gets ([`Request`]), the event it answers with ([`ProgressEvent`]) and the errors it may
//! name ([`HandlerError`]). This crate knows no AWS SDK and no Lambda.

mod error;
mod model;
mod progress;
mod registry_schema;
mod request;
mod secret;
mod spelling;
mod type_configuration;

pub use error::{HandlerError, HandlerErrorCode, Result};
pub use model::{AccessKey, Status, Tag, UserName};
pub use progress::{OperationStatus, ProgressEvent};
pub use registry_schema::{DEFAULT_TYPE_NAME, TIMEOUT_IN_MINUTES, registry_schema};
pub use request::{
    Action, CallerCredentials, ProviderContext, ProviderCredentials, Request, RequestContext, RequestPayload,
};
pub use secret::Secret;
pub use spelling::{WholeNumber, boolean};
pub use type_configuration::{LogLevel, TypeConfiguration};
