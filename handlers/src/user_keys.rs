//! A user's keys, each with what the secret store keeps of it.

use std::time::Duration;

use access_key_schema::{Request, Result, UserName};
use futures_util::future::try_join_all;

use crate::{KeyMetadata, Services, StoredCredentials};

/// How long an invocation takes at most.
const INVOCATION: Duration = Duration::from_mins(1);

/// A key of a user. Without stored credentials, this type did not make it, or did not get to store its secret.
#[derive(Debug)]
pub(crate) struct UserKey {
    pub(crate) metadata: KeyMetadata,
    pub(crate) stored: Option<StoredCredentials>,
}

impl UserKey {
    /// Whether this very operation made the key. Without a token, nothing says that it is the same one.
    pub(crate) fn was_made_by(&self, request: &Request) -> bool {
        let stored = self.stored.as_ref();
        request.context.client_request_token.is_some()
            && stored.is_some_and(|stored| stored.credentials.were_made_by(request))
    }

    /// Whether another invocation may be about to store the key's secret.
    pub(crate) fn may_be_underway(&self) -> bool {
        self.stored.is_none() && self.metadata.age().is_none_or(|age| age < INVOCATION)
    }

    /// The key in words: id, status, creation, and that its secret is unknown, where it is.
    pub(crate) fn describe(&self) -> String {
        let KeyMetadata { id, status, .. } = &self.metadata;
        let created = self.metadata.create_date().unwrap_or_else(|| "at an unknown time".to_owned());
        let secret = if self.stored.is_some() { "" } else { ", no secret stored here" };
        format!("{id} ({status}, created {created}{secret})")
    }
}

/// The user's keys: `ListAccessKeys`, then what is stored of each, side by side.
pub(crate) async fn user_keys(services: &Services, user: &UserName) -> Result<Vec<UserKey>> {
    with_stored(services, services.iam.list_access_keys(user).await?).await
}

/// The keys with what is stored of each.
pub(crate) async fn with_stored(services: &Services, keys: Vec<KeyMetadata>) -> Result<Vec<UserKey>> {
    try_join_all(keys.into_iter().map(|metadata| async move {
        let stored = services.secret_store.get(&metadata.id).await?;
        Ok(UserKey { metadata, stored })
    }))
    .await
}
