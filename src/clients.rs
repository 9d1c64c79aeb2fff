//! The one place that builds AWS clients from credentials.

use std::{env, time::SystemTime};

use access_key_handlers::{
    ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Clock, Deadline, Iam, Keybase, OPERATION_TIMEOUT, SecretStore, Services,
};
use access_key_schema::{CallerCredentials, Request};
use aws_config::{
    BehaviorVersion, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::{
    Builder, Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};

const TLS: Provider = Provider::Rustls(CryptoMode::AwsLc);

/// What all invocations share: settings, and the HTTP client with its connections. It holds no credentials.
#[derive(Debug)]
pub struct Clients {
    shared: SdkConfig,
    /// The region of the function, for a request that names none.
    pub(crate) function_region: Option<String>,
}

impl Clients {
    /// Clients that reach AWS over HTTPS.
    ///
    /// The endpoints are those that the environment sets (`AWS_ENDPOINT_URL`, FIPS, dual stack).
    pub async fn from_environment() -> Self {
        let clients = Self::with_http_client(Builder::new().tls_provider(TLS).build_https()).await;
        // Lambda sets it.
        Self { function_region: env::var("AWS_REGION").ok(), ..clients }
    }

    /// The same with an HTTP client of the caller's, such as one that plays AWS in a test.
    pub async fn with_http_client(http_client: SharedHttpClient) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .no_credentials()
            // A cache would keep every caller's credentials in memory, and static ones need none.
            .identity_cache(IdentityCache::no_cache())
            // Keeps the SDK from looking for a region: each request has its own.
            .region(Region::from_static("us-east-1"))
            .http_client(http_client)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts)
            .load()
            .await;
        Self { shared, function_region: None }
    }

    /// What a handler needs for `request`: IAM and Secrets Manager with its caller's credentials.
    pub(crate) fn services(&self, caller: &CallerCredentials, request: &Request, deadline: Deadline) -> Services {
        let session_token = caller.session_token.as_ref().map(|token| token.expose().to_owned());
        let credentials = Credentials::new(
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
            .region(Region::new(request.region.clone()))
            .build();
        Services {
            iam: Iam::new(aws_sdk_iam::Client::new(&config)),
            secret_store: SecretStore::new(
                aws_sdk_secretsmanager::Client::new(&config),
                request.type_configuration.clone(),
            ),
            keybase: Keybase::new(
                || SharedHttpConnector::new(Connector::builder().tls_provider(TLS).build()),
                request.type_configuration.keybase_url.clone(),
            ),
            clock: Clock::starting_at(SystemTime::now()),
            deadline,
        }
    }
}
