//! The type configuration: settings of an account for all its access keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// What an account sets with `SetTypeConfiguration`, for every resource of the type.
///
/// The schema allows no other settings, so `SetTypeConfiguration` refuses them. A request may still carry some, which a newer
/// version took before the account went back to this one: they are ignored.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", expecting = "a JSON object")]
#[schemars(deny_unknown_fields)]
pub struct TypeConfiguration {
    /// The prefix of the stored secrets' names; the access key id follows it. Default:
    /// `cloudformation/iam-access-key/`. Set it before the first key is created: secrets under another prefix are
    /// not found.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[A-Za-z0-9/_+=.@-]+$"))]
    pub secret_name_prefix: Option<String>,

    /// The KMS key (id, ARN or alias) that encrypts the stored secrets. Default: the account's
    /// `aws/secretsmanager` key.
    #[schemars(length(min = 1, max = 2048))]
    pub kms_key_id: Option<String>,

    /// The base URL, with HTTPS, of a mirror of Keybase's API, where the public key of a `PgpKey` of the form
    /// `keybase:NAME` is looked up. Default: `https://keybase.io`.
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https://"))]
    pub keybase_url: Option<String>,

    /// Whether `SecretAccessKey` and `SesSmtpPasswordV4` are answered. With `false` they are empty strings, so that nothing
    /// that keeps the answers keeps a secret, and whoever may read the stored secret finds both of them there. It holds the
    /// password of keys created since then. Default: `true`.
    pub return_secrets: Option<bool>,

    /// The least level of the log lines. `INFO` tells each request, each call to AWS and each outcome, `WARN` only what
    /// needs a look. Default: the function's `AWS_LAMBDA_LOG_LEVEL`, or `INFO`.
    pub log_level: Option<LogLevel>,
}

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
}

impl TypeConfiguration {
    /// Whether an answer may carry `SecretAccessKey` and `SesSmtpPasswordV4`.
    #[must_use]
    pub fn returns_secrets(&self) -> bool {
        self.return_secrets.unwrap_or(true)
    }

    /// The prefix that is set, or the default.
    #[must_use]
    pub fn secret_name_prefix(&self) -> &str {
        self.secret_name_prefix.as_deref().unwrap_or("cloudformation/iam-access-key/")
    }
}
