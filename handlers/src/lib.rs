//! What create, read, update, delete and list mean for an IAM access key.
//!
//! One file is one handler, and reads from top to bottom as the story of what happens to a key. What they
//! stand on: [`Iam`], the few IAM calls, and [`SecretStore`], which keeps what IAM says only once. This crate
//! knows no Lambda.

mod create;
mod deadline;
mod delete;
mod iam;
#[allow(dead_code)]
mod keybase;
mod list;
mod lost_key;
#[allow(dead_code)]
mod openpgp;
mod read;
mod rotation;
mod secret_store;
mod service_error;
#[allow(dead_code)]
mod ses_smtp;
mod update;
mod user_keys;

use access_key_schema::{AccessKey, Action, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, UserName};

pub use deadline::Deadline;
pub use iam::Iam;
pub use secret_store::SecretStore;

use iam::KeyMetadata;
use secret_store::StoredCredentials;

/// What the handlers work with, made anew for each invocation from its caller's credentials.
#[derive(Debug)]
pub struct Services {
    /// IAM, where the keys live.
    pub iam: Iam,
    /// Secrets Manager, where their secrets are kept.
    pub secret_store: SecretStore,
    /// When this invocation ends.
    pub deadline: Deadline,
}

/// Does what `request` asks for.
///
/// # Errors
/// A [`HandlerError`] with the code CloudFormation expects for what went wrong. READ and LIST change nothing,
/// so they are simply given up when the invocation's time is over; the others watch the deadline themselves.
pub async fn handle(services: &Services, request: &Request) -> Result<ProgressEvent> {
    match request.action {
        Action::Create => create::create(services, request).await,
        Action::Read => services.deadline.bound(read::read(services, request)).await,
        Action::Update => update::update(services, request).await,
        Action::Delete => delete::delete(services, request).await,
        Action::List => services.deadline.bound(list::list(services, request)).await,
    }
}

/// The model of a key: what IAM says of it, and what the secret store keeps of it, if it keeps anything.
fn model(user: &UserName, key: KeyMetadata, stored: Option<StoredCredentials>) -> AccessKey {
    let bare = AccessKey {
        user_name: Some(user.clone()),
        status: Some(key.status),
        create_date: key.create_date(),
        id: Some(key.id),
        ..AccessKey::default()
    };
    match stored {
        Some(StoredCredentials { arn, credentials }) => AccessKey {
            serial: credentials.serial,
            secret_access_key: Some(credentials.secret_access_key),
            secret_arn: Some(arn),
            ..bare
        },
        None => bare,
    }
}

/// The error for a key that does not exist under this user.
fn not_found(id: &str, user: &UserName) -> HandlerError {
    HandlerError::new(HandlerErrorCode::NotFound, format!("user {user} has no access key {id}"))
}
