//! What a key is for, as AWS's console keeps it: in a tag of the user. The tag's key is the access key id ([manage access keys]).
//!
//! IAM has no field for it. READ gets a key id alone, so the store keeps what the template declares: by that READ knows whether
//! to ask for the user's tags, and DELETE whether to remove one. The tag decides, because a person may change it in the console.
//!
//! [manage access keys]: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html

use std::time::Duration;

use access_key_schema::{HandlerError, HandlerErrorCode, Result, UserName};
use cfn_resource_runtime::poll;

use crate::{Services, time_budget::UNKNOWN_WAIT};

/// What IAM tells of a key's description.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum UserTag {
    /// The value of the tag, if there is one.
    Shown(Option<String>),
    /// The role may not see the user's tags, or need not: the answer is what the store keeps.
    Unseen,
}

impl UserTag {
    /// The user's tag for the key, as IAM shows it now.
    ///
    /// # Errors
    /// `NotFound` when IAM knows no such user, or a failure that passes: also a denial of a user who is seconds old.
    pub(crate) async fn of(services: &Services, user: &UserName, id: &str) -> Result<Self> {
        let refusal = match services.iam.user_tag(user, id).await {
            Ok(value) => return Ok(Self::Shown(value.filter(|value| !value.is_empty()))),
            Err(error) => services.iam.explain_denial(user, error).await,
        };
        match refusal {
            error if error.is_not_found() || error.code.is_retriable() => Err(error),
            refusal => {
                tracing::info!(access_key_id = id, why = refusal.message, "description is answered as it is stored");
                Ok(Self::Unseen)
            }
        }
    }

    /// The description to answer with, where the store keeps this one.
    pub(crate) fn or_stored(self, stored: Option<String>) -> Option<String> {
        match self {
            Self::Shown(value) => value,
            Self::Unseen => stored,
        }
    }
}

/// Removes the description of a key from its user. Succeeds if there is no description. A user whom IAM does not know was deleted
/// with their tags, or renamed: a WARN line tells. Unless `reserve` is left of the invocation, it makes one call alone.
///
/// # Errors
/// As IAM's. The key is gone and only the tag is left; the message says how to remove it.
pub(crate) async fn remove(services: &Services, user: &UserName, id: &str, reserve: Duration) -> Result<()> {
    let untag = async || match services.iam.untag_user(user, id).await.map_err(|untagged| untagged.error) {
        Err(denial) if services.deadline.leaves(reserve) => {
            Ok::<_, HandlerError>(Err(services.iam.explain_denial(user, denial).await))
        }
        outcome => Ok(outcome),
    };
    // A user who is seconds old is not known everywhere; and IAM refuses one of two changes of a user at once.
    let passes = |error: &HandlerError| error.is_not_found() || error.code.is_retriable();
    let is_enough = |outcome: &Result<()>| !outcome.as_ref().is_err_and(passes);
    let reason = "waiting until IAM removes a tag of the user";
    match poll(services.deadline, reason, UNKNOWN_WAIT, reserve, is_enough, untag).await? {
        Err(missing) if missing.is_not_found() => {
            warn_of(user, id, &missing);
            Ok(())
        }
        Err(error) => Err(HandlerError {
            message: format!("{}. Remove the tag with: {}", error.message, remove_command(user, id)),
            ..error
        }),
        Ok(()) => Ok(()),
    }
}

/// Why a description may stay when no time is left to remove it.
pub(crate) fn too_late(user: &UserName, id: &str) -> HandlerError {
    let command = remove_command(user, id);
    HandlerError::new(
        HandlerErrorCode::NetworkFailure,
        format!("too little of the invocation is left to remove it. Remove the tag with: {command}"),
    )
}

/// Tells in the log of a description that may outlive its key.
pub(crate) fn warn_of(user: &UserName, id: &str, failure: &HandlerError) {
    let (user, why) = (user.as_str(), &failure.message);
    tracing::warn!(access_key_id = id, user, why, "description of a deleted key was not removed");
}

/// The command with which a person removes the description of a key.
pub(crate) fn remove_command(user: &UserName, id: &str) -> String {
    format!("aws iam untag-user --user-name {user} --tag-keys {id}")
}
