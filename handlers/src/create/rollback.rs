//! Rolling back a key whose CREATE cannot be finished: the key is deleted, then its secret, so that no live key loses its
//! secret. What is left all the same is told of, and the record stays open.

use std::time::SystemTime;

use access_key_schema::HandlerError;

use super::{
    Create,
    failure::{Failure, Kept, Left},
};
use crate::{
    delete::delete_access_key,
    iam::KeyMetadata,
    secret_store::{Record, Unstored},
    time_budget::TIME_TO_DELETE,
};

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

/// Deletes the key and then its secret. Where something is left, CloudFormation does not call again: its rollback deletes what the
/// answer names.
pub(super) async fn roll_back(
    create: &Create<'_>,
    record: Option<&Record>,
    key: &KeyMetadata,
    unfinished: Unfinished,
) -> Failure {
    let Unfinished { failure, may_be_stored } = unfinished;
    if !create.services.deadline.leaves(TIME_TO_DELETE) {
        if let Some(record) = record {
            create.warn_of_open(record, failure.error());
        }
        return failure.for_good().leaving(Left::Key { id: key.id.clone(), why: Kept::TooLate });
    }
    let created = key.created_at().unwrap_or_else(|| create.services.clock.now());
    if let Err((left, refusal)) = delete(create, &key.id, created, may_be_stored).await {
        if let Some(record) = record {
            create.warn_of_open(record, &refusal);
        }
        return failure.for_good().leaving(left);
    }
    if let Some(record) = record {
        close(create, record).await;
    }
    failure.leaving(Left::Nothing)
}

/// Deletes a key that this operation has created, at this time, and then its secret.
///
/// # Errors
/// What is left, and why.
pub(super) async fn delete(
    create: &Create<'_>,
    id: &str,
    created: SystemTime,
    may_be_stored: bool,
) -> std::result::Result<(), (Left, HandlerError)> {
    let (services, id) = (create.services, id.to_owned());
    if let Err(refusal) = delete_access_key(services, create.user, &id, Some(created)).await
        && !refusal.is_not_found()
    {
        let why = Kept::Refused(refusal.message.clone());
        return Err((Left::Key { id, why }, refusal));
    }
    match services.secret_store.delete(&id).await {
        Err(failure) if may_be_stored => Err((Left::Secret { id, why: failure.message.clone() }, failure)),
        _ => Ok(()),
    }
}

/// Marks the record as over whose key is gone. While it still names the key, it stays open: the next attempt finds out that the key
/// is gone.
pub(super) async fn close(create: &Create<'_>, record: &Record) {
    let Create { services, request, .. } = *create;
    let record = record.clone().naming_none();
    let cleared = match services.deadline.refuse_late_write(1) {
        Ok(()) => services.secret_store.write_record(request, &record).await,
        late => late,
    };
    match cleared {
        // Where it is refused for good, it was refused to name the key too.
        Err(failure) if failure.code.is_retriable() => create.warn_of_open(&record, &failure),
        _ => create.close(Some(&record)).await,
    }
}
