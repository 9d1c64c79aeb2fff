//! The store of the secrets that IAM reveals only once. READ finds them there by the key id alone.
//!
//! The only place that knows a stored secret's name and layout.

mod ownership;
mod records;
mod tags;
mod tries;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::SystemTime,
};

use access_key_schema::{HandlerError, HandlerErrorCode, Result, Secret, Tag, TypeConfiguration, UserName};
use aws_sdk_secretsmanager::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::describe_secret::DescribeSecretOutput,
};
use aws_smithy_types::{DateTime, date_time::Format};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use serde_with::skip_serializing_none;
use zeroize::Zeroizing;

pub(crate) use ownership::Ownership;
pub(crate) use records::{Made, Note, Record};
pub(crate) use tags::{are_same, refuse_what_cannot_be_stored};
pub(crate) use tries::Tries;

use crate::{confidential::Confidential, sdk_error::failed};

/// The secrets in AWS Secrets Manager, in the stack's account and region, with the caller's credentials.
#[derive(Clone, Debug)]
pub struct SecretStore {
    client: Client,
    configuration: TypeConfiguration,
    confidential: Confidential,
}

/// The version of the layout in which secrets are written.
///
/// Increase it when a field changes its meaning or becomes required, so that a later release knows what it reads; not for an
/// optional field. No secret is refused for its version: after a rollback, an older release reads what a newer one has written.
const LAYOUT_VERSION: u32 = 1;

/// The field that holds it.
const LAYOUT_VERSION_FIELD: &str = "LayoutVersion";

/// A [`SecretValue`] as it is written.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Layout<'a> {
    layout_version: u32,
    #[serde(flatten)]
    value: &'a SecretValue,
}

/// The value of a stored secret: what IAM never shows again, and for whom the key was created.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SecretValue {
    pub(crate) access_key_id: String,
    /// Absent if there is a `pgp_key`.
    #[serde(serialize_with = "Secret::serialize_some")]
    pub(crate) secret_access_key: Option<Secret>,
    /// Stored for the secret's readers, if the account has forbidden secrets in answers. READ derives it anew.
    #[serde(serialize_with = "Secret::serialize_some")]
    pub(crate) ses_smtp_password_v4: Option<Secret>,
    /// Only there with a `pgp_key`, as are the fingerprint and the encrypted password.
    pub(crate) encrypted_secret: Option<String>,
    pub(crate) encrypted_ses_smtp_password_v4: Option<String>,
    pub(crate) key_fingerprint: Option<String>,
    /// As the template has it.
    pub(crate) pgp_key: Option<String>,
    /// As the template has it.
    pub(crate) ses_smtp_region: Option<String>,
    pub(crate) user_name: UserName,
    pub(crate) serial: Option<i64>,
    /// The resource's own tags, as declared. The secret carries them together with the stack's. READ, which gets a key
    /// id and nothing of the stack, could not tell them apart there: a stack's tag would look like drift.
    pub(crate) tags: Option<Vec<Tag>>,
    /// As the template has it. The tag of the user decides.
    pub(crate) description: Option<String>,
    pub(crate) create_date: Option<String>,
    pub(crate) stack_id: Option<String>,
    pub(crate) logical_resource_id: Option<String>,
    pub(crate) client_request_token: Option<String>,
    #[serde(flatten)]
    pub(crate) unknown: UnknownFields,
}

/// The fields of a stored secret that this version does not know: a person added them, or a newer version. They are written
/// back as they are. They may be secrets, so `Debug` does not show them.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UnknownFields(Map<String, Json>);

impl fmt::Debug for UnknownFields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// A stored secret.
#[derive(Debug)]
pub(crate) struct StoredSecret {
    /// The access key id.
    pub(crate) id: String,
    pub(crate) arn: String,
    /// The id of the version that was read, or that could not be.
    pub(crate) version: Option<String>,
    pub(crate) value: Value,
}

/// The value of a stored secret, or why it cannot be read.
#[derive(Debug)]
pub(crate) enum Value {
    Readable(Box<SecretValue>),
    /// Its KMS key is disabled or out of the role's reach, or somebody changed the secret by hand.
    Unreadable {
        why: String,
        /// From the description, which can be read all the same.
        ownership: Option<Box<Ownership>>,
    },
}

/// Why a secret was not stored.
#[derive(Debug)]
pub(crate) struct Unstored {
    pub(crate) error: HandlerError,
    /// Whether a try may have stored it all the same: it got no answer, or one that does not rule that out.
    pub(crate) may_be_stored: bool,
}

/// What the store knows of a key without decrypting its secret.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// `None` if neither the description nor the value has it: somebody changed both, or the secret has an older layout and
    /// cannot be read.
    pub(crate) ownership: Option<Ownership>,
    /// When the secret was stored, which is when the key was created, give or take seconds.
    pub(crate) created: Option<SystemTime>,
}

impl SecretValue {
    /// The description that the template declares. An empty one is none.
    pub(crate) fn declared_description(&self) -> Option<&str> {
        self.description.as_deref().filter(|description| !description.is_empty())
    }

    /// When the key was created.
    pub(crate) fn created(&self) -> Option<SystemTime> {
        let created = DateTime::from_str(self.create_date.as_deref()?, Format::DateTime).ok()?;
        SystemTime::try_from(created).ok()
    }

    fn to_json(&self) -> Result<Zeroizing<String>> {
        let layout = Layout { layout_version: LAYOUT_VERSION, value: self };
        serde_json::to_string(&layout).map(Zeroizing::new).map_err(|_| {
            let message = format!("The secret of access key {} could not be written as JSON", self.access_key_id);
            HandlerError::new(HandlerErrorCode::InternalFailure, message)
        })
    }

    /// Removes the secrets from an error: a service may quote the value that it refuses.
    fn redact(&self, error: HandlerError) -> HandlerError {
        let secrets = [&self.secret_access_key, &self.ses_smtp_password_v4].into_iter().flatten().map(Secret::expose);
        let values = [&self.client_request_token, &self.description].into_iter().filter_map(Option::as_deref);
        let secrets = Confidential::new(secrets.chain(values));
        HandlerError { message: secrets.redact(&error.message), ..error }
    }
}

impl StoredSecret {
    /// When the key was created, as far as the secret can be read.
    pub(crate) fn created(&self) -> Option<SystemTime> {
        self.readable().and_then(SecretValue::created)
    }

    /// The value, where it can be read.
    pub(crate) fn readable(&self) -> Option<&SecretValue> {
        match &self.value {
            Value::Readable(value) => Some(value),
            Value::Unreadable { .. } => None,
        }
    }

    /// Whether a tag of the user is the key's description, as far as the store tells.
    pub(crate) fn has_description(&self) -> bool {
        self.ownership().is_some_and(|ownership| ownership.has_description)
    }

    /// For whom the key was created, if the store tells.
    fn ownership(&self) -> Option<Ownership> {
        match &self.value {
            Value::Readable(value) => Some(Ownership::of(value)),
            Value::Unreadable { ownership, .. } => ownership.as_deref().cloned(),
        }
    }

    /// The user that the key was created for, where the store tells.
    pub(crate) fn user_name(&self) -> Option<&UserName> {
        match &self.value {
            Value::Readable(value) => Some(&value.user_name),
            Value::Unreadable { ownership, .. } => ownership.as_ref().map(|ownership| &ownership.user_name),
        }
    }
}

/// The current one of a secret's versions.
fn current(stages_of_versions: HashMap<String, Vec<String>>) -> Option<String> {
    let is_current = |stages: &[String]| stages.iter().any(|stage| stage == "AWSCURRENT");
    stages_of_versions.into_iter().find(|(_, stages)| is_current(stages)).map(|(version, _)| version)
}

impl SecretStore {
    /// The store behind `client`, under the prefix and KMS key that `configuration` names. No error quotes what is
    /// `confidential`.
    #[must_use]
    pub fn new(client: Client, configuration: TypeConfiguration, confidential: Confidential) -> Self {
        Self { client, configuration, confidential }
    }

    fn failed<E>(&self, operation: &str, id: &str, error: &SdkError<E, HttpResponse>) -> HandlerError
    where
        E: ProvideErrorMetadata,
    {
        failed(operation, &format!("secret {}", self.name(id)), error, &self.confidential)
    }

    /// The name of the secret of a key.
    pub(crate) fn name(&self, id: &str) -> String {
        format!("{}{id}", self.configuration.secret_name_prefix())
    }

    /// Stores the secret of a new key, tagged with its own tags over the stack's.
    pub(crate) async fn put(
        &self,
        value: &SecretValue,
        stack_tags: &BTreeMap<String, String>,
    ) -> std::result::Result<(), Unstored> {
        let id = &value.access_key_id;
        let json = value.to_json().map_err(|error| Unstored { error, may_be_stored: false })?;
        let tries = Tries::default();
        let tags = tags::merged(stack_tags, value.tags.as_deref());
        let call = self
            .client
            .create_secret()
            .name(self.name(id))
            .description(Ownership::of(value).to_description(id))
            .secret_string(json.as_str())
            .set_kms_key_id(self.configuration.kms_key_id.clone())
            .set_tags((!tags.is_empty()).then(|| tags::sdk(&tags)));
        let answer = call.customize().interceptor(tries.clone()).send().await;
        answer.map(drop).map_err(|error| Unstored {
            error: value.redact(self.failed("CreateSecret", id, &error)),
            may_be_stored: tries.may_have_taken_effect(),
        })
    }

    /// The stored secret of a key, or `None`: it was not created by this type, or somebody deleted the secret.
    ///
    /// # Errors
    /// `AccessDenied` when the role may neither read nor describe the secret.
    pub(crate) async fn get(&self, id: &str) -> Result<Option<StoredSecret>> {
        let error = match self.client.get_secret_value().secret_id(self.name(id)).send().await {
            Ok(answer) => {
                let json = Zeroizing::new(answer.secret_string.unwrap_or_default());
                let arn = answer.arn.unwrap_or_else(|| self.name(id));
                let (version, value) = (answer.version_id, self.parse(id, &json));
                return Ok(Some(StoredSecret { id: id.to_owned(), arn, version, value }));
            }
            Err(error) => self.failed("GetSecretValue", id, &error),
        };
        match error.code {
            HandlerErrorCode::NotFound => Ok(None),
            code if code.is_retriable() || code == HandlerErrorCode::InvalidCredentials => Err(error),
            // The secret is scheduled for deletion, or it is there and cannot be decrypted.
            _ => Ok(self.describe(id).await?.map(|described| {
                let ownership = described.description.as_deref().and_then(Ownership::from_description).map(Box::new);
                StoredSecret {
                    id: id.to_owned(),
                    arn: described.arn.unwrap_or_else(|| self.name(id)),
                    version: described.version_ids_to_stages.and_then(current),
                    value: Value::Unreadable { why: error.message, ownership },
                }
            })),
        }
    }

    /// What the store knows of a key, without decrypting where that can be avoided, or `None` as for
    /// [`SecretStore::get`].
    ///
    /// `GetSecretValue` is called as well if `DescribeSecret` does not show the secret yet. It is also called for a secret of the
    /// previous layout, which has its owner in the value alone.
    pub(crate) async fn entry(&self, id: &str) -> Result<Option<Entry>> {
        let described = self.describe(id).await?;
        let description = described.as_ref().and_then(|described| described.description.as_deref());
        let created = described.as_ref().and_then(|described| SystemTime::try_from(described.created_date?).ok());
        if let Some(ownership) = description.and_then(Ownership::from_description) {
            return Ok(Some(Entry { ownership: Some(ownership), created }));
        }
        let stored = self.get(id).await?;
        if described.is_none() && stored.is_none() {
            return Ok(None);
        }
        let value = stored.as_ref().and_then(StoredSecret::readable);
        let created = created.or_else(|| value.and_then(SecretValue::created));
        // The description may only show now, with a value that cannot be read.
        Ok(Some(Entry { ownership: stored.as_ref().and_then(StoredSecret::ownership), created }))
    }

    /// Whether the store describes a secret of the key now.
    pub(crate) async fn has_secret(&self, id: &str) -> Result<bool> {
        Ok(self.describe(id).await?.is_some())
    }

    /// Whether the store says now that the key has a description.
    pub(crate) async fn has_description(&self, id: &str) -> Result<bool> {
        let described = self.describe(id).await?;
        let ownership = described.and_then(|described| Ownership::from_description(&described.description?));
        Ok(ownership.is_some_and(|ownership| ownership.has_description))
    }

    /// `None` also for a secret that is scheduled for deletion: for a reader it is gone.
    async fn describe(&self, id: &str) -> Result<Option<DescribeSecretOutput>> {
        Ok(self.describe_any(id).await?.filter(|described| described.deleted_date.is_none()))
    }

    /// Describes the secret also if it is scheduled for deletion.
    async fn describe_any(&self, id: &str) -> Result<Option<DescribeSecretOutput>> {
        let answer = self.client.describe_secret().secret_id(self.name(id)).send().await;
        match answer.map_err(|error| self.failed("DescribeSecret", id, &error)) {
            Err(error) if error.is_not_found() => Ok(None),
            described => described.map(Some),
        }
    }

    /// Writes a changed value, in today's layout. Returns the id of its version, by which a read is known to show it.
    async fn replace(&self, value: &SecretValue) -> Result<Option<String>> {
        let id = &value.access_key_id;
        let json = value.to_json()?;
        let description = Ownership::of(value).to_description(id);
        let call = self.client.update_secret().secret_id(self.name(id)).description(description);
        let call = call.secret_string(json.as_str());
        let answer = call.send().await;
        Ok(answer.map_err(|error| value.redact(self.failed("UpdateSecret", id, &error)))?.version_id)
    }

    /// Deletes the stored secret of a key for good, and its replicas in other regions. Succeeds if there is no secret.
    ///
    /// Without a recovery window: a dead key's secret is worth nothing, and the name would stay taken.
    pub(crate) async fn delete(&self, id: &str) -> Result<()> {
        let Some(refusal) = self.force_delete(id).await? else { return Ok(()) };
        let replicas = self.describe(id).await?.and_then(|described| described.replication_status).unwrap_or_default();
        let regions: Vec<_> = replicas.into_iter().filter_map(|replica| replica.region).collect();
        if regions.is_empty() {
            return Err(refusal);
        }
        let call = self.client.remove_regions_from_replication().secret_id(self.name(id));
        let answer = call.set_remove_replica_regions(Some(regions)).send().await;
        answer.map_err(|error| self.failed("RemoveRegionsFromReplication", id, &error))?;
        match self.force_delete(id).await? {
            None => Ok(()),
            // The replicas are on their way out.
            Some(refusal) => Err(HandlerError {
                code: HandlerErrorCode::ResourceConflict,
                message: format!("{}. Its replicas are being removed: try again", refusal.message),
                ..refusal
            }),
        }
    }

    /// `Some`: the secret cannot be deleted as it is, because somebody replicated it to other regions.
    async fn force_delete(&self, id: &str) -> Result<Option<HandlerError>> {
        let call = self.client.delete_secret().secret_id(self.name(id)).force_delete_without_recovery(true);
        let Err(error) = call.send().await else { return Ok(None) };
        // AWS says InvalidParameterException here, where its documentation leads one to expect InvalidRequestException.
        let is_refused = error
            .as_service_error()
            .is_some_and(|error| error.is_invalid_parameter_exception() || error.is_invalid_request_exception());
        match self.failed("DeleteSecret", id, &error) {
            error if error.is_not_found() => Ok(None),
            error if is_refused => Ok(Some(error)),
            error => Err(error),
        }
    }

    /// The command with which a person deletes the secret of a key.
    pub(crate) fn delete_command(&self, id: &str) -> String {
        let region = self.client.config().region().map(|region| format!(" --region {region}")).unwrap_or_default();
        format!(
            "aws secretsmanager delete-secret --secret-id {}{region} --force-delete-without-recovery",
            self.name(id)
        )
    }

    fn parse(&self, id: &str, json: &str) -> Value {
        // The parser's own message could quote the secret.
        let value = serde_json::from_str::<SecretValue>(json).ok();
        let holds_the_secret = |value: &SecretValue| {
            value.access_key_id == id && (value.secret_access_key.is_some() || value.encrypted_secret.is_some())
        };
        match value.filter(holds_the_secret) {
            Some(mut value) => {
                value.unknown.0.shift_remove(LAYOUT_VERSION_FIELD);
                Value::Readable(Box::new(value))
            }
            None => Value::Unreadable {
                why: format!(
                    "The secret {} does not hold the credentials of access key {id}: somebody changed it. Restore its \
                     previous version, or increment Serial, which makes a key with a new secret",
                    self.name(id)
                ),
                ownership: None,
            },
        }
    }
}
