//! CREATE: a new key, its secret kept, shown by IAM and by the store.
//!
//! Three rules hold. `CreateAccessKey` is called only by an invocation that holds the record of an attempt. A key is deleted only
//! if its id came in the answer to this invocation's own call, or if a record of this operation or a secret that it has stored
//! names the key. Once the secret is stored and the record names the key, nothing is rolled back: the answer names the key, and
//! CloudFormation's rollback deletes it.
//!
//! - `attempts.rs`: who may create, and how earlier attempts are finished
//! - `preconditions.rs`: whether there may be a new key
//! - `rollback.rs`: deleting a key whose CREATE failed
//! - `doubt.rs`: keys that an attempt without an answer may have made
//! - `failure.rs`: what failed, and what is left

mod attempts;
mod doubt;
mod failure;
mod preconditions;
mod rollback;

use access_key_schema::{
    AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, Secret, Status, UserName,
};
use cfn_resource_runtime::{
    LOOK_TIME, OPERATION_TIMEOUT, POLL_INTERVAL, contain_panics, pause, poll, unless_retriable,
};
use tokio::{
    join,
    time::{Instant, timeout},
};

use crate::{
    Services,
    callback::{CallbackContext, call_again},
    description::UserTag,
    iam::{CreatedKey, KeyMetadata, Untagged},
    locate::undecided,
    operation_name::app_name,
    pgp::{EncryptionKey, PgpKey},
    resource_model::success,
    secret_store::{Ownership, Record, SecretValue, StoredSecret, UnknownFields, Value, refuse_what_cannot_be_stored},
    ses_smtp,
    time_budget::{NEW_USER_WAIT, STABILIZE_WAIT, TIME_TO_CREATE, TIME_TO_GO_ON},
    user_keys::{UserKey, user_keys},
};

use attempts::{Attempts, Step};
pub use failure::Failure;
use failure::{Kept, Left};
use rollback::{Unfinished, Written};

/// The result of a step of a CREATE.
type Outcome<T = Answer> = std::result::Result<T, Failure>;

/// One CREATE: what every step of it needs.
struct Create<'a> {
    services: &'a Services,
    request: &'a Request,
    user: &'a UserName,
    /// The name of the operation in the user agent of its calls to IAM.
    app_name: Option<String>,
}

/// The answer of a CREATE that has not failed, and what a person has to know.
#[derive(Debug)]
pub struct Answer {
    event: ProgressEvent,
    /// The keys that an attempt of a CREATE without an answer may have made.
    doubtful: Vec<KeyMetadata>,
}

/// A key that IAM and the store both show, from the places where READ looks.
struct Visible {
    key: KeyMetadata,
    stored: StoredSecret,
    description: UserTag,
    /// The keys that an attempt without an answer may have made.
    doubtful: Vec<KeyMetadata>,
}

impl From<ProgressEvent> for Answer {
    fn from(event: ProgressEvent) -> Self {
        Self { event, doubtful: vec![] }
    }
}

impl Answer {
    /// The ids of the keys that a person is told how to delete.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.doubtful.iter().map(|key| &*key.id)
    }
}

pub(crate) async fn create(services: &Services, request: &Request) -> Outcome {
    let (create, context) = Create::of(services, request)?;
    let outcome = match context {
        None => {
            let pgp_key = create.validate()?;
            create.begin(pgp_key).await
        }
        Some(context) => create.answer(&context).await,
    };
    match outcome {
        Err(failure) => Err(doubt::with_doubtful_keys(&create, failure).await),
        answer => answer,
    }
}

/// Puts the outcome of a CREATE into words.
pub(crate) fn tell(services: &Services, request: &Request, outcome: Outcome) -> Result<ProgressEvent> {
    let (create, _) = Create::of(services, request)?;
    match outcome {
        Ok(Answer { event, doubtful }) if doubtful.is_empty() => Ok(event),
        Ok(Answer { event, doubtful }) => Ok(event.with_message(Some(Left::Doubtful(doubtful).tell(&create)))),
        Err(failure) => Err(failure.tell(&create)),
    }
}

impl<'a> Create<'a> {
    /// The CREATE that the request is part of, and the context that it carries.
    fn of(services: &'a Services, request: &'a Request) -> Result<(Self, Option<CallbackContext>)> {
        let context = CallbackContext::of(request)?;
        let app_name = match &context {
            // A callback may have another token.
            Some(context) => context.app_name.clone(),
            None => app_name(request),
        };
        Ok((Self { services, request, user: request.desired.required_user_name()?, app_name }, context))
    }

    /// The model of a key in the answer of a failed CREATE. By its `Id`, CloudFormation's rollback deletes the key; by its
    /// `Description`, the tag of the user, of which no secret may tell.
    fn model_of(&self, id: &str) -> AccessKey {
        AccessKey {
            user_name: Some(self.user.clone()),
            id: Some(id.to_owned()),
            description: self.request.desired.description.clone(),
            ..AccessKey::default()
        }
    }

    /// Refuses what is wrong with the request itself, before anything is called.
    fn validate(&self) -> Result<Option<PgpKey>> {
        refuse_what_cannot_be_stored(&self.request.desired, &self.request.context.stack_tags)?;
        self.request.desired.pgp_key.as_deref().map(PgpKey::parse).transpose()
    }

    /// Creates a key, or goes on with the one that an earlier invocation of this operation has created.
    ///
    /// The state of all these calls is large, so it goes to the heap, branch by branch.
    async fn begin(&self, pgp_key: Option<PgpKey>) -> Outcome {
        if self.request.context.client_request_token.is_none() {
            // Nothing tells a repetition from another operation, so there is nothing to keep a record for.
            return self.create_access_key(self.keys_of_user().await, pgp_key, None).await;
        }
        let (attempts, keys) = join!(Box::pin(self.attempts()), Box::pin(self.keys_of_user()));
        let mut attempts = attempts?;
        let outcome = Box::pin(self.follow(&mut attempts, keys, pgp_key)).await;
        if let Err(failure) = &outcome
            && !failure.is_retriable()
        {
            attempts.open().for_each(|record| self.warn_of_open(record, failure.error()));
        }
        outcome
    }

    /// Does what earlier attempts have left to do.
    async fn follow(&self, attempts: &mut Attempts, keys: Result<Vec<UserKey>>, pgp_key: Option<PgpKey>) -> Outcome {
        let mut own =
            keys.iter().flatten().find(|key| key.was_made_by(self.request)).map(|key| key.metadata.id.clone());
        loop {
            match attempts.next_step(own.as_deref(), &self.services.clock) {
                Step::Settle(record, id) => {
                    if let Some(answer) = Box::pin(self.settle(attempts, record, &id)).await? {
                        return Ok(answer);
                    }
                    own = own.filter(|own| *own != id);
                }
                Step::Wait(number) => return Box::pin(self.wait_for(attempts, number)).await,
                Step::Adopt(id) => return Box::pin(self.adopt(attempts, &id)).await,
                Step::Create(number) if attempts.are_ahead() => {
                    return Err(self.taken(number).doubting(attempts.doubt()));
                }
                Step::Create(number) => {
                    let doubt = attempts.doubt();
                    let record = match (attempts.held(), &keys) {
                        (Some(record), _) => record,
                        (None, Ok(_)) => match self.take_over(attempts).await? {
                            Some(record) => record,
                            None => return Box::pin(self.wait_for(attempts, number)).await,
                        },
                        (None, Err(error)) => return Err(Failure::from(error.clone()).doubting(doubt)),
                    };
                    let created = Box::pin(self.create_access_key(keys, pgp_key, Some(record))).await;
                    return created.map_err(|failure| failure.doubting(doubt));
                }
            }
        }
    }

    /// The user's keys, once IAM knows the user.
    async fn keys_of_user(&self) -> Result<Vec<UserKey>> {
        let start = Instant::now();
        loop {
            match self.services.deadline.bound(user_keys(self.services, self.user)).await {
                Err(error) if start.elapsed() < NEW_USER_WAIT && preconditions::is_user_new(&error) => {
                    pause("waiting until IAM knows the new user").await;
                }
                keys => return keys.map_err(preconditions::explain_missing_user),
            }
        }
    }

    /// Creates a key, as the only invocation that may. If it creates none, the record is over.
    async fn create_access_key(
        &self,
        keys: Result<Vec<UserKey>>,
        pgp_key: Option<PgpKey>,
        record: Option<Record>,
    ) -> Outcome {
        match self.try_to_create(keys, pgp_key).await {
            Ok((created, encryption_key)) => Box::pin(self.finish(record, created, encryption_key.as_ref())).await,
            Err(failure) => {
                // After a call without an answer, the record stays open.
                if !failure.is_outcome_unknown() {
                    self.close(record.as_ref()).await;
                }
                Err(if record.is_some() { failure } else { failure.for_good_if_outcome_is_unknown() })
            }
        }
    }

    async fn try_to_create(
        &self,
        keys: Result<Vec<UserKey>>,
        pgp_key: Option<PgpKey>,
    ) -> Outcome<(CreatedKey, Option<EncryptionKey>)> {
        let Self { services, request, user, .. } = *self;
        preconditions::refuse_lowered_serial(request, &keys?)?;
        // A retry whose key exists already needs no OpenPGP key, so Keybase is asked, and an expired one refused, only now.
        let encryption_key = match pgp_key {
            Some(pgp_key) => Some(pgp_key.into_encryption_key(&services.keybase).await?),
            None => None,
        };
        loop {
            preconditions::refuse_late_start(services.deadline)?;
            match services.iam.create_access_key(user).await {
                Ok(created) => return Ok((created, encryption_key)),
                // It timed out, was cut off, or failed in IAM, and is sent once: a key may exist all the same.
                Err(error)
                    if matches!(
                        error.code,
                        HandlerErrorCode::NetworkFailure | HandlerErrorCode::ServiceInternalError
                    ) =>
                {
                    return Err(Failure::from(error).leaving(Left::Unknown));
                }
                Err(error) if error.code == HandlerErrorCode::ServiceLimitExceeded => {
                    return Err(preconditions::limit_exceeded(self).await);
                }
                // ListAccessKeys knew the user. Nothing was created, so the call is safe to send again.
                Err(error) if preconditions::is_user_new(&error) => {
                    pause("waiting until IAM creates keys for the new user").await;
                }
                // Nothing was created here either.
                Err(error)
                    if error.code == HandlerErrorCode::Throttling
                        && services.deadline.leaves(TIME_TO_CREATE + POLL_INTERVAL) =>
                {
                    pause("waiting until IAM takes more requests").await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Does everything that follows once the key exists. Until the key's secret is stored and its record names it, each failure,
    /// a panic included, is rolled back, here and nowhere else.
    async fn finish(
        &self,
        record: Option<Record>,
        created: CreatedKey,
        encryption_key: Option<&EncryptionKey>,
    ) -> Outcome {
        let CreatedKey { metadata, secret_access_key } = created;
        let record = record.map(|record| record.naming(&metadata.id));
        let stored = self.store(record.as_ref(), &metadata, secret_access_key, encryption_key);
        if let Err(unfinished) = contain_panics(Box::pin(stored)).await {
            return Err(Box::pin(rollback::roll_back(self, record.as_ref(), &metadata, unfinished)).await);
        }
        let context = self.context(&metadata.id, record.as_ref().and_then(|record| record.note.doubt));
        join!(self.close(record.as_ref()), self.answer(&context)).1
    }

    /// Stores the secret, writes the key's id into the record, and sets the status and the description, side by side.
    ///
    /// The calls run to their end: one that is given up halfway could still take effect after the rollback.
    async fn store(
        &self,
        record: Option<&Record>,
        key: &KeyMetadata,
        secret_access_key: Secret,
        encryption_key: Option<&EncryptionKey>,
    ) -> std::result::Result<(), Unfinished> {
        let Self { services, request, .. } = *self;
        let value = self.secret_value(key, secret_access_key, encryption_key)?;
        let note = async {
            match record {
                Some(record) => services.secret_store.write_record(request, record).await,
                None => Ok(()),
            }
        };
        let (stored, noted, status, described) = join!(
            services.secret_store.put(&value, &request.context.stack_tags),
            note,
            self.set_initial_status(&key.id),
            self.set_description(&key.id),
        );
        let written = Written {
            secret: stored.as_ref().err().is_none_or(|unstored| unstored.may_be_stored),
            description: described.as_ref().err().is_none_or(|untagged| untagged.may_be_done),
            note: noted.as_ref().err().is_none_or(|failure| failure.code.is_retriable()),
        };
        let stored = stored.map_err(|unstored| unstored.error);
        let described = described.map_err(|untagged| untagged.error);
        stored.and(noted).and(status).and(described).map_err(|error| Unfinished::new(error, written))?;
        Ok(())
    }

    /// The context with which the looks at a key begin, and a callback goes on.
    fn context(&self, id: &str, doubt: Option<u64>) -> CallbackContext {
        let app_name = doubt.and(self.app_name.clone());
        CallbackContext { doubt, app_name, ..CallbackContext::waiting_for(id, None) }
    }

    /// Writes what the record says by now.
    async fn write(&self, record: &Record) -> Result<()> {
        self.services.deadline.refuse_late_write(1)?;
        self.services.secret_store.write_record(self.request, record).await
    }

    /// Marks the record as over, if there is one. If that fails, it stays open, and a WARN line names it.
    async fn close(&self, record: Option<&Record>) {
        let Self { services, request, .. } = *self;
        let Some(record) = record else { return };
        let closed = match services.deadline.refuse_late_write(1) {
            Ok(()) => services.secret_store.close_record(request, record).await,
            late => late,
        };
        if let Err(failure) = closed {
            self.warn_of_open(record, &failure);
        }
    }

    fn warn_of_open(&self, record: &Record, failure: &HandlerError) {
        let name = self.services.secret_store.record_name(self.request, record.number);
        tracing::warn!(record = name, why = failure.message, "record of a CREATE is left open");
    }

    /// The value of the new key's secret. With an encryption key, the secret access key ends here: only encrypted values go on.
    fn secret_value(
        &self,
        key: &KeyMetadata,
        secret_access_key: Secret,
        encryption_key: Option<&EncryptionKey>,
    ) -> Result<SecretValue> {
        let Self { request, user, .. } = *self;
        let desired = &request.desired;
        let value = SecretValue {
            access_key_id: key.id.clone(),
            secret_access_key: None,
            ses_smtp_password_v4: None,
            encrypted_secret: None,
            encrypted_ses_smtp_password_v4: None,
            key_fingerprint: None,
            pgp_key: desired.pgp_key.clone(),
            ses_smtp_region: desired.ses_smtp_region.clone(),
            user_name: user.clone(),
            serial: desired.serial,
            tags: desired.tags.clone(),
            description: desired.description.clone(),
            create_date: key.create_date(),
            stack_id: request.context.stack_id.clone(),
            logical_resource_id: request.context.logical_resource_id.clone(),
            client_request_token: request.context.client_request_token.clone(),
            unknown: UnknownFields::default(),
        };
        let region = desired.ses_smtp_region.as_deref().unwrap_or(&request.region);
        let password = ses_smtp::password(&secret_access_key, region)?;
        let Some(encryption_key) = encryption_key else {
            return Ok(SecretValue {
                secret_access_key: Some(secret_access_key),
                ses_smtp_password_v4: Some(password).filter(|_| !request.type_configuration.returns_secrets()),
                ..value
            });
        };
        Ok(SecretValue {
            encrypted_secret: Some(encryption_key.encrypt(&secret_access_key)?),
            encrypted_ses_smtp_password_v4: Some(encryption_key.encrypt(&password)?),
            key_fingerprint: Some(encryption_key.fingerprint().to_owned()),
            ..value
        })
    }

    /// Sets the status of the new key, which IAM creates `Active`.
    async fn set_initial_status(&self, id: &str) -> Result<()> {
        match self.request.desired.wanted_status() {
            Status::Active => Ok(()),
            Status::Inactive => self.deactivate(id).await,
        }
    }

    /// Deactivates the key. IAM may not know the user or the key yet: the looks that follow try a passing failure again.
    async fn deactivate(&self, id: &str) -> Result<()> {
        match self.services.iam.update_access_key(self.user, id, Status::Inactive).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => unless_retriable(outcome).map(drop),
        }
    }

    /// Sets the description. Returns whether IAM has taken it: the looks that follow try a passing failure again, such as that
    /// IAM does not know the user yet.
    async fn set_description(&self, id: &str) -> std::result::Result<bool, Untagged> {
        let Some(description) = self.request.desired.wanted_description() else { return Ok(true) };
        let Err(Untagged { error, may_be_done }) = self.services.iam.tag_user(self.user, id, description).await else {
            return Ok(true);
        };
        let error = self.services.iam.explain_denial(self.user, error).await;
        let passes = error.is_not_found() || error.code.is_retriable();
        if passes { Ok(false) } else { Err(Untagged { error, may_be_done }) }
    }

    /// Whether IAM takes a write to a key of an attempt that has ended. IAM may go on showing a key that was rolled back, but takes
    /// no write to it. The write changes nothing, unless the template wants the key inactive.
    ///
    /// # Errors
    /// A code that CloudFormation retries: there is no time to find out, or IAM fails. `AccessDenied`: the role may not write.
    async fn takes_a_write(&self, id: &str) -> Result<bool> {
        let Self { services, request, user, .. } = *self;
        if !services.deadline.leaves(TIME_TO_GO_ON) {
            return Err(undecided(id, user));
        }
        let mut failure = None;
        let write = async || {
            let Some(key) = services.iam.find_access_key(user, id).await? else { return Ok(false) };
            let status =
                if request.desired.wanted_status() == Status::Inactive { Status::Inactive } else { key.status };
            services.iam.update_access_key(user, id, status).await.map(|()| true)
        };
        let write = async || match write().await {
            Err(error) if error.is_not_found() => Ok(Some(false)),
            Err(error) if error.code.is_retriable() => {
                failure = Some(error);
                Ok(None)
            }
            outcome => outcome.map(Some),
        };
        let reason = "waiting until IAM takes a write to the key of an attempt that has ended";
        let reserve = TIME_TO_GO_ON.saturating_sub(LOOK_TIME);
        let written = poll(services.deadline, reason, STABILIZE_WAIT, reserve, |written| *written == Some(true), write);
        let written: Option<bool> = written.await?;
        written.ok_or_else(|| failure.unwrap_or_else(|| undecided(id, user)))
    }

    /// The answer for a key whose secret is stored: it is not rolled back any more. CloudFormation learns its id from every answer,
    /// and its rollback deletes it.
    async fn answer(&self, context: &CallbackContext) -> Outcome {
        let id = context.access_key_id.clone();
        match contain_panics(Box::pin(self.wait_until_visible(context))).await {
            Err(failure) if !failure.is_not_found() => {
                let left = Left::Key { id, why: Kept::NotRolledBack };
                Err(failure.leaving(left).doubting(context.doubt))
            }
            answer => answer,
        }
    }

    /// The answer, once READ would give the same; until then, a callback.
    async fn wait_until_visible(&self, context: &CallbackContext) -> Outcome {
        let Self { services, request, user, .. } = *self;
        let reason = "waiting until IAM and the store show the new key";
        let observe = async || Box::pin(self.observe_and_correct(context)).await;
        let visible =
            poll(services.deadline, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, Option::is_some, observe).await?;
        let Some(Visible { key, stored, description, doubtful }) = visible else {
            return Ok(call_again(request, user, &context.access_key_id, Some(context))?.into());
        };
        Ok(Answer { event: success(request, user, key, Some(stored), description)?, doubtful })
    }

    /// One look at the key, which puts its status and its description right.
    ///
    /// # Errors
    /// - `NotFound`: the key is another operation's.
    /// - `AccessDenied`: the role may not read the secret that it has stored.
    /// - `UnauthorizedTaggingOperation`: the role may not set the description.
    async fn observe_and_correct(&self, context: &CallbackContext) -> Result<Option<Visible>> {
        let Ok(visible) = timeout(OPERATION_TIMEOUT, self.observe(context)).await else { return Ok(None) };
        let Some(visible) = visible? else { return Ok(None) };
        // IAM creates keys Active. If the key is Inactive against the template, somebody has deactivated it: it may have leaked.
        let has_status = [visible.key.status, Status::Active].contains(&self.request.desired.wanted_status());
        let is_described = match &visible.description {
            UserTag::Shown(value) => value.as_deref() == self.request.desired.wanted_description(),
            UserTag::Unseen => self.request.desired.wanted_description().is_none(),
        };
        if has_status && is_described {
            return Ok(Some(visible));
        }
        if !self.services.deadline.leaves(OPERATION_TIMEOUT * 2) {
            return Ok(None);
        }
        let id = &context.access_key_id;
        let deactivate = async { if has_status { Ok(()) } else { self.deactivate(id).await } };
        let describe = async { if is_described { Ok(true) } else { self.set_description(id).await } };
        let (deactivated, described) = join!(deactivate, describe);
        deactivated?;
        let described = described.map_err(|untagged| untagged.error)?;
        // If the role may not see a description, it counts as there once IAM has taken it.
        let is_done = has_status && described && visible.description == UserTag::Unseen;
        Ok(Some(visible).filter(|_| is_done))
    }

    /// The key, from the places where READ looks.
    async fn observe(&self, context: &CallbackContext) -> Result<Option<Visible>> {
        let Self { services, request, user, .. } = *self;
        let id = &context.access_key_id;
        let described = async {
            match request.desired.wanted_description() {
                Some(_) => UserTag::of(services, user, id).await,
                None => Ok(UserTag::Unseen),
            }
        };
        let (listed, stored, described) =
            join!(services.iam.list_access_keys(user), services.secret_store.get(id), described);
        let listed = match listed {
            // The user is seconds old.
            Err(error) if error.is_not_found() => None,
            listed => unless_retriable(listed)?,
        };
        let Some(stored) = unless_retriable(stored)?.flatten() else { return Ok(None) };
        match &stored.value {
            Value::Readable(value) if Ownership::of(value).is_by(request) => {}
            // CloudFormation was told of this key, and may send any token.
            Value::Readable(value)
                if request.context.callback_context.is_some() && Ownership::of(value).is_of_same_resource(request) => {}
            Value::Readable(_) => {
                return Err(HandlerError::new(
                    HandlerErrorCode::NotFound,
                    format!("Access key {id} of user {user} was not created by this operation"),
                ));
            }
            Value::Unreadable { why, .. } => return Err(HandlerError::new(HandlerErrorCode::AccessDenied, why)),
        }
        // A failure to show the tags passes.
        let (Some(listed), Ok(description)) = (listed, described) else { return Ok(None) };
        let (own, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(|key| key.id == *id);
        let doubtful = match context.doubt {
            Some(since) => unless_retriable(doubt::among(services, others, since).await)?,
            None => Some(vec![]),
        };
        Ok(own.into_iter().next().zip(doubtful).map(|(key, doubtful)| Visible { key, stored, description, doubtful }))
    }
}
