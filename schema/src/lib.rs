//! The shared model of `AWS::IAM::AccessKey`.
//!
//! Everything that says what the resource type *is* lives here and nowhere else: its properties and what `Ref` and `Fn::GetAtt`
//! answer ([`AccessKey`]), the permissions of its handlers, and an account's settings ([`TypeConfiguration`]). The registry
//! schema is made from them. The protocol's own words, such as [`Request`] and [`ProgressEvent`], are those of
//! `cfn-resource-runtime`, for this model. This crate knows no AWS SDK and no Lambda.

mod model;
mod permissions;
mod type_configuration;

pub use cfn_resource_runtime::{
    Action, CallerCredentials, HandlerErrorCode, LogLevel, OperationStatus, Permissions, RequestContext,
    RequestPayload, ResourceModel, Secret, WholeNumber,
};
pub use model::{AccessKey, Status, Tag, UserName};
pub use type_configuration::TypeConfiguration;

/// What a handler is asked of an access key.
pub type Request = cfn_resource_runtime::Request<AccessKey>;

/// What a handler answers.
pub type ProgressEvent = cfn_resource_runtime::ProgressEvent<AccessKey>;

/// A failed operation. It may carry the model of a key: one that a failed CREATE leaves behind, or gives way to, or the one that
/// a failed UPDATE was about.
pub type HandlerError = cfn_resource_runtime::HandlerError<AccessKey>;

/// The result of a handler, or of one of its steps.
pub type Result<T> = std::result::Result<T, HandlerError>;

/// The registry schema of the type under the name `type_name`, as `cfn submit` sends it.
#[must_use]
pub fn registry_schema(type_name: &str) -> serde_json::Value {
    cfn_resource_runtime::registry_schema::<AccessKey>(type_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_what_the_model_generates() {
        let committed = include_str!("../aws-iam-accesskey.json");
        let generated = serde_json::to_string_pretty(&registry_schema(AccessKey::TYPE_NAME)).unwrap() + "\n";
        assert!(committed == generated, "run `make schema` and commit schema/aws-iam-accesskey.json");
    }

    #[test]
    fn a_registration_under_another_name_changes_nothing_but_the_type_name() {
        let mut other = registry_schema("Acme::IAM::AccessKey");
        assert_eq!(other["typeName"], "Acme::IAM::AccessKey");
        other["typeName"] = AccessKey::TYPE_NAME.into();
        assert_eq!(other, registry_schema(AccessKey::TYPE_NAME));
    }
}
