//! UPDATE of the description: a tag of the user, which the stored secret declares.

use access_key_schema::{HandlerErrorCode, Request, Result, UserName};
use cfn_resource_runtime::{OPERATION_TIMEOUT, poll};
use tokio::join;

use super::{Stored, Update};
use crate::{
    description::UserTag, iam::Untagged, locate::undecided, secret_store::StoredSecret, time_budget::STABILIZE_WAIT,
};

/// The description that the store declared before an UPDATE.
pub(super) enum Description {
    Readable(Option<String>),
    /// There is no secret, or it cannot be read.
    Unknown,
}

impl Description {
    /// What the store declares now.
    pub(super) fn in_store(stored: &Stored) -> Self {
        let readable = stored.as_ref().ok().and_then(Option::as_ref).and_then(StoredSecret::readable);
        readable.map_or(Self::Unknown, |value| Self::Readable(value.declared_description().map(ToOwned::to_owned)))
    }
}

impl Update<'_> {
    /// Sets or removes the description, if the request or the store says that it changes. A key without a stored secret gets no
    /// description: READ would never look for it.
    ///
    /// A refusal changes nothing. It is no failure if nothing had to change.
    ///
    /// # Errors
    /// - `UnauthorizedTaggingOperation`: the role may not tag or untag the user.
    /// - `ServiceLimitExceeded`: the user has no room for a tag.
    /// - `NetworkFailure` and `ResourceConflict`: there is no time to write it, or IAM does not know the user everywhere. All of
    ///   it can be done again.
    pub(super) async fn set_description(
        &self,
        user: &UserName,
        stored: &Stored,
        was: &Description,
    ) -> std::result::Result<(), Untagged> {
        let Self { services, request, id, .. } = self;
        let wanted = request.desired.wanted_description();
        if !self.changes_description(was) || wanted.is_some() && matches!(stored, Ok(None)) {
            return Ok(());
        }
        let write = async || {
            services.deadline.refuse_late_write(2).map_err(Untagged::before)?;
            let written = match wanted {
                Some(description) => services.iam.tag_user(user, id, description).await,
                None => services.iam.untag_user(user, id).await,
            };
            let Err(Untagged { error, may_be_done }) = written else { return Ok(true) };
            let error = services.iam.explain_denial(user, error).await;
            // It has just shown the user's key.
            let is_user_new = matches!(error.code, HandlerErrorCode::NotFound | HandlerErrorCode::ResourceConflict);
            if is_user_new { Ok(false) } else { Err(Untagged { error, may_be_done }) }
        };
        let reason = "waiting until IAM knows the user everywhere, whose tag is the description";
        match poll(services.deadline, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, |written| *written, write).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Untagged::before(undecided(id, user))),
            Err(refusal) if refusal.error.code.is_retriable() => Err(refusal),
            Err(Untagged { error, may_be_done }) => match self.look_at_description(user).await {
                Ok(tag) if self.is_wanted(&tag) => {
                    if tag == UserTag::Unseen && wanted.is_none() && self.requests_description() {
                        let (access_key_id, user) = (*id, user.as_str());
                        tracing::warn!(
                            access_key_id,
                            user,
                            "description may stay: the role may neither remove nor see it"
                        );
                    }
                    Ok(())
                }
                Ok(_) => Err(Untagged { error, may_be_done }),
                Err(unseen) => Err(Untagged { error: error.unless_hidden_by(&unseen), may_be_done }),
            },
        }
    }

    /// Whether the description has to be written. A read may be late, so what the request changes is written, whatever is read.
    fn changes_description(&self, was: &Description) -> bool {
        let wanted = self.request.desired.wanted_description();
        let is_undone = self.request.context.rollback == Some(true);
        let is_stored_otherwise = match was {
            Description::Readable(stored) => stored.as_deref() != wanted,
            Description::Unknown => self.request.previous.is_none() && wanted.is_some(),
        };
        self.requests_description() || is_stored_otherwise || is_undone && wanted.is_some()
    }

    /// Whether the request says that the description changes.
    fn requests_description(&self) -> bool {
        let Request { previous, desired, .. } = self.request;
        previous.as_ref().is_some_and(|previous| previous.wanted_description() != desired.wanted_description())
    }

    /// Whether the description is as the request wants it. The store's declaration is no proof: an earlier attempt may have declared
    /// the description without writing it.
    ///
    /// # Errors
    /// What passes: IAM does not tell now.
    pub(super) async fn has_wanted_description(&self, user: &UserName) -> Result<bool> {
        Ok(self.is_wanted(&self.look_at_description(user).await?))
    }

    /// The description, as IAM shows it now; none of a user whom IAM does not know.
    async fn look_at_description(&self, user: &UserName) -> Result<UserTag> {
        match self.services.deadline.bound(UserTag::of(self.services, user, self.id)).await {
            Err(missing) if missing.is_not_found() => Ok(UserTag::Shown(None)),
            tag => tag,
        }
    }

    /// Whether this is what the request wants, so that a write that was refused for good had nothing to write. If the role may not
    /// look either, the request tells whether there is a description. Having none takes no permission.
    fn is_wanted(&self, tag: &UserTag) -> bool {
        let wanted = self.request.desired.wanted_description();
        match tag {
            UserTag::Shown(tag) => tag.as_deref() == wanted,
            UserTag::Unseen => {
                wanted.is_none() || self.request.context.rollback == Some(true) || !self.requests_description()
            }
        }
    }

    /// The description, once IAM shows what was written and the store says that there is one, as DELETE asks. `None`: not yet.
    pub(super) async fn observe_description(&self, user: &UserName, is_kept: bool) -> Result<Option<UserTag>> {
        let Self { services, request, id, changes } = self;
        let Some(wanted) = request.desired.wanted_description().filter(|_| is_kept) else {
            return Ok(Some(UserTag::Unseen));
        };
        let is_written = changes.description != Some(false) || request.context.rollback == Some(true);
        let look = services.deadline.bound(UserTag::of(services, user, id));
        if !is_written {
            return Ok(Some(look.await.unwrap_or(UserTag::Unseen)));
        }
        let (tag, noted) = join!(look, services.deadline.bound(services.secret_store.has_description(id)));
        let is_noted = match noted {
            Err(failure) => !failure.code.is_retriable(),
            Ok(is_noted) => is_noted,
        };
        let is_shown = |tag: &UserTag| match tag {
            UserTag::Shown(value) => value.as_deref() == Some(wanted),
            UserTag::Unseen => true,
        };
        // IAM's other failures to show the tags pass.
        Ok(tag.ok().filter(|tag| is_noted && is_shown(tag)))
    }
}
