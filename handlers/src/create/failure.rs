//! How a CREATE failed, as data: what failed, what may be left, and whether CloudFormation may call again. The words and the log
//! lines are made of it once, when the invocation ends.

use std::fmt;

use access_key_schema::{HandlerError, HandlerErrorCode};
use cfn_resource_runtime::Panicked;

use super::Create;
use crate::{
    iam::KeyMetadata,
    user_keys::{delete_command, list_command, with_command},
};

/// A CREATE that failed, and what it may have left.
#[derive(Debug)]
pub struct Failure {
    /// Why, without what is left.
    error: HandlerError,
    /// What the CREATE may have left, in the order in which a person reads it.
    left: Vec<Left>,
    /// Whether CloudFormation may call again, if the code is one that it retries.
    may_be_retried: bool,
    /// Whether `error` tells how to list the user's keys.
    lists: bool,
    doubt: Doubt,
}

/// Whether earlier attempts may have made a key that nobody knows of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Doubt {
    None,
    /// An attempt that began then, in milliseconds since 1970, may have.
    Since(u64),
    /// Perhaps: the records cannot be read.
    Unread,
}

/// What a CREATE that failed may have left.
#[derive(Debug)]
pub(super) enum Left {
    /// Nothing: the key that it made is deleted again, and its secret.
    Nothing,
    /// Its key, and why the key is not deleted.
    Key { id: String, why: Kept },
    /// The secret of its key, and why the secret could not be deleted. The key is gone.
    Secret { id: String, why: String },
    /// The description of its key, and why the description could not be removed.
    Description { id: String, why: String },
    /// Perhaps a key: `CreateAccessKey` got no answer.
    Unknown,
    /// Perhaps one of these keys, which an earlier attempt made.
    Doubtful(Vec<KeyMetadata>),
    /// Perhaps a key of an earlier attempt; IAM does not say.
    Unlisted,
}

/// Why a key is not deleted.
#[derive(Debug)]
pub(super) enum Kept {
    NotRolledBack,
    /// Another invocation of this operation may yet roll it back, or answer with it.
    OfAnotherInvocation,
    TooLate,
    /// AWS refused it, with these words.
    Refused(String),
}

impl fmt::Display for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRolledBack => formatter.write_str("it was not rolled back"),
            Self::OfAnotherInvocation => formatter.write_str("another invocation of this operation created it"),
            Self::TooLate => formatter.write_str("too little of the invocation is left to delete it"),
            Self::Refused(why) => write!(formatter, "it could not be deleted ({why})"),
        }
    }
}

impl From<HandlerError> for Failure {
    fn from(error: HandlerError) -> Self {
        // `callback::call_again` tells how to look.
        let lists = error.code == HandlerErrorCode::NotStabilized;
        Self { error, left: vec![], may_be_retried: true, lists, doubt: Doubt::None }
    }
}

impl From<Panicked> for Failure {
    fn from(panicked: Panicked) -> Self {
        HandlerError::from(panicked).into()
    }
}

impl Failure {
    /// The records of the attempts before cannot be read.
    pub(super) fn without_record(error: HandlerError) -> Self {
        Self { doubt: Doubt::Unread, ..error.into() }
    }

    /// The same failure, beside an attempt whose outcome nobody knows, if there was one. `doubt` is when it began, in
    /// milliseconds since 1970.
    pub(super) fn doubting(self, doubt: Option<u64>) -> Self {
        match (self.doubt, doubt) {
            (Doubt::None, Some(since)) => Self { doubt: Doubt::Since(since), ..self },
            _ => self,
        }
    }

    pub(super) fn doubt(&self) -> Doubt {
        self.doubt
    }

    /// The same failure; its error tells how to list the user's keys.
    pub(super) fn listing(self) -> Self {
        Self { lists: true, ..self }
    }

    /// The same failure, which may have left this as well.
    pub(super) fn leaving(mut self, left: Left) -> Self {
        self.left.push(left);
        self
    }

    /// The same failure, but CloudFormation is not to call again: its rollback is to delete what is left.
    pub(super) fn for_good(self) -> Self {
        Self { may_be_retried: false, ..self }
    }

    /// The same failure, but if nobody knows whether there is a key, CloudFormation is not to call again: without a record, the
    /// next invocation would not know of this one.
    pub(super) fn for_good_if_outcome_is_unknown(self) -> Self {
        if self.is_outcome_unknown() { self.for_good() } else { self }
    }

    /// Whether nobody knows if there is a key.
    pub(super) fn is_outcome_unknown(&self) -> bool {
        self.left.iter().any(|left| matches!(left, Left::Unknown))
    }

    /// Why it failed.
    pub(super) fn error(&self) -> &HandlerError {
        &self.error
    }

    /// Whether CloudFormation calls again.
    pub(super) fn is_retriable(&self) -> bool {
        self.may_be_retried && self.error.code.is_retriable()
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.error.is_not_found()
    }

    /// Whether a person is told how to delete the key.
    pub(super) fn names(&self, id: &str) -> bool {
        self.keys().any(|key| key == id)
    }

    /// The ids of the keys that a person is told how to delete.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.left.iter().flat_map(Left::keys)
    }

    /// The ids of the keys whose secrets a person is told how to delete.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.left.iter().filter_map(|left| if let Left::Secret { id, .. } = left { Some(&**id) } else { None })
    }

    /// The ids of the keys whose descriptions a person is told how to remove.
    pub fn descriptions(&self) -> impl Iterator<Item = &str> {
        self.left.iter().filter_map(|left| if let Left::Description { id, .. } = left { Some(&**id) } else { None })
    }

    /// Whether a key is left because too little time was left.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.left.iter().any(|left| matches!(left, Left::Key { why: Kept::TooLate, .. }))
    }

    /// Whether the records of the attempts before cannot be read.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.doubt == Doubt::Unread
    }

    /// Whether a person is told how to list the user's keys.
    #[must_use]
    pub fn lists(&self) -> bool {
        self.lists || self.left.iter().any(|left| matches!(left, Left::Unknown | Left::Unlisted))
    }

    /// The error for CloudFormation, with the `Id` of the key that is left, by which the stack's rollback deletes it. If a person
    /// has to look, a WARN line says so too.
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

/// How to find out whose the keys are, which stands before the commands that delete them.
fn find_out(create: &Create<'_>) -> String {
    let is_left = match create.app_name.as_deref() {
        Some(name) => format!("that user agent has app/{name}, which stands for this operation"),
        None => "it is nobody's".to_owned(),
    };
    format!("CloudTrail shows which role and user agent created a key. Delete a key only if {is_left}")
}

impl Left {
    /// A key that another invocation of this operation created. That invocation may yet roll the key back, or answer with it.
    pub(super) fn of_another_invocation(id: String) -> Self {
        Self::Key { id, why: Kept::OfAnotherInvocation }
    }

    fn id(&self) -> Option<&str> {
        match self {
            Self::Key { id, .. } | Self::Secret { id, .. } | Self::Description { id, .. } => Some(id),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        match self {
            Self::Key { id, .. } => vec![id],
            Self::Doubtful(keys) => keys.iter().map(|key| &*key.id).collect(),
            Self::Nothing | Self::Secret { .. } | Self::Description { .. } | Self::Unknown | Self::Unlisted => vec![],
        }
    }

    /// What is left in words, with the command; and a WARN line.
    pub(super) fn tell(&self, create: &Create<'_>) -> String {
        let Create { services, user, request, .. } = *create;
        let (list, name) = (list_command(user), user.as_str());
        match self {
            Self::Nothing => "The new access key was rolled back".to_owned(),
            Self::Key { id, why } => {
                tracing::warn!(access_key_id = id, user = name, %why, "key of a failed CREATE is left");
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
            Self::Description { id, why } => {
                tracing::warn!(access_key_id = id, user = name, why, "description of a failed CREATE is left");
                format!("The description of access key {id}, a tag of user {user}, may remain: {why}")
            }
            Self::Unknown => {
                tracing::warn!(user = name, "key of a CREATE without an answer may be left");
                let next = if request.context.client_request_token.is_some() {
                    "The next attempt, about a minute later, names the keys that may be it. If no attempt follows, look"
                } else {
                    "Look"
                };
                format!(
                    "It is not known whether a key was created. {next} for it among the user's keys. {}. List the keys \
                     with: {list}",
                    find_out(create)
                )
            }
            Self::Doubtful(keys) => {
                let keys = keys.iter().map(|key| with_command(key, "", user)).collect::<Vec<_>>().join("; ");
                tracing::warn!(user = name, keys, "key may be left by an attempt of a CREATE without an answer");
                format!(
                    "One of these keys of user {user} may come from an earlier attempt of this operation, whose outcome \
                     is not known. Each may as well be another region's, another stack's or a person's, so none was \
                     deleted. {}: {keys}",
                    find_out(create)
                )
            }
            Self::Unlisted => format!(
                "If an earlier attempt of this operation was interrupted, it may have left a key that is not named here. \
                 List the user's keys with: {list}"
            ),
        }
    }
}
