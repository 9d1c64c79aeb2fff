//! The way to AWS: settings and connections, which all invocations share, and the configuration of clients for given credentials.

use std::{env, sync::LazyLock, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_cloudwatchlogs::config::{BehaviorVersion, IdentityCache, retry::RetryPartition};
use aws_smithy_async::{rt::sleep::default_async_sleep, time::SharedTimeSource};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{
    SdkConfig,
    region::Region,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};

use crate::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, CallerCredentials, OPERATION_TIMEOUT, ProviderCredentials, Secret};

/// HTTPS, with one pool of connections for all calls of this process.
///
/// There is one, because making it decodes the system's root certificates, which costs more than the rest of an invocation. The
/// SDK's own HTTP client makes one for each set of timeouts, and another each time that a service's client is built.
static HTTPS: LazyLock<SharedHttpConnector> = LazyLock::new(|| {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let tls = Provider::Rustls(CryptoMode::AwsLc);
    let connector = Connector::builder().connector_settings(settings).tls_provider(tls);
    let pooled = connector.pool_idle_timeout(MAX_IDLE_TIME).pool_max_idle_per_host(MAX_IDLE_PER_HOST);
    SharedHttpConnector::new(pooled.build())
});

/// How long an idle connection is kept. A connection that was kept while Lambda froze the process may be dead, and only a call
/// that is lost on it shows that.
const MAX_IDLE_TIME: Duration = Duration::from_secs(5);

/// How many idle connections are kept to a service. If all of them are dead, the third and last attempt of a call still gets a
/// new one.
const MAX_IDLE_PER_HOST: usize = 2;

/// HTTPS for calls to others than AWS, over the connections that the calls to AWS share.
#[must_use]
pub fn https() -> SharedHttpConnector {
    HTTPS.clone()
}

/// A retry quota for one client of one invocation.
///
/// The SDK's own quota is one for all clients of a service and a region, as long as the process lives. After throttling in one
/// invocation, the next ones, of any stack, would get no retries.
#[must_use]
pub fn retry_quota() -> RetryPartition {
    RetryPartition::custom("invocation").build()
}

/// What all invocations share: settings, and the HTTP client with its connections. It holds no credentials.
#[derive(Debug)]
pub struct Connections {
    shared: SdkConfig,
    /// The region of the function, for a request that names none.
    pub(crate) function_region: Option<String>,
}

impl Connections {
    /// Connections that reach AWS over HTTPS.
    ///
    /// The endpoints are those that the environment sets (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_IAM` and the
    /// like, FIPS, dual stack). The root certificates are decoded now: while a function starts, Lambda gives it more of the
    /// processor than later.
    #[must_use]
    pub fn from_environment() -> Self {
        LazyLock::force(&HTTPS);
        let connections = Self::with_http_client(http_client_fn(|_, _| https()));
        // Lambda sets it.
        Self { function_region: env::var("AWS_REGION").ok(), ..connections }
    }

    /// Connections with an HTTP client of the caller's, such as one that plays AWS in a test.
    ///
    /// It does not use the loader of `aws-config`, which brings the chain of default credentials: no handler may use it, and it
    /// would make the package larger.
    #[must_use]
    pub fn with_http_client(http_client: SharedHttpClient) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let is_on = |setting| env::var(setting).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        let mut shared = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            // A cache would keep every caller's credentials in memory, and static ones need none.
            .identity_cache(IdentityCache::no_cache())
            .use_fips(is_on("AWS_USE_FIPS_ENDPOINT"))
            .use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"))
            .http_client(http_client)
            .time_source(SharedTimeSource::default())
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts);
        shared.set_sleep_impl(default_async_sleep());
        shared.set_service_config(Some(Environment));
        Self { shared: shared.build(), function_region: None }
    }

    /// For the clients of a handler: with the credentials of the type's execution role.
    pub(crate) fn for_caller(&self, caller: &CallerCredentials, region: &str) -> SdkConfig {
        let CallerCredentials { access_key_id, secret_access_key, session_token } = caller;
        self.config(access_key_id, secret_access_key, session_token.as_ref(), "callerCredentials", region)
    }

    /// For the delivery of logs and metrics: with the credentials of the type's logging role.
    pub(crate) fn for_provider(&self, provider: &ProviderCredentials, region: &str) -> SdkConfig {
        let ProviderCredentials { access_key_id, secret_access_key, session_token } = provider;
        self.config(access_key_id, secret_access_key, session_token.as_ref(), "providerCredentials", region)
    }

    fn config(
        &self,
        access_key_id: &str,
        secret_access_key: &Secret,
        session_token: Option<&Secret>,
        name: &'static str,
        region: &str,
    ) -> SdkConfig {
        let session_token = session_token.map(|token| token.expose().to_owned());
        let credentials = Credentials::new(access_key_id, secret_access_key.expose(), session_token, None, name);
        self.shared
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new(region.to_owned()))
            .build()
    }
}

/// The settings of the environment that can be set for one service alone, as `AWS_ENDPOINT_URL` is for IAM in
/// `AWS_ENDPOINT_URL_IAM`.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, setting: ServiceConfigKey<'_>) -> Option<String> {
        let service = setting.service_id().to_uppercase().replace(' ', "_");
        env::var(format!("{}_{service}", setting.env())).or_else(|_| env::var(setting.env())).ok()
    }
}
