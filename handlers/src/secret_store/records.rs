//! The records of CREATE. Each is one attempt of an operation to create a key, written down before the key is made.
//!
//! A record is a secret without a value, named after the operation. Secrets Manager makes a name once ([CreateSecret]), which is
//! the atomic step that IAM lacks: whoever has made the record may create the key, and nobody else. The note stands in the
//! record's description, which `DescribeSecret` shows without decrypting anything.
//!
//! An *open* record means that somebody is at work, or that nobody knows the outcome. A record that is *over* is scheduled for
//! deletion: it still tells the key's id, its name stays taken, it costs nothing ([marked for deletion]), and in a week it goes
//! by itself.
//!
//! [CreateSecret]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
//! [marked for deletion]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_delete-secret.html

use std::time::{Duration, SystemTime};

use access_key_schema::{HandlerError, HandlerErrorCode, Request, Result};
use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretError;
use cfn_resource_runtime::Clock;
use rand::{RngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{SecretStore, Unstored, tags, tries::Tries};
use crate::operation_name::digest;

/// The beginning of every record's name, after the prefix. No access key id begins so: it has no hyphen.
const PREFIX: &str = "operation-";

/// The shortest recovery window that Secrets Manager takes ([DeleteSecret]).
///
/// [DeleteSecret]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
const RECOVERY_WINDOW_DAYS: i64 = 7;

/// The version of a record's layout.
const LAYOUT_VERSION: u32 = 1;

/// One attempt of an operation to create a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The number of the attempt: 1, 2, …
    pub(crate) number: u32,
    pub(crate) note: Note,
    /// Whether it is scheduled for deletion.
    pub(crate) is_over: bool,
}

/// What a record says. It does not hold the user's name: the record is made before IAM has said that it knows such a user, and a
/// template may give a secret as `UserName`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Note {
    #[serde(rename = "Record")]
    layout_version: u32,
    /// Drawn at random. By it an invocation knows its own record when the answer to the call that made it was lost.
    attempt: String,
    /// When the attempt began, in milliseconds since 1970.
    since: u64,
    /// When the first attempt with an unknown outcome began, in milliseconds since 1970.
    pub(crate) doubt: Option<u64>,
    /// The key that the attempt has created.
    pub(crate) access_key_id: Option<String>,
    stack_id: Option<String>,
    logical_resource_id: Option<String>,
}

impl Note {
    /// The note of an attempt that begins now.
    pub(crate) fn of(request: &Request, doubt: Option<u64>, clock: &Clock) -> Self {
        let since = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            layout_version: LAYOUT_VERSION,
            attempt: format!("{:016x}", OsRng.next_u64()),
            since: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            doubt,
            access_key_id: None,
            stack_id: request.context.stack_id.clone(),
            logical_resource_id: request.context.logical_resource_id.clone(),
        }
    }

    /// The note of an attempt that began at `since`, and has created this key.
    #[cfg(test)]
    pub(crate) fn for_tests(since: u64, access_key_id: Option<&str>) -> Self {
        Self {
            layout_version: LAYOUT_VERSION,
            attempt: since.to_string(),
            since,
            doubt: None,
            access_key_id: access_key_id.map(ToOwned::to_owned),
            stack_id: None,
            logical_resource_id: None,
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    /// When the attempt began.
    pub(crate) fn began(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.since)
    }

    /// How long ago that was.
    pub(crate) fn age(&self, clock: &Clock) -> Duration {
        clock.age(self.began())
    }

    /// The description of the record: sentences for a person, then the note as JSON.
    fn to_description(&self) -> String {
        let note = serde_json::to_string(self).unwrap_or_default();
        format!(
            "An attempt of CloudFormation to create an IAM access key. If this stays for more than some minutes, it has ended \
             before it could say what came of it: {note}"
        )
    }

    /// The note in a description, or `None`: somebody changed it.
    fn from_description(description: &str) -> Option<Self> {
        serde_json::from_str(&description[description.find('{')?..]).ok()
    }
}

impl Record {
    /// The record with this number, of an attempt that begins now.
    pub(crate) fn new(number: u32, note: Note) -> Self {
        Self { number, note, is_over: false }
    }

    /// The record that names the key which the attempt has created.
    pub(crate) fn naming(self, id: &str) -> Self {
        Self { note: Note { access_key_id: Some(id.to_owned()), ..self.note }, ..self }
    }

    /// The record of an attempt that has created no key, or whose key is gone.
    pub(crate) fn naming_none(self) -> Self {
        Self { note: Note { access_key_id: None, ..self.note }, ..self }
    }

    /// Whether this is the same attempt as the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.number == other.number && self.note.attempt == other.note.attempt
    }
}

/// The outcome of the call that makes a record.
#[derive(Debug, PartialEq)]
pub(crate) enum Made {
    Now,
    /// The name is taken: another invocation has made the record, or a try of this call that got no answer.
    Before,
    /// AWS refused the call. It may mean that a record that is over has taken the name, or something else: only a look at the
    /// record tells.
    Refused(HandlerError),
}

impl Made {
    pub(crate) fn refusal(self) -> Option<HandlerError> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Now | Self::Before => None,
        }
    }
}

impl SecretStore {
    /// The name of the record of the operation's attempt with this number. It is the same in all invocations of the operation,
    /// and differs in every other operation.
    pub(crate) fn record_name(&self, request: &Request, number: u32) -> String {
        self.name(&record_id(request, number))
    }

    /// Makes the record, with the KMS key and the tags of the secret that is to follow, in case a policy demands these.
    pub(crate) async fn make_record(&self, request: &Request, record: &Record) -> std::result::Result<Made, Unstored> {
        let tries = Tries::default();
        let id = record_id(request, record.number);
        let tags = tags::merged(&request.context.stack_tags, request.desired.tags.as_deref());
        let call = self.client.create_secret().name(self.name(&id)).description(record.note.to_description());
        let call = call.set_kms_key_id(self.configuration.kms_key_id.clone());
        let call = call.set_tags((!tags.is_empty()).then(|| tags::sdk(&tags)));
        let Err(error) = call.customize().interceptor(tries.clone()).send().await else { return Ok(Made::Now) };
        let failure = self.failed("CreateSecret", &id, &error);
        match error.as_service_error() {
            Some(error) if error.is_resource_exists_exception() => Ok(Made::Before),
            Some(error) if error.is_invalid_request_exception() => Ok(Made::Refused(failure)),
            _ => Err(Unstored { error: failure, may_be_stored: tries.may_have_taken_effect() }),
        }
    }

    /// The record of the operation's attempt with this number, or `None`: there is none, or Secrets Manager does not show it yet.
    ///
    /// # Errors
    /// `GeneralServiceException`: somebody changed it.
    pub(crate) async fn record(&self, request: &Request, number: u32) -> Result<Option<Record>> {
        let id = record_id(request, number);
        let Some(described) = self.describe_any(&id).await? else { return Ok(None) };
        let Some(note) = described.description.as_deref().and_then(Note::from_description) else {
            return Err(HandlerError::new(
                HandlerErrorCode::GeneralServiceException,
                format!(
                    "The record {} of an earlier attempt cannot be read: somebody changed it. Look whether that attempt has left \
                     a key, and create the resource anew",
                    self.name(&id)
                ),
            ));
        };
        Ok(Some(Record { number, note, is_over: described.deleted_date.is_some() }))
    }

    /// Writes what the record says by now.
    pub(crate) async fn write_record(&self, request: &Request, record: &Record) -> Result<()> {
        let id = record_id(request, record.number);
        let call = self.client.update_secret().secret_id(self.name(&id)).description(record.note.to_description());
        call.send().await.map_err(|error| self.failed("UpdateSecret", &id, &error))?;
        Ok(())
    }

    /// Marks the record as over.
    pub(crate) async fn close_record(&self, request: &Request, record: &Record) -> Result<()> {
        let id = record_id(request, record.number);
        let call = self.client.delete_secret().secret_id(self.name(&id)).recovery_window_in_days(RECOVERY_WINDOW_DAYS);
        let Err(error) = call.send().await else { return Ok(()) };
        // Another invocation of the operation has.
        let is_over = error.as_service_error().is_some_and(DeleteSecretError::is_invalid_request_exception);
        if is_over { Ok(()) } else { Err(self.failed("DeleteSecret", &id, &error)) }
    }
}

fn record_id(request: &Request, number: u32) -> String {
    format!("{PREFIX}{}.{number}", digest(request).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_leads_back_to_the_note_and_names_no_user() {
        let note = Note::for_tests(1_764_374_400_000, Some("AKIAIOSFODNN7EXAMPLE"));
        let note = Note { attempt: "00f1".to_owned(), stack_id: Some("arn:s".to_owned()), ..note };
        let description = note.to_description();
        assert_eq!(
            description,
            "An attempt of CloudFormation to create an IAM access key. If this stays for more than some minutes, it has ended \
             before it could say what came of it: {\"Record\":1,\"Attempt\":\"00f1\",\"Since\":1764374400000,\"AccessKeyId\":\"AKIAIOSFODNN7EXAMPLE\",\
             \"StackId\":\"arn:s\"}"
        );
        assert_eq!(Note::from_description(&description), Some(note));
        assert_eq!(Note::from_description("my own words"), None);
    }
}
