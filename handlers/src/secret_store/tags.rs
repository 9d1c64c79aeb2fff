//! The tags of a stored secret: the resource's own over its stack's. An access key itself takes none.

use std::collections::BTreeMap;

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, Request, Result, Tag};
use aws_sdk_secretsmanager::types::Tag as SdkTag;
use tokio::try_join;

use super::{SecretStore, StoredSecret, Value};

/// How many tags a secret may carry ([Secrets Manager quotas]).
///
/// [Secrets Manager quotas]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const MAX_TAGS: usize = 50;

/// How much `PgpKey` and `Tags` may take together, in bytes of JSON: a stored secret has 65,536 bytes ([Secrets Manager
/// quotas]), and the rest of it takes a few thousand, when an RSA key of 16,384 bits encrypts it.
///
/// [Secrets Manager quotas]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const MAX_DECLARED_BYTES: usize = 56_000;

impl SecretStore {
    /// Sets the tags of a stored secret to those of `request`. Makes no call where nothing has changed. Whether the
    /// resource's own may change at all is UPDATE's to refuse before.
    ///
    /// # Errors
    /// `UnauthorizedTaggingOperation`: the role may not tag or untag the secret.
    pub(crate) async fn retag(&self, mut stored: StoredSecret, request: &Request) -> Result<StoredSecret> {
        let own = request.desired.tags.as_deref();
        let tags = merged(&request.context.stack_tags, own);
        let declared_before = match (&request.previous, &stored.value) {
            (Some(previous), _) => previous.tags.clone(),
            (None, Value::Readable(value)) => value.tags.clone(),
            (None, Value::Unreadable { .. }) => None,
        };
        let mut before = merged(&request.context.previous_stack_tags, declared_before.as_deref());
        let is_declared = match &stored.value {
            Value::Readable(value) => value.tags.as_deref() == own,
            Value::Unreadable { .. } => declared_before.as_deref() == own,
        };
        if is_declared && tags == before {
            return Ok(stored);
        }
        if let Value::Readable(value) = &stored.value {
            // An UPDATE that failed halfway may have left what the request does not know of.
            before.extend(merged(&BTreeMap::new(), value.tags.as_deref()));
        }
        let gone: Vec<String> = before.into_keys().filter(|key| !tags.contains_key(key)).collect();
        let value = match stored.value {
            Value::Readable(ref mut value) => Some(value),
            Value::Unreadable { .. } => None,
        };
        if tags.len() + gone.len() > MAX_TAGS {
            // There is no room for the new ones beside the old ones.
            self.untag(&stored.id, gone).await?;
            self.tag(&stored.id, &tags).await?;
        } else {
            try_join!(self.tag(&stored.id, &tags), self.untag(&stored.id, gone))?;
        }
        // The value last: while it has not changed, the next UPDATE does all of this again.
        if let Some(value) = value.filter(|_| !is_declared) {
            value.tags = own.map(<[Tag]>::to_vec);
            self.replace(value).await?;
        }
        Ok(stored)
    }

    async fn tag(&self, id: &str, tags: &BTreeMap<String, String>) -> Result<()> {
        if tags.is_empty() {
            return Ok(());
        }
        let call = self.client.tag_resource().secret_id(self.name(id)).set_tags(Some(sdk(tags)));
        call.send().await.map_err(|error| self.failed("TagResource", id, &error))?;
        Ok(())
    }

    async fn untag(&self, id: &str, keys: Vec<String>) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let call = self.client.untag_resource().secret_id(self.name(id)).set_tag_keys(Some(keys));
        call.send().await.map_err(|error| self.failed("UntagResource", id, &error))?;
        Ok(())
    }
}

/// Refuses what Secrets Manager would refuse when the key exists already.
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

/// The resource's own tags over its stack's. Those of the stack that start with `aws:` are AWS's own, and Secrets
/// Manager would refuse them.
pub(super) fn merged(stack_tags: &BTreeMap<String, String>, own: Option<&[Tag]>) -> BTreeMap<String, String> {
    let is_reserved = |key: &str| key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"));
    let stack_tags = stack_tags.iter().filter(|(key, _)| !is_reserved(key));
    let stack_tags = stack_tags.map(|(key, value)| (key.clone(), value.clone()));
    let own = own.unwrap_or_default().iter().map(|tag| (tag.key.clone(), tag.value.clone()));
    stack_tags.chain(own).collect()
}

pub(super) fn sdk(tags: &BTreeMap<String, String>) -> Vec<SdkTag> {
    tags.iter().map(|(key, value)| SdkTag::builder().key(key).value(value).build()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
