//! What a key is for, as AWS's console keeps it: a tag of the user, whose key is the access key id ([manage access keys]).
//!
//! IAM has no field for it. The store keeps what the template declares, so that READ, which gets a key id alone, knows whether to
//! ask for the user's tags, and DELETE whether to remove one. What holds is the tag: a person may change it in the console.
//!
//! [manage access keys]: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html

use std::time::Duration;

use access_key_schema::{HandlerError, Result, UserName};
use cfn_resource_runtime::poll;

use crate::{Services, time_budget::UNKNOWN_WAIT};

/// What IAM tells of a key's description.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum UserTag {
    /// The value of the tag, if there is one.
    Shown(Option<String>),
    /// The role may not see the user's tags, or need not: what the store keeps is the answer.
    Unseen,
}

impl UserTag {
    /// The user's tag for the key, as IAM shows it now.
    ///
    /// # Errors
    /// `NotFound` when IAM knows no such user, and what passes: also a denial of a user who is seconds old.
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

/// Removes the description of a key from its user. None there is fine, and so is no user. `reserve` is what must be left of the
/// invocation to do more than the one call.
///
/// # Errors
/// As IAM's. The key is gone: what is left is a tag, and the message says how to remove it.
pub(crate) async fn remove(services: &Services, user: &UserName, id: &str, reserve: Duration) -> Result<()> {
    let untag = async || match services.iam.untag_user(user, id).await.map_err(|untagged| untagged.error) {
        Err(denial) if services.deadline.leaves(reserve) => {
            Ok::<_, HandlerError>(Err(services.iam.explain_denial(user, denial).await))
        }
        outcome => Ok(outcome),
    };
    // A user who is seconds old is not known everywhere.
    let is_enough = |outcome: &Result<()>| !matches!(outcome, Err(error) if error.is_not_found());
    let reason = "waiting until IAM removes a tag of the user";
    match poll(services.deadline, reason, UNKNOWN_WAIT, reserve, is_enough, untag).await? {
        Err(error) if !error.is_not_found() => Err(HandlerError {
            message: format!("{}. Remove the tag with: {}", error.message, remove_command(user, id)),
            ..error
        }),
        _ => Ok(()),
    }
}

/// The command with which a person removes the description of a key.
pub(crate) fn remove_command(user: &UserName, id: &str) -> String {
    format!("aws iam untag-user --user-name {user} --tag-keys {id}")
}
