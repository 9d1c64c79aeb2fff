//! The one place that builds AWS clients from credentials.

use std::time::Duration;

use access_key_handlers::{Deadline, Iam, OPERATION_TIMEOUT, SecretStore, Services};
use access_key_schema::{CallerCredentials, TypeConfiguration};
use aws_config::{
    BehaviorVersion, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials as SdkCredentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::{
    Builder, Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

const TLS: Provider = Provider::Rustls(CryptoMode::AwsLc);

/// What all invocations share: settings, and the HTTP client with its connections. No credentials.
#[derive(Debug)]
pub(crate) struct Clients {
    shared: SdkConfig,
}

impl Clients {
    /// Reads what the environment says of endpoints (`AWS_ENDPOINT_URL`, FIPS, dual stack), once per process.
    ///
    /// The times are such that every handler's chain of calls fits into the 60 seconds that it has, and READ's into its
    /// 30. CREATE, whose chain can be longer, looks at the time that is left before it starts what it has to finish.
    pub(crate) async fn from_environment() -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(4))
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let http_client = Builder::new().tls_provider(TLS).build_https();
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .no_credentials()
            // A static set of credentials needs no cache, and one that lives on would keep every caller's.
            .identity_cache(IdentityCache::no_cache())
            .region(Region::from_static("us-east-1"))
            .http_client(http_client)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts)
            .load()
            .await;
        Self { shared }
    }

    /// IAM and Secrets Manager with the credentials of one request's caller.
    pub(crate) fn services(
        &self,
        caller: &CallerCredentials,
        region: String,
        type_configuration: TypeConfiguration,
        deadline: Deadline,
    ) -> Services {
        let session_token = caller.session_token.as_ref().map(|token| token.expose().to_owned());
        let credentials = SdkCredentials::new(
            &caller.access_key_id,
            caller.secret_access_key.expose(),
            session_token,
            None,
            "callerCredentials",
        );
        let config = self
            .shared
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new(region))
            .build();
        Services {
            iam: Iam::new(aws_sdk_iam::Client::new(&config)),
            secret_store: SecretStore::new(aws_sdk_secretsmanager::Client::new(&config), type_configuration),
            http: || SharedHttpConnector::new(Connector::builder().tls_provider(TLS).build()),
            deadline,
        }
    }
}
