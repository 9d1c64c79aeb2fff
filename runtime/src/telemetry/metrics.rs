//! The metrics of an invocation, with the names, units and dimensions of the official [Java runtime].
//!
//! Every series of a metric is billed. The Java runtime writes zeros for each error code in every invocation; here only actual
//! failures are counted.
//!
//! [Java runtime]: https://github.com/aws-cloudformation/cloudformation-cli-java-plugin

use std::time::Duration;

use aws_sdk_cloudwatch::{
    Client,
    types::{Dimension, MetricDatum, StandardUnit},
};

use super::undelivered::Undelivered;
use crate::{Action, HandlerErrorCode};

/// The name under which an invocation's failure is counted. Java has the class of an exception here.
const EXCEPTION_TYPE: &str = "HandlerError";

/// The metrics of a resource type.
#[derive(Debug)]
pub(crate) struct Metrics<'a> {
    pub(crate) client: &'a Client,
    /// The name that the type is registered under.
    pub(crate) resource_type: &'a str,
}

/// How an invocation went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) action: Action,
    pub(crate) duration: Duration,
    /// Why it failed.
    pub(crate) error_code: Option<HandlerErrorCode>,
}

impl Metrics<'_> {
    /// Sends the metrics of one invocation, in one call.
    ///
    /// # Errors
    /// What AWS answers, or how the way to it failed.
    pub(crate) async fn put_outcome(&self, outcome: &Outcome) -> Result<(), Undelivered> {
        let Outcome { action, duration, error_code } = outcome;
        let action = dimension("Action", action.to_string());
        let resource_type = self.resource_type_dimension();
        let of_type = [&action, &resource_type];
        let milliseconds = duration.as_secs_f64() * 1000.0;
        let mut data = vec![
            count("HandlerInvocationCount", &of_type),
            datum("HandlerInvocationDuration", StandardUnit::Milliseconds, milliseconds, &of_type),
        ];
        if let Some(code) = error_code {
            let code = dimension("HandlerErrorCode", code.to_string());
            let exception_type = dimension("ExceptionType", EXCEPTION_TYPE.to_owned());
            data.extend([
                count("HandlerException", &[&action, &exception_type, &resource_type, &code]),
                count("HandlerExceptionByErrorCode", &[&action, &code]),
                count("HandlerExceptionByExceptionCount", &[&action]),
            ]);
        }
        self.put(data).await
    }

    /// Counts that the logs of one invocation could not be delivered.
    ///
    /// # Errors
    /// What AWS answers, or how the way to it failed.
    pub(crate) async fn put_undelivered_logs(&self, why: &Undelivered) -> Result<(), Undelivered> {
        let action = dimension("Action", "ProviderLogDelivery".to_owned());
        let exception_type = dimension("ExceptionType", why.0.clone());
        self.put(vec![count("HandlerException", &[&action, &exception_type, &self.resource_type_dimension()])]).await
    }

    fn resource_type_dimension(&self) -> Dimension {
        dimension("ResourceType", self.resource_type.to_owned())
    }

    async fn put(&self, data: Vec<MetricDatum>) -> Result<(), Undelivered> {
        let namespace = format!("AWS/CloudFormation/{}", self.resource_type.replace("::", "/"));
        self.client.put_metric_data().namespace(namespace).set_metric_data(Some(data)).send().await?;
        Ok(())
    }
}

fn count(name: &str, dimensions: &[&Dimension]) -> MetricDatum {
    datum(name, StandardUnit::Count, 1.0, dimensions)
}

fn datum(name: &str, unit: StandardUnit, value: f64, dimensions: &[&Dimension]) -> MetricDatum {
    let dimensions = dimensions.iter().map(|dimension| (*dimension).clone()).collect();
    MetricDatum::builder().metric_name(name).unit(unit).value(value).set_dimensions(Some(dimensions)).build()
}

fn dimension(name: &str, value: String) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}
