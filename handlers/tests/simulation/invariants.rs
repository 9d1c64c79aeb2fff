//! What must hold in every life, whatever goes wrong.
//!
//! Three judges: [`judge_call`] after every call to AWS, [`judge_event`] after every event that a handler answers, and
//! [`judge_life`] when everything has come to rest. The [`Ledger`] is the truth about who did what, which no handler
//! ever sees.

mod record;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use access_key_handlers::Failure;
use access_key_schema::{AccessKey, Action, HandlerErrorCode, OperationStatus, ProgressEvent, ResourceModel};
use serde_json::{Value, json};
use tracing::Level;

use crate::{
    aws::{
        Answer,
        iam::{Iam, Key},
        replica::LONGEST_DELAY,
        wire::{Call, Heard, Input},
    },
    excuses::{Excuse, Violation},
    life::OTHER_TAG,
    plan::{Lag, Plan, Tokens},
    record::operation_in,
    story::Logged,
    world::{Caller, Maker, State, Stores, World},
};

/// Who did what.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) operations: Vec<Operation>,
    pub(crate) invocations: u32,
    /// The keys with which a CREATE has succeeded, so that IAM has shown them.
    pub(crate) succeeded: BTreeSet<String>,
    /// The keys that are resources of stacks, by stack and logical id.
    pub(crate) resources: BTreeMap<String, Resource>,
    /// The keys that CloudFormation tells a stack's owner of although they are no resources any more: it could not
    /// delete them.
    pub(crate) left_behind: BTreeSet<String>,
    /// The keys to which something happened that no handler could know of: a call took effect when its invocation, or
    /// the whole operation, was over.
    pub(crate) haunted: BTreeSet<String>,
    /// How many invocations are running for a resource after CloudFormation gave up on them.
    pub(crate) abandoned: BTreeMap<String, u32>,
    /// The invocations whose process ended before they answered.
    pub(crate) ended: BTreeSet<u32>,
    /// The keys that the invocation that made them has deleted again, or tried to.
    taken_back: BTreeSet<String>,
    /// The invocation that made a key.
    made_in: BTreeMap<String, u32>,
    /// The keys of which the invocation that made them learned.
    known: BTreeSet<String>,
    /// When people did what the plan has.
    pub(crate) deeds: Vec<Duration>,
    /// The warnings in the log.
    warnings: Vec<Logged>,
    /// What the invocations of operations have answered, whether or not CloudFormation heard it. The log has it, too.
    told: Vec<(usize, Told)>,
    /// Who made which record.
    records: record::Makers,
    /// What READ has to say of each key in the end.
    pub(crate) answers: BTreeMap<String, Answered>,
    pub(crate) violations: Vec<String>,
    /// The excuses that alone kept a rule from being broken.
    pub(crate) excused: BTreeSet<(String, Excuse)>,
}

/// A key that is a resource of a stack, and where its secret is kept.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) region: &'static str,
    pub(crate) secret: String,
}

/// What the last operation on a key has answered.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) stack: usize,
    pub(crate) at: Duration,
    pub(crate) said: Said,
    /// What excuses that READ says something else.
    pub(crate) excuses: [(Excuse, bool); 2],
}

/// What an answer says that READ has to say in the end.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Nothing,
    KeyIsGone,
    Key(Box<AccessKey>),
}

/// What an answer tells a person to do: the data that its words are made from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The ids of the keys that it says how to delete.
    pub(crate) keys: BTreeSet<String>,
    /// The ids of the keys whose secrets it says how to delete.
    secrets: BTreeSet<String>,
    /// The ids of the keys whose descriptions it says how to remove.
    descriptions: BTreeSet<String>,
    /// Whether it says how to list the user's keys.
    pub(crate) lists: bool,
    /// Whether it says that the records could not be read.
    is_unread: bool,
    /// Whether it leaves a key because there is too little time.
    is_late: bool,
}

impl Told {
    pub(crate) fn by(outcome: &Result<access_key_handlers::Answer, Failure>) -> Self {
        let owned = |ids: &mut dyn Iterator<Item = &str>| ids.map(ToOwned::to_owned).collect();
        match outcome {
            Ok(answer) => Self { keys: owned(&mut answer.keys()), ..Self::default() },
            Err(failure) => Self {
                keys: owned(&mut failure.keys()),
                secrets: owned(&mut failure.secrets()),
                descriptions: owned(&mut failure.descriptions()),
                lists: failure.lists(),
                is_unread: failure.is_unread(),
                is_late: failure.is_late(),
            },
        }
    }

    /// Whether it says how to delete the key or its secret.
    pub(crate) fn names(&self, id: &str) -> bool {
        self.keys.contains(id) || self.secrets.contains(id)
    }
}

/// An operation of CloudFormation on a resource: all the invocations with one token.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) resource: String,
    pub(crate) user: String,
    /// The last event that CloudFormation got.
    pub(crate) last: Option<ProgressEvent>,
    /// What that event tells a person to do.
    pub(crate) says: Told,
    /// The ids of keys that AWS told an invocation of, by invocation.
    told: BTreeSet<(u32, String)>,
    /// The invocations that answered CloudFormation.
    pub(crate) answered: BTreeSet<u32>,
    /// Whether CloudFormation is done with it, although an invocation that it gave up on may still run.
    pub(crate) is_over: bool,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Operation {
    pub(crate) fn new(resource: String, user: String) -> Self {
        let (told, answered) = (BTreeSet::new(), BTreeSet::new());
        let says = Told::default();
        Self { resource, user, last: None, says, told, answered, is_over: false, took: Duration::ZERO }
    }

    pub(crate) fn ends(&mut self, took: Duration) {
        (self.is_over, self.took) = (true, took);
    }

    /// Whether its last event tells a person how to delete the key or its secret, or a rollback deletes it by its id.
    fn names(&self, id: &str) -> bool {
        let is_its = |event: &ProgressEvent| {
            let model = event.resource_model.as_ref().and_then(|model| model.id.as_deref());
            model == Some(id) && event.status == OperationStatus::Failed
        };
        self.says.names(id) || self.last.as_ref().is_some_and(is_its)
    }

    /// Whether AWS told the invocation that answered last of the key.
    fn was_last_told_of(&self, id: &str) -> bool {
        self.answered.last().is_some_and(|last| self.told.contains(&(*last, id.to_owned())))
    }

    /// With what it ended, if it failed.
    pub(crate) fn failure(&self) -> Option<String> {
        let last = self.last.as_ref().filter(|last| last.status == OperationStatus::Failed)?;
        Some(format!("{}: {}", self.resource, message(last)))
    }
}

impl Ledger {
    /// Whether an operation on keys of the user is under way.
    pub(crate) fn is_busy_with(&self, user: &str) -> bool {
        let is_running =
            |operation: &Operation| self.abandoned.get(&operation.resource).is_some_and(|count| *count > 0);
        self.operations.iter().any(|operation| operation.user == user && (!operation.is_over || is_running(operation)))
    }

    /// Whether a person is told how to delete the key or its secret, or the rollback of a stack deletes it by its id.
    fn is_named(&self, id: &str) -> bool {
        self.left_behind.contains(id) || self.operations.iter().any(|operation| operation.names(id))
    }

    /// Whether the invocation of the operation that made the key has not answered `CloudFormation`.
    fn is_unanswered(&self, operation: usize, id: &str) -> bool {
        let answered = &self.operations[operation].answered;
        !self.made_in.get(id).is_some_and(|invocation| answered.contains(invocation))
    }

    /// What excuses that something of a deleted key is left: all was done about it that could be.
    fn of_what_is_left(&self, key: &Key) -> [(Excuse, bool); 3] {
        let Key { id, touched, .. } = key;
        let maker = self.made_in.get(id);
        let has_ended = maker.is_some_and(|maker| self.ended.contains(maker)) && self.taken_back.contains(id);
        [
            (Excuse::Person, *touched),
            (Excuse::LateCall, self.haunted.contains(id)),
            (Excuse::EndedWhileUndoing, has_ended),
        ]
    }

    /// Whether an operation has said in the log that it leaves this key.
    fn warns_of_key(&self, operation: usize, id: &str) -> bool {
        self.told.iter().any(|(by, told)| *by == operation && told.names(id))
    }

    /// Whether an operation has said in the log that it leaves this record open.
    fn warns_of_record(&self, operation: usize, name: &str) -> bool {
        self.warnings.iter().any(|warning| warning.operation == Some(operation) && warning.has("record", name))
    }

    /// Keeps the warnings of a log.
    fn keep_warnings(&mut self, log: Vec<Logged>) {
        self.warnings.extend(log.into_iter().filter(|logged| logged.level == Level::WARN));
    }
}

impl World {
    /// Takes down that something must not be as it is, or by what it is excused.
    pub(crate) fn violated(&self, violation: impl Into<Violation>) {
        let violation = violation.into();
        let ledger = &mut self.state().ledger;
        if violation.excuses.is_empty() {
            self.story.line(format!("VIOLATION: {}", violation.what));
            ledger.violations.push(violation.what);
        } else {
            self.story.line(format!("excused by {:?}: {}", violation.excuses, violation.what));
            ledger.excused.extend(violation.needs());
        }
    }
}

/// After a call to AWS: nothing that is not provably ours was touched.
pub(crate) fn judge_call(world: &World, caller: &Caller, call: &Call, answer: &Answer, heard: Heard) {
    let (verdict, of_records) = {
        let State { iam, stores, ledger, .. } = &mut *world.state();
        if let (Some(operation), Ok(body), Heard::Yes) = (caller.operation, answer, heard) {
            let told = ids(body).into_iter().map(|id| (caller.invocation, id));
            ledger.operations[operation].told.extend(told);
        }
        if let ("CreateAccessKey", Ok(body)) = (&*call.operation, answer) {
            ledger.made_in.extend(ids(body).into_iter().map(|id| (id, caller.invocation)));
            if heard == Heard::Yes {
                ledger.known.extend(ids(body));
            }
        }
        let is_over = |operation: usize| {
            let operation = &ledger.operations[operation];
            operation.is_over || operation.answered.contains(&caller.invocation)
        };
        let is_own = |id: &String| ledger.made_in.get(id) == Some(&caller.invocation);
        if call.operation == "DeleteAccessKey" {
            let taken_back: Vec<_> = ids(&call.told()).into_iter().filter(is_own).collect();
            ledger.taken_back.extend(taken_back);
        }
        let is_late = heard == Heard::GivenUp || caller.operation.is_some_and(is_over);
        let is_read = ["Describe", "Get", "List"].iter().any(|read| call.operation.starts_with(read));
        if is_late && !is_read && answer.is_ok() && call.operation != "CreateAccessKey" {
            ledger.haunted.extend(ids(&call.told()));
        }
        ledger.records.note(caller, call, answer);
        let of_records = record::judge_call(world.plan.tokens, iam, stores, ledger, caller, call, answer);
        let verdict = match answer {
            Err(refusal) if ["Bug", "InvalidAction", "UnknownOperationException"].contains(&refusal.code) => {
                Some(format!("{}: {}", refusal.code, refusal.message))
            }
            Err(refusal) if refusal.code == "ValidationError" => {
                Some(format!("{} acts on the caller's own keys: {}", call.operation, refusal.message))
            }
            Err(_) => None,
            Ok(_) => touched(iam, ledger, caller, call),
        };
        (verdict, of_records)
    };
    for violation in verdict.map(Violation::from).into_iter().chain(of_records) {
        world.violated(violation);
    }
}

fn touched(iam: &Iam, ledger: &Ledger, caller: &Caller, call: &Call) -> Option<String> {
    if call.secret().is_some_and(|name| operation_in(name).is_some()) {
        return None;
    }
    let id = match (&*call.operation, &call.input) {
        ("CreateAccessKey" | "CreateSecret", _) if caller.action == Action::Create => return None,
        ("UpdateAccessKey" | "DeleteAccessKey", Input::Iam(form)) => {
            form.iter().find(|(name, _)| name == "AccessKeyId").map(|(_, id)| id.clone())
        }
        ("TagUser", Input::Iam(form)) => {
            form.iter().find(|(name, _)| name == "Tags.member.1.Key").map(|(_, key)| key.clone())
        }
        ("UntagUser", Input::Iam(form)) => {
            form.iter().find(|(name, _)| name == "TagKeys.member.1").map(|(_, key)| key.clone())
        }
        ("CreateAccessKey" | "CreateSecret", _) => None,
        (operation, Input::SecretsManager(input)) if !["GetSecretValue", "DescribeSecret"].contains(&operation) => {
            ids(&input.to_string()).pop()
        }
        _ => return None,
    };
    let operation = caller.operation.map(|operation| &ledger.operations[operation]);
    let made_by = |key: &Key| match key.maker {
        Maker::Person => None,
        Maker::Operation(operation) => Some(&ledger.operations[operation].resource),
    };
    let key = id.as_deref().and_then(|id| iam.key(id));
    let is_ours = match caller.action {
        Action::Create => key.is_some_and(|key| caller.operation.map(Maker::Operation) == Some(key.maker)),
        Action::Update | Action::Delete => {
            let is_the_resources = |key| made_by(key) == operation.map(|operation| &operation.resource);
            id.is_some() && id == caller.key && key.is_none_or(is_the_resources)
        }
        Action::Read | Action::List => false,
    };
    if is_ours {
        return None;
    }
    let maker = key.map(|key| match made_by(key) {
        None => "a person".to_owned(),
        Some(resource) => format!("{resource}, {:?}", key.maker),
    });
    Some(format!(
        "1: {} of {}, which {} made, by a {} of {}",
        call.operation,
        id.unwrap_or_default(),
        maker.unwrap_or_else(|| "nobody".to_owned()),
        caller.action,
        operation.map_or("nothing", |operation| &operation.resource),
    ))
}

/// After an event: it fits the protocol, holds no secret, and says nothing that is not so.
pub(crate) fn judge_event(
    world: &World,
    caller: &Caller,
    user: &str,
    started: Duration,
    event: &ProgressEvent,
    told: &Told,
) {
    let mut violations = protocol(caller.action, event);
    let log = world.story.take_log();
    {
        let State { iam, ledger, .. } = &mut *world.state();
        if let Some(id) = left_without_its_id(iam, ledger, caller, event) {
            let what = format!("2: CREATE knows that it leaves {id}, and does not answer with it");
            violations.push(what.into());
        }
        let shown = shown(caller.action, event, &log);
        ledger.keep_warnings(log);
        ledger.told.extend(caller.operation.map(|operation| (operation, told.clone())));
        if iam.keys.iter().any(|key| shown.contains(&key.secret)) {
            violations.push("8: a secret is where it must not be".into());
        }
        if told.is_late {
            violations.push(format!("7: {} has begun what it has no time to take back", caller.action).into());
        }
        if event.error_code == Some(HandlerErrorCode::ServiceLimitExceeded) && !iam.was_full(user, started) {
            violations.push(format!("6: the quota of {user} was never full during this call").into());
        }
        // What nobody can decrypt is no reason to fail, but for a CREATE, which reads what it has stored.
        let (is_calm, is_hidden) = match caller.action {
            Action::Create | Action::Update => (world.plan.is_calm() && caller.operation.is_some(), false),
            Action::Delete => (world.plan.is_calm_but_for_kms() && caller.operation.is_some(), false),
            Action::Read | Action::List => {
                let is_resource = |id: &&String| ledger.resources.values().any(|resource| resource.id == **id);
                let key = caller.key.as_ref().filter(is_resource).and_then(|id| iam.key(id));
                // What neither of two replicas shows for seconds, nobody can tell from what is not there.
                let is_young = |key: &Key| world.now() < key.created + LONGEST_DELAY;
                let is_hidden = world.plan.lag == Lag::Flapping && key.is_some_and(is_young);
                (world.plan.is_calm_but_for_kms() && key.is_some_and(Key::is_live), is_hidden)
            }
        };
        let is_full = event.error_code == Some(HandlerErrorCode::ServiceLimitExceeded);
        let is_retried = event.error_code.is_some_and(HandlerErrorCode::is_retriable);
        if is_calm && event.status == OperationStatus::Failed && !is_full && !is_retried {
            let violation = Violation::from(format!("7a: {} fails although nothing is wrong", caller.action));
            violations
                .push(violation.unless([(Excuse::UserGone, !iam.has_user(user)), (Excuse::ReplicasFlap, is_hidden)]));
        }
    }
    for violation in violations {
        world.violated(violation);
    }
}

/// After an event that CloudFormation was still waiting for: it is the truth.
pub(crate) fn judge_heard(world: &World, caller: &Caller, event: &ProgressEvent, told: &Told) {
    let succeeded = event.status == OperationStatus::Success;
    let violations = {
        let State { iam, stores, ledger, .. } = &*world.state();
        let model = event.resource_model.as_ref().and_then(|model| model.id.as_deref());
        let key = caller.key.as_deref().or(model).and_then(|id| iam.key(id));
        let violation = match caller.action {
            Action::Create if succeeded => {
                let its = key.filter(|key| caller.operation.map(Maker::Operation) == Some(key.maker));
                match its {
                    None => Some("3: CREATE answers with a key that it did not make".into()),
                    Some(key) if key.is_live() => None,
                    Some(key) => {
                        let violation = Violation::from("3a: CREATE answers with a key that is gone");
                        Some(violation.unless([(Excuse::Person, key.touched)]))
                    }
                }
            }
            Action::Update if succeeded && key.is_some_and(|key| invents_its_description(iam, key, event)) => {
                Some("3: UPDATE answers with a description that was never written".into())
            }
            Action::Delete if succeeded || event.error_code == Some(HandlerErrorCode::NotFound) => {
                let lives = key.is_some_and(Key::is_live);
                lives.then(|| "3: DELETE says that the key is gone, and it lives".into())
            }
            _ => None,
        };
        let of_records = record::judge_heard(iam, stores, ledger, caller, event, told);
        violation.into_iter().chain(of_records).collect::<Vec<_>>()
    };
    for violation in violations {
        world.violated(violation);
    }
}

/// Whether the event has a description that no tag of the user ever had. What an UPDATE did not change, it may read late.
fn invents_its_description(iam: &Iam, key: &Key, event: &ProgressEvent) -> bool {
    let said = event.resource_model.as_ref().and_then(|model| model.wanted_description());
    let mut tags = iam.tags.iter().filter(|((_, tag), _)| *tag == key.id);
    said.is_some_and(|said| !tags.any(|(_, tag)| tag.was(|value| value == said)))
}

/// The key that this CREATE has made, and of which it was told or has proof, for it tried to delete it, if it lives although
/// the CREATE failed, and the event does not carry its id: then no rollback of a stack deletes it.
fn left_without_its_id<'a>(iam: &'a Iam, ledger: &Ledger, caller: &Caller, event: &ProgressEvent) -> Option<&'a str> {
    let answered = event.resource_model.as_ref().and_then(|model| model.id.as_deref());
    let is_left = |key: &&Key| {
        let is_own = ledger.made_in.get(&key.id) == Some(&caller.invocation);
        let is_known = ledger.known.contains(&key.id) || ledger.taken_back.contains(&key.id);
        is_own && is_known && key.is_live() && answered != Some(key.id.as_str())
    };
    let is_failed_create = caller.action == Action::Create && event.status == OperationStatus::Failed;
    iam.keys.iter().find(is_left).filter(|_| is_failed_create).map(|key| key.id.as_str())
}

/// What CloudFormation or a log keeps of an event.
fn shown(action: Action, event: &ProgressEvent, log: &[Logged]) -> String {
    let may_hold_secret = event.status == OperationStatus::Success && action != Action::List;
    let model = event.resource_model.as_ref().filter(|_| !may_hold_secret);
    let event = json!([event.message, event.callback_context, event.next_token, model, event.resource_models]);
    let log: Vec<_> = log.iter().map(ToString::to_string).collect();
    format!("{event} {}", log.join(" "))
}

fn protocol(action: Action, event: &ProgressEvent) -> Vec<Violation> {
    use OperationStatus::{Failed, InProgress, Success};
    let model = event.resource_model.as_ref();
    let has_secret = |model: &AccessKey| {
        let secrets = [&model.secret_access_key, &model.ses_smtp_password_v4];
        secrets.into_iter().flatten().any(|secret| !secret.expose().is_empty())
    };
    let rules = [
        (event.status != Success && model.is_some_and(has_secret), "a model that is kept carries a secret"),
        (event.status == Success && event.error_code.is_some(), "SUCCESS carries an error code"),
        (event.status == Failed && event.error_code.is_none(), "FAILED carries no error code"),
        (event.status == Failed && message(event).is_empty(), "FAILED carries no message"),
        (event.status == Failed && event.callback_delay_seconds.is_some(), "FAILED carries a delay"),
        (event.status == Failed && event.resource_models.is_some(), "FAILED carries resourceModels"),
        (message(event).chars().count() > 2048, "the message is longer than 2,048 characters"),
        (
            event.status == InProgress && matches!(action, Action::Read | Action::List),
            "READ or LIST answers IN_PROGRESS",
        ),
        (event.status == InProgress && model.is_none_or(|model| model.id.is_none()), "IN_PROGRESS without an Id"),
        (
            event.status == Success && action == Action::Delete && model.is_some(),
            "the SUCCESS of a DELETE carries a model",
        ),
        (
            event.status == Success && action == Action::List && event.resource_models.is_none(),
            "the SUCCESS of a LIST carries no resourceModels",
        ),
        (
            event.status == Success
                && !matches!(action, Action::Delete | Action::List)
                && model.is_none_or(|model| model.id.is_none()),
            "SUCCESS without an Id",
        ),
        (
            event.status == Success && model.is_some_and(|model| *model != model.clone().answered()),
            "the model of a SUCCESS lacks a read-only property",
        ),
    ];
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, rule)| format!("8: {rule}").into()).collect()
}

/// When everything has come to rest: nothing is lost.
pub(crate) fn judge_life(world: &World) {
    world.state().ledger.keep_warnings(world.story.take_log());
    let mut violations = vec![];
    {
        let State { iam, stores, ledger, .. } = &*world.state();
        violations.extend(record::judge_life(world.plan.tokens, iam, stores, ledger));
        for key in iam.keys.iter().filter(|key| key.is_live()) {
            let Maker::Operation(operation) = key.maker else { continue };
            let id = &key.id;
            let is_resource = ledger.resources.values().any(|resource| resource.id == *id);
            if !is_resource && !record::is_accounted_for(stores, ledger, operation, id) {
                let maker = &ledger.operations[operation];
                let has_no_token = world.plan.tokens == Tokens::None;
                let violation = Violation::from(format!("2: key {id} of {} lives, and nobody is told", maker.resource));
                violations.push(violation.unless([
                    (Excuse::NoToken, has_no_token && (maker.says.lists || ledger.is_unanswered(operation, id))),
                    (Excuse::NotTold, maker.says.lists && !maker.was_last_told_of(id)),
                ]));
            }
        }
        for (name, Resource { id, region, secret }) in &ledger.resources {
            let Some(key) = iam.key(id) else { continue };
            if !key.is_live() {
                let violation = Violation::from(format!("4a: {name} is a resource, and its key {id} is gone"));
                violations.push(violation.unless([(Excuse::Person, key.touched)]));
            }
            let stored = stores.get(region).and_then(|store| store.secrets.get(secret));
            let was_touched = stored.is_some_and(|secret| secret.was(|state| state.touched));
            let keeps = |string: &str| {
                let value: Value = serde_json::from_str(string).unwrap_or_default();
                value["SecretAccessKey"] == *key.secret && value["AccessKeyId"] == **id
            };
            if !stored.and_then(|secret| secret.truth()).is_some_and(|state| keeps(&state.string)) {
                let what = format!("4b: {name} is a resource, and its secret {secret} is not what it was");
                violations.push(Violation::from(what).unless([(Excuse::Person, was_touched)]));
            }
        }
        for (name, secret) in stores.values().flat_map(|store| &store.secrets) {
            let Some(key) = ids(name).pop().and_then(|id| iam.key(&id)) else { continue };
            if secret.truth().is_some() && !key.is_live() && !ledger.is_named(&key.id) {
                let what = format!("5: the secret {name} is kept without its key, and nobody is told");
                violations.push(Violation::from(what).unless(ledger.of_what_is_left(key)));
            }
        }
        violations.extend(of_tags(iam, stores, ledger, &world.plan));
    }
    for violation in violations {
        world.violated(violation);
    }
}

/// A description never outlives its key, unless a person is told, and no other tag is touched. While replicas flap, DELETE may not
/// learn that there is one.
fn of_tags(iam: &Iam, stores: &Stores, ledger: &Ledger, plan: &Plan) -> Vec<Violation> {
    let mut violations = vec![];
    for ((user, tag), state) in iam.tags.iter().filter(|((user, _), _)| iam.has_user(user)) {
        let value = state.truth().map(|value| &**value);
        if tag == OTHER_TAG.0 && value != Some(OTHER_TAG.1) {
            violations.push(format!("15: the tag {tag} of {user} is not what it was").into());
        }
        let Some(key) = iam.key(tag).filter(|key| value.is_some() && !key.is_live()) else { continue };
        let is_told = |operation: &Operation| operation.says.descriptions.contains(&key.id);
        let is_warned_of = |warning: &Logged| {
            warning.has("access_key_id", &key.id)
                && warning.has("message", "description of a deleted key was not removed")
        };
        let is_told = ledger.operations.iter().any(is_told) || ledger.warnings.iter().any(is_warned_of);
        if !is_told {
            let mut secrets = stores.values().flat_map(|store| &store.secrets);
            let secret = secrets.find(|(name, _)| name.ends_with(&key.id)).map(|(_, secret)| secret);
            let what = format!("15: the description of {tag} outlives its key, and nobody is told");
            let violation = Violation::from(what).unless(ledger.of_what_is_left(key));
            violations.push(violation.unless([
                (Excuse::SecretDeletedByPerson, secret.is_some_and(|secret| secret.was(|state| state.touched))),
                (Excuse::ReplicasFlap, plan.lag == Lag::Flapping),
            ]));
        }
    }
    violations
}

fn message(event: &ProgressEvent) -> &str {
    event.message.as_deref().unwrap_or_default()
}

/// The access key ids in a text. An id may hold the letters with which one begins.
pub(crate) fn ids(mut text: &str) -> Vec<String> {
    let mut ids = vec![];
    while let Some(start) = text.find("AKIA") {
        let Some(id) = text.get(start..start + 20) else { break };
        ids.push(id.to_owned());
        text = &text[start + 20..];
    }
    ids.dedup();
    ids
}
