//! The registry schema, made from the model.

use std::{
    env,
    io::{self, Write},
};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{ResourceModel, TypeConfiguration};

/// How long CloudFormation goes on with one CREATE, UPDATE or DELETE, through all its invocations. READ and LIST are one
/// invocation each.
///
/// It is longer than a handler waits for AWS before it answers `NotStabilized`, which says more than a timeout.
pub const TIMEOUT_IN_MINUTES: u32 = 60;

/// The registry schema of the resource type under the name `type_name`, as `cfn submit` sends it.
///
/// Its shape is the [resource type definition schema].
///
/// [resource type definition schema]: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
#[must_use]
pub fn registry_schema<M: ResourceModel>(type_name: &str) -> Value {
    let model = schema_of::<M>();
    let mut schema = json!({
        "typeName": type_name,
        "description": M::DESCRIPTION,
        "properties": model["properties"],
        "required": model["required"],
        "additionalProperties": false,
        "createOnlyProperties": pointers(M::CREATE_ONLY_PROPERTIES),
        "readOnlyProperties": pointers(M::READ_ONLY_PROPERTIES),
        "primaryIdentifier": pointers(&[M::PRIMARY_IDENTIFIER]),
        "replacementStrategy": "create_then_delete",
        "tagging": tagging::<M>(),
        "handlers": handlers::<M>(&model["properties"]),
    });
    if model["definitions"].is_object() {
        schema["definitions"] = model["definitions"].clone();
    }
    let settings = type_configuration::<M::TypeConfiguration>();
    if settings["properties"].is_object() {
        schema["typeConfiguration"] = settings;
    }
    // The registry refuses an empty list of these.
    if let Some(schema) = schema.as_object_mut() {
        schema.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    }
    // Any crate of a build can switch on the feature of serde_json that keeps the order of objects. Sorting makes them always the
    // same.
    schema.sort_all_objects();
    schema
}

/// Writes the registry schema to standard output, under the type name that is the program's only argument, or else the model's:
/// the schema command of `cfn generate`.
///
/// # Errors
/// Standard output cannot be written to.
pub fn print_registry_schema<M: ResourceModel>() -> io::Result<()> {
    let type_name = env::args().nth(1).unwrap_or_else(|| M::TYPE_NAME.to_owned());
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, &registry_schema::<M>(&type_name))?;
    stdout.write_all(b"\n")
}

fn tagging<M: ResourceModel>() -> Value {
    match M::TAG_PROPERTY {
        None => {
            json!({"taggable": false, "tagOnCreate": false, "tagUpdatable": false, "cloudFormationSystemTags": false})
        }
        Some(property) => json!({
            "taggable": true,
            "tagOnCreate": true,
            "tagUpdatable": true,
            "cloudFormationSystemTags": false,
            "tagProperty": format!("/properties/{property}"),
            "permissions": M::PERMISSIONS.tagging,
        }),
    }
}

fn handlers<M: ResourceModel>(properties: &Value) -> Value {
    let write = |actions| json!({"permissions": actions, "timeoutInMinutes": TIMEOUT_IN_MINUTES});
    let mut list = json!({"permissions": M::PERMISSIONS.list});
    if !M::LIST_PROPERTIES.is_empty() {
        // The properties by which a LIST can be narrowed. They are copied: loaders resolve no reference out of a handler's
        // schema.
        let narrowing = M::LIST_PROPERTIES.iter().map(|name| ((*name).to_owned(), properties[*name].clone()));
        list["handlerSchema"] = json!({"properties": narrowing.collect::<Map<_, _>>()});
    }
    json!({
        "create": write(M::PERMISSIONS.create),
        "read": {"permissions": M::PERMISSIONS.read},
        "update": write(M::PERMISSIONS.update),
        "delete": write(M::PERMISSIONS.delete),
        "list": list,
    })
}

/// The schema of the type configuration, described for the CloudFormation console, and without the `type` that the
/// CloudFormation CLI does not allow there.
fn type_configuration<C: TypeConfiguration>() -> Value {
    let mut schema = schema_of::<C>();
    schema["description"] = C::DESCRIPTION.into();
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
