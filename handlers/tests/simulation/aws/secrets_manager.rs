//! Secrets Manager of one region.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    Answer, Refusal,
    replica::{Moment, Read, Replicated},
};
use crate::{plan::Lag, world};

const DAY: Duration = Duration::from_hours(24);

#[derive(Debug)]
pub(crate) struct SecretsManager {
    region: &'static str,
    /// By name; deleted ones stay.
    pub(crate) secrets: BTreeMap<String, Replicated<SecretState>>,
    /// Until when the name of a secret that was deleted by force is taken: it is deleted in the background.
    taken: BTreeMap<String, Duration>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SecretState {
    /// Empty for a secret without a value.
    pub(crate) string: String,
    pub(crate) description: Option<String>,
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
    /// Since when and until when it is scheduled for deletion.
    pub(crate) scheduled: Option<(Duration, Duration)>,
}

impl SecretsManager {
    pub(crate) fn new(region: &'static str) -> Self {
        Self { region, secrets: BTreeMap::new(), taken: BTreeMap::new() }
    }

    /// What the handlers' role, limited to secrets whose name starts with `prefix`, is answered.
    pub(crate) fn answer(&mut self, operation: &str, input: &Value, prefix: &str, moment: &mut Moment<'_>) -> Answer {
        let name = self.name(input);
        if !name.starts_with(prefix) {
            let message = format!("not authorized to perform: secretsmanager:{operation} on {name}");
            return Err(Refusal::new(400, "AccessDeniedException", message));
        }
        self.let_go(&name, moment);
        let mut found = json!({"ARN": self.arn(&name), "Name": name});
        match operation {
            "CreateSecret" => self.create_secret(&name, input, moment)?,
            "GetSecretValue" => return self.get_secret_value(&name, found, moment),
            "DescribeSecret" => return self.describe_secret(&name, found, moment),
            "UpdateSecret" => {
                let version = text(input, "ClientRequestToken").unwrap_or_default();
                let string = text(input, "SecretString");
                // Without a value, there is no new version.
                if string.is_some() {
                    found["VersionId"] = json!(version);
                }
                self.change(&name, moment, |state| {
                    if let Some(string) = string {
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

    /// The same token with the same value is the same call, sent again. The token belongs to the version, so that without a
    /// value no call is the same as another.
    fn create_secret(&mut self, name: &str, input: &Value, moment: &mut Moment<'_>) -> Result<(), Refusal> {
        let string = text(input, "SecretString");
        let version = text(input, "ClientRequestToken").filter(|_| string.is_some());
        let state = SecretState {
            string: string.unwrap_or_default(),
            description: text(input, "Description"),
            tags: tags(input).collect(),
            version: version.unwrap_or_default(),
            created: moment.now,
            ..SecretState::default()
        };
        let is_taken = self.taken.get(name).is_some_and(|until| moment.now < *until);
        let secret = self.secrets.entry(name.to_owned()).or_insert_with(Replicated::nothing);
        match secret.truth() {
            None if is_taken => Err(already_scheduled()),
            None => {
                secret.write(Some(state), moment);
                Ok(())
            }
            Some(there) if there.scheduled.is_some() => Err(already_scheduled()),
            Some(there) if there.has_value() && there.version == state.version && there.string == state.string => {
                Ok(())
            }
            Some(_) => {
                let message = format!("The operation failed because the secret {name} already exists.");
                Err(Refusal::new(400, "ResourceExistsException", message))
            }
        }
    }

    fn get_secret_value(&self, name: &str, mut answer: Value, moment: &mut Moment<'_>) -> Answer {
        let seen = self.secrets.get(name).and_then(|secret| secret.seen(Read::GetSecretValue, moment));
        let state = seen.ok_or_else(|| not_found(name))?.unless_scheduled()?;
        if !state.has_value() {
            let message = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
            return Err(Refusal::new(400, "ResourceNotFoundException", message));
        }
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
        if state.has_value() {
            answer["VersionIdsToStages"] = json!({&state.version: ["AWSCURRENT"]});
        }
        if let Some((since, _)) = state.scheduled {
            answer["DeletedDate"] = json!(world::epoch_seconds(since));
        }
        if let Some(description) = &state.description {
            answer["Description"] = json!(description);
        }
        if let Some(region) = state.replica {
            answer["PrimaryRegion"] = json!(self.region);
            answer["ReplicationStatus"] = json!([{"Region": region, "Status": "InSync"}]);
        }
        Ok(answer.to_string())
    }

    /// By force, or with a recovery window. Forcibly deleting what is not there is no error, as the API reference says.
    fn delete_secret(&mut self, name: &str, input: &Value, moment: &mut Moment<'_>) -> Result<(), Refusal> {
        let is_forced = input["ForceDeleteWithoutRecovery"] == json!(true);
        let there = self.secrets.get_mut(name).and_then(|secret| Some((secret.truth()?.clone(), secret)));
        let Some((state, secret)) = there else { return if is_forced { Ok(()) } else { Err(not_found(name)) } };
        if state.replica.is_some() {
            let message = "You can't delete secret that still has replica regions.";
            return Err(Refusal::new(400, "InvalidParameterException", message));
        }
        if is_forced {
            secret.write(None, moment);
            self.taken.insert(name.to_owned(), moment.now + time_taken(moment));
            return Ok(());
        }
        let days = input["RecoveryWindowInDays"].as_u64().unwrap_or(30);
        if !(7..=30).contains(&days) {
            let message = "RecoveryWindowInDays value must be between 7 and 30 days (inclusive).";
            return Err(Refusal::new(400, "InvalidParameterException", message));
        }
        if state.scheduled.is_none() {
            let goes = moment.now + DAY * u32::try_from(days).unwrap_or_default();
            secret.write(Some(SecretState { scheduled: Some((moment.now, goes)), ..state }), moment);
        }
        Ok(())
    }

    /// Removes a secret whose recovery window is over.
    fn let_go(&mut self, name: &str, moment: &mut Moment<'_>) {
        let Some(secret) = self.secrets.get_mut(name) else { return };
        let goes = secret.truth().and_then(|state| state.scheduled).map(|(_, goes)| goes);
        if goes.is_some_and(|goes| goes <= moment.now) {
            secret.write(None, moment);
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
        let mut state = secret.truth().ok_or_else(|| not_found(name))?.unless_scheduled()?.clone();
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

impl SecretState {
    fn has_value(&self) -> bool {
        !self.string.is_empty()
    }

    fn unless_scheduled(&self) -> Result<&Self, Refusal> {
        let message = "You can't perform this operation on the secret because it was marked for deletion.";
        if self.scheduled.is_none() { Ok(self) } else { Err(Refusal::new(400, "InvalidRequestException", message)) }
    }
}

/// How long the name of a secret that was deleted by force stays taken: seconds at times. The dice are looked at and not
/// rolled, so that the same life goes on alike.
fn time_taken(moment: &Moment<'_>) -> Duration {
    let mut dice = moment.dice.clone();
    if moment.lag == Lag::None || dice.u8(..4) > 0 { Duration::ZERO } else { Duration::from_millis(dice.u64(..10_000)) }
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

fn already_scheduled() -> Refusal {
    let message = "You can't create this secret because a secret with this name is already scheduled for deletion.";
    Refusal::new(400, "InvalidRequestException", message)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    #[test]
    fn a_secret_without_a_value_is_made_once_until_its_recovery_window_ends() {
        let mut store = SecretsManager::new("us-east-1");
        let mut dice = Rng::with_seed(0);
        let mut ask = |day: u64, operation: &str, more: Value| {
            let mut input = json!({"Name": "a/b", "ClientRequestToken": "token"});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let now = Duration::from_hours(24 * day + 1);
            let moment = &mut Moment { now, lag: Lag::None, dice: &mut dice };
            match store.answer(operation, &input, "a/", moment) {
                Ok(answer) => serde_json::from_str::<Value>(&answer).unwrap(),
                Err(refusal) => json!(refusal.code),
            }
        };
        let window = json!({"RecoveryWindowInDays": 7});
        assert_eq!(ask(0, "DeleteSecret", window.clone()), "ResourceNotFoundException");
        assert_eq!(ask(0, "CreateSecret", json!({"Description": "mine"}))["Name"], "a/b");
        assert_eq!(ask(0, "CreateSecret", json!({"Description": "mine"})), "ResourceExistsException");
        assert_eq!(ask(0, "GetSecretValue", json!({})), "ResourceNotFoundException");
        assert_eq!(ask(0, "UpdateSecret", json!({"Description": "changed"}))["VersionId"], Value::Null);
        assert_eq!(ask(0, "DescribeSecret", json!({}))["DeletedDate"], Value::Null);
        assert_eq!(ask(0, "DeleteSecret", json!({"RecoveryWindowInDays": 6})), "InvalidParameterException");
        for day in [1, 2] {
            assert_eq!(ask(day, "DeleteSecret", window.clone())["Name"], "a/b");
        }
        for operation in ["CreateSecret", "GetSecretValue", "UpdateSecret", "TagResource", "UntagResource"] {
            assert_eq!(ask(7, operation, json!({})), "InvalidRequestException", "{operation}");
        }
        let described = ask(7, "DescribeSecret", json!({}));
        assert!(described["Description"] == "changed" && described["DeletedDate"].is_number(), "{described}");
        assert_eq!(ask(8, "DescribeSecret", json!({})), "ResourceNotFoundException");
        assert_eq!(ask(8, "CreateSecret", json!({}))["Name"], "a/b");
        assert_eq!(ask(8, "DeleteSecret", window)["Name"], "a/b");
        assert_eq!(ask(8, "DeleteSecret", json!({"ForceDeleteWithoutRecovery": true}))["Name"], "a/b");
        assert_eq!(ask(8, "CreateSecret", json!({"SecretString": "value"}))["Name"], "a/b");
        assert_eq!(ask(8, "CreateSecret", json!({"SecretString": "value"}))["Name"], "a/b");
        assert_eq!(ask(8, "CreateSecret", json!({"SecretString": "other"})), "ResourceExistsException");
    }
}
