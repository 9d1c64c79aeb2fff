//! Who owns a stored key: readable without decrypting anything.
//!
//! The owner stands in the secret's `Description`, which takes 2,048 characters of anything ([CreateSecret]); a tag's value would
//! not take every IAM user name. It can be read without the secret's KMS key, so a key whose secret cannot be decrypted can still
//! be deactivated, rotated and deleted.
//!
//! [CreateSecret]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html

use access_key_schema::{Request, UserName};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use sha2::{Digest, Sha256};

use super::SecretValue;

/// The user, the resource and the operation that a stored key was created for.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Ownership {
    pub(crate) user_name: UserName,
    pub(crate) stack_id: Option<String>,
    pub(crate) logical_resource_id: Option<String>,
    pub(crate) serial: Option<i64>,
    /// SHA-256, in hexadecimal, of the operation's token. The token itself is CloudFormation's, so nothing that is readable
    /// without decrypting holds it.
    pub(crate) client_request_token_sha256: Option<String>,
    /// Whether a tag of the user is the key's description.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_description: bool,
}

impl Ownership {
    /// The owner that a secret's value names.
    pub(crate) fn of(value: &SecretValue) -> Self {
        Self {
            user_name: value.user_name.clone(),
            stack_id: value.stack_id.clone(),
            logical_resource_id: value.logical_resource_id.clone(),
            serial: value.serial,
            client_request_token_sha256: value.client_request_token.as_deref().map(sha256),
            has_description: value.declared_description().is_some(),
        }
    }

    /// The description of a key's secret: a sentence for a person, then the owner as JSON.
    pub(super) fn to_description(&self, id: &str) -> String {
        let owner = serde_json::to_string(self).unwrap_or_default();
        format!("Access key {id} of IAM user {}, kept by CloudFormation: {owner}", self.user_name)
    }

    /// The owner in a description, or `None`: it is an older layout's, or somebody changed it.
    pub(super) fn from_description(description: &str) -> Option<Self> {
        serde_json::from_str(&description[description.find('{')?..]).ok()
    }

    /// Whether the key was created for the resource that the request is about.
    pub(crate) fn is_of(&self, request: &Request) -> bool {
        let context = &request.context;
        self.stack_id == context.stack_id && self.logical_resource_id == context.logical_resource_id
    }

    /// The same, if the request says which resource that is.
    pub(crate) fn is_of_same_resource(&self, request: &Request) -> bool {
        self.stack_id.is_some() && self.logical_resource_id.is_some() && self.is_of(request)
    }

    /// Whether the key was created by the operation that the request is part of: CloudFormation sends the same token
    /// with every retry of it, and with every callback.
    pub(crate) fn is_by(&self, request: &Request) -> bool {
        let token = request.context.client_request_token.as_deref().map(sha256);
        self.is_of(request) && self.client_request_token_sha256 == token
    }
}

fn sha256(token: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_leads_back_to_the_owner_and_holds_no_token() {
        let value: SecretValue = serde_json::from_value(serde_json::json!({
            "AccessKeyId": "AKIA", "UserName": "a,b@c", "StackId": "arn:s", "LogicalResourceId": "Key", "Serial": 3,
            "ClientRequestToken": "token-1",
        }))
        .unwrap();
        let owner = Ownership::of(&value);
        let description = owner.to_description("AKIA");
        assert_eq!(
            description,
            "Access key AKIA of IAM user a,b@c, kept by CloudFormation: {\"UserName\":\"a,b@c\",\"StackId\":\"arn:s\",\
             \"LogicalResourceId\":\"Key\",\"Serial\":3,\"ClientRequestTokenSha256\":\
             \"3f08aace122ee2368432c1ca23a049bc640bafbf00fdf33a52429f38ba12dbf9\"}"
        );
        assert_eq!(Ownership::from_description(&description), Some(owner));
        for changed in ["", "Access key AKIA of IAM user alice, kept by CloudFormation", "{", "my {\"own\": \"words\"}"]
        {
            assert_eq!(Ownership::from_description(changed), None);
        }
    }

    #[test]
    fn the_longest_description_fits() {
        let longest = |length| Some("x".repeat(length));
        let owner = Ownership {
            user_name: UserName::try_from("u".repeat(128)).unwrap(),
            stack_id: longest(512),
            logical_resource_id: longest(255),
            serial: Some(i64::MIN),
            client_request_token_sha256: Some(sha256("token")),
            has_description: true,
        };
        assert!(owner.to_description(&"A".repeat(128)).len() <= 2048);
    }
}
