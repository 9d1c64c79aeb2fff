//! A user's keys, each with what the secret store knows of it.

use access_key_schema::{Request, Result, UserName};
use futures_util::future::try_join_all;

use crate::{
    Services,
    iam::KeyMetadata,
    secret_store::{Entry, Ownership},
};

/// A key of a user. If it has no entry in the store, this type did not create it under this prefix in this region, or could not
/// store its secret.
#[derive(Clone, Debug)]
pub(crate) struct UserKey {
    pub(crate) metadata: KeyMetadata,
    pub(crate) entry: Option<Entry>,
}

impl UserKey {
    /// Whom the key was created for, where the store knows.
    pub(crate) fn ownership(&self) -> Option<&Ownership> {
        self.entry.as_ref().and_then(|entry| entry.ownership.as_ref())
    }

    /// Whether this very operation created the key, in another invocation. Without a token, nothing shows that.
    pub(crate) fn was_made_by(&self, request: &Request) -> bool {
        request.context.client_request_token.is_some()
            && self.ownership().is_some_and(|ownership| ownership.is_by(request))
    }

    /// The key in words, with the command that deletes it.
    pub(crate) fn describe_with_command(&self, user: &UserName) -> String {
        let remark = if self.entry.is_some() { "" } else { ", no secret stored here" };
        with_command(&self.metadata, remark, user)
    }
}

/// A key in words: id, status, creation, a remark, and the command that deletes it.
pub(crate) fn with_command(key: &KeyMetadata, remark: &str, user: &UserName) -> String {
    let KeyMetadata { id, status, .. } = key;
    let created = key.create_date().unwrap_or_else(|| "at an unknown time".to_owned());
    format!("{id} ({status}, created {created}{remark}), with: {}", delete_command(user, id))
}

/// The command with which a person deletes a key.
pub(crate) fn delete_command(user: &UserName, id: &str) -> String {
    format!("aws iam delete-access-key --user-name {user} --access-key-id {id}")
}

/// The command with which a person looks at a user's keys.
pub(crate) fn list_command(user: &UserName) -> String {
    format!("aws iam list-access-keys --user-name {user}")
}

/// The user's keys: `ListAccessKeys`, then the store's entry of each, side by side.
pub(crate) async fn user_keys(services: &Services, user: &UserName) -> Result<Vec<UserKey>> {
    with_entries(services, services.iam.list_access_keys(user).await?).await
}

/// The keys, each with its entry in the store.
pub(crate) async fn with_entries(services: &Services, keys: Vec<KeyMetadata>) -> Result<Vec<UserKey>> {
    try_join_all(keys.into_iter().map(|metadata| async move {
        let entry = services.secret_store.entry(&metadata.id).await?;
        Ok(UserKey { metadata, entry })
    }))
    .await
}
