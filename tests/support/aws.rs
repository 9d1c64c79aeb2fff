//! AWS, as moto plays it, and a look into it that does not go through the function.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Command, Stdio},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use serde_json::Value;

use super::{Process, ReservedAddress, tool, wait_for};

pub struct Aws {
    pub address: SocketAddr,
    pub iam: aws_sdk_iam::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    _moto: Process,
    _reservation: ReservedAddress,
}

impl Aws {
    pub async fn start() -> Self {
        let reservation = ReservedAddress::take();
        let address = reservation.address;
        let mut moto = Process::start(
            Command::new(tool("moto_server"))
                .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        wait_for(address, "moto", &mut moto).await;
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(format!("http://{address}"))
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIDLOCAL",
                "local",
                None,
                None,
                "test",
            )))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self {
            address,
            iam: aws_sdk_iam::Client::new(&config),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
            _moto: moto,
            _reservation: reservation,
        }
    }

    pub async fn create_user(&self, user: &str) {
        self.iam.create_user().user_name(user).send().await.expect("CreateUser");
    }

    /// A key that somebody made without CloudFormation.
    pub async fn create_access_key(&self, user: &str) -> String {
        let answer = self.iam.create_access_key().user_name(user).send().await.expect("CreateAccessKey");
        answer.access_key.expect("a key").access_key_id
    }

    /// Makes a call with a key, which IAM remembers. moto asks for no valid signature.
    pub async fn use_access_key(&self, id: &str) {
        let credentials = Credentials::new(id, "local", None, None, "test");
        let with_key = aws_sdk_iam::Config::builder().credentials_provider(credentials);
        self.iam.list_users().customize().config_override(with_key).send().await.expect("ListUsers");
    }

    /// The ids of the user's keys, each with its status.
    pub async fn keys(&self, user: &str) -> Vec<(String, String)> {
        let answer = self.iam.list_access_keys().user_name(user).send().await.expect("ListAccessKeys");
        let mut keys: Vec<_> = answer
            .access_key_metadata
            .into_iter()
            .map(|key| (key.access_key_id.expect("an id"), key.status.expect("a status").to_string()))
            .collect();
        keys.sort();
        keys
    }

    /// The names of all secrets in the store.
    pub async fn stored(&self) -> Vec<String> {
        let answer = self.secrets.list_secrets().send().await.expect("ListSecrets");
        answer.secret_list.unwrap_or_default().into_iter().map(|secret| secret.name.expect("a name")).collect()
    }

    /// The tags of a stored secret.
    pub async fn tags(&self, name: &str) -> BTreeMap<String, String> {
        let answer = self.secrets.describe_secret().secret_id(name).send().await.expect("DescribeSecret");
        let tags = answer.tags.unwrap_or_default().into_iter();
        tags.map(|tag| (tag.key.expect("a key"), tag.value.expect("a value"))).collect()
    }

    /// The value of a stored secret.
    pub async fn stored_value(&self, name: &str) -> Value {
        let answer = self.secrets.get_secret_value().secret_id(name).send().await.expect("GetSecretValue");
        serde_json::from_str(&answer.secret_string.expect("a string")).expect("JSON")
    }
}
