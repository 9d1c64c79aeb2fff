//! What a handler is asked.
//!
//! A request arrives in one of two shapes, from the registry or from the test entry point (`sam local invoke`). Both
//! decode into a [`RequestPayload`], whose properties are still as they were sent, and a [`RequestContext`]. Validation
//! makes a [`Request`] of the two: its properties are typed, its context is unchanged.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_with::{DefaultOnNull, serde_as};

use crate::{
    AccessKey, HandlerError, HandlerErrorCode, LogLevel, Result, Secret, TypeConfiguration, UserName, WholeNumber,
    boolean,
};

/// The five operations of a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum Action {
    Create,
    Read,
    Update,
    Delete,
    List,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Create => "CREATE",
            Self::Read => "READ",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::List => "LIST",
        })
    }
}

/// Temporary credentials of the resource type's execution role, for every call to IAM and Secrets Manager.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a JSON object")]
#[allow(missing_docs)]
pub struct CallerCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

/// Temporary credentials of the resource type's logging role, for the delivery of logs and metrics alone.
///
/// A type of its own: the caller's credentials cannot be taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a JSON object")]
#[allow(missing_docs)]
pub struct ProviderCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

/// What logs and metrics say of an invocation, and where the type's provider, the account that registered it, wants them.
///
/// Its fields are those that tell an invocation from another. It is read apart from the rest of the request, so that a
/// request that cannot be read is told of too. It has no `Debug`, because the type configuration is as it was sent.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderContext {
    /// What to do. It is absent only where the request could not be read at all.
    pub action: Option<Action>,
    /// The account of the stack.
    pub aws_account_id: Option<String>,
    /// The region of the stack, and so of the logs and the metrics.
    pub region: Option<String>,
    /// The name that the type is registered under.
    pub resource_type: Option<String>,
    /// The version of the type, as the registry counts.
    pub resource_type_version: Option<String>,
    /// The stack that the resource belongs to.
    pub stack_id: Option<String>,
    /// The name of the resource in its template.
    #[serde(alias = "logicalResourceIdentifier")]
    pub logical_resource_id: Option<String>,
    /// Identifies the operation. Whoever knows it can speak for the handler, so it is never shown whole.
    #[serde(alias = "clientRequestToken")]
    pub bearer_token: Option<Secret>,
    /// What the account set with `SetTypeConfiguration`.
    pub type_configuration: Option<Value>,
    /// The type was registered with a `LoggingConfig` if this and the log group are there.
    pub provider_credentials: Option<ProviderCredentials>,
    /// The log group of that `LoggingConfig`.
    pub provider_log_group_name: Option<String>,
}

impl ProviderContext {
    /// The level of the log lines, as far as the type configuration sets one that can be read.
    #[must_use]
    pub fn log_level(&self) -> Option<LogLevel> {
        LogLevel::deserialize(self.type_configuration.as_ref()?.get("LogLevel")?).ok()
    }
}

/// What an invocation says about itself, whichever entry point it came through. It goes to the handler as it arrived.
///
/// The first name of a field is the registry's, the alias is the test entry point's where that differs.
#[serde_as]
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// The stack that the resource belongs to.
    pub stack_id: Option<String>,
    /// The name of the resource in its template.
    #[serde(alias = "logicalResourceIdentifier")]
    pub logical_resource_id: Option<String>,
    /// Identifies the operation: the same in all its invocations, retries included.
    #[serde(rename = "bearerToken", alias = "clientRequestToken")]
    pub client_request_token: Option<String>,
    /// The stack's tags.
    #[serde(default, alias = "desiredResourceTags")]
    #[serde_as(deserialize_as = "DefaultOnNull")]
    pub stack_tags: BTreeMap<String, String>,
    /// For UPDATE: the stack's tags as they were before.
    #[serde(default, alias = "previousResourceTags")]
    #[serde_as(deserialize_as = "DefaultOnNull")]
    pub previous_stack_tags: BTreeMap<String, String>,
    /// What the last `IN_PROGRESS` event of this operation carried. An empty object is none: a first invocation.
    #[serde(default, deserialize_with = "some_unless_empty")]
    pub callback_context: Option<Value>,
    /// For LIST: where the page starts, as the previous page's event said.
    pub next_token: Option<String>,
    /// For LIST: the most access keys that one page may hold.
    #[serde(default)]
    #[serde_as(deserialize_as = "Option<WholeNumber>")]
    pub max_results: Option<usize>,
    /// Whether a failed operation of the stack is rolled back, as far as the request says so. A hint: AWS documents the field
    /// nowhere, so nothing may depend on its being there.
    #[serde(default, deserialize_with = "boolean_or_none")]
    pub rollback: Option<bool>,
}

/// What an invocation asks for. The properties are as they were sent: numbers may be strings.
///
/// The first name of a field is the registry's, the alias is the test entry point's where that differs. It has no
/// `Debug`, because its properties may hold a secret.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestPayload {
    /// What to do.
    pub action: Action,
    /// Absent when the type was registered without an execution role.
    #[serde(alias = "credentials")]
    pub caller_credentials: Option<CallerCredentials>,
    /// The name that the type is registered under. The test entry point does not send it.
    pub resource_type: Option<String>,
    /// The resource as it is to be, or the primary identifier of the one to read or delete.
    #[serde(alias = "desiredResourceState")]
    pub resource_properties: Option<Value>,
    /// For UPDATE: the resource as the template had it before.
    #[serde(alias = "previousResourceState")]
    pub previous_resource_properties: Option<Value>,
    /// What the account set with `SetTypeConfiguration`.
    pub type_configuration: Option<Value>,
    /// The region of the stack.
    pub region: Option<String>,
}

impl RequestPayload {
    /// The key that UPDATE is about, by its identifier alone. A FAILED UPDATE carries it, because every model of an event
    /// has to, and the key is still there ([handler contract]).
    ///
    /// [handler contract]: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html
    #[must_use]
    pub fn updated_key(&self) -> Option<AccessKey> {
        let id = self.resource_properties.as_ref()?.get(AccessKey::ref_property())?.as_str()?;
        let is_key = self.action == Action::Update && is_access_key_id(id);
        is_key.then(|| AccessKey { id: Some(id.to_owned()), ..AccessKey::default() })
    }
}

/// What a handler gets: typed, and validated where the action demands it.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// The access key as it is to be, or the primary identifier of the one to read or delete.
    pub desired: AccessKey,
    /// For UPDATE: the access key as the template had it before.
    pub previous: Option<AccessKey>,
    /// What the account set for all its access keys.
    pub type_configuration: TypeConfiguration,
    /// The region of the stack, and so of the secret store.
    pub region: String,
    /// What the invocation says about itself.
    pub context: RequestContext,
}

impl Request {
    /// The user whose key CREATE and UPDATE are about.
    ///
    /// # Errors
    /// `InvalidRequest` when the request names none.
    pub fn user_name(&self) -> Result<&UserName> {
        let missing = || HandlerError::new(HandlerErrorCode::InvalidRequest, "UserName is required");
        self.desired.user_name.as_ref().ok_or_else(missing)
    }

    /// The access key id that READ, UPDATE and DELETE are about.
    ///
    /// # Errors
    /// `NotFound`, as the contract demands, when the request has no id, or one that IAM never gives out. The id is also part
    /// of a secret's name.
    pub fn primary_identifier(&self) -> Result<&str> {
        let not_found = |message| HandlerError::new(HandlerErrorCode::NotFound, message);
        match self.desired.reference() {
            Some(id) if is_access_key_id(id) => Ok(id),
            Some(_) => Err(not_found(
                "There is no access key with this Id: an access key id is 16 to 128 letters, digits or underscores",
            )),
            None => Err(not_found("Id is missing: the request does not say which access key it is about")),
        }
    }
}

/// Whether IAM could have given this id to a key: it is 16 to 128 letters, digits or `_` (`IAM` API reference).
fn is_access_key_id(id: &str) -> bool {
    (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn some_unless_empty<'de, D: Deserializer<'de>>(value: D) -> std::result::Result<Option<Value>, D::Error> {
    let value = Option::<Value>::deserialize(value)?;
    Ok(value.filter(|value| value.as_object().is_none_or(|fields| !fields.is_empty())))
}

/// Anything but a boolean, or the name of one, is none: no request fails for a hint.
fn boolean_or_none<'de, D: Deserializer<'de>>(value: D) -> std::result::Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(value)? {
        Value::Bool(boolean) => Some(boolean),
        Value::String(text) => boolean(&text),
        _ => None,
    })
}
