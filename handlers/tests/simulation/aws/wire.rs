//! The way to AWS: the SDK's own HTTP interface, with the weather on it.

use std::{fmt, future::pending, sync::Arc, time::Duration};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use cfn_resource_runtime::CONNECT_TIMEOUT;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Answer, Refusal};
use crate::{
    invariants,
    plan::Fault,
    record::operation_in,
    world::{Caller, Maker, State, World},
};

/// One invocation's way to AWS.
#[derive(Clone)]
pub(crate) struct Wire {
    world: Arc<World>,
    caller: Arc<Caller>,
}

/// A call as AWS reads it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) input: Input,
}

/// The parameters of a call, in the protocol of its service.
#[derive(Debug)]
pub(crate) enum Input {
    Iam(Vec<(String, String)>),
    SecretsManager(Value),
}

impl Wire {
    pub(crate) fn new(world: Arc<World>, caller: Caller) -> Self {
        Self { world, caller: Arc::new(caller) }
    }

    /// Carries a call to AWS and its answer back, as far as the weather lets them.
    ///
    /// What is on its way arrives, whether or not the caller is still there.
    async fn carry(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let call = Call::read(&request);
        let (fault, there, back) = {
            let now = self.world.now();
            let State { weather, dice, .. } = &mut *self.world.state();
            let is_calm = self.caller.is_calm;
            let fault = if is_calm { None } else { weather.fault(&self.world.plan, &self.caller, &call.name(), now) };
            (fault, Duration::from_millis(dice.u64(3..30)), Duration::from_millis(dice.u64(3..30)))
        };
        if let Some(fault) = fault {
            self.world.story.line(format!("  {} {} meets {fault:?}", self.caller.name(), call.told()));
        }
        let is_query = matches!(call.input, Input::Iam(_));
        let instead = |status, query: &'static str, json: &'static str| {
            let refusal = Refusal::new(
                status,
                if is_query { query } else { json },
                "because no policy allows it, so the weather wants it",
            );
            response(is_query, Err(refusal))
        };
        let unanswered = |error: &'static str| Err(ConnectorError::io(error.into()));
        match fault {
            None => {
                let response = self.arrive(call, there, Heard::Yes).await;
                sleep(back).await;
                Ok(response)
            }
            Some(Fault::Refuse) => {
                sleep(there + back).await;
                Ok(instead(if is_query { 403 } else { 400 }, "AccessDenied", "AccessDeniedException"))
            }
            Some(Fault::Throttle) => {
                sleep(there + back).await;
                Ok(instead(400, "Throttling", "ThrottlingException"))
            }
            Some(Fault::Fail) => {
                sleep(there + back).await;
                Ok(instead(500, "ServiceFailure", "InternalServiceError"))
            }
            Some(Fault::FailAfter) => {
                self.arrive(call, there, Heard::No).await;
                sleep(back).await;
                Ok(instead(500, "ServiceFailure", "InternalServiceError"))
            }
            Some(Fault::CutBefore) => {
                sleep(there).await;
                unanswered("connection reset")
            }
            Some(Fault::CutAfter) => {
                self.arrive(call, there, Heard::No).await;
                unanswered("connection reset")
            }
            Some(Fault::BreakOff) => {
                let response = self.arrive(call, there, Heard::No).await;
                sleep(back).await;
                // A body that fails when it is read.
                Ok(HttpResponse::new(response.status(), SdkBody::taken()))
            }
            Some(Fault::NoConnection) => {
                sleep(CONNECT_TIMEOUT).await;
                Err(ConnectorError::timeout("no connection".into()))
            }
            Some(Fault::NotShown) => {
                sleep(there + back).await;
                Ok(instead(if is_query { 404 } else { 400 }, "NoSuchEntity", "ResourceNotFoundException"))
            }
            Some(Fault::Slow(seconds)) => {
                let half = Duration::from_secs(seconds) / 2;
                let response = self.arrive(call, there + half, Heard::Yes).await;
                sleep(half + back).await;
                Ok(response)
            }
            Some(Fault::Hang) => pending().await,
            Some(Fault::HangAndReach(seconds)) => {
                self.arrive(call, there + Duration::from_secs(seconds), Heard::No).await;
                pending().await
            }
        }
    }

    /// AWS takes the call, and answers it.
    async fn arrive(self, call: Call, after: Duration, heard: Heard) -> HttpResponse {
        let is_query = matches!(call.input, Input::Iam(_));
        let listener = Arc::new(());
        let listening = Arc::downgrade(&listener);
        let arriving = tokio::spawn(async move {
            sleep(after).await;
            let has_ended = self.world.state().ledger.ended.contains(&self.caller.invocation);
            let heard = match listening.strong_count() {
                0 if has_ended => Heard::No,
                0 => Heard::GivenUp,
                _ => heard,
            };
            self.serve(&call, heard)
        });
        let answer = arriving.await.unwrap_or_else(|_| Err(Refusal::new(500, "Bug", "the model of AWS panicked")));
        drop(listener);
        response(is_query, answer)
    }

    fn serve(&self, call: &Call, heard: Heard) -> Answer {
        let Self { world, caller } = self;
        let answer = world.at_aws(|iam, stores, moment| match &call.input {
            Input::Iam(form) => {
                let parameter = |wanted: &str| form.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
                iam.answer(&call.operation, parameter, caller.maker(), moment)
            }
            Input::SecretsManager(input) => match stores.get_mut(caller.region) {
                Some(store) => store.answer(&call.operation, input, caller.prefix, moment),
                None => Err(Refusal::new(400, "Bug", "there is no such region")),
            },
        });
        let unheard = if heard == Heard::Yes { "" } else { " (not heard)" };
        let told = match &answer {
            Ok(body) => invariants::ids(body).join(" "),
            Err(refusal) => format!("{} {}", refusal.status, refusal.code),
        };
        world.story.line(format!("  {} {} -> {told}{unheard}", caller.name(), call.told()));
        invariants::judge_call(world, caller, call, &answer, heard);
        answer
    }
}

/// Whether the caller learns what AWS answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Yes,
    No,
    /// The call takes effect when the caller has given it up already.
    GivenUp,
}

impl Caller {
    pub(crate) fn name(&self) -> String {
        if self.operation.is_some() { format!("#{}", self.invocation) } else { "(look)".to_owned() }
    }

    fn maker(&self) -> Maker {
        self.operation.map_or(Maker::Person, Maker::Operation)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().carry(request))
    }
}

impl Call {
    fn read(request: &HttpRequest) -> Self {
        let body = request.body().bytes().unwrap_or_default();
        if let Some(target) = request.headers().get("x-amz-target") {
            let operation = target.strip_prefix("secretsmanager.").unwrap_or(target).to_owned();
            return Self { operation, input: Input::SecretsManager(serde_json::from_slice(body).unwrap_or_default()) };
        }
        let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        let action = form.iter().find(|(name, _)| name == "Action");
        Self { operation: action.map(|(_, action)| action.clone()).unwrap_or_default(), input: Input::Iam(form) }
    }

    /// The name of the secret that the call is about, where the call has its ARN, too.
    pub(crate) fn secret(&self) -> Option<&str> {
        let Input::SecretsManager(input) = &self.input else { return None };
        let id = input["SecretId"].as_str().or(input["Name"].as_str())?;
        Some(id.rsplit_once(":secret:").map_or(id, |(_, name)| name.trim_end_matches("-abcdef")))
    }

    /// The name of the operation, as plans have it: calls on a record have names of their own.
    fn name(&self) -> String {
        let is_on_record = self.secret().and_then(operation_in).is_some();
        if is_on_record { format!("{} of a record", self.operation) } else { self.operation.clone() }
    }

    /// The call in words, without a secret.
    pub(crate) fn told(&self) -> String {
        let parameters = match &self.input {
            Input::Iam(form) => {
                let told = form.iter().filter(|(name, _)| name != "Action" && name != "Version");
                told.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
            }
            Input::SecretsManager(_) => {
                let name = self.secret().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
                operation_in(name).map_or(name.to_owned(), |its| format!("{}…{}", &its[..18], &name[its.len()..]))
            }
        };
        format!("{}({parameters})", self.name())
    }
}

fn response(is_query: bool, answer: Answer) -> HttpResponse {
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(Refusal { status, code, message }) if is_query => {
            let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            (status, format!("<ErrorResponse>{error}</ErrorResponse>"))
        }
        Err(Refusal { status, code, message }) => (status, json!({"__type": code, "message": message}).to_string()),
    };
    HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body))
}
