//! The type configuration: settings of an account for all its access keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::LogLevel;

/// What an account sets with `SetTypeConfiguration`, for every resource of the type.
///
/// The schema allows no other settings, so `SetTypeConfiguration` refuses them. A request may still carry settings of a newer
/// version, from which the account went back to this one: they are ignored.
///
/// The patterns let a dynamic reference (`{{resolve:ssm:…}}`) through: `SetTypeConfiguration` checks the settings before
/// CloudFormation resolves them. A request carries resolved settings, which `violation` checks.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", expecting = "a JSON object")]
#[schemars(deny_unknown_fields)]
pub struct TypeConfiguration {
    /// The prefix of the stored secrets' names; the access key id follows it. Default:
    /// `cloudformation/iam-access-key/`. Set it before the first key is created: secrets under another prefix are
    /// not found.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^([A-Za-z0-9/_+=.@-]|\{\{resolve:[^{}]+\}\})+$"))]
    pub secret_name_prefix: Option<String>,

    /// The KMS key (id, ARN or alias) that encrypts the stored secrets. Default: the account's
    /// `aws/secretsmanager` key.
    #[schemars(length(min = 1, max = 2048))]
    pub kms_key_id: Option<String>,

    /// The base URL, with HTTPS, of a mirror of Keybase's API, where the public key of a `PgpKey` of the form
    /// `keybase:NAME` is looked up. Default: `https://keybase.io`.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^(https://|\{\{resolve:)"))]
    pub keybase_url: Option<String>,

    /// Whether `SecretAccessKey` and `SesSmtpPasswordV4` are answered. With `false` they are empty strings, so that nothing
    /// that keeps the answers keeps a secret, and whoever may read the stored secret finds both of them there. It holds the
    /// password of keys created since then. Default: `true`.
    pub return_secrets: Option<bool>,

    /// The least level of the log lines. `INFO` tells each request, each call to AWS and each outcome, `WARN` only what
    /// needs a look. Default: the function's `AWS_LAMBDA_LOG_LEVEL`, or `INFO`.
    pub log_level: Option<LogLevel>,
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

impl cfn_resource_runtime::TypeConfiguration for TypeConfiguration {
    const DESCRIPTION: &str =
        "Settings of an account for all its access keys in a region. Each is optional and has a default.";

    // Whether `KeybaseUrl` is safe is asked when it is used.
    fn violation(&self) -> Option<(&'static str, &'static str)> {
        let of_prefix = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        let settings = [
            ("SecretNamePrefix", &self.secret_name_prefix, 256),
            ("KmsKeyId", &self.kms_key_id, 2048),
            ("KeybaseUrl", &self.keybase_url, 2048),
        ];
        settings.into_iter().find_map(|(name, value, longest)| {
            let value = value.as_ref()?;
            let rule = if value.contains("{{resolve:") {
                "a dynamic reference in it is not resolved"
            } else if name == "SecretNamePrefix" && !value.bytes().all(of_prefix) {
                "letters, digits or any of /_+=.@- are expected"
            } else if value.is_empty() {
                "it is empty"
            } else if value.chars().count() > longest {
                "it is too long"
            } else {
                return None;
            };
            Some((name, rule))
        })
    }
}
