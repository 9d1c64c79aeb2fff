//! READ: the key as IAM has it, with its secret, from the primary identifier alone.

use access_key_schema::{ProgressEvent, Request, Result, UserName};
use tokio::try_join;

use crate::{KeyMetadata, Services, model, not_found};

pub(crate) async fn read(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let id = request.primary_identifier()?;
    let (stored, (user, key)) =
        try_join!(services.secret_store.get(id), find(services, request.desired.user_name.as_ref(), id))?;
    Ok(ProgressEvent::success(model(request, &user, key, stored)?))
}

/// The key and its user. A request that names the user saves a round trip, but the id alone decides: a user may
/// have been renamed since.
async fn find(services: &Services, named: Option<&UserName>, id: &str) -> Result<(UserName, KeyMetadata)> {
    if let Some(user) = named {
        match services.iam.find_access_key(user, id).await {
            Ok(Some(key)) => return Ok((user.clone(), key)),
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    let user = services.iam.owner(id).await?;
    match services.iam.find_access_key(&user, id).await? {
        Some(key) => Ok((user, key)),
        None => Err(not_found(id, &user)),
    }
}
