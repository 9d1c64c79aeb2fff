//! What must hold of the records that a CREATE keeps of what it is about to do, and of keys because of them.

use std::collections::BTreeMap;

use access_key_schema::{Action, HandlerErrorCode, OperationStatus, ProgressEvent};
use serde_json::Value;

use super::{Ledger, Told};
use crate::{
    aws::{
        Answer,
        iam::{Iam, Key},
        secrets_manager::SecretState,
        wire::{Call, Input},
    },
    excuses::{Excuse, Violation},
    plan::Tokens,
    record::{Record, operation_in},
    world::{Caller, Maker, Stores, epoch_seconds},
};

/// How many seconds before its record says so a key may have been created, by another clock.
const CLOCKS_DIFFER: u64 = 10;

/// Who made which record.
#[derive(Debug, Default)]
pub(super) struct Makers {
    /// The operation, by its part of a record's name.
    operations: BTreeMap<String, usize>,
    /// The invocation, by the record's region and name.
    invocations: BTreeMap<(&'static str, String), u32>,
}

impl Makers {
    /// Takes down who makes a record.
    pub(super) fn note(&mut self, caller: &Caller, call: &Call, answer: &Answer) {
        let Some((name, its)) = record_of(call) else { return };
        let (Some(operation), "CreateSecret", Ok(_)) = (caller.operation, &*call.operation, answer) else { return };
        self.operations.entry(its.to_owned()).or_insert(operation);
        self.invocations.insert((caller.region, name.to_owned()), caller.invocation);
    }
}

impl Makers {
    /// The operation whose record this is; `None`: it is no record, or nobody's yet.
    fn operation(&self, name: &str) -> Option<usize> {
        self.operations.get(operation_in(name)?).copied()
    }
}

/// The name of the record that the call is about, and its operation's part of it.
fn record_of(call: &Call) -> Option<(&str, &str)> {
    let name = call.secret()?;
    Some((name, operation_in(name)?))
}

/// The records of an operation that are there in truth, over or not, with their names.
fn records<'a>(
    stores: &'a Stores,
    ledger: &'a Ledger,
    operation: usize,
) -> impl Iterator<Item = (&'a str, &'a SecretState)> {
    let secrets = stores.values().flat_map(|store| &store.secrets);
    let its = secrets.filter(move |(name, _)| ledger.records.operation(name) == Some(operation));
    its.filter_map(|(name, secret)| Some((&**name, secret.truth()?)))
}

fn read(state: &SecretState) -> Option<Record> {
    Record::read(state.description.as_deref()?)
}

/// At a call: it keeps to its own records, and touches no key without them.
pub(super) fn judge_call(
    tokens: Tokens,
    iam: &Iam,
    stores: &Stores,
    ledger: &Ledger,
    caller: &Caller,
    call: &Call,
    answer: &Answer,
) -> Vec<Violation> {
    let Caller { action, .. } = caller;
    let form = |wanted: &str| match &call.input {
        Input::Iam(form) => form.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value),
        Input::SecretsManager(_) => None,
    };
    let key = form("AccessKeyId").and_then(|id| iam.key(id));
    let mut violations: Vec<Violation> = vec![];
    if call.operation == "CreateAccessKey" && tokens != Tokens::None && !holds(stores, ledger, caller) {
        violations.push("13: CreateAccessKey without a record that this invocation made".into());
    }
    if (&*call.operation, *action) == ("UpdateAccessKey", Action::Create)
        && form("Status") == Some("Active")
        && answer.is_ok()
        && let Some(key) = key
        && key.state.before().is_some_and(|state| !state.active)
    {
        violations.push(format!("14: CREATE activates {}, which somebody has deactivated", key.id).into());
    }
    if (&*call.operation, *action) == ("DeleteAccessKey", Action::Create)
        && let Some(key) = key
        && !has_proof(stores, ledger, caller, key)
    {
        violations.push(format!("10: CREATE deletes {} without proof that it is its own", key.id).into());
    }
    if let (Some((name, _)), Input::SecretsManager(input)) = (record_of(call), &call.input) {
        let maker = ledger.records.operation(name);
        if *action != Action::Create || maker.is_some() && maker != caller.operation {
            let what = format!("11: {} of the record {name} by {action}, which is not its operation's", call.operation);
            violations.push(what.into());
        }
        if input["SecretString"] != Value::Null || input["SecretBinary"] != Value::Null {
            violations.push("11: a record holds a value".into());
        }
        if input["Description"].as_str().is_some_and(|description| Record::read(description).is_none()) {
            violations.push("11: what a record says cannot be read".into());
        }
    }
    violations
}

/// Whether the invocation holds an open record that it made itself.
fn holds(stores: &Stores, ledger: &Ledger, caller: &Caller) -> bool {
    let is_callers = |name: &str| {
        ledger
            .records
            .invocations
            .get(&(caller.region, name.to_owned()))
            .is_some_and(|maker| *maker == caller.invocation)
    };
    let Some(operation) = caller.operation else { return false };
    records(stores, ledger, operation).any(|(name, state)| is_callers(name) && state.scheduled.is_none())
}

/// Whether the key is proven to be the operation's: its id came in the answer of this invocation's own call, stands in one of
/// the operation's records, or a secret of it is stored.
fn has_proof(stores: &Stores, ledger: &Ledger, caller: &Caller, key: &Key) -> bool {
    let Key { id, maker, .. } = key;
    let was_told = ledger.made_in.get(id) == Some(&caller.invocation) && ledger.known.contains(id);
    let Some(store) = stores.get(caller.region) else { return was_told };
    let is_stored = store.secrets.contains_key(&format!("{}{id}", caller.prefix));
    let is_its = |name: &str| caller.operation.is_some() && ledger.records.operation(name) == caller.operation;
    let mut recorded = store.secrets.iter().filter(|(name, _)| is_its(name));
    let names_it = |state: &SecretState| read(state).is_some_and(|record| record.access_key_id.as_ref() == Some(id));
    was_told
        || is_stored && caller.operation.map(Maker::Operation) == Some(*maker)
        || recorded.any(|(_, it)| it.was(names_it))
}

/// After an answer that is the last one: if its record is in doubt, it names the keys that the operation may have made besides. A
/// failure may say how to list them instead.
pub(super) fn judge_heard(
    iam: &Iam,
    stores: &Stores,
    ledger: &Ledger,
    caller: &Caller,
    event: &ProgressEvent,
    told: &Told,
) -> Vec<Violation> {
    let is_last = is_last(event) && caller.action == Action::Create;
    let Some(operation) = caller.operation.filter(|_| is_last) else { return vec![] };
    if event.status == OperationStatus::Failed && told.lists {
        return vec![];
    }
    let doubts = records(stores, ledger, operation).filter_map(|(_, state)| read(state)?.doubt);
    let Some(since) = doubts.min() else { return vec![] };
    let id = event.resource_model.as_ref().and_then(|model| model.id.as_ref());
    let is_doubtful = |key: &&Key| {
        key.maker == Maker::Operation(operation)
            && key.is_live()
            && Some(&key.id) != id
            && epoch_seconds(key.created) + CLOCKS_DIFFER >= since / 1_000
    };
    let unnamed = iam.keys.iter().filter(is_doubtful).filter(|key| !told.keys.contains(&key.id));
    unnamed.map(|key| format!("11: CREATE ends in doubt about {}, and does not name it", key.id).into()).collect()
}

/// Whether `CloudFormation` does not call again.
fn is_last(event: &ProgressEvent) -> bool {
    event.status != OperationStatus::InProgress && !event.error_code.is_some_and(HandlerErrorCode::is_retriable)
}

/// Whether it can be found out of a key that is nobody's that it is there: its own operation names it, or has left a record
/// open.
pub(super) fn is_accounted_for(stores: &Stores, ledger: &Ledger, operation: usize, id: &str) -> bool {
    let maker = &ledger.operations[operation];
    ledger.left_behind.contains(id)
        || maker.names(id)
        || ledger.warns_of_key(operation, id)
        || records(stores, ledger, operation).any(|(_, state)| state.scheduled.is_none())
}

/// When everything has come to rest: what is open has no answer yet, and no operation has two keys.
pub(super) fn judge_life(tokens: Tokens, iam: &Iam, stores: &Stores, ledger: &Ledger) -> Vec<Violation> {
    let mut violations = vec![];
    for (number, operation) in ledger.operations.iter().enumerate() {
        let is_settled = operation.last.as_ref().is_some_and(is_last);
        let open = records(stores, ledger, number).filter(|(_, state)| state.scheduled.is_none());
        for (name, _) in open.filter(|_| is_settled) {
            // Who cannot read the records does not know which one is open.
            let is_told = operation.says.is_unread || ledger.warns_of_record(number, name);
            if !is_told {
                let what = format!("11: {} is done, and nobody is told that a record is open", operation.resource);
                violations.push(what.into());
            }
        }
        let is_one_more =
            |key: &&Key| key.maker == Maker::Operation(number) && key.is_live() && !operation.names(&key.id);
        if iam.keys.iter().filter(is_one_more).count() > 1 {
            let violation = Violation::from(format!("12: an operation on {} has two keys", operation.resource));
            violations.push(violation.unless([(Excuse::NoToken, tokens == Tokens::None)]));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use access_key_schema::AccessKey;
    use serde_json::json;
    use tracing::Level;

    use super::*;
    use crate::{
        invariants::Operation,
        plan::{PREFIX, Plan, REGION},
        story::Logged,
        world::{State, World},
    };

    /// A life with two operations of alice's, and what its calls break.
    struct Life(Arc<World>);

    impl Life {
        fn new() -> Self {
            let world = World::new(Plan::default());
            let operation = || Operation::new("stack0/Key0".to_owned(), "alice".to_owned());
            world.state().ledger.operations.extend([operation(), operation()]);
            Self(world)
        }

        /// A call by the invocation with this number, of the operation with the same number.
        fn call(&self, number: u32, action: Action, operation: &str, input: &Value) -> Vec<Violation> {
            let caller = caller(number, action);
            let call = Call { operation: operation.to_owned(), input: Input::SecretsManager(input.clone()) };
            let answer = self
                .0
                .at_aws(|_, stores, moment| stores.get_mut(REGION).unwrap().answer(operation, input, PREFIX, moment));
            let State { iam, stores, ledger, .. } = &mut *self.0.state();
            ledger.records.note(&caller, &call, &answer);
            judge_call(Tokens::One, iam, stores, ledger, &caller, &call, &answer)
        }

        fn create(&self, number: u32, more: &Value) -> Vec<Violation> {
            self.call(number, Action::Create, "CreateSecret", &json!({"Name": name(), "Description": described(more)}))
        }

        /// A key of the first operation, which no invocation was told of.
        fn key(&self) -> String {
            let maker = Maker::Operation(0);
            self.0.at_aws(|iam, _, moment| iam.create_access_key("alice", maker, moment).unwrap().id.clone())
        }

        fn is_proven(&self, id: &str) -> bool {
            let State { iam, stores, ledger, .. } = &*self.0.state();
            has_proof(stores, ledger, &caller(0, Action::Create), iam.key(id).unwrap())
        }

        fn is_held(&self, number: u32) -> bool {
            let State { stores, ledger, .. } = &*self.0.state();
            holds(stores, ledger, &caller(number, Action::Create))
        }

        /// What the first operation's SUCCESS breaks, and then the life that ends with it.
        fn succeed(&self, named: &[&str]) -> (Vec<Violation>, Vec<Violation>) {
            let event = ProgressEvent::success(AccessKey::default());
            let keys = named.iter().map(|id| (*id).to_owned()).collect();
            let told = Told { keys, ..Told::default() };
            let State { iam, stores, ledger, .. } = &mut *self.0.state();
            ledger.operations[0].last = Some(event.clone());
            let heard = judge_heard(iam, stores, ledger, &caller(0, Action::Create), &event, &told);
            (heard, judge_life(Tokens::One, iam, stores, ledger))
        }
    }

    fn caller(number: u32, action: Action) -> Caller {
        let operation = Some(usize::try_from(number).unwrap());
        let (region, prefix) = (REGION, PREFIX);
        Caller { invocation: number, is_calm: false, operation, action, key: None, region, prefix }
    }

    fn name() -> String {
        format!("{PREFIX}operation-{}.1", "0".repeat(64))
    }

    fn described(more: &Value) -> String {
        let mut record = json!({"Record": 1, "Attempt": "x", "Since": 1_767_225_600_000_u64});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("A sentence: {record}")
    }

    #[test]
    fn only_the_invocation_that_made_an_open_record_holds_it() {
        let life = Life::new();
        assert!(!life.is_held(0));
        assert!(life.create(0, &json!({})).is_empty());
        assert!(life.is_held(0) && !life.is_held(1));
        let closed = json!({"SecretId": name(), "RecoveryWindowInDays": 7});
        assert!(life.call(0, Action::Create, "DeleteSecret", &closed).is_empty());
        assert!(!life.is_held(0));
    }

    #[test]
    fn a_record_is_its_operations_alone_can_be_read_and_holds_no_value() {
        let life = Life::new();
        assert!(life.create(0, &json!({})).is_empty());
        let (describe, secret) = (json!({"SecretId": name()}), json!({"SecretId": name(), "SecretString": "value"}));
        let broken = |number, action, operation, input: &Value| life.call(number, action, operation, input).len();
        assert_eq!(broken(0, Action::Create, "DescribeSecret", &describe), 0);
        assert_eq!(broken(1, Action::Create, "DescribeSecret", &describe), 1);
        assert_eq!(broken(0, Action::Delete, "DescribeSecret", &describe), 1);
        assert_eq!(broken(0, Action::Create, "UpdateSecret", &secret), 1);
        let in_other_words = json!({"SecretId": name(), "Description": "my own words"});
        assert_eq!(broken(0, Action::Create, "UpdateSecret", &in_other_words), 1);
    }

    #[test]
    fn proof_is_an_answer_a_record_or_a_stored_secret() {
        let life = Life::new();
        let told = life.key();
        assert!(!life.is_proven(&told));
        life.0.state().ledger.made_in.insert(told.clone(), 0);
        assert!(!life.is_proven(&told));
        life.0.state().ledger.known.insert(told.clone());
        assert!(life.is_proven(&told));
        let recorded = life.key();
        assert!(life.create(1, &json!({"AccessKeyId": recorded})).is_empty());
        assert!(!life.is_proven(&recorded));
        let life = Life::new();
        let recorded = life.key();
        assert!(life.create(0, &json!({"AccessKeyId": recorded})).is_empty());
        assert!(life.is_proven(&recorded));
        let stored = life.key();
        assert!(!life.is_proven(&stored));
        let secret = json!({"Name": format!("{PREFIX}{stored}"), "SecretString": "value"});
        life.call(0, Action::Create, "CreateSecret", &secret);
        assert!(life.is_proven(&stored));
    }

    #[test]
    fn a_success_names_what_is_in_doubt_and_leaves_no_record_open_untold() {
        let life = Life::new();
        let id = life.key();
        assert_eq!(life.succeed(&[]), (vec![], vec![]));
        assert!(life.create(0, &json!({"Doubt": 1_767_225_600_000_u64})).is_empty());
        let (heard, at_rest) = life.succeed(&[]);
        assert_eq!((heard.len(), at_rest.len()), (1, 1), "{heard:?} {at_rest:?}");
        let warning = Logged { operation: Some(0), level: Level::WARN, fields: vec![("record", name())] };
        life.0.state().ledger.keep_warnings(vec![warning]);
        assert_eq!(life.succeed(&[&id]), (vec![], vec![]));
    }

    #[test]
    fn a_key_is_accounted_for_by_its_operations_words_or_by_an_open_record() {
        let life = Life::new();
        let id = life.key();
        let is_accounted_for = || {
            let State { stores, ledger, .. } = &*life.0.state();
            super::is_accounted_for(stores, ledger, 0, &id)
        };
        let warn = |operation| {
            let told = Told { keys: [id.clone()].into(), ..Told::default() };
            life.0.state().ledger.told.push((operation, told));
        };
        assert!(!is_accounted_for());
        warn(1);
        assert!(!is_accounted_for());
        assert!(life.create(0, &json!({})).is_empty() && is_accounted_for());
        life.call(0, Action::Create, "DeleteSecret", &json!({"SecretId": name(), "RecoveryWindowInDays": 7}));
        assert!(!is_accounted_for());
        warn(0);
        assert!(is_accounted_for());
    }
}
