//! CREATE: a new key, its secret kept, shown by IAM and by the store. Or nothing at all.
//!
//! - `preconditions.rs`: whether there may be a new key
//! - `orphan.rs`: a key that was created without an answer
//! - `concurrent.rs`: a key that another invocation of the same operation created
//! - `rollback.rs`: the way back
//! - `failure.rs`: what failed, and what is left

mod concurrent;
mod failure;
mod orphan;
mod preconditions;
mod rollback;

use access_key_schema::{
    AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, Secret, Status, UserName,
};
use aws_smithy_types::DateTime;
use tokio::{
    join,
    time::{Instant, timeout},
};

use crate::{
    Services,
    iam::{CreatedKey, KeyMetadata},
    missing_key::undecided,
    panics::contain_panics,
    pgp::{EncryptionKey, PgpKey},
    resource_model::success,
    secret_store::{Ownership, SecretValue, StoredSecret, UnknownFields, Value, refuse_what_cannot_be_stored},
    ses_smtp,
    stabilize::{CallbackContext, ShownKey, call_again, pause, poll, unless_retriable},
    time_budget::{
        LOOK_TIME, NEW_USER_WAIT, OPERATION_TIMEOUT, POLL_INTERVAL, ROLLBACK_TIME, STABILIZE_WAIT, STORING_TIME,
        SUSPECT_AGE, TIME_TO_CREATE, TIME_TO_GO_ON, TIME_TO_PUT_RIGHT,
    },
    user_keys::{UserKey, user_keys, with_entries},
};

use failure::{Failure, Left};
use preconditions::Creation;
use rollback::Unfinished;

/// What a step of a CREATE comes to.
type Outcome<T = ProgressEvent> = std::result::Result<T, Failure>;

/// One CREATE: what every step of it needs.
#[derive(Clone, Copy)]
struct Create<'a> {
    services: &'a Services,
    request: &'a Request,
    user: &'a UserName,
}

/// A key that IAM and the store both show, from the places where READ looks.
struct Shown {
    key: KeyMetadata,
    stored: StoredSecret,
    /// The user's other keys of which it was not known before whose they are.
    others: Vec<UserKey>,
}

pub(crate) async fn create(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let create = Create { services, request, user: request.user_name()? };
    let outcome = match CallbackContext::of(request)? {
        None => {
            let pgp_key = create.validate()?;
            create.begin(pgp_key).await
        }
        Some(context) => {
            create.remember(&context.shown);
            create.go_on(&context.access_key_id, Some(&context)).await
        }
    };
    match outcome {
        Err(failure) if failure.is_retriable() => {
            Err(orphan::with_shown_suspects(&create, failure).await.tell(&create))
        }
        Err(failure) => Err(orphan::with_suspects(&create, failure).await.tell(&create)),
        Ok(event) => Ok(event),
    }
}

impl Create<'_> {
    /// What a failed CREATE answers with of a key, by whose `Id` CloudFormation's rollback deletes it.
    fn model_of(&self, id: &str) -> AccessKey {
        AccessKey { user_name: Some(self.user.clone()), id: Some(id.to_owned()), ..AccessKey::default() }
    }

    /// The event that makes CloudFormation call again, with what IAM has shown of the user's other young keys: one of them may be
    /// what an attempt of this operation has left.
    fn call_again(&self, id: &str, context: Option<&CallbackContext>) -> Result<ProgressEvent> {
        let Self { services, request, user } = *self;
        let young = services
            .iam
            .shown_keys(user)
            .into_iter()
            .filter(|key| key.id != id && key.is_younger_than(SUSPECT_AGE, &services.clock));
        let shown = young.filter_map(|key| {
            Some(ShownKey { access_key_id: key.id, status: key.status, created: key.created?.secs() })
        });
        let first = CallbackContext::waiting_for(id, None);
        let context = CallbackContext { shown: shown.collect(), ..context.cloned().unwrap_or(first) };
        call_again(request, user, id, Some(&context))
    }

    /// Takes over what an earlier invocation was shown.
    fn remember(&self, shown: &[ShownKey]) {
        let key = |shown: &ShownKey| KeyMetadata {
            id: shown.access_key_id.clone(),
            status: shown.status,
            created: Some(DateTime::from_secs(shown.created)),
        };
        self.services.iam.remember_keys(self.user, &shown.iter().map(key).collect::<Vec<_>>());
    }

    /// Refuses what is wrong with the request itself, before anything is called.
    fn validate(&self) -> Result<Option<PgpKey>> {
        refuse_what_cannot_be_stored(&self.request.desired, &self.request.context.stack_tags)?;
        self.request.desired.pgp_key.as_deref().map(PgpKey::parse).transpose()
    }

    async fn begin(&self, pgp_key: Option<PgpKey>) -> Outcome {
        let before = self.keys_of_user().await.map_err(preconditions::explain_missing_user)?;
        self.replay_or_create(&before, pgp_key).await
    }

    /// Goes on with the key that an earlier invocation of this operation created, or creates one.
    async fn replay_or_create(&self, before: &[UserKey], pgp_key: Option<PgpKey>) -> Outcome {
        let Self { services, request, .. } = self;
        if let Some(existing) = concurrent::first_of_this_operation(request, before) {
            return self.go_on(&existing.metadata.id, None).await;
        }
        preconditions::refuse_lowered_serial(request, before)?;
        // A retry whose key exists already needs no OpenPGP key, so Keybase is asked, and an expired one refused, only now.
        let encryption_key = match pgp_key {
            Some(pgp_key) => Some(pgp_key.into_encryption_key(&services.keybase).await?),
            None => None,
        };
        match self.create_access_key(before).await? {
            Creation::Existing(id) => self.go_on(&id, None).await,
            Creation::New(created) => self.finish(before, created, encryption_key.as_ref()).await,
        }
    }

    /// The user's keys, once IAM knows the user, and the store has had time to show the secret of every new key: a key
    /// whose secret shows late may be the one that this operation created before.
    async fn keys_of_user(&self) -> Result<Vec<UserKey>> {
        let start = Instant::now();
        loop {
            let is_time = |wait| start.elapsed() < wait;
            match user_keys(self.services, self.user).await {
                Err(error) if is_time(NEW_USER_WAIT) && preconditions::is_user_new(&error) => {
                    pause("waiting until IAM knows the new user").await;
                }
                Err(error) => return Err(error),
                Ok(keys)
                    if is_time(STORING_TIME)
                        && self.services.deadline.leaves(TIME_TO_CREATE + POLL_INTERVAL)
                        && keys.iter().any(|key| key.may_be_underway(&self.services.clock)) =>
                {
                    pause("waiting until the store has had time to show the secret of the user's new key").await;
                }
                Ok(keys) => return Ok(keys),
            }
        }
    }

    /// Creates the key, or finds the one that this operation created before.
    async fn create_access_key(&self, before: &[UserKey]) -> Outcome<Creation> {
        let Self { services, user, .. } = *self;
        loop {
            preconditions::refuse_late_start(services.deadline)?;
            match services.iam.create_access_key(user).await {
                Ok(created) => return Ok(Creation::New(created)),
                Err(error) if orphan::may_exist(&error) => {
                    return Err(orphan::look_for(self, before, error).await);
                }
                Err(error) if error.code == HandlerErrorCode::ServiceLimitExceeded => {
                    return preconditions::limit_exceeded(self).await;
                }
                // ListAccessKeys knew the user. Nothing was created, so the call is safe to send again.
                Err(error) if preconditions::is_user_new(&error) => {
                    pause("waiting until IAM creates keys for the new user").await;
                }
                // Nor was anything here.
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

    /// Everything after the key exists. Whatever fails, a panic included, it is rolled back here and nowhere else.
    async fn finish(&self, before: &[UserKey], created: CreatedKey, encryption_key: Option<&EncryptionKey>) -> Outcome {
        let CreatedKey { metadata, secret_access_key } = created;
        let outcome = contain_panics(self.store_and_show(before, &metadata, secret_access_key, encryption_key)).await;
        let failure = match outcome {
            Ok(event) => return Ok(event),
            Err(unfinished) => rollback::roll_back(self, &metadata, unfinished).await,
        };
        match failure.stays() {
            Some(id) => self.go_on(id, None).await,
            None => Err(failure),
        }
    }

    /// Stores the secret and sets the status, side by side, and waits until both are shown.
    ///
    /// Both calls run to their end: a call given up halfway could still take effect behind the back of the rollback.
    async fn store_and_show(
        &self,
        before: &[UserKey],
        key: &KeyMetadata,
        secret_access_key: Secret,
        encryption_key: Option<&EncryptionKey>,
    ) -> std::result::Result<ProgressEvent, Unfinished> {
        let value = self.secret_value(key, secret_access_key, encryption_key)?;
        let (stored, status) = join!(
            self.services.secret_store.put(&value, &self.request.context.stack_tags),
            self.set_initial_status(&key.id),
        );
        stored.map_err(Unfinished::while_storing)?;
        status?;
        Ok(self.show(&key.id, before, None).await?)
    }

    /// The value of the new key's secret. With an encryption key the secret access key ends here: what goes on is
    /// encrypted.
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
            Status::Inactive => self.set_status(id).await,
        }
    }

    /// Sets the status that the template declares. IAM may not know the user or the key yet: what passes is left to the
    /// looks that follow.
    async fn set_status(&self, id: &str) -> Result<()> {
        let status = self.request.desired.wanted_status();
        match self.services.iam.update_access_key(self.user, id, status).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => unless_retriable(outcome).map(drop),
        }
    }

    /// Goes on with a key whose secret is stored already: in a callback, or after an invocation that timed out, died, or
    /// whose answer was lost. CloudFormation learns the key's id from every answer, and its rollback deletes the key.
    async fn go_on(&self, id: &str, context: Option<&CallbackContext>) -> Outcome {
        let event = async {
            if context.is_none() {
                self.prove_that_it_lives(id).await?;
            }
            self.show(id, &[], context).await
        };
        match event.await {
            Err(failure) if !failure.is_not_found() => {
                Err(failure.leaving(Left::Key { id: id.to_owned(), why: "it was not rolled back".to_owned() }))
            }
            event => event,
        }
    }

    /// Waits until IAM takes a write to a key that another invocation created. IAM may go on showing a key that was rolled
    /// back, but takes no write to it.
    ///
    /// # Errors
    /// A code that CloudFormation retries: IAM does not take one, whatever it shows, or fails.
    async fn prove_that_it_lives(&self, id: &str) -> Result<()> {
        let Self { services, request, user } = *self;
        if !services.deadline.leaves(TIME_TO_GO_ON) {
            return Err(undecided(id, user));
        }
        let status = request.desired.wanted_status();
        let mut failure = undecided(id, user);
        let write = async || match services.iam.update_access_key(user, id, status).await {
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) if error.code.is_retriable() => {
                failure = error;
                Ok(false)
            }
            outcome => outcome.map(|()| true),
        };
        let reason = "waiting until IAM takes a write to the key that it shows";
        let reserve = TIME_TO_GO_ON.saturating_sub(LOOK_TIME);
        if poll(services, reason, STABILIZE_WAIT, reserve, |is_written| *is_written, write).await? {
            Ok(())
        } else {
            Err(failure)
        }
    }

    /// The answer for a key whose secret is stored, once READ would give the same; until then, a callback.
    async fn show(&self, id: &str, before: &[UserKey], context: Option<&CallbackContext>) -> Outcome {
        let Self { services, request, user } = *self;
        let look = async || self.look(id, before, context).await;
        let reason = "waiting until IAM and the store show the new key";
        let shown = poll(services, reason, STABILIZE_WAIT, ROLLBACK_TIME, Option::is_some, look).await?;
        let Some(Shown { key, stored, mut others }) = shown else { return Ok(self.call_again(id, context)?) };
        // Of a key that was looked at again, what the later look has shown.
        let is_new = |key: &&UserKey| others.iter().all(|other| other.metadata.id != key.metadata.id);
        let before: Vec<_> = before.iter().filter(is_new).cloned().collect();
        others.splice(..0, before);
        let warning = orphan::suspects_among(self, others).map(|left| left.tell(self));
        Ok(success(request, user, key, Some(stored))?.with_message(warning))
    }

    /// One look at a key that this operation created, which puts right what it can.
    ///
    /// # Errors
    /// - `NotFound`: the key is another operation's.
    /// - `ResourceConflict` with a key that another invocation of this operation created before this one.
    /// - `AccessDenied`: the role may not read the secret that it has stored.
    async fn look(&self, id: &str, before: &[UserKey], context: Option<&CallbackContext>) -> Outcome<Option<Shown>> {
        let Self { services, request, .. } = *self;
        let Ok(shown) = timeout(OPERATION_TIMEOUT, self.see(id, before, context)).await else { return Ok(None) };
        let Some(Shown { key, stored, others }) = shown? else { return Ok(None) };
        // In a callback, CloudFormation knows this key by its id, and no other.
        if context.is_none() {
            concurrent::give_way(self, &key, &others)?;
        }
        let is_as_wanted = key.status == request.desired.wanted_status();
        let is_alone = !others.iter().any(|key| key.is_by(request));
        if !(is_as_wanted && is_alone || services.deadline.leaves(TIME_TO_PUT_RIGHT + ROLLBACK_TIME)) {
            return Ok(None);
        }
        if !is_as_wanted {
            self.set_status(id).await?;
            return Ok(None);
        }
        let is_alone = unless_retriable(concurrent::delete_others(self, &others).await)? == Some(true);
        let is_underway = others.iter().any(|key| key.may_be_underway(&services.clock));
        Ok((is_alone && !is_underway).then_some(Shown { key, stored, others }))
    }

    /// The key, from the places where READ looks, and those of the user's keys that were not there `before`. What one look has
    /// shown of these, the next one does not forget.
    async fn see(&self, id: &str, before: &[UserKey], context: Option<&CallbackContext>) -> Result<Option<Shown>> {
        let Self { services, request, user } = *self;
        let (listed, stored) = join!(services.iam.list_access_keys(user), services.secret_store.get(id));
        let listed = match listed {
            // The user is seconds old.
            Err(error) if error.is_not_found() => None,
            listed => unless_retriable(listed)?,
        };
        let Some(listed) = listed else { return Ok(None) };
        let others = services.iam.shown_keys(user).into_iter().filter(|key| key.id != id);
        let others = concurrent::unknown(others, before, &services.clock);
        let Some(others) = unless_retriable(with_entries(services, others).await)? else { return Ok(None) };
        let Some(stored) = unless_retriable(stored)?.flatten() else { return Ok(None) };
        match &stored.value {
            Value::Readable(value) if Ownership::of(value).is_by(request) => {}
            // CloudFormation was told of this key, and sends a token of its own choice.
            Value::Readable(value) if context.is_some() && Ownership::of(value).is_of_same_resource(request) => {}
            Value::Readable(_) => {
                return Err(HandlerError::new(
                    HandlerErrorCode::NotFound,
                    format!("Access key {id} of user {user} was not created by this operation"),
                ));
            }
            Value::Unreadable { why, .. } => return Err(HandlerError::new(HandlerErrorCode::AccessDenied, why)),
        }
        let Some(key) = listed.into_iter().find(|key| key.id == id) else { return Ok(None) };
        Ok(Some(Shown { key, stored, others }))
    }
}
