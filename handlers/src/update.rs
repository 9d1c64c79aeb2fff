//! UPDATE: changes the status, the tags and the description in place. A change of any other property needs a new key.
//!
//! CloudFormation rolls a failed update back by another UPDATE, with the properties exchanged. So a refused UPDATE changes
//! nothing, and an UPDATE that has nothing to write succeeds, whatever it would not be allowed to write.
//!
//! - `refusals.rs`: what cannot be updated
//! - `describe.rs`: the description

mod describe;
mod refusals;

use access_key_schema::{
    AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, RequestContext, Result, Status, UserName,
};
use cfn_resource_runtime::{OPERATION_TIMEOUT, poll, unless_retriable};
use tokio::{join, time::Instant, try_join};

use crate::{
    Services,
    callback::{CallbackContext, call_again},
    description::UserTag,
    iam::{KeyMetadata, Untagged},
    locate::{Location, locate, of_another_user, undecided},
    resource_model::{not_found, of_iam, success, success_without_secret},
    secret_store::{StoredSecret, are_same, refuse_what_cannot_be_stored},
    time_budget::{SETTLED_AFTER_INVOCATIONS, STABILIZE_WAIT, UNKNOWN_WAIT, is_new},
};

use describe::Description;

/// One UPDATE: what every step of it needs.
struct Update<'a> {
    services: &'a Services,
    request: &'a Request,
    id: &'a str,
    changes: Changes,
}

/// What changes, according to the request.
struct Changes {
    /// The status. Also `true` if nothing says that it stays.
    ///
    /// Only a change in the template activates a key: somebody may have deactivated it since, because it has leaked, and a change
    /// of `Tags` must not activate it again. A key that the template wants inactive is deactivated in any case.
    status: bool,
    /// The resource's own tags. `None` if nothing says what they were before.
    own_tags: Option<bool>,
    stack_tags: bool,
    /// The description. `None` if nothing says what it was before.
    description: Option<bool>,
}

/// The stored secret of the key, `None` if there is none, or why that is unknown.
type Stored = Result<Option<StoredSecret>>;

pub(crate) async fn update(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let update = Update { services, request, id: request.primary_identifier()?, changes: Changes::of(request) };
    match CallbackContext::of(request)? {
        None => update.begin().await,
        Some(context) => update.go_on(&context).await,
    }
}

impl Changes {
    fn of(request: &Request) -> Self {
        let Request { desired, previous, context, .. } = request;
        let has_other_tags = |previous: &AccessKey| !are_same(previous.tags.as_deref(), desired.tags.as_deref());
        let has_other_description = |previous: &AccessKey| previous.description != desired.description;
        Self {
            status: previous.as_ref().is_none_or(|previous| previous.wanted_status() != desired.wanted_status()),
            own_tags: previous.as_ref().map(has_other_tags),
            stack_tags: context.stack_tags != context.previous_stack_tags,
            description: previous.as_ref().map(has_other_description),
        }
    }
}

impl Update<'_> {
    async fn begin(&self) -> Result<ProgressEvent> {
        let Self { services, request, id, changes } = self;
        self.refuse_create_only_changes().await?;
        let changes_status_alone =
            changes.own_tags == Some(false) && !changes.stack_tags && changes.description == Some(false);
        if changes.status && changes_status_alone {
            return Box::pin(self.set_status_alone()).await;
        }
        if changes.own_tags != Some(false) || changes.stack_tags {
            refuse_what_cannot_be_stored(&request.desired, &request.context.stack_tags)?;
        }
        let (found, stored) = join!(self.find_key(), services.secret_store.get(id));
        let (mut user, key) = found?;
        let stored = self.wait_for_secret(&key, stored).await;
        self.refuse_undeclarable(&user, &stored).await?;
        let was = Description::in_store(&stored);
        let (stored, version) = self.retag(stored).await?;
        if let Err(Untagged { error: refusal, may_be_done }) =
            Box::pin(self.set_description(&user, &stored, &was)).await
        {
            if !refusal.code.is_retriable() {
                Box::pin(self.put_back(&user, stored, may_be_done)).await;
            }
            return Err(refusal);
        }
        // The status comes last: a refusal until here has left it as it was.
        let (status, is_undone) = (request.desired.wanted_status(), request.context.rollback == Some(true));
        if changes.status || status == Status::Inactive && (is_undone || key.status != status) {
            user = match self.set_status(status).await {
                Err(refusal) if !refusal.code.is_retriable() => {
                    Box::pin(self.put_back(&user, stored, true)).await;
                    return Err(refusal);
                }
                user => user?,
            };
        }
        self.answer(&user, stored, &CallbackContext::waiting_for(id, version)).await
    }

    /// Changes the status alone. It does not fail because of the secret: CloudFormation's rollback would set the previous status,
    /// and so could activate a key that was deactivated because it has leaked.
    async fn set_status_alone(&self) -> Result<ProgressEvent> {
        let Self { services, request, id, .. } = self;
        // Both run to their end: a status that is set counts, even if the secret cannot be read.
        let set = self.set_status(request.desired.wanted_status());
        let (set, stored) = join!(set, services.secret_store.get(id));
        let user = set?;
        let stored = match stored {
            Ok(stored) if !self.declares_the_same(stored.as_ref()) => self.find_late_secret(&user).await,
            stored => stored,
        };
        self.answer(&user, stored, &CallbackContext::waiting_for(id, None)).await
    }

    /// Goes on in a callback: everything is written.
    async fn go_on(&self, context: &CallbackContext) -> Result<ProgressEvent> {
        let (found, stored) = join!(self.find_key(), self.services.secret_store.get(self.id));
        let (user, _) = found?;
        self.answer(&user, stored, context).await
    }

    /// Sets the status of the key. Returns the user who has it by now.
    async fn set_status(&self, status: Status) -> Result<UserName> {
        let Self { services, id, .. } = self;
        let set = async |user: &UserName| {
            // A denial takes a second call, which finds out why.
            services.deadline.refuse_late_write(2)?;
            services.iam.update_access_key(user, id, status).await.map(Some)
        };
        match self.until_known(Purpose::Write, set).await {
            Ok((user, ())) => Ok(user),
            Err(refusal) if refusal.code.is_retriable() || refusal.is_not_found() => Err(refusal),
            // There was nothing to write.
            Err(refusal) => match self.find_key().await {
                Ok((user, key)) if key.status == status => Ok(user),
                Ok(_) => Err(refusal),
                Err(unseen) => Err(refusal.unless_hidden_by(&unseen)),
            },
        }
    }

    /// The key, as IAM shows it, and the user who has it by now.
    async fn find_key(&self) -> Result<(UserName, KeyMetadata)> {
        let Self { services, id, .. } = self;
        let find = async |user: &UserName| services.deadline.bound(services.iam.find_access_key(user, id)).await;
        self.until_known(Purpose::Read, find).await
    }

    /// IAM's answer to `ask`, once it knows the key; it may not know it everywhere yet. The user may have been renamed: then the
    /// store has the old name, which proves that the key may be written to under the new name.
    ///
    /// # Errors
    /// - `NotFound`: IAM shows the key nowhere.
    /// - `InvalidRequest`: it is another user's.
    async fn until_known<T>(
        &self,
        purpose: Purpose,
        ask: impl AsyncFn(&UserName) -> Result<Option<T>>,
    ) -> Result<(UserName, T)> {
        let Self { services, request, id, .. } = self;
        let start = Instant::now();
        let declared = request.desired.required_user_name()?;
        let mut user = declared.clone();
        let mut unseen = None;
        let look = async || {
            match ask(&user).await {
                Ok(None) => {}
                Err(error) if error.is_not_found() => {}
                known => return Ok(known?.map(|known| (user.clone(), known))),
            }
            match services.deadline.bound(locate(services, &user, id)).await? {
                Location::Here => {}
                Location::Elsewhere(owner) => {
                    if purpose == Purpose::Write && !self.was_made_for(declared).await? {
                        let advice = "Set UserName to the user's current name, which replaces the key";
                        return Err(of_another_user(id, declared, &owner, advice));
                    }
                    // IAM may not know the new name everywhere yet.
                    user = owner;
                }
                Location::Nowhere if start.elapsed() < UNKNOWN_WAIT => {}
                Location::Nowhere => match self.is_young().await {
                    Ok(true) => {}
                    // It hides how old the key is.
                    Err(failure) if failure.code.is_retriable() => unseen = Some(failure),
                    _ => return Err(not_found(id, &user)),
                },
            }
            Ok(None)
        };
        let reason = "waiting until IAM knows the key that is to be updated";
        let known = poll(services.deadline, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, Option::is_some, look).await?;
        known.ok_or_else(|| match unseen {
            Some(failure) => undecided(id, &user).followed_by(&failure.message),
            None => undecided(id, &user),
        })
    }

    /// Whether the store says that the key was created for this user.
    async fn was_made_for(&self, user: &UserName) -> Result<bool> {
        let entry = self.services.deadline.bound(self.services.secret_store.entry(self.id)).await?;
        Ok(entry.and_then(|entry| entry.ownership).is_some_and(|ownership| ownership.user_name == *user))
    }

    /// Whether the key is so young that IAM may not show it yet.
    async fn is_young(&self) -> Result<bool> {
        let Self { services, id, .. } = self;
        let entry = services.deadline.bound(services.secret_store.entry(id)).await?;
        Ok(is_new(entry.and_then(|entry| entry.created), &services.clock))
    }

    /// The stored secret of the key. The store may show it late if the key is young.
    async fn wait_for_secret(&self, key: &KeyMetadata, stored: Stored) -> Stored {
        let Self { services, id, .. } = self;
        if !matches!(stored, Ok(None)) || !is_new(key.created_at(), &services.clock) {
            return stored;
        }
        let reason = "waiting until the store shows the secret of the key, which is seconds old";
        let look = async || services.deadline.bound(services.secret_store.get(id)).await;
        poll(services.deadline, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, Option::is_some, look).await
    }

    /// Whether the secret is shown, and declares what the request does, as far as it can be read.
    fn declares_the_same(&self, stored: Option<&StoredSecret>) -> bool {
        let desired = &self.request.desired;
        stored.is_some_and(|stored| {
            stored.readable().is_none_or(|value| {
                are_same(value.tags.as_deref(), desired.tags.as_deref())
                    && value.declared_description() == desired.wanted_description()
            })
        })
    }

    /// The stored secret of a key that the store does not show at once, or that it shows as a refused UPDATE had written it. If
    /// IAM does not show the key either, the key may be young.
    async fn find_late_secret(&self, user: &UserName) -> Stored {
        let Self { services, id, .. } = self;
        let look = async || {
            let seen = async { try_join!(services.secret_store.get(id), services.iam.find_access_key(user, id)) };
            let (stored, key) = services.deadline.bound(seen).await?;
            let is_old = key.is_some_and(|key| !is_new(key.created_at(), &services.clock));
            Ok::<_, HandlerError>((stored, is_old))
        };
        let is_enough = |(stored, is_old): &(Option<StoredSecret>, bool)| {
            stored.is_none() && *is_old || self.declares_the_same(stored.as_ref())
        };
        let reason = "waiting until the store shows the secret as it is declared, or IAM that the key is old";
        let (stored, _) = poll(services.deadline, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, is_enough, look).await?;
        Ok(stored)
    }

    /// Writes the tags, if there is a secret that takes them, and declares them and the description in it. Returns the id of the
    /// version that READ has to show then.
    async fn retag(&self, stored: Stored) -> Result<(Stored, Option<String>)> {
        match stored {
            // If the secret cannot be read, only the stack's tags can change.
            Ok(Some(mut stored)) if stored.readable().is_some() || self.changes.own_tags == Some(false) => {
                let Self { services, request, .. } = self;
                match services.secret_store.retag(&mut stored, request, services.deadline).await {
                    Err(refusal) if refusal.is_not_found() => match self.is_secret_described().await {
                        Ok(false) if !is_new(stored.created(), &services.clock) => Ok((Ok(None), None)),
                        // The write or the read was late, which passes.
                        Ok(_) => Err(HandlerError {
                            code: HandlerErrorCode::ResourceConflict,
                            ..refusal.followed_by(
                                "It can be read all the same, which is usual for some seconds after a secret was made or \
                                 deleted. Try again",
                            )
                        }),
                        Err(unseen) => Err(refusal.unless_hidden_by(&unseen)),
                    },
                    version => version.map(|version| (Ok(Some(stored)), version)),
                }
            }
            stored => Ok((stored, None)),
        }
    }

    /// Whether the store describes the secret. If it does not even after a while, the secret is gone.
    async fn is_secret_described(&self) -> Result<bool> {
        let Self { services, id, .. } = self;
        let look = async || services.deadline.bound(services.secret_store.has_secret(id)).await;
        let reason = "waiting until the store describes the secret, which a write has not found";
        poll(services.deadline, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, |described| *described, look).await
    }

    /// Puts back what was written before the rest was refused: the tags, and the description, if that may have been written.
    async fn put_back(&self, user: &UserName, stored: Stored, is_described: bool) {
        let Self { services, request, id, .. } = self;
        let was = Description::in_store(&stored);
        let Request { action, desired, previous, type_configuration, region, context } = request;
        let (Ok(Some(mut stored)), Some(previous)) = (stored, previous) else { return };
        let undone = Request {
            action: *action,
            desired: previous.clone(),
            previous: Some(desired.clone()),
            type_configuration: type_configuration.clone(),
            region: region.clone(),
            context: RequestContext {
                stack_tags: context.previous_stack_tags.clone(),
                previous_stack_tags: context.stack_tags.clone(),
                ..context.clone()
            },
        };
        if let Err(failure) = services.secret_store.retag(&mut stored, &undone, services.deadline).await {
            tracing::warn!(access_key_id = id, why = failure.message, "tags of a failed UPDATE could not be put back");
        }
        let undo = Update { services, request: &undone, id, changes: Changes::of(&undone) };
        if is_described
            && let Err(Untagged { error, .. }) = Box::pin(undo.set_description(user, &Ok(Some(stored)), &was)).await
        {
            tracing::warn!(
                access_key_id = id,
                user = user.as_str(),
                why = error.message,
                "description of a failed UPDATE could not be put back"
            );
        }
    }

    /// The answer, once READ would give the same; until then, a callback. A status that was set is set back when the answer is
    /// a refusal.
    async fn answer(&self, user: &UserName, stored: Stored, context: &CallbackContext) -> Result<ProgressEvent> {
        let event = Box::pin(self.answer_when_shown(user, stored, context)).await;
        if let (Err(error), Some(previous)) = (&event, &self.request.previous)
            && self.changes.status
            && !error.code.is_retriable()
            // Nothing was refused: IAM has taken the status, and does not show it.
            && error.code != HandlerErrorCode::NotStabilized
            && let Err(failure) = self.set_status(previous.wanted_status()).await
        {
            let (access_key_id, why) = (self.id, failure.message);
            tracing::warn!(access_key_id, why, "status of a failed UPDATE could not be set back");
        }
        event
    }

    async fn answer_when_shown(
        &self,
        user: &UserName,
        stored: Stored,
        context: &CallbackContext,
    ) -> Result<ProgressEvent> {
        let Self { request, id, .. } = self;
        let is_kept = !matches!(stored, Ok(None));
        let Some(Shown { key, stored: shown, description }) =
            Box::pin(self.wait_until_shown(user, is_kept, context)).await?
        else {
            return call_again(request, user, id, Some(context));
        };
        match shown.map_or(stored, |shown| Ok(Some(shown))) {
            Ok(None) => Ok(success(request, user, key, None, description)?.with_message(self.explain_unkept(user))),
            Ok(stored) => success(request, user, key, stored, description),
            // What passes is waited for, but not for ever.
            Err(failure) => match call_again(request, user, id, Some(context)) {
                Ok(event) if failure.code.is_retriable() => Ok(event),
                _ => Ok(success_without_secret(of_iam(user, key), id, user, &failure.message)),
            },
        }
    }

    /// The key, once READ would show what was written: the status, the version of the secret, and the description, if one is
    /// kept.
    async fn wait_until_shown(
        &self,
        user: &UserName,
        is_kept: bool,
        context: &CallbackContext,
    ) -> Result<Option<Shown>> {
        let Self { services, request, id, changes } = self;
        let reason = "waiting until IAM and the store show what was written";
        poll(services.deadline, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, Option::is_some, async || {
            let stored = async {
                match &context.secret_version {
                    Some(_) => unless_retriable(services.deadline.bound(services.secret_store.get(id)).await),
                    None => Ok::<_, HandlerError>(None),
                }
            };
            let key = async {
                Ok(unless_retriable(services.deadline.bound(services.iam.find_access_key(user, id)).await)?.flatten())
            };
            let description = async { self.observe_description(user, is_kept).await };
            let (key, stored, description) = try_join!(key, stored, description)?;
            let status = request.desired.wanted_status();
            let is_written = changes.status || status == Status::Inactive;
            // By then every read shows the truth: another invocation has written the same, or a person has deleted the secret.
            let is_superseded = match &stored {
                Some(Some(stored)) => stored
                    .readable()
                    .is_some_and(|value| are_same(value.tags.as_deref(), request.desired.tags.as_deref())),
                Some(None) => true,
                None => false,
            };
            let is_settled = context.invocations >= SETTLED_AFTER_INVOCATIONS;
            let stored = stored.flatten();
            let version = stored.as_ref().and_then(|stored| stored.version.as_ref());
            let is_version_shown = version == context.secret_version.as_ref() || is_settled && is_superseded;
            let key = key.filter(|key| (key.status == status || !is_written) && is_version_shown);
            Ok(key.zip(description).map(|(key, description)| Shown { key, stored, description }))
        })
        .await
    }
}

/// A key that IAM shows as it was written, with its description; and its secret, if that was written too.
struct Shown {
    key: KeyMetadata,
    stored: Option<StoredSecret>,
    description: UserTag,
}

/// The purpose for which a key is looked for.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    Read,
    Write,
}
