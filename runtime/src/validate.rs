//! Validates requests: makes the typed request for a handler from the payload as it was sent.
//!
//! A refusal names the property, the place and the rule, never the value, which may be a secret that a dynamic reference or
//! `Fn::GetAtt` brought into the wrong property.

use std::{marker::PhantomData, sync::OnceLock};

use jsonschema::{
    Draft, ValidationError,
    error::ValidationErrorKind,
    paths::{Location, LocationSegment},
};
use serde_json::{Map, Value, json};
use tracing::warn;
use zeroize::Zeroize;

use crate::{
    Action, HandlerError, HandlerErrorCode, Request, RequestContext, RequestPayload, ResourceModel, TypeConfiguration,
    WholeNumber, boolean,
    decode::{outermost, without_value},
    names::{is_property_name, is_region, is_type_name},
    registry_schema,
};

/// Replaces the name of a property that does not look like a name, and so may be a value.
const HIDDEN_NAME: &str = "A name that is not shown here";

/// The most violations that an error message names: its reader sees at most a few lines.
const MAX_VIOLATIONS: usize = 10;

/// Checks requests by the registry schema of a model. It makes the schema once, when an action needs it: READ, DELETE and LIST do
/// not.
#[derive(Debug)]
pub struct Validator<M> {
    schema: OnceLock<Value>,
    compiled: OnceLock<Result<jsonschema::Validator, String>>,
    model: PhantomData<fn() -> M>,
}

impl<M> Default for Validator<M> {
    fn default() -> Self {
        Self { schema: OnceLock::new(), compiled: OnceLock::new(), model: PhantomData }
    }
}

impl<M: ResourceModel> Validator<M> {
    /// The request with its properties recast and, where the action demands it, validated by the registry schema itself.
    ///
    /// # Errors
    /// - `InvalidRequest`: names every property that is wrong, and what it must be; or the request names no region.
    /// - `InvalidTypeConfiguration`: the account's settings cannot be read.
    pub fn validate(&self, payload: RequestPayload, context: RequestContext) -> Result<Request<M>, HandlerError<M>> {
        let rules = match payload.action {
            _ if context.callback_context.is_some() => Rules::Callback,
            Action::Create => Rules::Create,
            Action::Update => Rules::Update,
            Action::Read | Action::Delete | Action::List => Rules::Lookup,
        };
        let type_name = payload.resource_type.as_deref().filter(|name| is_type_name(name)).unwrap_or("this type");
        let region = payload.region.filter(|region| is_region(region));
        let region = region
            .ok_or_else(|| invalid("The request names no region of AWS: a region such as eu-central-1 is expected"))?;
        let desired = self.model(payload.resource_properties.unwrap_or_default(), rules, type_name)?;
        Ok(Request {
            action: payload.action,
            region,
            previous: self.previous(payload.previous_resource_properties, &desired)?,
            desired,
            type_configuration: self.type_configuration(payload.type_configuration)?,
            context,
        })
    }

    /// The registry schema of the model.
    pub fn schema(&self) -> &Value {
        self.schema.get_or_init(|| registry_schema::<M>(M::TYPE_NAME))
    }

    fn type_configuration(&self, settings: Option<Value>) -> Result<M::TypeConfiguration, HandlerError<M>> {
        let Some(mut settings) = settings else { return Ok(M::TypeConfiguration::default()) };
        if let Value::Object(settings) = &mut settings {
            let declared = &self.schema()["typeConfiguration"]["properties"];
            recast(settings, || declared);
            warn_of_unknown(settings, declared);
        }
        let wrong = |place: &str, reason: &str| {
            HandlerError::new(
                HandlerErrorCode::InvalidTypeConfiguration,
                format!("The type configuration{place} cannot be used: {reason}. Correct it with SetTypeConfiguration"),
            )
        };
        let settings: M::TypeConfiguration = serde_path_to_error::deserialize(settings).map_err(|error| {
            let place = outermost(&error).map(|name| format!("'s {name}")).unwrap_or_default();
            wrong(&place, &without_value(error.inner()))
        })?;
        match settings.violation() {
            Some((name, reason)) => Err(wrong(&format!("'s {name}"), reason)),
            None => Ok(settings),
        }
    }

    /// The model of `properties`.
    ///
    /// # Errors
    /// `InvalidRequest` that names every violation of the rules, each with its property.
    fn model(&self, properties: Value, rules: Rules, type_name: &str) -> Result<M, HandlerError<M>> {
        let mut properties = match properties {
            Value::Object(properties) => properties,
            Value::Null => Map::new(),
            _ => return Err(invalid("The resource's properties are not a JSON object")),
        };
        let mut violations = vec![];
        if rules == Rules::Create {
            let is_set = |name: &str| properties.get(name).is_some_and(|value| !value.is_null());
            let set = M::READ_ONLY_PROPERTIES.iter().filter(|name| is_set(name));
            violations.extend(set.map(|name| format!("{name} is read-only and cannot be set")));
        }
        keep_needed(&mut properties, |name| rules.need::<M>(name));
        recast(&mut properties, || &self.schema()["properties"]);
        let properties = Value::Object(properties);
        if rules.demand_schema() {
            violations.extend(self.schema_violations(&properties, type_name)?);
        }
        if !violations.is_empty() {
            return Err(refusal(&violations));
        }
        let model: M = typed(&properties)?;
        match model.violation() {
            Some((_, message)) if rules.demand_schema() => Err(invalid(message)),
            _ => Ok(model),
        }
    }

    /// The resource as it was before an UPDATE; `None` if the request does not say.
    ///
    /// It is never refused, because a rollback may send what a failed UPDATE asked for. If the schema refuses a property, it
    /// refused the property then too, and nobody wrote it: it counts as unchanged, and has the value that `desired` has.
    fn previous(&self, properties: Option<Value>, desired: &M) -> Result<Option<M>, HandlerError<M>> {
        let Some(Value::Object(mut properties)) = properties else { return Ok(None) };
        let declared = &self.schema()["properties"];
        keep_needed(&mut properties, |name| declared.get(name).is_some() && !is_read_only::<M>(name));
        recast(&mut properties, || declared);
        if properties.is_empty() {
            return Ok(None);
        }
        let unchanged = json!(desired);
        let sent = Value::Object(properties.clone());
        for error in self.compiled()?.iter_errors(&sent) {
            let wrong = match (error.kind(), error.instance_path().into_iter().next()) {
                (_, Some(LocationSegment::Property(name))) => name.into_owned(),
                (ValidationErrorKind::Required { property: Value::String(name) }, _) => name.clone(),
                _ => continue,
            };
            properties.insert(wrong.clone(), unchanged[&wrong].clone());
        }
        let Ok(previous) = typed::<M>(&Value::Object(properties.clone())) else { return Ok(None) };
        let Some((wrong, _)) = previous.violation() else { return Ok(Some(previous)) };
        properties.insert(wrong.to_owned(), unchanged[wrong].clone());
        Ok(typed::<M>(&Value::Object(properties)).ok())
    }

    fn schema_violations(&self, properties: &Value, type_name: &str) -> Result<Vec<String>, HandlerError<M>> {
        let errors = self.compiled()?.iter_errors(properties);
        let mut violations: Vec<_> = errors.flat_map(|error| describe::<M>(&error, type_name)).collect();
        // One value can violate two keywords, such as minLength and pattern, that have the same words.
        violations.dedup();
        Ok(violations)
    }

    fn compiled(&self) -> Result<&jsonschema::Validator, HandlerError<M>> {
        let compiled = self.compiled.get_or_init(|| {
            let options = jsonschema::options().with_draft(Draft::Draft7);
            options.build(self.schema()).map_err(|error| error.to_string())
        });
        compiled.as_ref().map_err(|error| {
            HandlerError::new(HandlerErrorCode::InternalFailure, format!("The registry schema is broken: {error}"))
        })
    }
}

/// Settings that this version does not have are ignored: after a rollback, an account still has those of the newer version.
fn warn_of_unknown(settings: &Map<String, Value>, declared: &Value) {
    let unknown = settings.keys().filter(|name| declared.get(name).is_none());
    let shown: Vec<_> = unknown.map(|name| if is_property_name(name) { name } else { "…" }).collect();
    if !shown.is_empty() {
        warn!(settings = shown.join(", "), "unknown settings of the type configuration are ignored");
    }
}

/// The rules for the properties of a request, which depend on the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    /// CREATE: the schema holds, and read-only properties may not be set.
    Create,
    /// UPDATE: the schema holds, and read-only properties may come along.
    Update,
    /// A callback: the properties are those of this handler's own answer, and were validated before.
    Callback,
    /// READ, DELETE and LIST: only the properties that find a resource count.
    Lookup,
}

impl Rules {
    /// Whether the schema has to hold.
    fn demand_schema(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }

    /// Whether a handler uses the property. The primary identifier is the only read-only one it uses, so that no error
    /// message can quote a secret.
    fn need<M: ResourceModel>(self, property: &str) -> bool {
        let is_primary_identifier = property == M::PRIMARY_IDENTIFIER;
        match self {
            Self::Create => !is_read_only::<M>(property),
            Self::Update | Self::Callback => is_primary_identifier || !is_read_only::<M>(property),
            Self::Lookup => is_primary_identifier || M::LOOKUP_PROPERTIES.contains(&property),
        }
    }
}

fn is_read_only<M: ResourceModel>(property: &str) -> bool {
    M::READ_ONLY_PROPERTIES.contains(&property)
}

/// Turns numbers and booleans back into what the schema declares the properties as: CloudFormation may send every primitive as a
/// string, where an empty number is none. A string that is neither stays, and is refused later. A `null` is an absent property.
fn recast<'a>(properties: &mut Map<String, Value>, declared: impl Fn() -> &'a Value) {
    properties.retain(|name, value| {
        // The schema is asked last: READ, DELETE and LIST, whose properties are strings, do not make it.
        let is_declared_as = |kind: &str| declared()[name.as_str()]["type"] == kind;
        if let Some(number) = WholeNumber::of(value) {
            if is_declared_as("integer") {
                *value = number.into();
            }
        } else if let Value::String(text) = value {
            if text.trim().is_empty() {
                return !is_declared_as("integer");
            }
            if let Some(boolean) = boolean(text)
                && is_declared_as("boolean")
            {
                *value = boolean.into();
            }
        }
        !value.is_null()
    });
}

/// Drops the properties that no handler uses, and wipes them: a secret may be among them.
fn keep_needed(properties: &mut Map<String, Value>, is_needed: impl Fn(&str) -> bool) {
    properties.retain(|name, value| {
        let is_needed = is_needed(name);
        if !is_needed && let Value::String(unused) = value {
            unused.zeroize();
        }
        is_needed
    });
}

/// A violation of the schema in words: which property, and what it must be.
fn describe<M: ResourceModel>(error: &ValidationError, type_name: &str) -> Vec<String> {
    let place = place(error.instance_path(), |index| format!("[{index}]"));
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            let separator = if place.is_empty() { "" } else { "." };
            vec![format!("{place}{separator}{property} is required")]
        }
        // These names are the template's own. Names in a tag can come with a value.
        ValidationErrorKind::AdditionalProperties { unexpected } if place.is_empty() => {
            let mut unexpected = unexpected.clone();
            unexpected.sort_unstable_by_key(|name| (!is_property_name(name), name.clone()));
            let shown = |name: &String| if is_property_name(name) { name.clone() } else { HIDDEN_NAME.to_owned() };
            unexpected.iter().map(|name| format!("{} is not a property of {type_name}", shown(name))).collect()
        }
        kind => {
            let property = self::place(error.instance_path(), |_| "[]".to_owned());
            vec![format!("{place}: {}", M::constraint(&property, kind.keyword()))]
        }
    }
}

/// A place in the properties, such as `Tags[0].Key`, with its indices written by `index`.
fn place(path: &Location, index: impl Fn(usize) -> String) -> String {
    let segments = path.into_iter().map(|segment| match segment {
        LocationSegment::Property(name) => format!(".{name}"),
        LocationSegment::Index(number) => index(number),
    });
    segments.collect::<String>().trim_start_matches('.').to_owned()
}

/// The properties as a model. If the schema was not demanded, they can still be of a wrong type.
fn typed<M: ResourceModel>(properties: &Value) -> Result<M, HandlerError<M>> {
    serde_path_to_error::deserialize(properties).map_err(|error| {
        let property = outermost(&error).unwrap_or_default();
        invalid(format!("{property}: {}", M::constraint(&property, "type")))
    })
}

fn refusal<M>(violations: &[String]) -> HandlerError<M> {
    let named = violations.iter().take(MAX_VIOLATIONS).map(String::as_str).collect::<Vec<_>>().join("; ");
    match violations.len().saturating_sub(MAX_VIOLATIONS) {
        0 => invalid(named),
        more => invalid(format!("{named}; and {more} more")),
    }
}

fn invalid<M>(message: impl Into<String>) -> HandlerError<M> {
    HandlerError::invalid_request(message)
}
