//! What a handler is asked.
//!
//! [`RegistryRequest`] and [`TestEntrypointRequest`] are the two shapes on the wire. Both become a
//! [`WireRequest`], whose properties are still as they were sent, and, once those are recast and validated,
//! the [`Request`] that a handler gets. What is on the wire has no `Debug`: its properties may hold a secret.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::{AccessKey, HandlerError, HandlerErrorCode, Result, Secret, TypeConfiguration, UserName};

/// The five operations of a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Action {
    Create,
    Read,
    Update,
    Delete,
    List,
}

impl std::str::FromStr for Action {
    type Err = HandlerError;

    fn from_str(action: &str) -> Result<Self> {
        match action {
            "CREATE" => Ok(Self::Create),
            "READ" => Ok(Self::Read),
            "UPDATE" => Ok(Self::Update),
            "DELETE" => Ok(Self::Delete),
            "LIST" => Ok(Self::List),
            _ => Err(HandlerError::new(
                HandlerErrorCode::InvalidRequest,
                format!("the action {action:?} is none of CREATE, READ, UPDATE, DELETE and LIST"),
            )),
        }
    }
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
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

/// The request as CloudFormation and the Cloud Control API send it. Fields that are not here are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct RegistryRequest {
    pub action: String,
    pub region: Option<String>,
    pub stack_id: Option<String>,
    pub bearer_token: Option<String>,
    pub next_token: Option<String>,
    #[serde(default, deserialize_with = "number_or_numeric_string")]
    pub max_results: Option<usize>,
    pub callback_context: Option<Value>,
    pub request_data: RegistryRequestData,
}

/// The part of a [`RegistryRequest`] that is about the resource.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct RegistryRequestData {
    pub caller_credentials: Option<Credentials>,
    pub logical_resource_id: Option<String>,
    pub resource_properties: Option<Value>,
    pub previous_resource_properties: Option<Value>,
    pub type_configuration: Option<Value>,
    pub stack_tags: Option<BTreeMap<String, String>>,
    pub previous_stack_tags: Option<BTreeMap<String, String>>,
}

/// The request as `sam local invoke TestEntrypoint` and `cfn invoke` send it. Fields that are not here are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct TestEntrypointRequest {
    pub action: String,
    pub credentials: Option<Credentials>,
    pub region: Option<String>,
    pub callback_context: Option<Value>,
    pub request: TestEntrypointHandlerRequest,
}

/// The part of a [`TestEntrypointRequest`] that is about the resource.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct TestEntrypointHandlerRequest {
    pub client_request_token: Option<String>,
    pub desired_resource_state: Option<Value>,
    pub previous_resource_state: Option<Value>,
    pub desired_resource_tags: Option<BTreeMap<String, String>>,
    pub previous_resource_tags: Option<BTreeMap<String, String>>,
    pub logical_resource_identifier: Option<String>,
    pub region: Option<String>,
    pub next_token: Option<String>,
    #[serde(default, deserialize_with = "number_or_numeric_string")]
    pub max_results: Option<usize>,
    pub stack_id: Option<String>,
    pub type_configuration: Option<Value>,
}

fn number_or_numeric_string<'de, D: Deserializer<'de>>(value: D) -> std::result::Result<Option<usize>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(usize),
        String(String),
    }
    match Option::<Number>::deserialize(value).map_err(|_| D::Error::custom("not a whole number"))? {
        None => Ok(None),
        Some(Number::Number(number)) => Ok(Some(number)),
        Some(Number::String(digits)) => match digits.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(D::Error::custom("not a whole number")),
        },
    }
}

/// A request in either shape, its properties still as they were sent: primitives may be strings.
#[allow(missing_docs)]
pub struct WireRequest {
    pub action: String,
    pub credentials: Option<Credentials>,
    pub region: Option<String>,
    pub properties: Value,
    pub previous_properties: Option<Value>,
    pub type_configuration: Option<Value>,
    pub callback_context: Option<Value>,
    pub client_request_token: Option<String>,
    pub stack_id: Option<String>,
    pub logical_resource_id: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub previous_tags: BTreeMap<String, String>,
    pub next_token: Option<String>,
    pub max_results: Option<usize>,
}

impl From<RegistryRequest> for WireRequest {
    fn from(request: RegistryRequest) -> Self {
        let data = request.request_data;
        Self {
            action: request.action,
            credentials: data.caller_credentials,
            region: request.region,
            properties: data.resource_properties.unwrap_or_default(),
            previous_properties: data.previous_resource_properties,
            type_configuration: data.type_configuration,
            callback_context: request.callback_context,
            client_request_token: request.bearer_token,
            stack_id: request.stack_id,
            logical_resource_id: data.logical_resource_id,
            tags: data.stack_tags.unwrap_or_default(),
            previous_tags: data.previous_stack_tags.unwrap_or_default(),
            next_token: request.next_token,
            max_results: request.max_results,
        }
    }
}

impl From<TestEntrypointRequest> for WireRequest {
    fn from(test: TestEntrypointRequest) -> Self {
        let request = test.request;
        Self {
            action: test.action,
            credentials: test.credentials,
            region: request.region.or(test.region),
            properties: request.desired_resource_state.unwrap_or_default(),
            previous_properties: request.previous_resource_state,
            type_configuration: request.type_configuration,
            callback_context: test.callback_context,
            client_request_token: request.client_request_token,
            stack_id: request.stack_id,
            logical_resource_id: request.logical_resource_identifier,
            tags: request.desired_resource_tags.unwrap_or_default(),
            previous_tags: request.previous_resource_tags.unwrap_or_default(),
            next_token: request.next_token,
            max_results: request.max_results,
        }
    }
}

/// What a handler gets: validated where the action demands it, and typed.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// The access key as it is to be, or the primary identifier of the one to read or delete.
    pub desired: AccessKey,
    /// The region of the stack, and so of the secret store.
    pub region: String,
    /// For UPDATE: the access key as the template had it before.
    pub previous: Option<AccessKey>,
    /// What the account set for all its access keys.
    pub type_configuration: TypeConfiguration,
    /// What the last `IN_PROGRESS` event of this operation carried.
    pub callback_context: Option<Value>,
    /// The same for every invocation of one operation, retries included.
    pub client_request_token: Option<String>,
    /// The stack that the resource belongs to.
    pub stack_id: Option<String>,
    /// The name of the resource in its template.
    pub logical_resource_id: Option<String>,
    /// The stack's tags.
    pub tags: BTreeMap<String, String>,
    /// For UPDATE: the stack's tags as they were before.
    pub previous_tags: BTreeMap<String, String>,
    /// For LIST: where to go on.
    pub next_token: Option<String>,
    /// For LIST: how many access keys one page may hold.
    pub max_results: Option<usize>,
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
    /// `NotFound`, as the contract demands, when there is none, and when IAM can never have given such an id
    /// out (16 to 128 letters, digits or `_`; `IAM` API reference). It is also part of a secret's name.
    pub fn primary_identifier(&self) -> Result<&str> {
        let well_formed = |id: &&str| {
            (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match self.desired.reference() {
            Some(id) if well_formed(&id) => Ok(id),
            Some(id) => Err(HandlerError::new(
                HandlerErrorCode::NotFound,
                format!("there is no access key {id:?}: an access key id is 16 to 128 letters and digits"),
            )),
            None => Err(HandlerError::new(
                HandlerErrorCode::NotFound,
                format!("{} names no access key: its Id is missing", self.action),
            )),
        }
    }
}
