//! What a handler is asked.
//!
//! A request arrives in one of two shapes, from the registry or from the test entry point (`sam local invoke`). Both
//! decode into a [`RequestPayload`], whose properties are still as they were sent, and a [`RequestContext`]. Validation
//! makes a [`Request`] of the two: its properties are typed, its context is unchanged.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_with::{DefaultOnNull, serde_as};

use crate::{HandlerError, HandlerErrorCode, ResourceModel, Secret, WholeNumber, boolean};

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

/// Temporary credentials of the resource type's execution role, for every call that a handler makes.
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
/// A type of its own, so that nobody mistakes the caller's credentials for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a JSON object")]
#[allow(missing_docs)]
pub struct ProviderCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

/// The level of a log line, as a type configuration may set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
}

/// What logs and metrics say of an invocation, and where its provider, the account that registered the type, wants them.
///
/// Its fields distinguish invocations. It is read apart from the rest of the request, so that the provider also hears of a
/// request that cannot be read. It has no `Debug`, because the type configuration is as it was sent.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderContext {
    /// What to do. It is absent only if the request could not be read at all.
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
    /// Identifies the operation. Whoever knows the token can speak for the handler, so it is never shown whole.
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
    /// For LIST: the most resources that one page may hold.
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
    /// The resource that UPDATE is about, by its identifier alone. A FAILED UPDATE carries the identifier, because every model of
    /// an event has to, and the resource still exists ([handler contract]).
    ///
    /// [handler contract]: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html
    #[must_use]
    pub fn updated_resource<M: ResourceModel>(&self) -> Option<M> {
        let identifier = self.resource_properties.as_ref()?.get(M::PRIMARY_IDENTIFIER)?.as_str()?;
        let may_be_shown = self.action == Action::Update && M::refuse_identifier(identifier).is_none();
        may_be_shown.then(|| M::identified_by(identifier.to_owned()))
    }
}

/// What a handler gets: typed, and validated where the action demands it.
#[derive(Debug)]
pub struct Request<M: ResourceModel> {
    /// What to do.
    pub action: Action,
    /// The resource as it is to be, or the primary identifier of the one to read or delete.
    pub desired: M,
    /// For UPDATE: the resource as the template had it before.
    pub previous: Option<M>,
    /// What the account set for all its resources of the type.
    pub type_configuration: M::TypeConfiguration,
    /// The region of the stack.
    pub region: String,
    /// What the invocation says about itself.
    pub context: RequestContext,
}

impl<M: ResourceModel> Request<M> {
    /// The identifier of the resource that READ, UPDATE and DELETE are about.
    ///
    /// # Errors
    /// `NotFound`, as the contract demands, when the request has none, or one that no resource can have.
    pub fn primary_identifier(&self) -> Result<&str, HandlerError<M>> {
        let name = M::PRIMARY_IDENTIFIER;
        let reason = match self.desired.primary_identifier() {
            None => format!("{name} is missing: the request does not say which resource it is about"),
            Some(identifier) => match M::refuse_identifier(identifier) {
                None => return Ok(identifier),
                Some(constraint) => format!("No resource has this {name}: {constraint}"),
            },
        };
        Err(HandlerError::new(HandlerErrorCode::NotFound, reason))
    }
}

fn some_unless_empty<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    let value = Option::<Value>::deserialize(value)?;
    Ok(value.filter(|value| value.as_object().is_none_or(|fields| !fields.is_empty())))
}

/// Anything but a boolean, or the name of one, counts as absent: no request fails because of a hint.
fn boolean_or_none<'de, D: Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(value)? {
        Value::Bool(boolean) => Some(boolean),
        Value::String(text) => boolean(&text),
        _ => None,
    })
}
