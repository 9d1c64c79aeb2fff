//! Takes a decoded request to its handler, and answers with the handler's progress event.
//!
//! Whatever goes wrong on the way, a panic included, becomes a FAILED event: CloudFormation cannot read anything else.

use std::time::Duration;

use aws_types::SdkConfig;
use tracing::{Span, error, info};

use crate::{
    CallerCredentials, Connections, Deadline, Event, HandlerError, HandlerErrorCode, Handlers, ProgressEvent,
    ProviderContext, Request, RequestContext, RequestPayload, ResourceModel, Validator, contain_panics, decode, handle,
    resource_type::Answer, telemetry,
};

/// A resource type: its model, and its handlers, made anew for each invocation.
pub trait ResourceType {
    /// The properties of its resources.
    type Model: ResourceModel;
    /// What its actions do.
    type Handlers: Handlers<Model = Self::Model>;

    /// What handles one request.
    ///
    /// # Errors
    /// The handler's own, such as that the request carries no credentials.
    fn handlers(
        invocation: &Invocation<'_>,
        request: &Request<Self::Model>,
    ) -> Result<Self::Handlers, HandlerError<Self::Model>>;
}

/// What an invocation gives its handlers.
#[derive(Debug)]
pub struct Invocation<'a> {
    /// When the invocation must have answered.
    pub deadline: Deadline,
    connections: &'a Connections,
    caller: Option<&'a CallerCredentials>,
    region: &'a str,
}

impl<'a> Invocation<'a> {
    /// An invocation with the caller's credentials, if the request carries any, and the region of its stack.
    #[must_use]
    pub fn new(
        deadline: Deadline,
        connections: &'a Connections,
        caller: Option<&'a CallerCredentials>,
        region: &'a str,
    ) -> Self {
        Self { deadline, connections, caller, region }
    }

    /// The credentials of the type's execution role.
    ///
    /// # Errors
    /// `InvalidCredentials`: the type was registered without one.
    pub fn caller<M>(&self) -> Result<&CallerCredentials, HandlerError<M>> {
        self.caller.ok_or_else(|| {
            HandlerError::new(
                HandlerErrorCode::InvalidCredentials,
                "The request carries no caller credentials: register the type with an execution role \
                 (ExecutionRoleArn), or pass credentials to the test entry point",
            )
        })
    }

    /// The configuration of clients that make calls with these credentials, in the region of the stack.
    ///
    /// # Errors
    /// `InvalidCredentials`: the type was registered without an execution role.
    pub fn aws<M>(&self) -> Result<SdkConfig, HandlerError<M>> {
        Ok(self.connections.for_caller(self.caller()?, self.region))
    }
}

/// The Lambda function of a resource type: what its invocations share.
#[derive(Debug)]
pub struct Function<R: ResourceType> {
    connections: Connections,
    validator: Validator<R::Model>,
}

impl<R: ResourceType> Function<R> {
    /// The function whose invocations share these connections.
    #[must_use]
    pub fn new(connections: Connections) -> Self {
        Self { connections, validator: Validator::default() }
    }

    /// The answer to an event, `time_left` before Lambda ends the invocation. Logs and metrics are delivered before it returns.
    pub async fn answer(&self, event: Event, time_left: Duration) -> ProgressEvent<R::Model> {
        let decoded = contain_panics(async { Ok::<_, HandlerError<_>>(decode(event)) }).await;
        let (provider, request) = match decoded {
            Ok(decoded) => (decoded.provider, decoded.request),
            Err(error) => (ProviderContext::default(), Err(error)),
        };
        let work = self.dispatch(&provider, request, time_left);
        telemetry::observe(&self.connections, &provider, time_left, work).await
    }

    async fn dispatch(
        &self,
        provider: &ProviderContext,
        request: Result<(RequestPayload, RequestContext), HandlerError<R::Model>>,
        time_left: Duration,
    ) -> ProgressEvent<R::Model> {
        info!(
            stack_id = provider.stack_id,
            logical_resource_id = provider.logical_resource_id,
            resource_type = provider.resource_type,
            resource_type_version = provider.resource_type_version,
            region = provider.region,
            "request received"
        );
        let answer = match request {
            Ok((payload, context)) => {
                let updated = payload.updated_resource();
                let served = contain_panics(self.serve(payload, context, time_left)).await;
                served.map_err(|error| error.about(updated))
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok(event) => {
                record_id(event.resource_model.as_ref());
                info!(status = %event.status, "request completed");
                event
            }
            Err(error) => {
                record_id(error.resource_model.as_deref());
                error!(code = %error.code, error_message = error.message, "request failed");
                error.into()
            }
        }
    }

    async fn serve(
        &self,
        mut payload: RequestPayload,
        context: RequestContext,
        time_left: Duration,
    ) -> Answer<R::Model> {
        // The event that SAM's documentation shows for the test entry point names no region.
        payload.region = payload.region.or_else(|| self.connections.function_region.clone());
        let caller = payload.caller_credentials.take();
        let request = self.validator.validate(payload, context)?;
        if request.primary_identifier().is_ok() {
            record_id(Some(&request.desired));
        }
        let deadline = Deadline::of(request.action, time_left);
        let invocation = Invocation::new(deadline, &self.connections, caller.as_ref(), &request.region);
        let handlers = R::handlers(&invocation, &request)?;
        // Boxed: the compiler refuses a type as deep as the handlers' futures in those of the Lambda runtime.
        Box::pin(handle(&handlers, &request, deadline)).await
    }
}

/// From now on the lines of this invocation name the resource.
fn record_id<M: ResourceModel>(model: Option<&M>) {
    if let Some(id) = model.and_then(ResourceModel::primary_identifier) {
        Span::current().record("id", id);
    }
}
