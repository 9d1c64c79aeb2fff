//! What create, read, update, delete and list mean for an IAM access key.
//!
//! One file is one handler, and reads from top to bottom as the story of what happens to a key. What they
//! stand on: [`Iam`], the few IAM calls, and [`SecretStore`], which keeps what IAM reveals only once. This crate
//! knows no Lambda.

mod consistency;
mod create;
mod deadline;
mod delete;
mod iam;
mod keybase;
mod list;
mod lost_key;
mod openpgp;
mod pgp_key;
mod read;
mod rotation;
mod secret_store;
mod service_error;
mod ses_smtp;
mod twin;
mod undo;
mod update;
mod user_keys;

use std::time::Duration;

use access_key_schema::{AccessKey, Action, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, UserName};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

pub use deadline::Deadline;
pub use iam::Iam;
pub use secret_store::SecretStore;

use iam::KeyMetadata;
use secret_store::StoredCredentials;

/// How long one call to AWS takes at most, its retries included. The handlers' own time limits are counted in it.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(9);

/// What the handlers work with, made anew for each invocation from its caller's credentials.
#[derive(Debug)]
pub struct Services {
    /// IAM, where the keys live.
    pub iam: Iam,
    /// Secrets Manager, where their secrets are kept.
    pub secret_store: SecretStore,
    /// Builds the connector for Keybase, the only service outside AWS. Built on demand, because it loads the root
    /// certificates.
    pub http: fn() -> SharedHttpConnector,
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
///
/// # Errors
/// As [`ses_smtp::password`].
fn model(request: &Request, user: &UserName, key: KeyMetadata, stored: Option<StoredCredentials>) -> Result<AccessKey> {
    let bare = bare_model(user, key);
    let Some(StoredCredentials { arn, credentials }) = stored else { return Ok(bare) };
    let region = credentials.ses_smtp_region.as_deref().unwrap_or(&request.region);
    let password = credentials.secret_access_key.as_ref().map(|secret| ses_smtp::password(secret, region));
    Ok(AccessKey {
        serial: credentials.serial,
        tags: credentials.tags,
        ses_smtp_password_v4: password.transpose()?,
        secret_access_key: credentials.secret_access_key,
        secret_arn: Some(arn),
        pgp_key: credentials.pgp_key,
        key_fingerprint: credentials.key_fingerprint,
        encrypted_secret: credentials.encrypted_secret,
        encrypted_ses_smtp_password_v4: credentials.encrypted_ses_smtp_password_v4,
        ses_smtp_region: credentials.ses_smtp_region,
        ..bare
    })
}

/// What IAM alone says of a key.
fn bare_model(user: &UserName, key: KeyMetadata) -> AccessKey {
    AccessKey {
        user_name: Some(user.clone()),
        status: Some(key.status),
        create_date: key.create_date(),
        id: Some(key.id),
        ..AccessKey::default()
    }
}

/// The error for a key that does not exist under this user.
fn not_found(id: &str, user: &UserName) -> HandlerError {
    HandlerError::new(HandlerErrorCode::NotFound, format!("user {user} has no access key {id}"))
}
