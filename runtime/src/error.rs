//! The error of an operation that failed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A failed operation, in CloudFormation's terms. It becomes a `FAILED` progress event.
///
/// The message is for the person who reads the stack event: what failed, for which resource, and what to do next. It never
/// holds a secret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct HandlerError<M> {
    /// Why, as one of CloudFormation's error codes.
    pub code: HandlerErrorCode,
    /// Why, in words for a person.
    pub message: String,
    /// The model of a resource: one that a failed CREATE leaves behind, one of another invocation to which a failed CREATE gives
    /// way, or the one that a failed UPDATE was about. By the identifier of the first two, CloudFormation's rollback deletes the
    /// resource.
    pub resource_model: Option<Box<M>>,
}

impl<M> HandlerError<M> {
    /// An error without a model.
    pub fn new(code: HandlerErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), resource_model: None }
    }

    /// An error that says what is wrong with the request.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(HandlerErrorCode::InvalidRequest, message)
    }

    /// The same error; its message goes on with `sentence`.
    #[must_use]
    pub fn followed_by(self, sentence: &str) -> Self {
        Self { message: format!("{}. {sentence}", self.message), ..self }
    }

    /// The same error where `unseen` hides whether it matters: as one that passes if that passes, and then it says both.
    #[must_use]
    pub fn unless_hidden_by(self, unseen: &Self) -> Self {
        if !unseen.code.is_retriable() {
            return self;
        }
        Self { code: unseen.code, ..self.followed_by(&unseen.message) }
    }

    /// The same error with `model`, unless it carries a model already.
    #[must_use]
    pub fn about(mut self, model: Option<M>) -> Self {
        self.resource_model = self.resource_model.or(model.map(Box::new));
        self
    }

    /// Whether this error says that the resource, or what it belongs to, does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code == HandlerErrorCode::NotFound
    }
}

/// The handler error codes of the resource provider protocol.
///
/// [Handler error codes] says what each means.
///
/// [Handler error codes]: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum HandlerErrorCode {
    NotUpdatable,
    InvalidRequest,
    AccessDenied,
    InvalidCredentials,
    AlreadyExists,
    NotFound,
    ResourceConflict,
    Throttling,
    ServiceLimitExceeded,
    NotStabilized,
    GeneralServiceException,
    ServiceInternalError,
    NetworkFailure,
    InternalFailure,
    InvalidTypeConfiguration,
    UnauthorizedTaggingOperation,
}

impl HandlerErrorCode {
    /// Whether CloudFormation calls the handler again, with the same `bearerToken`.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        matches!(self, Self::NetworkFailure | Self::Throttling | Self::ServiceInternalError | Self::ResourceConflict)
    }
}

impl fmt::Display for HandlerErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
