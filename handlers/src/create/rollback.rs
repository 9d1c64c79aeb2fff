//! Rolls back a key whose CREATE cannot be finished: deletes the key, then its secret and its description, so that no live key
//! loses its secret. If something is left all the same, a person is told, and the record stays open.

use std::time::SystemTime;

use access_key_schema::HandlerError;
use cfn_resource_runtime::OPERATION_TIMEOUT;
use tokio::join;

use super::{
    Create,
    failure::{Failure, Kept, Left},
};
use crate::{
    delete::delete_and_confirm, description, iam::KeyMetadata, secret_store::Record, time_budget::TIME_TO_DELETE,
};

/// Why a CREATE could not be finished after its key existed.
pub(super) struct Unfinished {
    failure: Failure,
    written: Written,
}

/// What may be there beside the key.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub(super) secret: bool,
    /// The tag of the user, if the template has a description at all.
    pub(super) description: bool,
    /// The key's id in the record.
    pub(super) note: bool,
}

impl Written {
    /// Whether a description of the key may be there.
    fn is_described(self, create: &Create<'_>) -> bool {
        self.description && create.request.desired.wanted_description().is_some()
    }

    /// Everything that a CREATE may write.
    pub(super) const ANYTHING: Self = Self { secret: true, description: true, note: true };
}

impl<E: Into<Failure>> From<E> for Unfinished {
    fn from(failure: E) -> Self {
        Self::new(failure, Written::ANYTHING)
    }
}

impl Unfinished {
    pub(super) fn new(failure: impl Into<Failure>, written: Written) -> Self {
        Self { failure: failure.into(), written }
    }
}

/// Deletes the key, and then its secret and description as far as they were written. If something is left, CloudFormation does
/// not call again: its rollback deletes what the answer names.
pub(super) async fn roll_back(
    create: &Create<'_>,
    record: Option<&Record>,
    key: &KeyMetadata,
    unfinished: Unfinished,
) -> Failure {
    let Unfinished { failure, written } = unfinished;
    if !create.services.deadline.leaves(TIME_TO_DELETE) {
        if let Some(record) = record {
            create.warn_of_open(record, failure.error());
        }
        let failure = failure.for_good().leaving(Left::Key { id: key.id.clone(), why: Kept::TooLate });
        return if written.is_described(create) {
            let why = description::too_late(create.user, &key.id).message;
            failure.leaving(Left::Description { id: key.id.clone(), why })
        } else {
            failure
        };
    }
    let created = key.created_at().unwrap_or_else(|| create.services.clock.now());
    if let Err((left, refusal)) = delete(create, &key.id, created, written).await {
        if let Some(record) = record {
            create.warn_of_open(record, &refusal);
        }
        return left.into_iter().fold(failure.for_good(), Failure::leaving);
    }
    if let Some(record) = record {
        close(create, record, written.note).await;
    }
    failure.leaving(Left::Nothing)
}

/// Deletes a key that this operation created at this time, and then its secret and its description, side by side. The description
/// goes even if the key does not: perhaps no secret is there to tell of it when the key goes.
///
/// # Errors
/// What is left, and why.
pub(super) async fn delete(
    create: &Create<'_>,
    id: &str,
    created: SystemTime,
    written: Written,
) -> std::result::Result<(), (Vec<Left>, HandlerError)> {
    let (services, id) = (create.services, id.to_owned());
    let (user, refused) = match delete_and_confirm(services, create.user, &id, Some(created)).await {
        Err(refusal) if !refusal.is_not_found() => (create.user.clone(), Some(refusal)),
        deleted => (deleted.unwrap_or_else(|_| create.user.clone()), None),
    };
    // The refusal may have taken all the time.
    let is_late = refused.is_some() && !services.deadline.leaves(OPERATION_TIMEOUT);
    let undescribed = async {
        if !written.is_described(create) {
            Ok(())
        } else if is_late {
            Err(description::too_late(&user, &id))
        } else {
            description::remove(services, &user, &id, OPERATION_TIMEOUT).await
        }
    };
    let secret = async {
        // A key that lives keeps its secret.
        if refused.is_none() { services.secret_store.delete(&id).await } else { Ok(()) }
    };
    let (secret, undescribed) = join!(secret, undescribed);
    let why = |failure: &HandlerError| failure.message.clone();
    let key = refused.map(|failure| (Left::Key { id: id.clone(), why: Kept::Refused(why(&failure)) }, failure));
    let secret = secret.err().filter(|_| written.secret);
    let secret = secret.map(|failure| (Left::Secret { id: id.clone(), why: why(&failure) }, failure));
    let description = undescribed.err().map(|failure| (Left::Description { id, why: why(&failure) }, failure));
    let (left, failures): (Vec<_>, Vec<_>) = [key, secret, description].into_iter().flatten().unzip();
    failures.into_iter().next().map_or(Ok(()), |failure| Err((left, failure)))
}

/// Marks the record of a key that is gone as over. If the record may still name the key, as it did, it stays open: the next attempt
/// finds out that the key is gone.
pub(super) async fn close(create: &Create<'_>, record: &Record, names_key: bool) {
    if record.is_over {
        return;
    }
    let record = record.clone().naming_none();
    match create.write(&record).await {
        Err(failure) if names_key || failure.code.is_retriable() => create.warn_of_open(&record, &failure),
        _ => create.close(Some(&record)).await,
    }
}
