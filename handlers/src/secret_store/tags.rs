//! The tags of a stored secret: those of the stack, which the resource's own override. An access key itself takes none.

use std::collections::BTreeMap;

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, Request, Result, Tag};
use aws_sdk_secretsmanager::{operation::describe_secret::DescribeSecretOutput, types::Tag as SdkTag};
use cfn_resource_runtime::{Deadline, OPERATION_TIMEOUT, poll};

use super::{SecretStore, SecretValue, StoredSecret, Value};
use crate::time_budget::STABILIZE_WAIT;

/// How many tags a secret may carry ([Secrets Manager quotas]).
///
/// [Secrets Manager quotas]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const MAX_TAGS: usize = 50;

/// The key of a tag that no secret carries. Removing a tag that is not there is no error ([UntagResource]).
///
/// [UntagResource]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UntagResource.html
const NO_TAG: &str = "not-a-tag-of-this-secret";

/// How much `PgpKey` and `Tags` may take together, in bytes of JSON: a stored secret has 65,536 bytes ([Secrets Manager quotas]),
/// and the rest of it takes a few thousand if an RSA key of 16,384 bits encrypts it.
///
/// [Secrets Manager quotas]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const MAX_DECLARED_BYTES: usize = 56_000;

/// The declarations of a template that an UPDATE changes and a stored secret keeps.
struct Declared {
    tags: Option<Vec<Tag>>,
    description: Option<String>,
}

impl Declared {
    fn of(desired: &AccessKey) -> Self {
        Self { tags: desired.tags.clone(), description: desired.description.clone() }
    }
}

impl SecretValue {
    /// Declares this, and returns what was declared before.
    fn declare(&mut self, declared: Declared) -> Declared {
        let Declared { tags, description } = declared;
        Declared {
            tags: std::mem::replace(&mut self.tags, tags),
            description: std::mem::replace(&mut self.description, description),
        }
    }
}

/// How the tags of a stored secret are to change.
struct Retagging {
    /// What the secret is to carry.
    wanted: BTreeMap<String, String>,
    /// What it carried before, as far as the request and the secret's value tell.
    before: BTreeMap<String, String>,
    /// Whether tags have to be written. A read may be late, so what the request changes is written, whatever is read.
    changes: bool,
    /// Whether the value that was read declares the resource's own tags and the description as the template does.
    is_declared: bool,
    /// Whether the value has to be written.
    changes_value: bool,
}

impl Retagging {
    fn of(request: &Request, stored: &StoredSecret) -> Self {
        let own = request.desired.tags.as_deref();
        let declared = stored.readable().map(|value| value.tags.as_deref());
        let previous = match &request.previous {
            Some(previous) => previous.tags.as_deref(),
            None => declared.unwrap_or(own),
        };
        let wanted = merged(&request.context.stack_tags, own);
        let requested = merged(&request.context.previous_stack_tags, previous);
        // An UPDATE that failed halfway may have left tags that the request does not know of.
        let mut before = requested.clone();
        before.extend(merged(&BTreeMap::new(), declared.flatten()));
        let are_tags_declared = declared.is_none_or(|declared| are_same(declared, own));
        let description = &request.desired.description;
        let is_description_declared = stored.readable().is_none_or(|value| value.description == *description);
        let is_declared = are_tags_declared && is_description_declared;
        let says_so =
            |previous: &AccessKey| previous.description != *description || !are_same(previous.tags.as_deref(), own);
        // Even if the previous properties say otherwise: they may be those from before the update that is undone.
        let is_undone = request.context.rollback == Some(true);
        Self {
            changes: is_undone || !are_tags_declared || requested != wanted || before != wanted,
            changes_value: declared.is_some()
                && (is_undone || !is_declared || request.previous.as_ref().is_some_and(says_so)),
            is_declared,
            wanted,
            before,
        }
    }
}

impl SecretStore {
    /// Sets the tags of a stored secret to those of `request`, and declares the resource's own tags and its description in the
    /// secret's value. Returns the id of the version that declares them, if one was written. Before that, UPDATE has to refuse
    /// changes of the resource's own tags that are not allowed.
    ///
    /// A refusal changes nothing. It is no failure if nothing had to change, as when CloudFormation rolls back an update that was
    /// refused.
    ///
    /// # Errors
    /// - `UnauthorizedTaggingOperation`: the role may not tag or untag the secret.
    /// - `NetworkFailure`: the `deadline` comes before everything is written. All of it can be done again.
    pub(crate) async fn retag(
        &self,
        stored: &mut StoredSecret,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Option<String>> {
        let retagging = Retagging::of(request, stored);
        // The value first: if this UPDATE is interrupted, the next one finds in the value what was about to be written.
        let mut replaced = None;
        let mut version = None;
        if let Value::Readable(value) = &mut stored.value
            && retagging.changes_value
        {
            deadline.refuse_late_write(1)?;
            replaced = Some(value.declare(Declared::of(&request.desired)));
            version = match self.replace(value).await {
                Err(refusal) if retagging.is_declared => {
                    return self.forgive(refusal, &stored.id, &retagging, deadline).await.map(|()| None);
                }
                version => version?,
            };
        }
        if !retagging.changes {
            return Ok(version);
        }
        let Err(refusal) = self.write_tags(&stored.id, &retagging, deadline).await else { return Ok(version) };
        // After a failure that passes, the same tags are tried again.
        let passes = refusal.code.is_retriable();
        let Err(refusal) = self.forgive(refusal, &stored.id, &retagging, deadline).await else { return Ok(version) };
        if let Some(declared) = replaced.filter(|_| !retagging.is_declared && !passes) {
            self.declare_again(stored, declared, deadline).await;
        }
        Err(refusal)
    }

    /// Forgives a refusal to write tags that are as wanted already: there was nothing to write.
    ///
    /// # Errors
    /// The refusal; one that passes, where the store does not tell now what the secret carries.
    async fn forgive(&self, refusal: HandlerError, id: &str, retagging: &Retagging, deadline: Deadline) -> Result<()> {
        if refusal.code.is_retriable() {
            return Err(refusal);
        }
        match self.carries(id, retagging, deadline).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(refusal),
            Err(unseen) => Err(refusal.unless_hidden_by(&unseen)),
        }
    }

    /// Whether the secret, as `DescribeSecret` shows it, carries the tags that the request wants, and none that it takes away.
    /// `false` also if the role may not look.
    ///
    /// # Errors
    /// What passes: the store does not tell now.
    pub(crate) async fn is_tagged(&self, stored: &StoredSecret, request: &Request, deadline: Deadline) -> Result<bool> {
        match self.carries(&stored.id, &Retagging::of(request, stored), deadline).await {
            Err(denial) if !denial.code.is_retriable() => Ok(false),
            known => known,
        }
    }

    async fn carries(
        &self,
        id: &str,
        Retagging { wanted, before, .. }: &Retagging,
        deadline: Deadline,
    ) -> Result<bool> {
        let reason = "waiting until the store describes the secret whose tags were refused";
        let look = async || deadline.bound(self.describe(id)).await;
        let described = poll(deadline, reason, STABILIZE_WAIT, OPERATION_TIMEOUT, Option::is_some, look).await?;
        // The secret was read: it is young, or somebody has just deleted it.
        let tags = tags_of(described.ok_or_else(|| self.not_described(id))?);
        // Others may be there: somebody else put them on the secret.
        Ok(wanted.iter().all(|(key, value)| tags.get(key) == Some(value))
            && before.keys().all(|key| wanted.contains_key(key) || !tags.contains_key(key)))
    }

    fn not_described(&self, id: &str) -> HandlerError {
        HandlerError::new(
            HandlerErrorCode::ResourceConflict,
            format!(
                "Secret {} is not described, which is usual for some seconds after a secret was made or deleted. Try again",
                self.name(id)
            ),
        )
    }

    /// Writes the tags. A refusal halfway could not be undone. So if both permissions are needed, a call that changes nothing
    /// first shows whether the second one is there.
    async fn write_tags(&self, id: &str, retagging: &Retagging, deadline: Deadline) -> Result<()> {
        let Retagging { wanted, before, .. } = retagging;
        let is_gone = |key: &&String| !wanted.contains_key(*key);
        let gone: Vec<_> = before.keys().filter(is_gone).cloned().collect();
        if wanted.len() + gone.len() > MAX_TAGS {
            // There is no room for the new tags beside the old ones: one of those shows whether tags may be written.
            self.tag(id, &probe(deadline.bound(self.tags(id)).await?), deadline).await?;
            self.untag(id, gone, deadline).await?;
            return self.tag(id, wanted, deadline).await;
        }
        if !gone.is_empty() && wanted.iter().any(|(key, value)| before.get(key) != Some(value)) {
            self.untag(id, vec![NO_TAG.to_owned()], deadline).await?;
        }
        self.tag(id, wanted, deadline).await?;
        self.untag(id, gone, deadline).await
    }

    /// The tags that the secret carries, as `DescribeSecret` shows them; none where there is no secret.
    async fn tags(&self, id: &str) -> Result<BTreeMap<String, String>> {
        Ok(self.describe(id).await?.map(tags_of).unwrap_or_default())
    }

    /// Declares what was declared before, because tags were refused: the secret still carries the old ones. If that fails too,
    /// the next UPDATE finds the difference.
    async fn declare_again(&self, stored: &mut StoredSecret, declared: Declared, deadline: Deadline) {
        if let Value::Readable(value) = &mut stored.value {
            value.declare(declared);
            let replaced = match deadline.refuse_late_write(1) {
                Ok(()) => self.replace(value).await.map(drop),
                late => late,
            };
            if let Err(failure) = replaced {
                let (secret, why) = (self.name(&stored.id), failure.message);
                tracing::warn!(secret, why, "tags that were refused are declared in the secret");
            }
        }
    }

    async fn tag(&self, id: &str, tags: &BTreeMap<String, String>, deadline: Deadline) -> Result<()> {
        if tags.is_empty() {
            return Ok(());
        }
        deadline.refuse_late_write(1)?;
        let call = self.client.tag_resource().secret_id(self.name(id)).set_tags(Some(sdk(tags)));
        call.send().await.map_err(|error| self.failed("TagResource", id, &error))?;
        Ok(())
    }

    async fn untag(&self, id: &str, keys: Vec<String>, deadline: Deadline) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        deadline.refuse_late_write(1)?;
        let call = self.client.untag_resource().secret_id(self.name(id)).set_tag_keys(Some(keys));
        call.send().await.map_err(|error| self.failed("UntagResource", id, &error))?;
        Ok(())
    }
}

fn tags_of(described: DescribeSecretOutput) -> BTreeMap<String, String> {
    let tags = described.tags.unwrap_or_default().into_iter();
    tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

/// Whether two declarations of tags are the same, in any order. No declaration is not an empty one: READ answers what is
/// declared.
pub(crate) fn are_same(one: Option<&[Tag]>, other: Option<&[Tag]>) -> bool {
    let sorted = |tags| merged(&BTreeMap::new(), tags);
    one.is_some() == other.is_some() && sorted(one) == sorted(other)
}

/// Refuses what Secrets Manager would refuse only when the key exists.
///
/// # Errors
/// `InvalidRequest`: there are too many tags, or `PgpKey` and `Tags` are too long.
pub(crate) fn refuse_what_cannot_be_stored(desired: &AccessKey, stack_tags: &BTreeMap<String, String>) -> Result<()> {
    let tags = merged(stack_tags, desired.tags.as_deref()).len();
    let declared = serde_json::to_string(&(&desired.pgp_key, &desired.tags)).map_or(usize::MAX, |json| json.len());
    let message = if tags > MAX_TAGS {
        format!(
            "Tags and the stack's tags are {tags} together, and the secret that carries them takes {MAX_TAGS}. Remove \
             {} of them",
            tags - MAX_TAGS
        )
    } else if declared > MAX_DECLARED_BYTES {
        let hint = if desired.pgp_key.is_some() {
            ". Leave out of the key what others signed: gpg --export --export-options export-minimal KEY | base64"
        } else {
            ". Shorten Tags"
        };
        format!("PgpKey and Tags take {declared} bytes together, and there is room for {MAX_DECLARED_BYTES}{hint}")
    } else {
        return Ok(());
    };
    Err(HandlerError::new(HandlerErrorCode::InvalidRequest, message))
}

/// The stack's tags, which the resource's own override. The stack's tags that start with `aws:` are AWS's own: they are left out,
/// because Secrets Manager would refuse them.
pub(super) fn merged(stack_tags: &BTreeMap<String, String>, own: Option<&[Tag]>) -> BTreeMap<String, String> {
    let stack_tags = stack_tags.iter().filter(|(key, _)| !is_reserved(key));
    let stack_tags = stack_tags.map(|(key, value)| (key.clone(), value.clone()));
    let own = own.unwrap_or_default().iter().map(|tag| (tag.key.clone(), tag.value.clone()));
    stack_tags.chain(own).collect()
}

/// One of the tags that a secret carries, which can be written again and changes nothing.
fn probe(carried: BTreeMap<String, String>) -> BTreeMap<String, String> {
    carried.into_iter().filter(|(key, _)| !is_reserved(key)).take(1).collect()
}

/// Whether a tag is one of AWS's own, which nobody else may set.
fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

pub(super) fn sdk(tags: &BTreeMap<String, String>) -> Vec<SdkTag> {
    tags.iter().map(|(key, value)| SdkTag::builder().key(key).value(value).build()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_own_tags_are_not_written_to_see_whether_tags_may_be_written() {
        let carried = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), String::new())).collect();
        assert_eq!(probe(carried(&["aws:cloudformation:stack-id", "stage", "team"])), carried(&["stage"]));
        assert_eq!(probe(carried(&["aws:cloudformation:stack-id"])), carried(&[]));
    }

    #[test]
    fn what_secrets_manager_has_no_room_for_is_refused() {
        let tags = |count: usize, value: &str| {
            let tag = |number: usize| Tag { key: number.to_string(), value: value.to_owned() };
            Some((0..count).map(tag).collect::<Vec<_>>())
        };
        let key = |length: usize| Some("k".repeat(length));
        let stack_tags: BTreeMap<_, _> = (40..50).map(|number| (number.to_string(), String::new())).collect();
        let check = |pgp_key, tags| {
            let desired = AccessKey { pgp_key, tags, ..AccessKey::default() };
            refuse_what_cannot_be_stored(&desired, &stack_tags)
        };
        for (pgp_key, tags) in [(None, None), (key(55_000), None), (None, tags(50, "v")), (None, tags(40, "v"))] {
            assert_eq!(check(pgp_key, tags), Ok(()));
        }
        let one_more = tags(41, "").map(|mut tags| {
            tags[40].key = "one more".to_owned();
            tags
        });
        for (pgp_key, tags, reason) in [
            (key(56_000), None, "export-minimal"),
            (Some("\n".repeat(30_000)), None, "export-minimal"),
            (key(45_000), tags(50, &"v".repeat(256)), "PgpKey and Tags take 5"),
            (None, one_more, "51 together"),
        ] {
            let error = check(pgp_key, tags).unwrap_err();
            assert_eq!(error.code, HandlerErrorCode::InvalidRequest);
            assert!(error.message.contains(reason) && error.message.len() < 300, "{}", error.message);
        }
    }

    #[test]
    fn tags_that_aws_put_on_the_stack_stay_there() {
        let stack_tags = [("aws:team", "1"), ("AWS:x", "2"), ("aws", "3"), ("é:team", "4"), ("team", "5")];
        let stack_tags = stack_tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(merged(&stack_tags, None).into_keys().collect::<Vec<_>>(), ["aws", "team", "é:team"]);
    }
}
