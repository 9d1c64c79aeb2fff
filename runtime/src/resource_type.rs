//! What a resource type declares: its model, its settings, its five handlers.

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Action, Deadline, HandlerError, ProgressEvent, Request};

/// The properties of a resource, as a template declares them and as a handler answers them.
///
/// Every property is optional in Rust, because a request holds only those that its action needs. `JsonSchema` says which are
/// required, and what they may be. The doc comments of the fields are the descriptions in the registry schema.
pub trait ResourceModel: Clone + Debug + Default + Serialize + DeserializeOwned + JsonSchema + 'static {
    /// What an account sets for all its resources of the type; [`NoTypeConfiguration`] if there are no settings.
    type TypeConfiguration: TypeConfiguration;

    /// The name of the type, such as `Acme::Notes::Note`, unless it is registered under another one.
    const TYPE_NAME: &'static str;

    /// What the type is, in a sentence that begins with `Resource Type definition for`, as AWS's rules for schemas want it.
    const DESCRIPTION: &'static str;

    /// The property that identifies the resource in its account and region, and whose value `Ref` returns.
    const PRIMARY_IDENTIFIER: &'static str;

    /// The read-only properties, which are those that `Fn::GetAtt` offers.
    ///
    /// The registry resolves `Fn::GetAtt` only for read-only properties, from what the read handler returns.
    const READ_ONLY_PROPERTIES: &'static [&'static str];

    /// The properties that cannot be changed on an existing resource: CloudFormation replaces the resource instead.
    const CREATE_ONLY_PROPERTIES: &'static [&'static str];

    /// The properties beside the primary identifier that READ, DELETE and LIST use if the request has them.
    const LOOKUP_PROPERTIES: &'static [&'static str] = &[];

    /// The lookup properties by which a LIST can be narrowed.
    const LIST_PROPERTIES: &'static [&'static str] = &[];

    /// The property that holds the tags, if the resource takes any.
    const TAG_PROPERTY: Option<&'static str> = None;

    /// The actions of IAM policies that the handlers call.
    const PERMISSIONS: Permissions;

    /// The value of the primary identifier, once the resource has one.
    fn primary_identifier(&self) -> Option<&str>;

    /// A resource with nothing but its primary identifier.
    #[must_use]
    fn identified_by(identifier: String) -> Self;

    /// If no resource can have this identifier: what an identifier must be, in words that do not quote this one.
    #[must_use]
    fn refuse_identifier(_identifier: &str) -> Option<&'static str> {
        None
    }

    /// If the registry schema refuses a value: what the value must be, in words for the person who wrote the template.
    ///
    /// `property` is a property's name; `Tags[]` stands for an element of a list, `Tags[].Key` for a property of it. `keyword` is
    /// the keyword of the JSON schema that the value violates.
    #[must_use]
    fn constraint(property: &str, keyword: &str) -> &'static str;

    /// A rule that a JSON schema cannot state: the property that breaks it, and a message that does not quote the value.
    #[must_use]
    fn violation(&self) -> Option<(&'static str, String)> {
        None
    }

    /// The model as CREATE, READ and UPDATE answer it. A read-only property needs a value: `Fn::GetAtt` fails for one without,
    /// and CloudFormation's contract tests (v2) miss it.
    #[must_use]
    fn answered(self) -> Self {
        self
    }
}

/// The actions of IAM policies that each handler calls, such as `iam:CreateAccessKey`, and which of these actions tag.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Permissions {
    pub create: &'static [&'static str],
    pub read: &'static [&'static str],
    pub update: &'static [&'static str],
    pub delete: &'static [&'static str],
    pub list: &'static [&'static str],
    pub tagging: &'static [&'static str],
}

impl Permissions {
    /// No handler calls AWS.
    pub const NONE: Self = Self { create: &[], read: &[], update: &[], delete: &[], list: &[], tagging: &[] };
}

/// What an account sets with `SetTypeConfiguration`, for every resource of the type.
///
/// The fields are the settings. A setting `LogLevel` of type [`LogLevel`](crate::LogLevel) is the least level of the log lines.
pub trait TypeConfiguration: Clone + Debug + Default + DeserializeOwned + JsonSchema + 'static {
    /// What the settings are for, in a sentence.
    const DESCRIPTION: &'static str;

    /// The first setting with a wrong value, and what the value must be. The value is not quoted.
    fn violation(&self) -> Option<(&'static str, &'static str)> {
        None
    }
}

/// The type has no settings.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, JsonSchema)]
pub struct NoTypeConfiguration {}

impl TypeConfiguration for NoTypeConfiguration {
    const DESCRIPTION: &'static str = "";
}

/// What the five actions mean for a resource.
///
/// The [handler contract] says what each has to answer.
///
/// [handler contract]: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html
#[allow(missing_docs)]
pub trait Handlers {
    /// The resource that they handle.
    type Model: ResourceModel;

    fn create(&self, request: &Request<Self::Model>) -> impl Future<Output = Answer<Self::Model>>;
    fn read(&self, request: &Request<Self::Model>) -> impl Future<Output = Answer<Self::Model>>;
    fn update(&self, request: &Request<Self::Model>) -> impl Future<Output = Answer<Self::Model>>;
    fn delete(&self, request: &Request<Self::Model>) -> impl Future<Output = Answer<Self::Model>>;
    fn list(&self, request: &Request<Self::Model>) -> impl Future<Output = Answer<Self::Model>>;
}

/// The result of a handler.
pub type Answer<M> = Result<ProgressEvent<M>, HandlerError<M>>;

/// Does what `request` asks for.
///
/// # Errors
/// The handler's own. READ and LIST change nothing, so they are given up when the invocation's time is over; the others watch the
/// deadline themselves.
pub async fn handle<H: Handlers>(handlers: &H, request: &Request<H::Model>, deadline: Deadline) -> Answer<H::Model> {
    match request.action {
        Action::Create => handlers.create(request).await,
        Action::Read => deadline.bound(handlers.read(request)).await,
        Action::Update => handlers.update(request).await,
        Action::Delete => handlers.delete(request).await,
        Action::List => deadline.bound(handlers.list(request)).await,
    }
}
