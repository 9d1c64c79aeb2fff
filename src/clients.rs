//! The one place that builds AWS clients from credentials.

use std::{
    env,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use access_key_handlers::{
    ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Clock, Confidential, DELIVERY_TIME, Deadline, Iam, Keybase, OPERATION_TIMEOUT,
    SecretStore, Services, app_name, retry_quota,
};
use access_key_schema::{CallerCredentials, ProviderCredentials, Request, Secret};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_iam::config::{BehaviorVersion, IdentityCache};
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
    app_name::AppName,
    region::Region,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};

use crate::telemetry::AwsCalls;

/// HTTPS, with one pool of connections, for whoever makes calls in this process.
///
/// One, because making it decodes the system's root certificates, which costs more than the rest of an invocation. The
/// SDK's own HTTP client makes one for each set of timeouts, and another each time that a service's client is built.
static HTTPS: LazyLock<SharedHttpConnector> = LazyLock::new(|| {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let tls = Provider::Rustls(CryptoMode::AwsLc);
    let connector = Connector::builder().connector_settings(settings).tls_provider(tls);
    let pooled = connector.pool_idle_timeout(MAX_IDLE_TIME).pool_max_idle_per_host(MAX_IDLE_PER_HOST);
    SharedHttpConnector::new(pooled.build())
});

/// How long a connection that nothing goes over is kept. One that was kept while Lambda froze the process may be dead, which
/// only the call that is lost on it shows.
const MAX_IDLE_TIME: Duration = Duration::from_secs(5);

/// How many such connections are kept: as many as a handler's calls to one service run side by side, LIST's apart. Should
/// all of them be dead, the third and last attempt of a call still gets a new one.
const MAX_IDLE_PER_HOST: usize = 2;

/// How long to wait before a call of the delivery is sent again.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// CloudWatch Logs and CloudWatch, with the provider's credentials.
#[derive(Debug)]
pub(crate) struct DeliveryClients {
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) metrics: aws_sdk_cloudwatch::Client,
}

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
    /// The endpoints are those that the environment sets (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_IAM` and the
    /// like, FIPS, dual stack). The root certificates are decoded now: while a function starts, Lambda gives it more of the
    /// processor than later.
    #[must_use]
    pub fn from_environment() -> Self {
        LazyLock::force(&HTTPS);
        let clients = Self::with_http_client(http_client_fn(|_, _| https()));
        // Lambda sets it.
        Self { function_region: env::var("AWS_REGION").ok(), ..clients }
    }

    /// The same with an HTTP client of the caller's, such as one that plays AWS in a test.
    ///
    /// Without the loader of `aws-config`: it brings the chain of default credentials, which must never be used here, and
    /// is a tenth of the package.
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

    /// What a handler needs for `request`: IAM and Secrets Manager with its caller's credentials. Each call is logged.
    pub(crate) fn services(&self, caller: &CallerCredentials, request: &Request, deadline: Deadline) -> Services {
        let CallerCredentials { access_key_id, secret_access_key, session_token } = caller;
        let credentials = credentials(access_key_id, secret_access_key, session_token.as_ref(), "callerCredentials");
        let config = self.config(credentials, &request.region);
        let mut iam = aws_sdk_iam::config::Builder::from(&config).retry_partition(retry_quota()).interceptor(AwsCalls);
        iam.set_app_name(app_name(request).and_then(|name| AppName::new(name).ok()));
        let store = aws_sdk_secretsmanager::config::Builder::from(&config).retry_partition(retry_quota());
        let store = store.interceptor(AwsCalls).build();
        let clock = Clock::starting_at(SystemTime::now());
        let confidential = Confidential::of(caller, request);
        Services {
            iam: Iam::new(aws_sdk_iam::Client::from_conf(iam.build()), clock, confidential.clone()),
            secret_store: SecretStore::new(
                aws_sdk_secretsmanager::Client::from_conf(store),
                request.type_configuration.clone(),
                confidential,
            ),
            keybase: Keybase::new(https, request.type_configuration.keybase_url.clone()),
            clock,
            deadline,
        }
    }

    /// What delivers logs and metrics, with the provider's credentials. No call takes longer than the delivery.
    pub(crate) fn delivery(&self, provider: &ProviderCredentials, region: &str) -> DeliveryClients {
        let ProviderCredentials { access_key_id, secret_access_key, session_token } = provider;
        let credentials = credentials(access_key_id, secret_access_key, session_token.as_ref(), "providerCredentials");
        let timeouts = TimeoutConfig::builder().operation_timeout(DELIVERY_TIME).build();
        let config = self
            .config(credentials, region)
            .into_builder()
            .timeout_config(timeouts)
            // A connection that was kept while Lambda froze the process may be dead.
            .retry_config(RetryConfig::standard().with_max_attempts(2).with_initial_backoff(RETRY_DELAY))
            .build();
        let logs = aws_sdk_cloudwatchlogs::config::Builder::from(&config).retry_partition(retry_quota()).build();
        let metrics = aws_sdk_cloudwatch::config::Builder::from(&config).retry_partition(retry_quota()).build();
        DeliveryClients {
            logs: aws_sdk_cloudwatchlogs::Client::from_conf(logs),
            metrics: aws_sdk_cloudwatch::Client::from_conf(metrics),
        }
    }

    fn config(&self, credentials: Credentials, region: &str) -> SdkConfig {
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

fn https() -> SharedHttpConnector {
    HTTPS.clone()
}

fn credentials(
    access_key_id: &str,
    secret_access_key: &Secret,
    session_token: Option<&Secret>,
    name: &'static str,
) -> Credentials {
    let session_token = session_token.map(|token| token.expose().to_owned());
    Credentials::new(access_key_id, secret_access_key.expose(), session_token, None, name)
}
