//! The registry schema, made from the model.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{AccessKey, TypeConfiguration};

/// The name of Amazon's own type, which the registry reserves. An account registers this type under a name of its own,
/// and only the schema's `typeName` changes.
pub const DEFAULT_TYPE_NAME: &str = "AWS::IAM::AccessKey";

/// How long CloudFormation goes on with one CREATE, UPDATE or DELETE, through all its invocations. READ and LIST are one
/// invocation each.
///
/// It is more than the handlers wait for AWS before they answer `NotStabilized`, which says more than a timeout.
pub const TIMEOUT_IN_MINUTES: u32 = 60;

/// The registry schema of the resource type under the name `type_name`, as `cfn submit` sends it.
///
/// Its shape is the [resource type definition schema]; the permissions are exactly the actions that each
/// handler calls.
///
/// [resource type definition schema]: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
#[must_use]
pub fn registry_schema(type_name: &str) -> Value {
    let model = schema_of::<AccessKey>();
    let mut schema = json!({
        "typeName": type_name,
        "description":
            "Resource Type definition for an access key of an IAM user. The secret access key is kept in AWS Secrets Manager, \
             and incrementing Serial rotates the key.",
        "definitions": model["definitions"],
        "properties": model["properties"],
        "required": model["required"],
        "additionalProperties": false,
        "createOnlyProperties": pointers(AccessKey::create_only_properties()),
        "readOnlyProperties": pointers(AccessKey::get_att_properties()),
        "primaryIdentifier": pointers(&[AccessKey::ref_property()]),
        "replacementStrategy": "create_then_delete",
        "tagging": {
            "taggable": true,
            "tagOnCreate": true,
            "tagUpdatable": true,
            "cloudFormationSystemTags": false,
            "tagProperty": format!("/properties/{}", AccessKey::tag_property()),
            "permissions": ["secretsmanager:TagResource", "secretsmanager:UntagResource"],
        },
        "typeConfiguration": type_configuration(),
        "handlers": {
            "create": { "permissions": [
                "iam:ListAccessKeys", "iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey", "iam:GetUser",
                "iam:GetAccessKeyLastUsed",
                "secretsmanager:CreateSecret", "secretsmanager:TagResource", "secretsmanager:DescribeSecret",
                "secretsmanager:UpdateSecret", "secretsmanager:GetSecretValue", "secretsmanager:DeleteSecret",
                "kms:GenerateDataKey", "kms:Decrypt",
            ], "timeoutInMinutes": TIMEOUT_IN_MINUTES },
            "read": { "permissions": [
                "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "iam:GetUser",
                "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "kms:Decrypt",
            ]},
            "update": { "permissions": [
                "iam:UpdateAccessKey", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "iam:GetUser",
                "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:UpdateSecret",
                "secretsmanager:TagResource", "secretsmanager:UntagResource", "kms:GenerateDataKey", "kms:Encrypt",
                "kms:Decrypt",
            ], "timeoutInMinutes": TIMEOUT_IN_MINUTES },
            "delete": { "permissions": [
                "iam:DeleteAccessKey", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "iam:GetUser",
                "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
                "secretsmanager:RemoveRegionsFromReplication", "kms:Decrypt",
            ], "timeoutInMinutes": TIMEOUT_IN_MINUTES },
            "list": {
                "permissions": ["iam:ListUsers", "iam:ListAccessKeys", "iam:GetUser"],
                // What a LIST can be narrowed by. No reference to the property: loaders resolve none out of a handler's schema.
                "handlerSchema": { "properties": { "UserName": model["properties"]["UserName"] } },
            },
        },
    });
    // Any crate of a build can switch on the feature of serde_json that keeps the order of objects. Sorted, they are
    // always the same.
    schema.sort_all_objects();
    schema
}

/// The schema of the type configuration, described for the CloudFormation console, and without the `type` that the
/// CloudFormation CLI does not allow there.
fn type_configuration() -> Value {
    let mut schema = schema_of::<TypeConfiguration>();
    schema["description"] =
        "Settings of an account for all its access keys in a region. Each is optional and has a default.".into();
    if let Some(object) = schema.as_object_mut() {
        object.remove("type");
    }
    schema
}

/// The draft-07 schema of a type, without what the registry does not allow: `$schema`, `title`, `null` types and number
/// formats.
fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.meta_schema = None);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
        object.remove("description");
    }
    for property in schema["properties"].as_object_mut().into_iter().flat_map(|properties| properties.values_mut()) {
        let Some(property) = property.as_object_mut() else { continue };
        property.remove("format");
        // An absent property is left out, never null.
        for keyword in ["type", "enum"] {
            if let Some(Value::Array(alternatives)) = property.get_mut(keyword) {
                alternatives.retain(|alternative| !alternative.is_null() && alternative != "null");
            }
        }
        if let Some([only]) = property.get("type").and_then(Value::as_array).map(Vec::as_slice) {
            let only = only.clone();
            property.insert("type".to_owned(), only);
        }
        if let Some(description) = property.get_mut("description")
            && let Some(text) = description.as_str()
        {
            *description = text.replace('\n', " ").into();
        }
    }
    schema
}

fn pointers(properties: &[&str]) -> Value {
    properties.iter().map(|property| format!("/properties/{property}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_what_the_model_generates() {
        let committed = include_str!("../aws-iam-accesskey.json");
        let generated = serde_json::to_string_pretty(&registry_schema(DEFAULT_TYPE_NAME)).unwrap() + "\n";
        assert!(committed == generated, "run `make schema` and commit schema/aws-iam-accesskey.json");
    }

    #[test]
    fn the_type_name_is_the_only_thing_that_a_registration_under_another_name_changes() {
        let mut other = registry_schema("Acme::IAM::AccessKey");
        assert_eq!(other["typeName"], "Acme::IAM::AccessKey");
        other["typeName"] = DEFAULT_TYPE_NAME.into();
        assert_eq!(other, registry_schema(DEFAULT_TYPE_NAME));
    }
}
