//! Rolling back a key whose CREATE cannot be finished: the key is deleted, then its secret, so that no live key loses its
//! secret. What is left all the same is told of.

use super::{
    Create,
    failure::{Failure, Left},
};
use crate::{delete::delete_access_key, iam::KeyMetadata, secret_store::Unstored, time_budget::ROLLBACK_TIME};

/// Why a CREATE could not be finished after its key existed.
pub(super) struct Unfinished {
    failure: Failure,
    /// Whether a secret may be stored.
    may_be_stored: bool,
}

impl<E: Into<Failure>> From<E> for Unfinished {
    fn from(failure: E) -> Self {
        Self { failure: failure.into(), may_be_stored: true }
    }
}

impl Unfinished {
    /// The store did not take the secret, as far as is known.
    pub(super) fn while_storing(Unstored { error, may_be_stored }: Unstored) -> Self {
        Self { failure: error.into(), may_be_stored }
    }
}

/// Deletes the key and then its secret. Where something is left, CloudFormation does not call again: another CREATE would not
/// find a key whose secret is not stored.
pub(super) async fn roll_back(create: &Create<'_>, key: &KeyMetadata, unfinished: Unfinished) -> Failure {
    let services = create.services;
    let Unfinished { failure, may_be_stored } = unfinished;
    let id = key.id.clone();
    if !services.deadline.leaves(ROLLBACK_TIME) {
        let why = "too little of the invocation is left to delete it".to_owned();
        return failure.for_good().leaving(Left::Key { id, why });
    }
    if let Err(refusal) = delete_access_key(services, create.user, &id, Some(key)).await
        && !refusal.is_not_found()
    {
        let why = format!("it could not be deleted ({})", refusal.message);
        return failure.for_good().leaving(Left::Key { id, why });
    }
    match services.secret_store.delete(&id).await {
        Err(why) if may_be_stored => failure.for_good().leaving(Left::Secret { id, why: why.message }),
        _ => failure.leaving(Left::Nothing),
    }
}
