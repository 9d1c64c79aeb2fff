//! The one place that builds AWS clients from credentials.

use std::time::SystemTime;

use access_key_handlers::{Confidential, Iam, Keybase, SecretStore, Services, app_name};
use access_key_schema::{AccessKey, Request, Result};
use aws_types::app_name::AppName;
use cfn_resource_runtime::{AwsCalls, Clock, Invocation, ResourceType, https, retry_quota};

/// `AWS::IAM::AccessKey`, with its handlers.
#[derive(Debug)]
pub struct AccessKeyType;

impl ResourceType for AccessKeyType {
    type Model = AccessKey;
    type Handlers = Services;

    /// IAM and Secrets Manager with the caller's credentials. Each call is logged.
    fn handlers(invocation: &Invocation<'_>, request: &Request) -> Result<Services> {
        let config = invocation.aws()?;
        let mut iam = aws_sdk_iam::config::Builder::from(&config).retry_partition(retry_quota()).interceptor(AwsCalls);
        iam.set_app_name(app_name(request).and_then(|name| AppName::new(name).ok()));
        let store = aws_sdk_secretsmanager::config::Builder::from(&config).retry_partition(retry_quota());
        let store = store.interceptor(AwsCalls).build();
        let clock = Clock::starting_at(SystemTime::now());
        let confidential = Confidential::of(invocation.caller()?, request);
        Ok(Services {
            iam: Iam::new(aws_sdk_iam::Client::from_conf(iam.build()), clock, confidential.clone()),
            secret_store: SecretStore::new(
                aws_sdk_secretsmanager::Client::from_conf(store),
                request.type_configuration.clone(),
                confidential,
            ),
            keybase: Keybase::new(https, request.type_configuration.keybase_url.clone()),
            clock,
            deadline: invocation.deadline,
        })
    }
}
