//! What create, read, update, delete and list mean for an IAM access key.
//!
//! One file is one handler, and reads from top to bottom as the story of what happens to a key. They all use [`Iam`], the few IAM
//! calls, and [`SecretStore`], which keeps what IAM reveals only once. This crate knows no Lambda.

mod callback;
mod confidential;
mod create;
mod delete;
mod description;
mod iam;
mod list;
mod locate;
mod operation_name;
#[doc(hidden)]
pub mod pgp;
mod read;
mod resource_model;
mod sdk_error;
mod secret_store;
mod ses_smtp;
mod time_budget;
mod update;
mod user_keys;

use access_key_schema::{AccessKey, Action, HandlerError, ProgressEvent, Request, Result};
use cfn_resource_runtime::{Clock, Deadline, Handlers};

pub use confidential::Confidential;
pub use create::{Answer, Failure};
pub use iam::Iam;
pub use operation_name::app_name;
pub use pgp::Keybase;
pub use secret_store::SecretStore;

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

impl Handlers for Services {
    type Model = AccessKey;

    async fn create(&self, request: &Request) -> Result<ProgressEvent> {
        let outcome = self.try_to_create(request).await;
        self.tell(request, outcome)
    }

    async fn read(&self, request: &Request) -> Result<ProgressEvent> {
        read::read(self, request).await
    }

    async fn update(&self, request: &Request) -> Result<ProgressEvent> {
        update::update(self, request).await
    }

    async fn delete(&self, request: &Request) -> Result<ProgressEvent> {
        delete::delete(self, request).await
    }

    async fn list(&self, request: &Request) -> Result<ProgressEvent> {
        list::list(self, request).await.map_err(|error| self.hide_unknown_user(request, error))
    }
}

impl Services {
    /// Does what a CREATE asks for.
    ///
    /// # Errors
    /// What failed, and what is left.
    pub async fn try_to_create(&self, request: &Request) -> std::result::Result<Answer, Failure> {
        create::create(self, request).await
    }

    /// Puts the outcome of a CREATE into words, and into the log.
    ///
    /// # Errors
    /// What failed, in words.
    pub fn tell(&self, request: &Request, outcome: std::result::Result<Answer, Failure>) -> Result<ProgressEvent> {
        create::tell(self, request, outcome).map_err(|error| self.hide_unknown_user(request, error))
    }

    /// The error without the user's name, if IAM does not know it: a template may give a secret by mistake. A CREATE with an id, or
    /// a callback, is about a key that was made, so IAM knew its user.
    fn hide_unknown_user(&self, request: &Request, error: HandlerError) -> HandlerError {
        let is_made = request.desired.id.is_some() || request.context.callback_context.is_some();
        match &request.desired.user_name {
            Some(user) if request.action == Action::List || !is_made => self.iam.hide_unknown_user(user, error),
            _ => error,
        }
    }
}
