//! AWS, as moto plays it, used by the tests without the function and the proxy in between.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_iam::config::BehaviorVersion;
use aws_sdk_iam::types::StatusType;
use aws_types::{SdkConfig, region::Region};
use serde_json::{Value, json};

use super::process::Server;

/// An AWS account of its own, in `us-east-1`.
pub struct Aws {
    pub iam: aws_sdk_iam::Client,
    pub secrets_manager: aws_sdk_secretsmanager::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    moto: Server,
}

/// An access key as IAM lists it: equal to a pair of its id and its status.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessKey {
    pub id: String,
    pub status: String,
}

impl PartialEq<(&str, &str)> for AccessKey {
    fn eq(&self, (id, status): &(&str, &str)) -> bool {
        self.id == *id && self.status == *status
    }
}

impl Aws {
    pub async fn start() -> Self {
        let moto = Server::start("moto_server", &["-H", "127.0.0.1", "-p", "PORT"]).await;
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(format!("http://{}", moto.address))
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
            iam: aws_sdk_iam::Client::new(&config),
            secrets_manager: aws_sdk_secretsmanager::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            moto,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.moto.address
    }

    pub async fn create_user(&self, user: &str) {
        self.iam.create_user().user_name(user).send().await.expect("CreateUser");
    }

    /// Creates an access key without CloudFormation, and returns its id.
    pub async fn create_access_key(&self, user: &str) -> String {
        let answer = self.iam.create_access_key().user_name(user).send().await.expect("CreateAccessKey");
        answer.access_key.expect("a key").access_key_id
    }

    pub async fn delete_access_key(&self, user: &str, id: &str) {
        let call = self.iam.delete_access_key().user_name(user).access_key_id(id);
        call.send().await.expect("DeleteAccessKey");
    }

    pub async fn deactivate_access_key(&self, user: &str, id: &str) {
        let call = self.iam.update_access_key().user_name(user).access_key_id(id).status(StatusType::Inactive);
        call.send().await.expect("UpdateAccessKey");
    }

    /// The user's access keys, by id.
    pub async fn keys(&self, user: &str) -> Vec<AccessKey> {
        let answer = self.iam.list_access_keys().user_name(user).send().await.expect("ListAccessKeys");
        let mut keys: Vec<_> = answer
            .access_key_metadata
            .into_iter()
            .map(|key| AccessKey {
                id: key.access_key_id.expect("an id"),
                status: key.status.expect("a status").to_string(),
            })
            .collect();
        keys.sort();
        keys
    }

    /// The ids of the user's access keys, sorted.
    pub async fn key_ids(&self, user: &str) -> Vec<String> {
        self.keys(user).await.into_iter().map(|key| key.id).collect()
    }

    /// The names of all stored secrets.
    pub async fn secret_names(&self) -> Vec<String> {
        self.all_secret_names().await.into_iter().filter(|name| !is_a_record(name)).collect()
    }

    /// Those of the records of CREATE too.
    pub async fn all_secret_names(&self) -> Vec<String> {
        let answer = self.secrets_manager.list_secrets().send().await.expect("ListSecrets");
        answer.secret_list.unwrap_or_default().into_iter().map(|secret| secret.name.expect("a name")).collect()
    }

    /// The names of the records of CREATE that are open.
    pub async fn open_records(&self) -> Vec<String> {
        self.all_secret_names().await.into_iter().filter(|name| is_a_record(name)).collect()
    }

    /// Lets the records of CREATE say that their attempts began so much earlier.
    pub async fn age_records(&self, by: Duration) {
        for name in self.open_records().await {
            let described =
                self.secrets_manager.describe_secret().secret_id(&name).send().await.expect("DescribeSecret");
            let description = described.description.expect("a record has one");
            let (sentence, note) = description.split_at(description.find('{').expect("a note"));
            let mut note: Value = serde_json::from_str(note).expect("JSON");
            let since = note["Since"].as_u64().expect("milliseconds");
            note["Since"] = (since - u64::try_from(by.as_millis()).expect("a short time")).into();
            let call = self.secrets_manager.update_secret().secret_id(name).description(format!("{sentence}{note}"));
            call.send().await.expect("UpdateSecret");
        }
    }

    /// The JSON value of a stored secret.
    pub async fn secret_value(&self, name: &str) -> Value {
        let answer = self.secrets_manager.get_secret_value().secret_id(name).send().await.expect("GetSecretValue");
        serde_json::from_str(&answer.secret_string.expect("a string")).expect("JSON")
    }

    /// The tags of a stored secret.
    pub async fn secret_tags(&self, name: &str) -> BTreeMap<String, String> {
        let answer = self.secrets_manager.describe_secret().secret_id(name).send().await.expect("DescribeSecret");
        let tags = answer.tags.unwrap_or_default().into_iter();
        tags.map(|tag| (tag.key.expect("a key"), tag.value.expect("a value"))).collect()
    }

    /// The tags of a user, by key.
    pub async fn user_tags(&self, user: &str) -> BTreeMap<String, String> {
        let answer = self.iam.list_user_tags().user_name(user).send().await.expect("ListUserTags");
        answer.tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
    }

    /// Sets a tag of a user, as a person may.
    pub async fn tag_user(&self, user: &str, key: &str, value: &str) {
        let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build().expect("a tag");
        self.iam.tag_user().user_name(user).tags(tag).send().await.expect("TagUser");
    }

    /// The lines in a log stream, the first first.
    pub async fn log_lines(&self, group: &str, stream: &str) -> Vec<String> {
        let call = self.logs.get_log_events().log_group_name(group).log_stream_name(stream).start_from_head(true);
        let events = call.send().await.expect("GetLogEvents").events.unwrap_or_default();
        events.into_iter().map(|event| event.message.expect("a message")).collect()
    }

    /// The names of a log group's streams, sorted.
    pub async fn log_streams(&self, group: &str) -> Vec<String> {
        let answer = self.logs.describe_log_streams().log_group_name(group).send().await.expect("DescribeLogStreams");
        let streams = answer.log_streams.unwrap_or_default().into_iter();
        streams.map(|stream| stream.log_stream_name.expect("a name")).collect()
    }

    /// A name for each metric of a namespace, once for each set of dimensions. By JSON, because moto takes no CBOR.
    pub async fn metric_names(&self, namespace: &str) -> Vec<String> {
        let call = reqwest::Client::new().post(format!("http://{}", self.moto.address));
        let call = call.header("x-amz-target", "GraniteServiceVersion20100801.ListMetrics");
        let call = call.header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDLOCAL/20260101/us-east-1/monitoring/aws4_request",
        );
        let call = call.header("content-type", "application/x-amz-json-1.0");
        let body = json!({"Namespace": namespace}).to_string();
        let answer: Value = call.body(body).send().await.expect("ListMetrics").json().await.expect("JSON");
        let metrics = answer["Metrics"].as_array().expect("a list").iter();
        metrics.map(|metric| metric["MetricName"].as_str().expect("a name").to_owned()).collect()
    }

    /// Deletes a stored secret at once.
    pub async fn delete_secret(&self, name: &str) {
        let call = self.secrets_manager.delete_secret().secret_id(name).force_delete_without_recovery(true);
        call.send().await.expect("DeleteSecret");
    }
}

fn is_a_record(name: &str) -> bool {
    name.contains("/operation-")
}
