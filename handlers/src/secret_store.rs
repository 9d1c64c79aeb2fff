//! Where the secrets are kept that IAM reveals only once, and where READ finds them by the key id alone.
//!
//! The only place that knows the stored secret's name and layout.

use std::collections::BTreeMap;

use access_key_schema::{
    AccessKey, HandlerError, HandlerErrorCode, Request, Result, Secret, Tag, TypeConfiguration, UserName,
};
use aws_sdk_secretsmanager::{Client, operation::get_secret_value::GetSecretValueError, types::Tag as SdkTag};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use tokio::try_join;
use zeroize::Zeroizing;

use crate::service_error::failed;

/// The secrets in AWS Secrets Manager, in the stack's account and region, with the caller's credentials.
#[derive(Clone, Debug)]
pub struct SecretStore {
    client: Client,
    configuration: TypeConfiguration,
}

/// How much `PgpKey` and `Tags` may take together, in bytes of JSON: a stored secret has 65,536 bytes ([Secrets Manager
/// quotas]), and the rest of it takes a few thousand, when an RSA key of 16,384 bits encrypts it.
///
/// [Secrets Manager quotas]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const MAX_DECLARED_BYTES: usize = 56_000;

/// How many tags a secret may carry ([Secrets Manager quotas]).
///
/// [Secrets Manager quotas]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const MAX_TAGS: usize = 50;

/// The value of a stored secret: what IAM never says again, and whom the key was made for.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    /// Absent where there is a `pgp_key`.
    #[serde(serialize_with = "Secret::serialize_some")]
    pub(crate) secret_access_key: Option<Secret>,
    /// Only where there is a `pgp_key`, as are the fingerprint and the encrypted password.
    pub(crate) encrypted_secret: Option<String>,
    pub(crate) encrypted_ses_smtp_password_v4: Option<String>,
    pub(crate) key_fingerprint: Option<String>,
    /// As the template has it.
    pub(crate) pgp_key: Option<String>,
    /// As the template has it. The password for it is derived from the secret access key, never stored.
    pub(crate) ses_smtp_region: Option<String>,
    pub(crate) user_name: UserName,
    pub(crate) serial: Option<i64>,
    /// The resource's own tags, as declared. The secret carries them together with the stack's, and READ, which gets
    /// a key id and nothing of the stack, could not tell them apart there: a stack's tag would look like drift.
    pub(crate) tags: Option<Vec<Tag>>,
    pub(crate) create_date: Option<String>,
    pub(crate) stack_id: Option<String>,
    pub(crate) logical_resource_id: Option<String>,
    pub(crate) client_request_token: Option<String>,
}

/// A stored secret.
#[derive(Debug)]
pub(crate) struct StoredCredentials {
    pub(crate) arn: String,
    pub(crate) credentials: Credentials,
}

impl Credentials {
    /// Whether they were made for the resource that the request is about.
    pub(crate) fn are_of(&self, request: &Request) -> bool {
        self.stack_id == request.context.stack_id && self.logical_resource_id == request.context.logical_resource_id
    }

    /// Whether they were made by the operation that the request is part of: CloudFormation sends the same token with
    /// every retry of it.
    pub(crate) fn were_made_by(&self, request: &Request) -> bool {
        self.are_of(request) && self.client_request_token == request.context.client_request_token
    }

    fn to_json(&self) -> Result<Zeroizing<String>> {
        serde_json::to_string(self).map(Zeroizing::new).map_err(|_| {
            let message = format!("the credentials of {} cannot be written", self.access_key_id);
            HandlerError::new(HandlerErrorCode::InternalFailure, message)
        })
    }

    /// A service may quote the value it refuses.
    fn redact(&self, mut error: HandlerError) -> HandlerError {
        if let Some(secret) = &self.secret_access_key {
            error.message = error.message.replace(secret.expose(), "[redacted]");
        }
        error
    }
}

impl StoredCredentials {
    fn id(&self) -> &str {
        &self.credentials.access_key_id
    }
}

impl SecretStore {
    /// The store behind `client`, under the prefix and KMS key that `configuration` names.
    #[must_use]
    pub fn new(client: Client, configuration: TypeConfiguration) -> Self {
        Self { client, configuration }
    }

    /// The name of the secret that holds a key's credentials.
    pub(crate) fn name(&self, id: &str) -> String {
        format!("{}{id}", self.configuration.secret_name_prefix())
    }

    /// Stores the credentials of a new key, tagged with their own tags over the stack's.
    pub(crate) async fn put(
        &self,
        credentials: Credentials,
        stack_tags: &BTreeMap<String, String>,
    ) -> Result<StoredCredentials> {
        let id = &credentials.access_key_id;
        let value = credentials.to_json()?;
        let tags = merged(stack_tags, credentials.tags.as_deref());
        let call = self
            .client
            .create_secret()
            .name(self.name(id))
            .description(format!("Access key {id} of IAM user {}, kept by CloudFormation", credentials.user_name))
            .secret_string(value.as_str())
            .set_kms_key_id(self.configuration.kms_key_id.clone())
            .set_tags((!tags.is_empty()).then(|| sdk(&tags)));
        let answer =
            call.send().await.map_err(|error| credentials.redact(failed("CreateSecret", &self.subject(id), &error)))?;
        Ok(StoredCredentials { arn: answer.arn.unwrap_or_else(|| self.name(id)), credentials })
    }

    /// The stored credentials of a key, or `None`: it was not created by this type, or somebody deleted them.
    pub(crate) async fn get(&self, id: &str) -> Result<Option<StoredCredentials>> {
        let answer = match self.client.get_secret_value().secret_id(self.name(id)).send().await {
            Ok(answer) => answer,
            // A secret that is scheduled for deletion is there, but cannot be read (GetSecretValue answers
            // InvalidRequestException): for a reader it is gone.
            Err(error) if error.as_service_error().is_some_and(GetSecretValueError::is_invalid_request_exception) => {
                return Ok(None);
            }
            Err(error) => {
                let error = failed("GetSecretValue", &self.subject(id), &error);
                return if error.is_not_found() { Ok(None) } else { Err(error) };
            }
        };
        let value = Zeroizing::new(answer.secret_string.unwrap_or_default());
        // What the parser has to say could quote the secret.
        let credentials: Credentials = serde_json::from_str(&value).map_err(|_| self.unreadable(id))?;
        let holds_a_secret = credentials.secret_access_key.is_some() || credentials.encrypted_secret.is_some();
        if credentials.access_key_id != id || !holds_a_secret {
            return Err(self.unreadable(id));
        }
        Ok(Some(StoredCredentials { arn: answer.arn.unwrap_or_else(|| self.name(id)), credentials }))
    }

    /// Sets the tags of a stored secret: `own` over the stack's. `before` are the tags that it had, as far as the
    /// request knows.
    pub(crate) async fn retag(
        &self,
        mut stored: StoredCredentials,
        own: Option<&[Tag]>,
        stack_tags: &BTreeMap<String, String>,
        mut before: BTreeMap<String, String>,
    ) -> Result<StoredCredentials> {
        let tags = merged(stack_tags, own);
        let kept = stored.credentials.tags.as_deref() == own;
        if kept && tags == before {
            return Ok(stored);
        }
        // An UPDATE that failed halfway may have left what the request does not know of.
        before.extend(merged(&BTreeMap::new(), stored.credentials.tags.as_deref()));
        let gone: Vec<String> = before.into_keys().filter(|key| !tags.contains_key(key)).collect();
        stored.credentials.tags = own.map(<[Tag]>::to_vec);
        if tags.len() + gone.len() > MAX_TAGS {
            // There is no room for the new ones beside the old ones.
            self.untag(&stored, gone).await?;
            self.tag(&stored, &tags).await?;
        } else {
            try_join!(self.tag(&stored, &tags), self.untag(&stored, gone))?;
        }
        // The value last: while it has not changed, the next UPDATE does all of this again.
        if !kept {
            self.replace(&stored.credentials).await?;
        }
        Ok(stored)
    }

    async fn tag(&self, stored: &StoredCredentials, tags: &BTreeMap<String, String>) -> Result<()> {
        if tags.is_empty() {
            return Ok(());
        }
        let call = self.client.tag_resource().secret_id(&stored.arn).set_tags(Some(sdk(tags)));
        call.send().await.map_err(|error| failed("TagResource", &self.subject(stored.id()), &error))?;
        Ok(())
    }

    async fn untag(&self, stored: &StoredCredentials, keys: Vec<String>) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let call = self.client.untag_resource().secret_id(&stored.arn).set_tag_keys(Some(keys));
        call.send().await.map_err(|error| failed("UntagResource", &self.subject(stored.id()), &error))?;
        Ok(())
    }

    async fn replace(&self, credentials: &Credentials) -> Result<()> {
        let id = &credentials.access_key_id;
        let value = credentials.to_json()?;
        let call = self.client.put_secret_value().secret_id(self.name(id)).secret_string(value.as_str());
        call.send().await.map_err(|error| credentials.redact(failed("PutSecretValue", &self.subject(id), &error)))?;
        Ok(())
    }

    /// Deletes the stored credentials of a key for good. Nothing stored is fine.
    ///
    /// Without a recovery window: a dead key's secret is worth nothing, and the name would stay taken.
    pub(crate) async fn delete(&self, id: &str) -> Result<()> {
        let call = self.client.delete_secret().secret_id(self.name(id)).force_delete_without_recovery(true);
        match call.send().await.map_err(|error| failed("DeleteSecret", &self.subject(id), &error)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn subject(&self, id: &str) -> String {
        format!("secret {}", self.name(id))
    }

    fn unreadable(&self, id: &str) -> HandlerError {
        HandlerError::new(
            HandlerErrorCode::GeneralServiceException,
            format!(
                "the secret {} does not hold the credentials of access key {id}: somebody changed it. \
                 Restore its previous version, or delete it",
                self.name(id)
            ),
        )
    }
}

/// What Secrets Manager would refuse when the key exists already.
///
/// # Errors
/// `InvalidRequest`: there are too many tags, or `PgpKey` and `Tags` are too long.
pub(crate) fn refuse_what_cannot_be_stored(desired: &AccessKey, stack_tags: &BTreeMap<String, String>) -> Result<()> {
    let tags = merged(stack_tags, desired.tags.as_deref()).len();
    let declared = serde_json::to_string(&(&desired.pgp_key, &desired.tags)).map_or(usize::MAX, |json| json.len());
    let message = if tags > MAX_TAGS {
        format!("Tags and the stack's tags are {tags} together, and a secret carries {MAX_TAGS} at most")
    } else if declared > MAX_DECLARED_BYTES {
        let hint = if desired.pgp_key.is_some() {
            ". Leave out of the key what others signed: gpg --export --export-options export-minimal KEY | base64"
        } else {
            ""
        };
        format!("PgpKey and Tags take {declared} bytes together, and there is room for {MAX_DECLARED_BYTES}{hint}")
    } else {
        return Ok(());
    };
    Err(HandlerError::new(HandlerErrorCode::InvalidRequest, message))
}

/// The tags of a stored secret: the resource's own over its stack's.
pub(crate) fn merged(stack_tags: &BTreeMap<String, String>, own: Option<&[Tag]>) -> BTreeMap<String, String> {
    let own = own.unwrap_or_default().iter().map(|tag| (tag.key.clone(), tag.value.clone()));
    stack_tags.clone().into_iter().chain(own).collect()
}

fn sdk(tags: &BTreeMap<String, String>) -> Vec<SdkTag> {
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
}
