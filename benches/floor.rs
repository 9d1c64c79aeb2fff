//! The floor under a cold READ, for `make bench`: what any Lambda function in Rust takes that makes one call to IAM and one
//! to Secrets Manager over TLS, with the same SDK and connector, and does nothing else.

use std::env;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_iam::config::{BehaviorVersion, IdentityCache};
use aws_smithy_async::{rt::sleep::default_async_sleep, time::SharedTimeSource};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_types::{SdkConfig, region::Region};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::join;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let tls = Provider::Rustls(CryptoMode::AwsLc);
    let connector = SharedHttpConnector::new(Connector::builder().tls_provider(tls).build());
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "local",
            "local",
            None,
            None,
            "the floor",
        )))
        .identity_cache(IdentityCache::no_cache())
        .region(Region::new(env::var("AWS_REGION")?))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .time_source(SharedTimeSource::default());
    config.set_sleep_impl(default_async_sleep());
    let config = config.build();
    let iam = aws_sdk_iam::config::Builder::from(&config).endpoint_url(env::var("AWS_ENDPOINT_URL_IAM")?);
    let store = aws_sdk_secretsmanager::config::Builder::from(&config)
        .endpoint_url(env::var("AWS_ENDPOINT_URL_SECRETS_MANAGER")?);
    let iam = aws_sdk_iam::Client::from_conf(iam.build());
    let store = aws_sdk_secretsmanager::Client::from_conf(store.build());
    let service = |event: LambdaEvent<Value>| {
        let named = |name: &str| event.payload[name].as_str().unwrap_or_default();
        let keys = iam.list_access_keys().user_name(named("user"));
        let secret = store.get_secret_value().secret_id(named("secret"));
        async {
            let (keys, secret) = join!(keys.send(), secret.send());
            let (keys, _secret) = (keys?, secret?);
            Ok::<_, Error>(json!({"status": "SUCCESS", "keys": keys.access_key_metadata.len()}))
        }
    };
    lambda_runtime::run(service_fn(service)).await
}
