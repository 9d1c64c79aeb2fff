//! What create, read, update, delete and list mean for an IAM access key.
//!
//! One file is one handler, and reads from top to bottom as the story of what happens to a key. What they
//! stand on: [`Iam`], the few IAM calls, and [`SecretStore`], which keeps what IAM reveals only once. This crate
//! knows no Lambda.

mod clock;
mod confidential;
mod create;
mod delete;
mod iam;
mod list;
mod missing_key;
mod operation_name;
mod panics;
#[doc(hidden)]
pub mod pgp;
mod read;
mod resource_model;
mod sdk_error;
mod secret_store;
mod ses_smtp;
mod stabilize;
mod time_budget;
mod update;
mod user_keys;

use access_key_schema::{AccessKey, Action, ProgressEvent, Request, Result};

pub use clock::Clock;
pub use confidential::Confidential;
pub use iam::Iam;
pub use operation_name::app_name;
pub use panics::contain_panics;
pub use pgp::Keybase;
pub use sdk_error::is_identifier;
pub use secret_store::SecretStore;
pub use time_budget::{
    ANSWER_TIME, ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, DELIVERY_TIME, Deadline, OPERATION_TIMEOUT, retry_quota,
};

/// What the handlers work with, made anew for each invocation from its caller's credentials.
#[derive(Debug)]
pub struct Services {
    /// IAM, where the keys live.
    pub iam: Iam,
    /// Secrets Manager, where their secrets are kept.
    pub secret_store: SecretStore,
    /// Keybase, the only service outside AWS.
    pub keybase: Keybase,
    /// What time it is.
    pub clock: Clock,
    /// When this invocation ends.
    pub deadline: Deadline,
}

/// Does what `request` asks for.
///
/// # Errors
/// A [`access_key_schema::HandlerError`] with the code CloudFormation expects for what went wrong. READ and LIST change nothing,
/// so they are simply given up when the invocation's time is over; the others watch the deadline themselves.
pub async fn handle(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let outcome = match request.action {
        Action::Create => create::create(services, request).await,
        Action::Read => services.deadline.bound(read::read(services, request)).await,
        Action::Update => update::update(services, request).await,
        Action::Delete => delete::delete(services, request).await,
        Action::List => services.deadline.bound(list::list(services, request)).await,
    };
    outcome.map_err(|error| match &request.desired {
        // With an id, or called again, IAM knew the user when the key was made.
        AccessKey { user_name: Some(user), id: None, .. } if request.context.callback_context.is_none() => {
            services.iam.hide_unknown_user(user, error)
        }
        _ => error,
    })
}
