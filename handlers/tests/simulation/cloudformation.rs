//! A model of CloudFormation: stacks, the order of their operations, and how it calls the handlers.

mod settled;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use access_key_schema::{AccessKey, Action, HandlerErrorCode, OperationStatus, ProgressEvent, Status};
use cfn_resource_runtime::handle;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    task::spawn_local,
    time::{sleep, timeout},
};

use crate::{
    aws::{
        self,
        iam::User,
        replica::{LONGEST_DELAY, Read, Replicated},
    },
    excuses::{Excuse, Violation},
    handlers::{Ask, request, services},
    invariants::{Operation, Resource, Told, judge_event, judge_heard},
    plan::{Fault, How, Lag, REACHED_PATH, StackPlan, Step, Undo},
    story::speaking_as,
    weather::Hit,
    world::{Caller, State, World},
};

/// How long CloudFormation waits for a handler that writes.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it waits for READ and LIST.
const PATIENCE_TO_READ: Duration = Duration::from_secs(30);

/// How often an operation is called again after retriable errors, and once more so often when nothing goes wrong any
/// more: lives in which CloudFormation gives up while AWS is down are not played.
const TRIES: u32 = 5;

/// How long an operation may be in progress.
const STABILIZATION: Duration = Duration::from_hours(1);

/// How often CloudFormation tries to delete what an update has replaced.
const CLEANUPS: u32 = 3;

/// One stack and its keys.
pub(crate) struct Stack {
    world: Arc<World>,
    plan: StackPlan,
    number: usize,
}

/// A resource of type `AWS::IAM::AccessKey`.
#[derive(Clone)]
struct Key {
    /// Its stack and its logical id.
    name: String,
    /// What the template declares.
    declared: Value,
    id: String,
    /// All properties, as the last event had them.
    model: Value,
}

/// What CloudFormation asks for.
struct Order<'a> {
    action: Action,
    resource: &'a str,
    desired: Value,
    previous: Option<Value>,
    /// How an UPDATE that failed is undone, if this does that.
    undo: Option<Undo>,
    /// Whether nothing goes wrong any more.
    is_calm: bool,
}

impl<'a> Order<'a> {
    fn new(action: Action, resource: &'a str, desired: Value) -> Self {
        Self { action, resource, desired, previous: None, undo: None, is_calm: false }
    }
}

impl Stack {
    pub(crate) fn new(world: &Arc<World>, number: usize) -> Self {
        Self { world: Arc::clone(world), plan: world.plan.stacks[number].clone(), number }
    }

    /// Creates the stack and does with it what its owner does.
    pub(crate) async fn live(self) {
        sleep(self.plan.starts).await;
        if self.plan.makes_user {
            self.tell("creates user");
            self.world.at_aws(|iam, _, moment| {
                let user = Replicated::made(User { path: REACHED_PATH, created: Some(moment.now) }, moment);
                iam.users.insert(self.plan.user.to_owned(), user);
            });
            let settles = self.world.state().dice.u64(500..4_000);
            sleep(Duration::from_millis(settles)).await;
        }
        let names: Vec<_> = (0..self.plan.keys).map(|key| format!("stack{}/Key{key}", self.number)).collect();
        let mut declared = json!({"UserName": self.plan.user, "Status": self.plan.status, "Serial": 1});
        if let Some(description) = self.plan.description {
            declared["Description"] = json!(description);
        }
        let created = join_all(names.iter().map(|name| self.create(name, declared.clone()))).await;
        let is_whole = created.iter().all(Result::is_ok);
        let mut keys: Vec<_> = created.into_iter().filter_map(|key| key.unwrap_or_else(|key| key)).collect();
        if !is_whole {
            self.tell("rolls back its creation");
            return self.delete(keys).await;
        }
        for step in &self.plan.steps {
            match *step {
                Step::Wait(time) => sleep(time).await,
                Step::Status(status) => self.update(&mut keys[0], json!({"Status": status})).await,
                Step::Tag(colour) => self.update(&mut keys[0], json!({"Tags": tags(colour)})).await,
                Step::StatusAndTag(status, colour) => {
                    self.update(&mut keys[0], json!({"Status": status, "Tags": tags(colour)})).await;
                }
                Step::Describe(text) => self.update(&mut keys[0], json!({"Description": text})).await,
                Step::StatusTagAndDescription(status, colour, text) => {
                    let changes = json!({"Status": status, "Tags": tags(colour), "Description": text});
                    self.update(&mut keys[0], changes).await;
                }
                Step::Rotate { rolls_back } => self.rotate(&mut keys[0], rolls_back).await,
                // Something may go wrong with these, so that what they say is not judged.
                Step::Read => drop(self.look(Action::Read, json!({"Id": keys[0].id}), None, false).await),
                Step::List => drop(self.list(false).await),
                Step::Delete => return self.delete(keys).await,
            }
        }
    }

    /// The new key; or what is left to delete of it.
    async fn create(&self, name: &str, declared: Value) -> Result<Option<Key>, Option<Key>> {
        let (event, id) = self.operate(Order::new(Action::Create, name, declared.clone())).await;
        let key = |model: Value, id: String| Key { name: name.to_owned(), declared: declared.clone(), id, model };
        match (event, id) {
            (Some(event), Some(id)) if event.status == OperationStatus::Success => {
                let model = json!(event.resource_model);
                self.world.state().ledger.succeeded.insert(id.clone());
                self.register(name, &id);
                Ok(Some(key(model, id)))
            }
            (_, id) => Err(id.map(|id| {
                let mut model = declared.clone();
                model["Id"] = json!(id);
                key(model, id)
            })),
        }
    }

    async fn update(&self, key: &mut Key, changes: Value) {
        let mut declared = key.declared.clone();
        let members = changes.as_object().into_iter().flatten();
        members.for_each(|(property, value)| declared[property] = value.clone());
        if declared == key.declared {
            return;
        }
        let event = self.change(key, declared.clone(), key.declared.clone(), None).await;
        if event.as_ref().is_some_and(|event| event.status == OperationStatus::Success) {
            key.declared = declared;
        } else {
            self.undo(key, declared).await;
        }
    }

    /// An UPDATE back to what was, after one that failed.
    async fn undo(&self, key: &mut Key, failed: Value) {
        self.tell("rolls back its update");
        let undo = self.world.plan.undo;
        let previous = if undo == Undo::Failed { failed } else { key.declared.clone() };
        let (had_nothing_to_write, are_tags_late) = (self.is_as_declared(key), self.are_tags_late(key));
        let from = self.world.state().ledger.operations.len();
        let event = self.change(key, key.declared.clone(), previous, Some(undo)).await;
        let refused: Vec<_> = self.refused(&key.name, from).into_iter().map(|(called, _)| called).collect();
        let is_tag = |called: &String| called == "TagResource" || called == "UntagResource";
        let is_unsure = are_tags_late && refused.iter().any(is_tag);
        self.judge_undone(key, event.as_ref(), had_nothing_to_write, is_unsure, &refused);
    }

    /// The calls that were refused to the operations on this resource, from this one on, and when. Whatever else befalls a call
    /// passes, so that it is no reason to fail for good.
    fn refused(&self, resource: &str, from: usize) -> Vec<(String, Duration)> {
        let State { weather, ledger, .. } = &*self.world.state();
        let is_its = |by: usize| by >= from && ledger.operations[by].resource == resource;
        let is_refused =
            |hit: &&Hit| matches!(hit.fault, Fault::Refuse | Fault::NotShown) && hit.by.is_some_and(is_its);
        weather.hits.iter().filter(is_refused).map(|hit| (hit.operation.clone(), hit.at)).collect()
    }

    async fn change(
        &self,
        key: &mut Key,
        declared: Value,
        mut previous: Value,
        undo: Option<Undo>,
    ) -> Option<ProgressEvent> {
        let mut desired = declared;
        desired["Id"] = json!(key.id);
        previous["Id"] = json!(key.id);
        let order = Order { previous: Some(previous), undo, ..Order::new(Action::Update, &key.name, desired) };
        let (event, _) = self.operate(order).await;
        let succeeded = |event: &&ProgressEvent| event.status == OperationStatus::Success;
        if let Some(model) = event.as_ref().filter(succeeded).and_then(|event| event.resource_model.as_ref()) {
            key.model = json!(model);
        }
        event
    }

    /// Whether the key's status, the tags that its secret declares and carries, and its description, are in truth what the template
    /// declares.
    fn is_as_declared(&self, key: &Key) -> bool {
        let StackPlan { region, prefix, .. } = self.plan;
        let State { iam, stores, .. } = &*self.world.state();
        let active = key.declared["Status"] == json!(Status::Active);
        let has_status = iam.key(&key.id).and_then(|key| key.state.truth()).is_none_or(|state| state.active == active);
        let secret = stores.get(region).and_then(|store| store.secrets.get(&format!("{prefix}{}", key.id)));
        let has_tags = secret.and_then(|secret| secret.truth()).is_none_or(|state| {
            let value: Value = serde_json::from_str(&state.string).unwrap_or_default();
            let declared = key.declared["Tags"].as_array().cloned().unwrap_or_default();
            let carried = declared.iter().map(|tag| (text(&tag["Key"]), text(&tag["Value"])));
            let carried: BTreeMap<_, _> = carried.chain([stack_tag(&key.name)]).collect();
            value["Tags"].as_array().cloned().unwrap_or_default() == declared
                && state.tags == carried
                && text(&value["Description"]) == text(&key.declared["Description"])
        });
        let user = iam.key(&key.id).and_then(|key| key.state.truth()).map(|state| &state.user);
        let is_described = user.is_none_or(|user| {
            iam.tag(user, &key.id).cloned().unwrap_or_default() == text(&key.declared["Description"])
        });
        has_status && has_tags && is_described
    }

    /// Whether `DescribeSecret` may show other tags than the secret carries: they were changed, or put back, just before.
    fn are_tags_late(&self, key: &Key) -> bool {
        let StackPlan { region, prefix, .. } = self.plan;
        let now = self.world.now();
        let State { stores, .. } = &*self.world.state();
        let secret = stores.get(region).and_then(|store| store.secrets.get(&format!("{prefix}{}", key.id)));
        let described = secret.and_then(|secret| secret.surely_seen(Read::DescribeSecret, now));
        secret.and_then(|secret| secret.truth()).map(|state| &state.tags) != described.map(|state| &state.tags)
    }

    /// An UPDATE that was refused has nothing to write when it is undone, so that it succeeds whatever is refused now as well;
    /// and one that came half the way is undone.
    fn judge_undone(
        &self,
        key: &Key,
        event: Option<&ProgressEvent>,
        had_nothing_to_write: bool,
        is_unsure: bool,
        refused: &[String],
    ) {
        const WRITES: [&str; 6] =
            ["UpdateAccessKey", "UpdateSecret", "TagResource", "UntagResource", "TagUser", "UntagUser"];
        let is_undone = self.is_as_declared(key);
        let id = &key.id;
        let (is_touched, is_sealed) = {
            let StackPlan { region, prefix, .. } = self.plan;
            let State { iam, stores, .. } = &*self.world.state();
            let secret = stores.get(region).and_then(|store| store.secrets.get(&format!("{prefix}{id}")));
            let is_sealed = secret.and_then(|secret| secret.truth()).is_some_and(|state| state.kms_key_is_lost);
            (iam.key(id).is_some_and(|key| key.touched), is_sealed)
        };
        let violation = match event {
            Some(event) if event.status == OperationStatus::Success && !is_undone => {
                // Without the failed properties, and without a hint, what came half the way is seen only where no read is late.
                // And nothing but a change in the template activates a key.
                let is_blind = self.world.plan.undo != Undo::Failed && !had_nothing_to_write;
                let violation = Violation::from(format!("9a: an UPDATE of {id} is undone, and is not as it was"));
                violation.unless([(Excuse::UndoneBlindly, is_blind)])
            }
            Some(event) if event.status != OperationStatus::Success => {
                let is_write = |called: &String| WRITES.contains(&&**called);
                let what = format!("9b: an UPDATE of {id} cannot be undone, and the stack is stranded");
                Violation::from(what).unless([
                    (Excuse::TagsPutBack, is_unsure),
                    (Excuse::WriteRefused, !had_nothing_to_write && refused.iter().any(is_write)),
                    (Excuse::ReadRefused, !refused.iter().all(is_write)),
                ])
            }
            _ => return,
        };
        // IAM or the store answer otherwise than before, or not at all.
        self.world.violated(
            violation
                .unless([(Excuse::Person, is_touched), (Excuse::SecretSealed, is_sealed && !had_nothing_to_write)]),
        );
    }

    /// A replacement: the new key, then the old one's deletion; or back, if something else in the stack fails.
    async fn rotate(&self, key: &mut Key, rolls_back: bool) {
        let mut declared = key.declared.clone();
        declared["Serial"] = json!(declared["Serial"].as_i64().unwrap_or_default() + 1);
        let old = key.clone();
        match self.create(&key.name, declared).await {
            Ok(Some(new)) if rolls_back => {
                self.tell("rolls back its update");
                self.clean_up(&new).await;
                self.register(&old.name, &old.id);
            }
            Ok(Some(new)) => {
                *key = new;
                self.clean_up(&old).await;
            }
            Ok(None) => {}
            Err(left) => {
                self.tell("rolls back its update");
                if let Some(left) = left {
                    self.clean_up(&left).await;
                }
            }
        }
    }

    /// Three tries, and then the key is left behind.
    async fn clean_up(&self, key: &Key) {
        self.world.state().ledger.left_behind.insert(key.id.clone());
        for _ in 0..CLEANUPS {
            if self.delete_key(key, false).await {
                return;
            }
        }
    }

    /// Deletes the stack; what fails, its owner tries again when nothing goes wrong any more.
    async fn delete(&self, keys: Vec<Key>) {
        let deleted = join_all(keys.iter().map(|key| self.delete_key(key, false))).await;
        for (key, deleted) in keys.iter().zip(deleted) {
            if !deleted {
                self.tell("is deleted again by its owner");
                sleep(self.until_calm() + Duration::from_mins(1)).await;
                if !self.delete_key(key, true).await {
                    self.judge_undeleted(key);
                }
            }
            self.unregister(key);
        }
        if self.plan.makes_user {
            self.world.at_aws(|iam, _, moment| {
                let has_keys = iam.keys_of(self.plan.user).next().is_some();
                if let Some(user) = iam.users.get_mut(self.plan.user).filter(|_| !has_keys) {
                    user.write(None, moment);
                }
            });
        }
    }

    /// Whether the key is gone.
    async fn delete_key(&self, key: &Key, is_calm: bool) -> bool {
        let by_id_alone = self.world.state().dice.u8(..4) == 0;
        let desired = if by_id_alone { json!({"Id": key.id}) } else { key.model.clone() };
        let order = Order { is_calm, ..Order::new(Action::Delete, &key.name, desired) };
        let (event, _) = self.operate(order).await;
        let is_gone = event.is_some_and(|event| {
            event.status == OperationStatus::Success || event.error_code == Some(HandlerErrorCode::NotFound)
        });
        if is_gone {
            self.world.state().ledger.left_behind.remove(&key.id);
        }
        is_gone
    }

    /// When nothing goes wrong, a deletion succeeds.
    fn judge_undeleted(&self, key: &Key) {
        let is_left = {
            let StackPlan { region, prefix, .. } = self.plan;
            let State { iam, stores, ledger, .. } = &mut *self.world.state();
            let secret = stores.get(region).and_then(|store| store.secrets.get(&format!("{prefix}{}", key.id)));
            ledger.left_behind.insert(key.id.clone());
            iam.key(&key.id).is_some_and(aws::iam::Key::is_live)
                || secret.is_some_and(|secret| secret.truth().is_some())
        };
        if is_left {
            let Key { id, name, .. } = key;
            let what = format!("7b: {name} cannot be deleted although nothing is wrong, and {id} is left");
            self.world.violated(Violation::from(what).unless([(Excuse::UserGone, !self.has_user())]));
        }
    }

    /// One operation, to its end: its last event, and the id that CloudFormation knows for the resource.
    async fn operate(&self, order: Order<'_>) -> (Option<ProgressEvent>, Option<String>) {
        let Order { action, resource, mut desired, previous, undo, mut is_calm } = order;
        let operation = {
            let ledger = &mut self.world.state().ledger;
            ledger.operations.push(Operation::new(resource.to_owned(), self.plan.user.to_owned()));
            ledger.operations.len() - 1
        };
        let started = self.world.now();
        let mut id = desired["Id"].as_str().map(ToOwned::to_owned);
        let mut callback = None;
        let mut tries = 0;
        loop {
            let (desired_now, previous, callback_now) = (desired.clone(), previous.clone(), callback.clone());
            let ask = Ask {
                action,
                desired: desired_now,
                previous,
                callback: callback_now,
                is_undone: undo == Some(Undo::OldWithHint),
            };
            let event = self.invoke(Some(operation), resource, ask, None, is_calm).await;
            let Some(event) = event else {
                tries += 1;
                if tries > 3 * TRIES {
                    self.world.state().ledger.operations[operation].ends(self.world.now().saturating_sub(started));
                    return (None, id);
                }
                continue;
            };
            if let Some(model) = &event.resource_model {
                id = model.id.clone().or(id);
            }
            let is_retried = event.error_code.is_some_and(HandlerErrorCode::is_retriable);
            if event.status == OperationStatus::InProgress {
                if self.world.now() > started + STABILIZATION {
                    self.world.violated(format!("7: {action} of {resource} does not end"));
                    return (Some(event), id);
                }
                desired = json!(event.resource_model);
                callback = event.callback_context;
                sleep(Duration::from_secs(event.callback_delay_seconds.unwrap_or_default().into())).await;
            } else if is_retried && tries < 2 * TRIES {
                tries += 1;
                if tries == TRIES {
                    sleep(self.until_calm()).await;
                    is_calm = true;
                }
                sleep(Duration::from_secs(1 << (tries % TRIES))).await;
            } else {
                self.world.state().ledger.operations[operation].ends(self.world.now().saturating_sub(started));
                let says = self.world.state().ledger.operations[operation].says.clone();
                let says_what_to_do = id.as_deref().is_some_and(|id| says.names(id));
                if is_retried && !says_what_to_do {
                    self.world.violated(format!("7: {action} of {resource} fails again and again"));
                }
                self.expect(action, started, &event, id.as_deref());
                self.judge_agreement(operation, action, undo, &event, id.as_deref()).await;
                return (Some(event), id);
            }
        }
    }

    /// After a SUCCESS, READ by the id alone says the same at once, and LIST does not name what is gone.
    async fn judge_agreement(
        &self,
        operation: usize,
        action: Action,
        undo: Option<Undo>,
        event: &ProgressEvent,
        id: Option<&str>,
    ) {
        let Some(id) = id.filter(|_| event.status == OperationStatus::Success) else { return };
        let excuses = {
            let (is_a_person_at_work, were_tags_refused) =
                (self.is_a_person_at_work(), self.were_tags_refused(operation));
            let ledger = &self.world.state().ledger;
            [
                (Excuse::ReplicasFlap, self.world.plan.lag == Lag::Flapping),
                (Excuse::PersonAtWork, is_a_person_at_work),
                (Excuse::NeverShown, action == Action::Delete && !ledger.succeeded.contains(id)),
                (Excuse::SecretUnread, lacks_its_secret(event)),
                (Excuse::TagsRefused, action != Action::Delete && were_tags_refused),
                // By these it changes no status, while what the failed one wrote may still be on its way.
                (Excuse::UndoneBlindly, matches!(undo, Some(Undo::Old | Undo::OldWithHint))),
            ]
        };
        // A look takes seconds, after which less is excused: every other life goes on at once.
        if excuses.iter().any(|(_, holds)| *holds) && self.world.plan.dice % 2 == 1 {
            return;
        }
        let read = self.look(Action::Read, json!({"Id": id}), None, true).await;
        let mut violations = vec![];
        if action == Action::Delete {
            let what = format!("3c: DELETE of {id} succeeds, and READ still finds it");
            violations.extend(self.still_found(read.as_ref(), what));
            if self.list(true).await.iter().any(|key| key.id.as_deref() == Some(id)) {
                violations.push(format!("3d: DELETE of {id} succeeds, and LIST still names it").into());
            }
        } else if read.and_then(|read| read.resource_model) != event.resource_model {
            violations.push(format!("3b: {action} of {id} succeeds, and READ does not say the same").into());
        }
        for violation in violations {
            self.world.violated(violation.unless(excuses));
        }
    }

    /// What is wrong where READ does not say that the key is gone.
    fn still_found(&self, read: Option<&ProgressEvent>, what: String) -> Option<Violation> {
        let code = read.and_then(|read| read.error_code);
        // Of a user who was just deleted, IAM may say no more, and call one new who is seconds old.
        let says_no_more = matches!(code, Some(HandlerErrorCode::AccessDenied | HandlerErrorCode::ResourceConflict));
        let excuse = (Excuse::UserGone, says_no_more && !self.has_user());
        (code != Some(HandlerErrorCode::NotFound)).then(|| Violation::from(what).unless([excuse]))
    }

    fn has_user(&self) -> bool {
        self.world.state().iam.has_user(self.plan.user)
    }

    /// Whether a person is about to do something, or IAM and the store do not show it everywhere yet.
    fn is_a_person_at_work(&self) -> bool {
        let now = self.world.now();
        let due = self.world.plan.deeds.iter().filter(|deed| deed.at <= now + PATIENCE_TO_READ).count();
        let State { ledger, .. } = &*self.world.state();
        ledger.deeds.len() < due || ledger.deeds.iter().any(|done| now < *done + LONGEST_DELAY)
    }

    /// Whether IAM has refused to show the tags of a user who is not new. The handlers take that for the role's rights, although
    /// the next call may be allowed.
    fn were_tags_refused(&self, operation: usize) -> bool {
        let resource = self.world.state().ledger.operations[operation].resource.clone();
        let is_new = |at: Duration| self.world.state().iam.is_new(self.plan.user, at);
        self.refused(&resource, operation).iter().any(|(called, at)| called == "ListUserTags" && !is_new(*at))
    }

    /// All pages of a LIST.
    async fn list(&self, is_calm: bool) -> Vec<AccessKey> {
        let (mut keys, mut token) = (vec![], None);
        for _ in 0..20 {
            let Some(page) = self.look(Action::List, json!({}), token, is_calm).await else { break };
            keys.extend(page.resource_models.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        keys
    }

    /// READ or LIST.
    async fn look(
        &self,
        action: Action,
        desired: Value,
        token: Option<String>,
        is_calm: bool,
    ) -> Option<ProgressEvent> {
        let ask = Ask { action, desired, previous: None, callback: None, is_undone: false };
        self.invoke(None, "nothing", ask, token, is_calm).await
    }

    /// One invocation: its event, unless it is interrupted.
    async fn invoke(
        &self,
        operation: Option<usize>,
        resource: &str,
        ask: Ask,
        token: Option<String>,
        is_calm: bool,
    ) -> Option<ProgressEvent> {
        let world = Arc::clone(&self.world);
        let invocation = {
            let ledger = &mut world.state().ledger;
            ledger.invocations += u32::from(operation.is_some());
            ledger.invocations
        };
        let is_interruptible = !is_calm && operation.is_some();
        let interruption = world.plan.interruptions.iter().copied();
        let interruption = interruption.into_iter().find(|each| is_interruptible && each.invocation == invocation);
        let caller = Caller {
            invocation,
            is_calm,
            operation,
            action: ask.action,
            key: ask.desired["Id"].as_str().map(ToOwned::to_owned),
            region: self.plan.region,
            prefix: self.plan.prefix,
        };
        let callback = if ask.callback.is_some() { " again" } else { "" };
        let key = caller.key.as_deref().unwrap_or_default();
        let name = caller.name();
        world.story.line(format!("{name} {}{callback} {resource} {key}", ask.action));
        let services = services(&world, &caller);
        let request = request(&self.plan, resource, operation, world.plan.tokens, ask, token);
        let user = self.plan.user;
        let started = world.now();
        let answering = {
            let (world, caller, name) = (Arc::clone(&world), caller.clone(), name.clone());
            async move {
                let (event, told) = if request.action == Action::Create {
                    let outcome = services.try_to_create(&request).await;
                    let told = Told::by(&outcome);
                    (services.tell(&request, outcome), told)
                } else {
                    (handle(&services, &request, services.deadline).await, Told::default())
                };
                let event = event.unwrap_or_else(ProgressEvent::from);
                world.story.line(format!("{name} {}", in_words(&event)));
                judge_event(&world, &caller, user, started, &event, &told);
                (event, told)
            }
        };
        let mut running = spawn_local(speaking_as(operation, answering));
        let limit = if matches!(caller.action, Action::Read | Action::List) { PATIENCE_TO_READ } else { PATIENCE };
        let patience = interruption.map_or(limit, |interruption| interruption.after);
        let interrupted = match timeout(patience, &mut running).await {
            Ok(Ok((event, told))) => {
                judge_heard(&world, &caller, &event, &told);
                if let Some(operation) = operation {
                    let operation = &mut world.state().ledger.operations[operation];
                    operation.answered.insert(invocation);
                    (operation.last, operation.says) = (Some(event.clone()), told);
                }
                return Some(event);
            }
            Ok(Err(_)) => {
                world.violated("8: the handler panics");
                return None;
            }
            Err(_) => interruption.map(|interruption| interruption.how),
        };
        let Some(interrupted) = interrupted else {
            running.abort();
            world.violated(format!("7: {} does not answer in time", caller.action));
            return None;
        };
        world.story.line(format!("{name} {interrupted:?}"));
        world.state().weather.interrupted.insert(invocation);
        if interrupted != How::Abandoned {
            world.state().ledger.ended.insert(invocation);
        }
        match interrupted {
            How::Killed => running.abort(),
            How::Vanished => {
                running.abort();
                sleep(PATIENCE.saturating_sub(patience)).await;
            }
            How::Abandoned => {
                *world.state().ledger.abandoned.entry(resource.to_owned()).or_default() += 1;
                let resource = resource.to_owned();
                spawn_local(async move {
                    let _ = running.await;
                    *world.state().ledger.abandoned.entry(resource).or_default() -= 1;
                });
            }
        }
        None
    }

    fn until_calm(&self) -> Duration {
        self.world.plan.calm_from().saturating_sub(self.world.now())
    }

    fn register(&self, name: &str, id: &str) {
        let StackPlan { region, prefix, .. } = self.plan;
        let resource = Resource { id: id.to_owned(), region, secret: format!("{prefix}{id}") };
        self.world.state().ledger.resources.insert(name.to_owned(), resource);
    }

    fn unregister(&self, key: &Key) {
        self.world.state().ledger.resources.remove(&key.name);
    }

    fn tell(&self, what: &str) {
        self.world.story.line(format!("stack{} {what} {}", self.number, self.plan.user));
    }
}

/// Tags of which one changes with the colour, one comes and one goes.
fn tags(colour: &str) -> Value {
    json!([{"Key": "colour", "Value": colour}, {"Key": colour, "Value": "yes"}])
}

/// The tag of the stack that a resource is in.
pub(crate) fn stack_tag(resource: &str) -> (String, String) {
    let name = resource.split('/').next().unwrap_or_default();
    ("stack".to_owned(), name.to_owned())
}

/// Whether the key that is answered comes without its secret, which could not be read. A READ later may do so.
fn lacks_its_secret(event: &ProgressEvent) -> bool {
    let secret = |model: &AccessKey| model.secret_access_key.as_ref().is_some_and(|secret| !secret.expose().is_empty());
    event.resource_model.as_ref().is_some_and(|model| !secret(model))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An event in words, without a secret.
fn in_words(event: &ProgressEvent) -> String {
    let id = event.resource_model.as_ref().and_then(|model| model.id.clone()).unwrap_or_default();
    let code = event.error_code.map(|code| code.to_string()).unwrap_or_default();
    let listed = event.resource_models.as_ref().map(|models| format!("{} keys", models.len())).unwrap_or_default();
    let message = event.message.as_deref().unwrap_or_default();
    let words = [format!("{:?}", event.status), id, code, listed, message.to_owned()];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
