//! The access key: its properties, and what `Ref` and `Fn::GetAtt` answer for it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{HandlerError, Permissions, ResourceModel, Result, Secret, TypeConfiguration, permissions::PERMISSIONS};

/// An IAM access key, as a template declares it and as a handler returns it.
///
/// The doc comments of the fields are the descriptions in the registry schema. A read-only property without a value is an
/// empty string in what CREATE, READ and UPDATE answer ([`ResourceModel::answered`]).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKey {
    /// The name of the IAM user that the key belongs to. Changing it replaces the key.
    #[schemars(
        required,
        length(min = 1, max = 128),
        regex(pattern = "^[A-Za-z0-9_+=,.@-]+$"),
        extend("relationshipRef" = {"typeName": "AWS::IAM::User", "propertyPath": "/properties/UserName"})
    )]
    pub user_name: Option<UserName>,

    /// A number that can only be incremented. Incrementing it rotates the key: CloudFormation creates a new key,
    /// updates everything that refers to the old one, and then deletes the old one.
    #[schemars(range(min = i64::MIN, max = i64::MAX))]
    pub serial: Option<i64>,

    /// Whether the key can be used: `Active` (the default) or `Inactive`. Changed in place.
    #[schemars(extend("default" = Status::default()))]
    pub status: Option<Status>,

    /// An OpenPGP public key that the secrets are encrypted to, so that they are nowhere in plain text: base64
    /// of a binary key, an ASCII-armored key, or `keybase:NAME`. A long key fits when it is exported without other
    /// people's signatures (`--export-options export-minimal`). Changing it replaces the key.
    #[schemars(length(min = 1, max = 56_000))]
    pub pgp_key: Option<String>,

    /// The region of the Amazon SES SMTP endpoint that the SMTP password is for. Default: the stack's region; this
    /// property then stays absent, because a value that no template declares would be drift. Changing it replaces the key.
    #[schemars(length(max = 32), regex(pattern = "^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$"))]
    pub ses_smtp_region: Option<String>,

    /// Tags of the secret that `SecretArn` names, because an access key itself takes none. They override the stack's
    /// tags with the same keys. Changed in place. What somebody changes of the secret's tags by hand is not seen as drift:
    /// read answers what the template declared. A key without a stored secret keeps none.
    #[schemars(length(max = 50), extend("uniqueItems" = true, "insertionOrder" = false))]
    pub tags: Option<Vec<Tag>>,

    /// What the key is for, as AWS's console shows it: a tag of the user, whose key is the access key id. Changed in place,
    /// and removed with the key. An empty string is none. A user has 50 tags at most, and what manages all tags of the user,
    /// such as Terraform's `aws_iam_user`, sees this one as well. A key without a stored secret keeps none.
    // IAM takes letters, digits and spaces of any script. Of what is not ASCII, IAM alone decides.
    #[schemars(length(max = 256), regex(pattern = r"^([A-Za-z0-9 _.:/=+@-]|[^\x00-\x7F])*$"))]
    pub description: Option<String>,

    /// The access key id. `Ref` returns it, and import and read find the key by it.
    pub id: Option<String>,

    /// The secret access key. IAM reveals it only once, when the key is created; it is kept in the secret that
    /// `SecretArn` names. An empty string with `PgpKey`, for a key that was imported without its secret, when that
    /// secret was deleted or cannot be read, and where the account has set `ReturnSecrets` to `false`.
    #[serde(serialize_with = "Secret::serialize_some")]
    pub secret_access_key: Option<Secret>,

    /// The ARN of the Secrets Manager secret that holds the credentials, for services that can read them
    /// there, so that no template and no parameter ever carries them. An empty string for a key that was imported
    /// without its secret, and when that secret was deleted.
    #[schemars(regex(pattern = "^$|^arn:[a-z0-9-]+:secretsmanager:"))]
    pub secret_arn: Option<String>,

    /// When the key was created, as an RFC 3339 date and time in UTC.
    pub create_date: Option<String>,

    /// With `PgpKey`, instead of `SecretAccessKey`: the secret access key as base64 of an OpenPGP message, which
    /// `base64 --decode | gpg --decrypt` decrypts. Without `PgpKey` an empty string.
    pub encrypted_secret: Option<String>,

    /// The fingerprint of the OpenPGP key that the secrets are encrypted to, in lower-case hexadecimal. Without `PgpKey`
    /// an empty string.
    pub key_fingerprint: Option<String>,

    /// The secret access key as a password for Amazon SES's SMTP endpoint in `SesSmtpRegion` (Signature
    /// Version 4). The SMTP user name is the access key id. An empty string where `SecretAccessKey` is one.
    #[serde(serialize_with = "Secret::serialize_some")]
    pub ses_smtp_password_v4: Option<Secret>,

    /// With `PgpKey`, instead of `SesSmtpPasswordV4`: the SMTP password, encrypted as `EncryptedSecret` is. Without
    /// `PgpKey` an empty string.
    pub encrypted_ses_smtp_password_v4: Option<String>,
}

impl AccessKey {
    /// What a template can declare of this key: every property but the read-only ones, and so no secret.
    #[must_use]
    pub fn declared(&self) -> Self {
        Self {
            user_name: self.user_name.clone(),
            serial: self.serial,
            status: self.status,
            pgp_key: self.pgp_key.clone(),
            ses_smtp_region: self.ses_smtp_region.clone(),
            tags: self.tags.clone(),
            description: self.description.clone(),
            ..Self::default()
        }
    }

    /// The places in `Tags` of the first two tags that have the same key.
    fn repeated_tag_key(&self) -> Option<(usize, usize)> {
        let tags = self.tags.as_deref().unwrap_or_default();
        tags.iter().enumerate().find_map(|(index, tag)| {
            let first = tags[..index].iter().position(|seen| seen.key == tag.key)?;
            Some((first, index))
        })
    }

    /// The description that the key is to have, as IAM keeps it. An empty one is none.
    #[must_use]
    pub fn wanted_description(&self) -> Option<&str> {
        self.description.as_deref().filter(|description| !description.is_empty())
    }

    /// The user whose key CREATE and UPDATE are about.
    ///
    /// # Errors
    /// `InvalidRequest` when the request names none.
    pub fn required_user_name(&self) -> Result<&UserName> {
        self.user_name.as_ref().ok_or_else(|| HandlerError::invalid_request("UserName is required"))
    }

    /// The status that the key is to have. The default is `Active`, as in IAM.
    #[must_use]
    pub fn wanted_status(&self) -> Status {
        self.status.unwrap_or_default()
    }
}

impl ResourceModel for AccessKey {
    type TypeConfiguration = TypeConfiguration;

    // Amazon's own type, which the registry reserves. An account registers this type under a name of its own, and only the
    // schema's `typeName` changes.
    const TYPE_NAME: &str = "AWS::IAM::AccessKey";
    const DESCRIPTION: &str = "Resource Type definition for an access key of an IAM user. The secret access key is kept in \
        AWS Secrets Manager, and incrementing Serial rotates the key.";
    const PRIMARY_IDENTIFIER: &str = "Id";
    const READ_ONLY_PROPERTIES: &[&str] = &[
        "Id",
        "SecretAccessKey",
        "SecretArn",
        "CreateDate",
        "EncryptedSecret",
        "KeyFingerprint",
        "SesSmtpPasswordV4",
        "EncryptedSesSmtpPasswordV4",
    ];
    const CREATE_ONLY_PROPERTIES: &[&str] = &["UserName", "Serial", "PgpKey", "SesSmtpRegion"];
    const LOOKUP_PROPERTIES: &[&str] = &["UserName", "Description"];
    const LIST_PROPERTIES: &[&str] = &["UserName"];
    const TAG_PROPERTY: Option<&str> = Some("Tags");
    const PERMISSIONS: Permissions = PERMISSIONS;

    fn primary_identifier(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn identified_by(id: String) -> Self {
        Self { id: Some(id), ..Self::default() }
    }

    // The id is also part of a secret's name.
    fn refuse_identifier(id: &str) -> Option<&'static str> {
        let is_id =
            (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (!is_id).then_some("an access key id is 16 to 128 letters, digits or underscores")
    }

    fn constraint(property: &str, keyword: &str) -> &'static str {
        match (property, keyword) {
            ("UserName", _) => UserName::CONSTRAINT,
            ("Serial", _) => "a whole number is expected, of at most 64 bits",
            ("Status", _) => "must be Active or Inactive",
            ("PgpKey", "maxLength") => {
                "at most 56,000 characters are expected; a long key fits when it is exported without other people's signatures \
                 (gpg --export-options export-minimal)"
            }
            ("PgpKey", _) => {
                "an OpenPGP public key is expected: base64 of a binary key, an ASCII-armored key, or keybase:NAME"
            }
            ("SesSmtpRegion", _) => "a region such as eu-central-1 is expected",
            ("Description", "maxLength") => "at most 256 characters are expected",
            ("Description", "pattern") => "letters, digits, spaces and any of _.:/=+-@ are expected",
            ("Description", _) => "a text of at most 256 characters is expected",
            ("Tags", "maxItems") => "at most 50 tags are expected",
            ("Tags", "uniqueItems") => "the same tag occurs more than once",
            ("Tags", _) => "a list of tags is expected",
            ("Tags[]", "additionalProperties") => "a tag has a Key and a Value, and no other property",
            ("Tags[]", _) => "a tag with a Key and a Value is expected",
            ("Tags[].Key", "pattern") => "keys that start with \"aws:\" are reserved by AWS",
            ("Tags[].Key", _) => "a tag's key is a string of 1 to 128 characters",
            ("Tags[].Value", _) => "a tag's value is a string of at most 256 characters",
            _ => "a string is expected",
        }
    }

    // `uniqueItems` compares whole tags, not their keys.
    fn violation(&self) -> Option<(&'static str, String)> {
        let (first, second) = self.repeated_tag_key()?;
        Some(("Tags", format!("Tags[{first}] and Tags[{second}] have the same key")))
    }

    fn answered(self) -> Self {
        let or_empty = |value: Option<String>| value.or_else(|| Some(String::new()));
        let or_empty_secret = |value: Option<Secret>| value.or_else(|| Some(Secret::new(String::new())));
        Self {
            id: or_empty(self.id),
            secret_access_key: or_empty_secret(self.secret_access_key),
            secret_arn: or_empty(self.secret_arn),
            create_date: or_empty(self.create_date),
            encrypted_secret: or_empty(self.encrypted_secret),
            key_fingerprint: or_empty(self.key_fingerprint),
            ses_smtp_password_v4: or_empty_secret(self.ses_smtp_password_v4),
            encrypted_ses_smtp_password_v4: or_empty(self.encrypted_ses_smtp_password_v4),
            ..self
        }
    }
}

/// Whether an access key can be used.
// The variants carry no doc comments: schemars would turn the plain `enum` that the registry expects into `oneOf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum Status {
    #[default]
    Active,
    Inactive,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// A tag of the stored secret.
// Its keys are AWS's tagging rules: those that start with `aws:` are reserved for AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Tag {
    // It has no lookahead: Go's regular expressions, and so Terraform and Pulumi, have none.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = "^([^aA]|[aA]([^wW]|$)|[aA][wW]([^sS]|$)|[aA][wW][sS]([^:]|$)|$)")
    )]
    pub key: String,
    #[schemars(length(max = 256))]
    pub value: String,
}

/// The name of an IAM user: 1 to 128 ASCII letters, digits or any of `_+=,.@-` (`IAM` API reference, `CreateUser`
/// and `CreateAccessKey`).
///
/// An IAM call without a name, or with an empty one, acts on the **caller's own** keys. This type is never empty, which makes
/// such a call impossible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline)]
pub struct UserName(String);

impl UserName {
    /// What a user's name must be, in words.
    const CONSTRAINT: &str = "a user name is 1 to 128 letters, digits or any of _+=,.@-";

    /// The name as IAM takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserName {
    type Error = &'static str;

    fn try_from(name: String) -> std::result::Result<Self, Self::Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        if (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name))
        } else {
            Err(Self::CONSTRAINT)
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_name_has_1_to_128_characters_and_only_those_that_iam_takes() {
        for name in ["", " ", "a b", "ünal", "a/b", "a\n", &"x".repeat(129)] {
            assert!(UserName::try_from(name.to_owned()).is_err(), "{name:?} was accepted");
        }
        for name in ["a", "_+=,.@-", "ci-deploy@example.com", &"x".repeat(128)] {
            assert!(UserName::try_from(name.to_owned()).is_ok(), "{name:?} was refused");
        }
    }

    #[test]
    fn every_property_name_that_the_model_lists_is_a_property_of_it() {
        let whole = AccessKey {
            user_name: UserName::try_from("alice".to_owned()).ok(),
            serial: Some(1),
            status: Some(Status::Active),
            pgp_key: Some("keybase:alice".to_owned()),
            ses_smtp_region: Some("us-east-1".to_owned()),
            tags: Some(vec![]),
            description: Some("payments".to_owned()),
            id: Some("AKIA".to_owned()),
            secret_access_key: Some(Secret::new("s".to_owned())),
            secret_arn: Some("arn".to_owned()),
            create_date: Some("now".to_owned()),
            encrypted_secret: Some("wV4D".to_owned()),
            key_fingerprint: Some("0123".to_owned()),
            ses_smtp_password_v4: Some(Secret::new("p".to_owned())),
            encrypted_ses_smtp_password_v4: Some("wV4D".to_owned()),
        };
        let properties = serde_json::to_value(&whole).unwrap();
        let named = [
            AccessKey::READ_ONLY_PROPERTIES,
            AccessKey::CREATE_ONLY_PROPERTIES,
            AccessKey::LOOKUP_PROPERTIES,
            &[AccessKey::PRIMARY_IDENTIFIER],
            AccessKey::TAG_PROPERTY.as_slice(),
        ];
        for name in named.concat() {
            assert!(properties.get(name).is_some(), "{name}");
        }
        assert_eq!(properties[AccessKey::PRIMARY_IDENTIFIER], json!(whole.primary_identifier()));
        let declared = serde_json::to_value(whole.declared()).unwrap();
        for name in properties.as_object().unwrap().keys() {
            let is_read_only = AccessKey::READ_ONLY_PROPERTIES.contains(&name.as_str());
            assert_eq!(declared.get(name).is_none(), is_read_only, "{name}");
        }
    }

    #[test]
    fn an_answer_has_every_read_only_property_and_keeps_what_the_key_has() {
        let key = AccessKey { id: Some("AKIA".to_owned()), serial: Some(1), ..AccessKey::default() };
        let answer = serde_json::to_value(key.answered()).unwrap();
        let mut expected = json!({"Serial": 1});
        for name in AccessKey::READ_ONLY_PROPERTIES {
            expected[*name] = json!("");
        }
        expected["Id"] = json!("AKIA");
        assert_eq!(answer, expected);
    }

    #[test]
    fn absent_properties_are_left_out_and_no_secret_is_in_debug() {
        let key = AccessKey {
            secret_access_key: Some(Secret::new("wJalr".to_owned())),
            ses_smtp_password_v4: Some(Secret::new("BMXhU".to_owned())),
            ..AccessKey::default()
        };
        let json = json!({"SecretAccessKey": "wJalr", "SesSmtpPasswordV4": "BMXhU"});
        assert_eq!(serde_json::to_value(&key).unwrap(), json);
        let debug = format!("{key:?}");
        assert!(!debug.contains("wJalr") && !debug.contains("BMXhU"), "{debug}");
    }
}
