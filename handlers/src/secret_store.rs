//! Where the secrets are kept that IAM says only once, and where READ finds them by the key id alone.
//!
//! The only place that knows the stored secret's name and layout.

use std::collections::BTreeMap;

use access_key_schema::{HandlerError, HandlerErrorCode, Result, Secret, TypeConfiguration, UserName};
use aws_sdk_secretsmanager::{Client, operation::get_secret_value::GetSecretValueError, types::Tag};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::service_error::failed;

/// The secrets in AWS Secrets Manager, in the stack's account and region, with the caller's credentials.
#[derive(Clone, Debug)]
pub struct SecretStore {
    client: Client,
    configuration: TypeConfiguration,
}

/// How long a `PgpKey` may be, in bytes of JSON: a stored secret has 65,536 bytes ([Secrets Manager quotas]), and the
/// rest of it takes a few thousand, when an RSA key of 16,384 bits encrypts it.
///
/// [Secrets Manager quotas]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
pub(crate) const MAX_PGP_KEY: usize = 56_000;

/// The value of a stored secret: what IAM never says again, and whom the key was made for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    /// Absent where there is a `pgp_key`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "Secret::serialize_some")]
    pub(crate) secret_access_key: Option<Secret>,
    /// Only where there is a `pgp_key`, as are the fingerprint and the encrypted password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encrypted_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encrypted_ses_smtp_password_v4: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_fingerprint: Option<String>,
    /// As the template has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pgp_key: Option<String>,
    /// As the template has it. The password for it is derived from the secret access key, never stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ses_smtp_region: Option<String>,
    pub(crate) user_name: UserName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) serial: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) create_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stack_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logical_resource_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_request_token: Option<String>,
}

/// A stored secret.
#[derive(Debug)]
pub(crate) struct StoredCredentials {
    pub(crate) arn: String,
    pub(crate) credentials: Credentials,
}

impl SecretStore {
    /// The store behind `client`, under the prefix and KMS key that `configuration` names.
    #[must_use]
    pub fn new(client: Client, configuration: TypeConfiguration) -> Self {
        Self { client, configuration }
    }

    fn name(&self, id: &str) -> String {
        format!("{}{id}", self.configuration.secret_name_prefix())
    }

    /// Stores the credentials of a new key, with the stack's tags.
    pub(crate) async fn put(
        &self,
        credentials: Credentials,
        tags: &BTreeMap<String, String>,
    ) -> Result<StoredCredentials> {
        let id = &credentials.access_key_id;
        let value = Zeroizing::new(serde_json::to_string(&credentials).map_err(|_| {
            HandlerError::new(HandlerErrorCode::InternalFailure, format!("the credentials of {id} cannot be written"))
        })?);
        let call = self
            .client
            .create_secret()
            .name(self.name(id))
            .description(format!("Access key {id} of IAM user {}, kept by CloudFormation", credentials.user_name))
            .secret_string(value.as_str())
            .set_kms_key_id(self.configuration.kms_key_id.clone())
            .set_tags(
                (!tags.is_empty())
                    .then(|| tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()),
            );
        let answer = call.send().await.map_err(|error| {
            let mut error = failed("CreateSecret", &self.subject(id), &error);
            // A service may quote the value it refuses.
            if let Some(secret) = &credentials.secret_access_key {
                error.message = error.message.replace(secret.expose(), "[redacted]");
            }
            error
        })?;
        Ok(StoredCredentials { arn: answer.arn.unwrap_or_else(|| self.name(id)), credentials })
    }

    /// The stored credentials of a key, or `None`: it was not created by this type, or somebody deleted them.
    pub(crate) async fn get(&self, id: &str) -> Result<Option<StoredCredentials>> {
        let answer = match self.client.get_secret_value().secret_id(self.name(id)).send().await {
            Ok(answer) => answer,
            // A secret that is scheduled for deletion is there, but cannot be read (GetSecretValue answers
            // InvalidRequestException): for a reader it is gone.
            Err(error) if error.as_service_error().is_some_and(GetSecretValueError::is_invalid_request_exception) => {
                return Ok(None);
            }
            Err(error) => {
                let error = failed("GetSecretValue", &self.subject(id), &error);
                return if error.is_not_found() { Ok(None) } else { Err(error) };
            }
        };
        let value = Zeroizing::new(answer.secret_string.unwrap_or_default());
        // What the parser has to say could quote the secret.
        let credentials: Credentials = serde_json::from_str(&value).map_err(|_| self.unreadable(id))?;
        let holds_a_secret = credentials.secret_access_key.is_some() || credentials.encrypted_secret.is_some();
        if credentials.access_key_id != id || !holds_a_secret {
            return Err(self.unreadable(id));
        }
        Ok(Some(StoredCredentials { arn: answer.arn.unwrap_or_else(|| self.name(id)), credentials }))
    }

    /// Deletes the stored credentials of a key for good. Nothing stored is fine.
    ///
    /// Without a recovery window: a dead key's secret is worth nothing, and the name would stay taken.
    pub(crate) async fn delete(&self, id: &str) -> Result<()> {
        let call = self.client.delete_secret().secret_id(self.name(id)).force_delete_without_recovery(true);
        match call.send().await.map_err(|error| failed("DeleteSecret", &self.subject(id), &error)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn subject(&self, id: &str) -> String {
        format!("secret {}", self.name(id))
    }

    fn unreadable(&self, id: &str) -> HandlerError {
        HandlerError::new(
            HandlerErrorCode::GeneralServiceException,
            format!(
                "the secret {} does not hold the credentials of access key {id}: somebody changed it. \
                 Restore its previous version, or delete it",
                self.name(id)
            ),
        )
    }
}
