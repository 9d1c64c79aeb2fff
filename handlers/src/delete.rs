//! DELETE: the key, and then its secret. A key that is gone already leaves no secret behind either.

use access_key_schema::{ProgressEvent, Request, Result, UserName};

use crate::{Services, consistency::delete_access_key};

pub(crate) async fn delete(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let id = request.primary_identifier()?;
    match delete_key(services, request.desired.user_name.as_ref(), id).await {
        Err(error) if !error.is_not_found() => Err(error),
        outcome => {
            services.secret_store.delete(id).await?;
            outcome.map(|()| ProgressEvent::deleted())
        }
    }
}

/// Deletes the key of the user that the request names, or else of the one that IAM names.
///
/// # Errors
/// As [`delete_access_key`].
async fn delete_key(services: &Services, named: Option<&UserName>, id: &str) -> Result<()> {
    match named {
        Some(user) => delete_access_key(services, user, id).await,
        None => delete_access_key(services, &services.iam.owner(id).await?, id).await,
    }
}
