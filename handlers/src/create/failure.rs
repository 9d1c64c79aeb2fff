//! How a CREATE failed, as data: what failed, what may be left, and whether CloudFormation may call again. It is put into words,
//! and into the log, once: when the invocation ends.

use access_key_schema::{HandlerError, HandlerErrorCode};

use super::Create;
use crate::{
    app_name::app_name,
    iam::KeyMetadata,
    user_keys::{UserKey, delete_command, list_command, with_command},
};

/// A CREATE that failed.
pub(super) struct Failure {
    /// Why, without what is left.
    error: HandlerError,
    /// What it may have left, in the order in which it is told.
    left: Vec<Left>,
    /// Whether CloudFormation may call again, where the code is one that it retries.
    may_be_retried: bool,
    /// The ids of keys that `error` tells how to delete.
    named: Vec<String>,
    /// Whether `error` tells how to list the user's keys.
    lists: bool,
    /// The key of another invocation of this operation that stays.
    gives_way_to: Option<String>,
}

/// What a CREATE that failed may have left.
pub(super) enum Left {
    /// The key that it made is deleted again, and its secret.
    Nothing,
    /// IAM shows no key that a call without an answer could have made.
    NothingShown,
    /// Its key, and why it could not be deleted, or was not.
    Key { id: String, why: String },
    /// The secret of its key, which is gone, and why that could not be deleted.
    Secret { id: String, why: String },
    /// One of these keys, which appeared during a call without an answer.
    OneOf(Vec<UserKey>),
    /// A key, perhaps: why IAM does not say, unless it passes.
    Unknown(Option<String>),
    /// Keys minutes old without a stored secret, from an attempt before, perhaps.
    Suspects(Vec<UserKey>),
    /// Keys of attempts before this one, as the store says.
    Own(Vec<UserKey>),
    /// Young keys of which the store does not say whose they are.
    Untold(Vec<KeyMetadata>),
    /// The keys cannot be listed.
    Unlisted,
}

impl From<HandlerError> for Failure {
    fn from(error: HandlerError) -> Self {
        // `stabilize::call_again` tells how to look.
        let lists = error.code == HandlerErrorCode::NotStabilized;
        Self { error, left: vec![], may_be_retried: true, named: vec![], lists, gives_way_to: None }
    }
}

impl Failure {
    /// It gives way to the key with this id, which another invocation of this operation created before.
    pub(super) fn giving_way(error: HandlerError, id: &str) -> Self {
        Self { gives_way_to: Some(id.to_owned()), ..error.into() }
    }

    /// The key of another invocation that stays, if nothing of this one's is left.
    pub(super) fn stays(&self) -> Option<&str> {
        let is_nothing_left = matches!(*self.left, [Left::Nothing]);
        self.gives_way_to.as_deref().filter(|_| is_nothing_left)
    }

    /// The same failure, whose error tells how to delete these keys.
    pub(super) fn naming(self, ids: impl IntoIterator<Item = String>) -> Self {
        Self { named: ids.into_iter().collect(), ..self }
    }

    /// The same failure, whose error tells how to list the user's keys.
    pub(super) fn listing(self) -> Self {
        Self { lists: true, ..self }
    }

    /// The same failure, which may have left this as well.
    pub(super) fn leaving(mut self, left: Left) -> Self {
        self.left.push(left);
        self
    }

    /// The same failure, after which CloudFormation is not to call again: another CREATE would not find what is left.
    pub(super) fn for_good(self) -> Self {
        Self { may_be_retried: false, ..self }
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.error.is_not_found()
    }

    /// Whether CloudFormation calls again.
    pub(super) fn is_retriable(&self) -> bool {
        self.may_be_retried && self.error.code.is_retriable()
    }

    /// Whether a person is told how to delete the key.
    pub(super) fn names(&self, id: &str) -> bool {
        self.named.iter().any(|named| named == id) || self.left.iter().any(|left| left.names(id))
    }

    /// Whether a person is told how to list the user's keys.
    pub(super) fn lists(&self) -> bool {
        self.lists || self.left.iter().any(|left| matches!(left, Left::OneOf(_) | Left::Unknown(_) | Left::Unlisted))
    }

    /// The error as CloudFormation gets it, with the `Id` of what is left, by which the stack's rollback deletes it. What needs
    /// a look is a WARN line too.
    pub(super) fn tell(self, create: &Create<'_>) -> HandlerError {
        let code = match self.error.code {
            code if code.is_retriable() && !self.may_be_retried => HandlerErrorCode::GeneralServiceException,
            code => code,
        };
        let id = self.left.iter().find_map(Left::id);
        let model = id.map(|id| Box::new(create.model_of(id)));
        let told = self.left.iter().map(|left| left.tell(create));
        let message = told.fold(self.error.message, |message, sentence| format!("{message}. {sentence}"));
        HandlerError { code, message, resource_model: model.or(self.error.resource_model) }
    }
}

/// What to do about keys of which this type cannot tell whose they are, before the commands that delete them.
fn find_out(create: &Create<'_>) -> String {
    let own =
        app_name(create.request).map(|name| format!(": this operation's calls have app/{name}")).unwrap_or_default();
    format!(
        "CloudTrail tells who made a key, by role and user agent of CreateAccessKey{own}. Only if it is nobody's, delete it"
    )
}

impl Left {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Key { id, .. } | Self::Secret { id, .. } => Some(id),
            _ => None,
        }
    }

    fn names(&self, id: &str) -> bool {
        match self {
            Self::Key { id: key, .. } => key == id,
            Self::OneOf(keys) | Self::Suspects(keys) | Self::Own(keys) => keys.iter().any(|key| key.metadata.id == id),
            Self::Untold(keys) => keys.iter().any(|key| key.id == id),
            Self::Nothing | Self::NothingShown | Self::Secret { .. } | Self::Unknown(_) | Self::Unlisted => false,
        }
    }

    /// What is left in words, with the command; and a WARN line.
    pub(super) fn tell(&self, create: &Create<'_>) -> String {
        let Create { services, user, .. } = *create;
        let each =
            |keys: &[UserKey]| keys.iter().map(|key| key.describe_with_command(user)).collect::<Vec<_>>().join("; ");
        let (list, name) = (list_command(user), user.as_str());
        match self {
            Self::Nothing => "The new access key was rolled back".to_owned(),
            Self::NothingShown => "IAM shows no key that it could have created".to_owned(),
            Self::Key { id, why } => {
                tracing::warn!(access_key_id = id, user = name, why, "key of a failed CREATE is left");
                format!(
                    "Access key {id} of user {user} may still exist: {why}. If the rollback of the stack does not delete it, \
                     delete it with: {}",
                    delete_command(user, id)
                )
            }
            Self::Secret { id, why } => {
                let secret = services.secret_store.name(id);
                tracing::warn!(access_key_id = id, secret, why, "secret of a failed CREATE is left");
                format!(
                    "Access key {id} of user {user} was rolled back, but its secret {secret} may remain: {why}. If the \
                     rollback of the stack does not delete it, delete it with: {}",
                    services.secret_store.delete_command(id)
                )
            }
            Self::OneOf(keys) => {
                let keys = each(keys);
                tracing::warn!(user = name, keys, "key of a CREATE without an answer may be left");
                format!(
                    "It may have created one of these keys of user {user}. Each may as well be another region's, another \
                     stack's or a person's, so none was deleted. {}: {keys}. IAM may show a key late: list them \
                     again with: {list}",
                    find_out(create)
                )
            }
            Self::Unknown(None) => {
                format!("It is not known yet whether it created a key. List the user's keys with: {list}")
            }
            Self::Unknown(Some(why)) => {
                tracing::warn!(user = name, why, "key of a CREATE without an answer may be left");
                format!(
                    "It is not known whether a key was created: {why}. List the user's keys with: {list}. If the user was \
                     renamed, use the new name"
                )
            }
            Self::Suspects(keys) => {
                let keys = each(keys);
                tracing::warn!(user = name, keys, "key without a stored secret may be left by an interrupted CREATE");
                format!(
                    "User {user} also has a key that was created minutes ago and has no secret stored here. It may be \
                     another region's, another stack's or a person's, or what an interrupted CREATE has left. {}: \
                     {keys}",
                    find_out(create)
                )
            }
            Self::Own(keys) => {
                let keys = each(keys);
                tracing::warn!(user = name, keys, "key of a failed CREATE is left");
                format!("This operation also created a key. Delete it unless the rollback of the stack does: {keys}")
            }
            Self::Untold(keys) => {
                let keys = keys.iter().map(|key| with_command(key, "", user)).collect::<Vec<_>>().join("; ");
                tracing::warn!(user = name, keys, "key may be left by an interrupted CREATE");
                format!(
                    "If an attempt of this operation was interrupted, it may have left one of these keys, and the store does \
                     not say whose they are. {}: {keys}",
                    find_out(create)
                )
            }
            Self::Unlisted => format!(
                "If an attempt of this operation was interrupted, it may have left a key. List the user's keys with: {list}"
            ),
        }
    }
}
