//! Secrets Manager of one region.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    Answer, Refusal,
    replica::{Moment, Read, Replicated},
};
use crate::world;

#[derive(Debug)]
pub(crate) struct SecretsManager {
    region: &'static str,
    /// By name; deleted ones stay.
    pub(crate) secrets: BTreeMap<String, Replicated<SecretState>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SecretState {
    pub(crate) string: String,
    description: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// The `ClientRequestToken` that made the current version.
    version: String,
    created: Duration,
    /// Where a person has replicated it to.
    pub(crate) replica: Option<&'static str>,
    /// Whether the KMS key that encrypted this version can no longer be used.
    pub(crate) kms_key_is_lost: bool,
    /// Whether a person has changed it.
    pub(crate) touched: bool,
}

impl SecretsManager {
    pub(crate) fn new(region: &'static str) -> Self {
        Self { region, secrets: BTreeMap::new() }
    }

    /// What the handlers' role, limited to secrets whose name starts with `prefix`, is answered.
    pub(crate) fn answer(&mut self, operation: &str, input: &Value, prefix: &str, moment: &mut Moment<'_>) -> Answer {
        let name = self.name(input);
        if !name.starts_with(prefix) {
            let message = format!("not authorized to perform: secretsmanager:{operation} on {name}");
            return Err(Refusal::new(400, "AccessDeniedException", message));
        }
        let mut found = json!({"ARN": self.arn(&name), "Name": name});
        match operation {
            "CreateSecret" => self.create_secret(&name, input, moment)?,
            "GetSecretValue" => return self.get_secret_value(&name, found, moment),
            "DescribeSecret" => return self.describe_secret(&name, found, moment),
            "UpdateSecret" => {
                let version = text(input, "ClientRequestToken").unwrap_or_default();
                found["VersionId"] = json!(version);
                self.change(&name, moment, |state| {
                    if let Some(string) = text(input, "SecretString") {
                        state.string = string;
                        state.version = version;
                        state.kms_key_is_lost = false;
                    }
                    state.description = text(input, "Description").or(state.description.take());
                })?;
            }
            "TagResource" => self.change(&name, moment, |state| state.tags.extend(tags(input)))?,
            "UntagResource" => self.change(&name, moment, |state| {
                for key in input["TagKeys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    state.tags.remove(key);
                }
            })?,
            "RemoveRegionsFromReplication" => self.change(&name, moment, |state| state.replica = None)?,
            "DeleteSecret" => self.delete_secret(&name, input, moment)?,
            _ => {
                let message = format!("{operation} is not modelled");
                return Err(Refusal::new(400, "UnknownOperationException", message));
            }
        }
        Ok(found.to_string())
    }

    /// The same token with the same content is the same call, sent again.
    fn create_secret(&mut self, name: &str, input: &Value, moment: &mut Moment<'_>) -> Result<(), Refusal> {
        let state = SecretState {
            string: text(input, "SecretString").unwrap_or_default(),
            description: text(input, "Description"),
            tags: tags(input).collect(),
            version: text(input, "ClientRequestToken").unwrap_or_default(),
            created: moment.now,
            ..SecretState::default()
        };
        let secret = self.secrets.entry(name.to_owned()).or_insert_with(Replicated::nothing);
        match secret.truth() {
            None => secret.write(Some(state), moment),
            Some(there) if there.version == state.version && there.string == state.string => {}
            Some(_) => {
                let message = format!("The operation failed because the secret {name} already exists.");
                return Err(Refusal::new(400, "ResourceExistsException", message));
            }
        }
        Ok(())
    }

    fn get_secret_value(&self, name: &str, mut answer: Value, moment: &mut Moment<'_>) -> Answer {
        let seen = self.secrets.get(name).and_then(|secret| secret.seen(Read::GetSecretValue, moment));
        let state = seen.ok_or_else(|| not_found(name))?;
        // A lost KMS key is lost at once, for whatever version a replica knows.
        if self.secrets[name].truth().is_some_and(|truth| truth.kms_key_is_lost) {
            return Err(Refusal::new(400, "AccessDeniedException", "Access to KMS is not allowed"));
        }
        answer["SecretString"] = json!(state.string);
        answer["VersionId"] = json!(state.version);
        answer["VersionStages"] = json!(["AWSCURRENT"]);
        answer["CreatedDate"] = json!(world::epoch_seconds(state.created));
        Ok(answer.to_string())
    }

    fn describe_secret(&self, name: &str, mut answer: Value, moment: &mut Moment<'_>) -> Answer {
        let seen = self.secrets.get(name).and_then(|secret| secret.seen(Read::DescribeSecret, moment));
        let state = seen.ok_or_else(|| not_found(name))?;
        let tags: Vec<_> = state.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        answer["Tags"] = json!(tags);
        answer["CreatedDate"] = json!(world::epoch_seconds(state.created));
        answer["VersionIdsToStages"] = json!({&state.version: ["AWSCURRENT"]});
        if let Some(description) = &state.description {
            answer["Description"] = json!(description);
        }
        if let Some(region) = state.replica {
            answer["PrimaryRegion"] = json!(self.region);
            answer["ReplicationStatus"] = json!([{"Region": region, "Status": "InSync"}]);
        }
        Ok(answer.to_string())
    }

    /// Forcibly deleting what is not there is no error, as the API reference says.
    fn delete_secret(&mut self, name: &str, input: &Value, moment: &mut Moment<'_>) -> Result<(), Refusal> {
        if input["ForceDeleteWithoutRecovery"] != json!(true) {
            return Err(Refusal::new(400, "InvalidParameterException", "a recovery window is not modelled"));
        }
        let Some(secret) = self.secrets.get_mut(name) else { return Ok(()) };
        match secret.truth() {
            Some(state) if state.replica.is_some() => {
                let message = "You can't delete secret that still has replica regions.";
                Err(Refusal::new(400, "InvalidParameterException", message))
            }
            Some(_) => {
                secret.write(None, moment);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Changes a secret that is there in truth.
    pub(crate) fn change(
        &mut self,
        name: &str,
        moment: &mut Moment<'_>,
        change: impl FnOnce(&mut SecretState),
    ) -> Result<(), Refusal> {
        let secret = self.secrets.get_mut(name).ok_or_else(|| not_found(name))?;
        let mut state = secret.truth().cloned().ok_or_else(|| not_found(name))?;
        change(&mut state);
        secret.write(Some(state), moment);
        Ok(())
    }

    /// The secret that the call is about: `SecretId` is a name or an ARN.
    pub(crate) fn name(&self, input: &Value) -> String {
        let id = input["SecretId"].as_str().or(input["Name"].as_str()).unwrap_or_default();
        let by_arn = id.strip_prefix(&self.arn("")[..self.arn("").len() - "-abcdef".len()]);
        by_arn.and_then(|name| name.strip_suffix("-abcdef")).unwrap_or(id).to_owned()
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:secretsmanager:{}:123456789012:secret:{name}-abcdef", self.region)
    }
}

fn text(input: &Value, name: &str) -> Option<String> {
    input[name].as_str().map(ToOwned::to_owned)
}

fn tags(input: &Value) -> impl Iterator<Item = (String, String)> {
    input["Tags"].as_array().into_iter().flatten().filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value")?)))
}

fn not_found(name: &str) -> Refusal {
    let message = format!("Secrets Manager can't find the specified secret {name}.");
    Refusal::new(400, "ResourceNotFoundException", message)
}
