"""`make mutations`: does the simulation notice when a rule of the handlers is switched off.

All rules get a switch, in a copy of the project under target/mutations, which is built once. Then each is switched off
alone: the written lives are played, and lives drawn from the first seed on, until one breaks an invariant. The table
goes to docs/simulation.md. A rule that neither finds is an error.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from surroundings import ROOT

COPY = ROOT / "target/mutations/source"
# Of its own: Cargo takes a copy's artifacts for the project's.
TARGET = ROOT / "target/mutations/target"
PAGE = ROOT / "docs/simulation.md"
BEGIN, END = "<!-- by make mutations -->\n", "<!-- end -->\n"
MISSED = "weather.missed(&world.plan)"
TIMEOUT_SECONDS = 3600
SWITCH = """
/// Whether this rule is switched off.
pub(crate) fn is_off(rule: usize) -> bool {
    std::env::var("OFF").is_ok_and(|off| off == rule.to_string())
}
"""


@dataclass(frozen=True)
class Rule:
    """A rule in plain words, where it stands in handlers/src, and the same with OFF as its switch."""

    text: str
    file: str
    before: str
    after: str


RULES = (
    Rule(
        "CreateAccessKey is sent once, never retried blindly",
        "iam.rs",
        "retry_config(RetryConfig::disabled())",
        "retry_config(if OFF { RetryConfig::standard() } else { RetryConfig::disabled() })",
    ),
    Rule(
        "CREATE starts only with enough time left to finish or to roll back",
        "create/preconditions.rs",
        "if deadline.leaves(TIME_TO_CREATE) {",
        "if OFF || deadline.leaves(TIME_TO_CREATE) {",
    ),
    Rule(
        "IAM decides whether the quota is full, not the list of keys",
        "create.rs",
        "        preconditions::refuse_lowered_serial(request, &keys?)?;",
        "        let keys = keys?;\n"
        "        if OFF && keys.len() >= crate::iam::KEYS_PER_USER {\n"
        '            return Err(HandlerError::new(HandlerErrorCode::ServiceLimitExceeded, "Two keys").into());\n'
        "        }\n"
        "        preconditions::refuse_lowered_serial(request, &keys)?;",
    ),
    Rule(
        "Only the invocation that has made the record creates a key",
        "create/record.rs",
        "if made == Made::Now {",
        "if made == Made::Now || OFF {",
    ),
    Rule(
        "… and nobody makes the next one while that invocation may be at work",
        "create/record.rs",
        "last.note.age(clock) < LEASE => return Step::Wait(last.number),",
        "!OFF && last.note.age(clock) < LEASE => return Step::Wait(last.number),",
    ),
    Rule(
        "… and somebody does when it must have ended",
        "create/record.rs",
        "Some(last) if !last.is_over &&",
        "Some(last) if OFF && !last.is_over => return Step::Wait(last.number),\n"
        "                Some(last) if !last.is_over &&",
    ),
    Rule(
        "… but never an invocation that has waited for it",
        "create/record.rs",
        "Step::Adopt(id) => self.adopt(attempts, &id).await,\n            _ =>",
        "Step::Adopt(id) => self.adopt(attempts, &id).await,\n"
        "            Step::Create(_) if OFF => {\n"
        "                let (keys, record) = (self.keys_of_user().await, self.take_over(attempts).await?);\n"
        "                Box::pin(self.create_access_key(keys, None, Some(record))).await\n"
        "            }\n"
        "            _ =>",
    ),
    Rule(
        "… nor one that a later attempt has overtaken",
        "create/record.rs",
        "self.earlier.iter().any(|record| record.note.since() > self.began)",
        "!OFF && self.earlier.iter().any(|record| record.note.since() > self.began)",
    ),
    Rule(
        "An invocation knows the record that it has made without an answer",
        "create/record.rs",
        "if record.is_same(&first) {",
        "if !OFF && record.is_same(&first) {",
    ),
    Rule(
        "… also when it takes over",
        "create/record.rs",
        "is_some_and(|there| there.is_same(&record))",
        "is_some_and(|there| !OFF && there.is_same(&record))",
    ),
    Rule(
        "The records are read to the last one",
        "create/record.rs",
        "            number += 1;\n",
        "            if OFF {\n                return Ok(attempts);\n            }\n            number += 1;\n",
    ),
    Rule(
        "A repeated CREATE goes on with the key that the record names",
        "create/record.rs",
        "(Some((record, id)), _) if record.is_over => Step::Adopt(id.clone()),",
        "(Some((record, _)), _) if OFF && record.is_over => Step::Create(record.number + 1),\n"
        "            (Some((record, id)), _) if record.is_over => Step::Adopt(id.clone()),",
    ),
    Rule(
        "… or, where the record names none, with the one whose secret is stored",
        "create.rs",
        ".find(|key| key.was_made_by(self.request))",
        ".find(|key| !OFF && key.was_made_by(self.request))",
    ),
    Rule(
        "… but with none that was rolled back, although it is shown",
        "create/record.rs",
        "if self.held.is_some() || self.doubt().is_some() =>",
        "if OFF || self.held.is_some() || self.doubt().is_some() =>",
    ),
    Rule(
        "… and of an attempt that has ended only if IAM takes a write to it",
        "create/record.rs",
        "self.lives(id).await.map_err(failed)?",
        "(OFF || self.lives(id).await.map_err(failed)?)",
    ),
    Rule(
        "A key is deleted since only if the records are old enough for it to be shown",
        "create/record.rs",
        "is_old && matches!(place,",
        "(OFF || is_old) && matches!(place,",
    ),
    Rule(
        "An attempt whose record names no key is settled under the next record",
        "create.rs",
        "if record.note.access_key_id.is_none() {",
        "if !OFF && record.note.access_key_id.is_none() {",
    ),
    Rule(
        "… which names the key when it turns out to live, and is over",
        "create/record.rs",
        "let Some(record) = attempts.held.take()",
        "let Some(record) = attempts.held.take().filter(|_| !OFF)",
    ),
    Rule(
        "… also when it can neither be gone on with nor deleted",
        "create/record.rs",
        "if settled.as_ref().is_err_and(",
        "if !OFF && settled.as_ref().is_err_and(",
    ),
    Rule(
        "The key of an attempt that ended before its secret was stored is deleted by the record",
        "create/record.rs",
        "        rollback::delete(self, id, record.note.began(), Written::ANYTHING)",
        "        if OFF {\n            return Ok(None);\n        }\n"
        "        rollback::delete(self, id, record.note.began(), Written::ANYTHING)",
    ),
    Rule(
        "A record that takes over keeps the doubt of those before it",
        "create/record.rs",
        "Record::new(number, Note::of(request, doubt, &services.clock));\n        let failed",
        "Record::new(number, Note::of(request, doubt.filter(|_| !OFF), &services.clock));\n        let failed",
    ),
    Rule(
        "… which any of them without an outcome leaves",
        "create/record.rs",
        "noted.chain(others.map(|record| record.note.since())).min()",
        "noted.chain(others.map(|record| record.note.since()).filter(|_| !OFF)).min()",
    ),
    Rule(
        "… and each of them keeps",
        "create/record.rs",
        "filter_map(|record| record.note.doubt);",
        "filter_map(|record| record.note.doubt.filter(|_| !OFF));",
    ),
    Rule(
        "… and a callback",
        "create.rs",
        "            return Ok(call_again(request, user, &context",
        "            let doubt = context.doubt.filter(|_| !OFF);\n"
        "            let context = &CallbackContext { doubt, ..context.clone() };\n"
        "            return Ok(call_again(request, user, &context",
    ),
    Rule(
        "… and a failure",
        "create/failure.rs",
        "(Doubt::None, Some(since)) =>",
        "(Doubt::None, Some(since)) if !OFF =>",
    ),
    Rule(
        "Those before it are over once it is made",
        "create/record.rs",
        "        self.close_all(attempts).await;\n        Ok(record)",
        "        if !OFF {\n            self.close_all(attempts).await;\n        }\n        Ok(record)",
    ),
    Rule(
        "… and not earlier",
        "create/record.rs",
        "        let failed = |error: HandlerError| Failure::without_record(error).doubting(doubt);\n",
        "        let failed = |error: HandlerError| Failure::without_record(error).doubting(doubt);\n"
        "        if OFF {\n            self.close_all(attempts).await;\n        }\n",
    ),
    Rule(
        "After a lost answer, the record stays open",
        "create.rs",
        "if !failure.is_outcome_unknown() {",
        "if OFF || !failure.is_outcome_unknown() {",
    ),
    Rule(
        "… and without one, CloudFormation does not call again",
        "create/failure.rs",
        "if self.is_outcome_unknown() { self.for_good() }",
        "if !OFF && self.is_outcome_unknown() { self.for_good() }",
    ),
    Rule(
        "The record names the key beside the secret that is stored",
        "create.rs",
        "Some(record) => services.secret_store.write_record(request, record).await,",
        "Some(_) if OFF => Ok(()),\n"
        "                Some(record) => services.secret_store.write_record(request, record).await,",
    ),
    Rule(
        "… and a key that it cannot name is rolled back",
        "create.rs",
        "stored.and(noted).and(status)",
        "stored.and(if OFF { Ok(()) } else { noted }).and(status)",
    ),
    Rule(
        "… and no longer when the key is rolled back",
        "create/rollback.rs",
        "let record = record.clone().naming_none();",
        "let record = if OFF { record.clone() } else { record.clone().naming_none() };",
    ),
    Rule(
        "… and stays open while it does",
        "create/rollback.rs",
        "Err(failure) if failure.code.is_retriable() =>",
        "Err(failure) if !OFF && failure.code.is_retriable() =>",
    ),
    Rule(
        "… and when the rollback leaves something",
        "create/rollback.rs",
        "            create.warn_of_open(record, &refusal);",
        "            if OFF {\n                close(create, record).await;\n            }\n"
        "            create.warn_of_open(record, &refusal);",
    ),
    Rule(
        "A record is over as soon as its outcome is known",
        "create.rs",
        "Ok(()) => services.secret_store.close_record(request, record).await,",
        "Ok(()) if OFF => Ok(()),\n            Ok(()) => services.secret_store.close_record(request, record).await,",
    ),
    Rule(
        "… and keeps its name",
        "secret_store/records.rs",
        ".recovery_window_in_days(RECOVERY_WINDOW_DAYS)",
        ".set_recovery_window_in_days((!OFF).then_some(RECOVERY_WINDOW_DAYS))\n"
        "            .set_force_delete_without_recovery(OFF.then_some(true))",
    ),
    Rule(
        "… or is told of",
        "create.rs",
        "        tracing::warn!(record = name,",
        "        if OFF {\n            return;\n        }\n        tracing::warn!(record = name,",
    ),
    Rule(
        "… also where another step fails for good",
        "create.rs",
        "            && !failure.is_retriable()\n",
        "            && !OFF\n            && !failure.is_retriable()\n",
    ),
    Rule(
        "A SUCCESS names the keys that an attempt without an answer may have made",
        "create.rs",
        "success(request, user, key, Some(stored), description)?, doubtful })",
        "success(request, user, key, Some(stored), description)?, doubtful: if OFF { vec![] } else { doubtful } })",
    ),
    Rule(
        "… and so does a failure",
        "create/doubt.rs",
        "    if !doubtful.is_empty() {",
        "    if !OFF && !doubtful.is_empty() {",
    ),
    Rule(
        "… each of the keys, where the store does not say whose they are",
        "create/doubt.rs",
        "Err(_) => (vec![], keys),",
        "Err(_) => (vec![], if OFF { vec![] } else { keys }),",
    ),
    Rule(
        "… although IAM's clock is another one",
        "create/doubt.rs",
        "created + CLOCK_SKEW * 2 >= since",
        "(if OFF { created } else { created + CLOCK_SKEW * 2 }) >= since",
    ),
    Rule(
        "… which names the key of the record that was read last",
        "create/record.rs",
        "self.earlier.iter().rev().find_map(|record| record.note.access_key_id.clone()) {",
        "self.earlier.iter().rev().find_map(|record| record.note.access_key_id.clone()).filter(|_| !OFF) {",
    ),
    Rule(
        "… which names this operation's own key, where the records cannot be read",
        "create/doubt.rs",
        "keys.into_iter().partition(|key| key.was_made_by(request));",
        "keys.into_iter().partition(|key| !OFF && key.was_made_by(request));",
    ),
    Rule(
        "… and says how to list the keys, which IAM may show late",
        "create/doubt.rs",
        "    if is_unread && !failure.lists()",
        "    if !OFF && is_unread && !failure.lists()",
    ),
    Rule(
        "… or does not tell",
        "create/doubt.rs",
        "return if failure.lists() {",
        "return if OFF || failure.lists() {",
    ),
    Rule(
        "CREATE waits until IAM shows the key",
        "create.rs",
        "listed.into_iter().partition(|key| key.id == *id);",
        "listed.into_iter().partition(|key| key.id == *id);\n"
        "        let status = request.desired.wanted_status();\n"
        "        let expected = OFF.then(|| KeyMetadata { id: id.clone(), status, created: None });\n"
        "        let own = if own.is_empty() { expected.into_iter().collect() } else { own };",
    ),
    Rule(
        "… and activates none that somebody has deactivated",
        "create.rs",
        "        // IAM creates keys Active.",
        "        let status = self.request.desired.wanted_status();\n"
        "        if OFF && visible.key.status != status {\n"
        "            let id = &context.access_key_id;\n"
        "            unless_retriable(self.services.iam.update_access_key(self.user, id, status).await)?;\n"
        "            return Ok(None);\n"
        "        }\n"
        "        // IAM creates keys Active.",
    ),
    Rule(
        "… nor when it finds out whether the key lives",
        "create.rs",
        "services.iam.update_access_key(user, id, status).await.map(|()| true)",
        "let status = if OFF { request.desired.wanted_status() } else { status };\n"
        "            services.iam.update_access_key(user, id, status).await.map(|()| true)",
    ),
    Rule(
        "A rollback deletes the key",
        "create/rollback.rs",
        "let user = match delete_and_confirm(services, create.user, &id, Some(created)).await {",
        "let deleted = if OFF { Ok(create.user.clone()) } else {\n"
        "        delete_and_confirm(services, create.user, &id, Some(created)).await\n"
        "    };\n"
        "    let user = match deleted {",
    ),
    Rule(
        "A rollback deletes the secret",
        "create/rollback.rs",
        "join!(services.secret_store.delete(&id), undescribed);",
        "join!(async { if OFF { Ok(()) } else { services.secret_store.delete(&id).await } }, undescribed);",
    ),
    Rule(
        "A rollback removes the description",
        "create/rollback.rs",
        "let is_described = written.description",
        "let is_described = !OFF && written.description",
    ),
    Rule(
        "CREATE sets the description again while IAM does not show it",
        "create.rs",
        "if is_described { Ok(true) } else {",
        "if is_described || OFF { Ok(true) } else {",
    ),
    Rule(
        "… and tells of one that may be stored although the call failed",
        "create/rollback.rs",
        "secret.err().filter(|_| written.secret)",
        "secret.err().filter(|_| !OFF && written.secret)",
    ),
    Rule(
        "A rollback that leaves something answers with the Id",
        "create/failure.rs",
        "let model = id.map(|id| Box::new(create.model_of(id)));",
        "let model = id.map(|id| Box::new(create.model_of(id))).filter(|_| !OFF);",
    ),
    Rule(
        "… and with a code that CloudFormation does not retry",
        "create/failure.rs",
        "Self { may_be_retried: false, ..self }",
        "Self { may_be_retried: OFF, ..self }",
    ),
    Rule(
        "UPDATE waits until IAM and the store show what it wrote",
        "update.rs",
        "(key.status == status || !is_written) && is_version_shown",
        "OFF || (key.status == status || !is_written) && is_version_shown",
    ),
    Rule(
        "… the very version of the secret that it wrote",
        "update.rs",
        "= version == context.secret_version.as_ref() ||",
        "= OFF || version == context.secret_version.as_ref() ||",
    ),
    Rule(
        "… or, when every read shows the truth, one that another invocation wrote over it",
        "update.rs",
        "|| is_overwritten;",
        "|| !OFF && is_overwritten;",
    ),
    Rule(
        "… and gives the store time to show the secret of a young key",
        "update.rs",
        "stored.is_some() || *is_old;",
        "OFF || stored.is_some() || *is_old;",
    ),
    Rule(
        "… and fails for no secret once it has set the status",
        "update.rs",
        "            // What passes is waited for, but not for ever.\n",
        "            Err(failure) if OFF => Err(failure),\n",
    ),
    Rule(
        "What the request changes is written, whatever a read that may be late shows",
        "secret_store/tags.rs",
        ".is_some_and(says_so)),",
        ".is_some_and(|previous| !OFF && says_so(previous))),",
    ),
    Rule(
        "… unless there is no secret any more, as a write has found",
        "update.rs",
        "if refusal.is_not_found() && self.is_secret_gone()",
        "if !OFF && refusal.is_not_found() && self.is_secret_gone()",
    ),
    Rule(
        "Tags that are refused and are there already strand no stack",
        "secret_store/tags.rs",
        "!refusal.code.is_retriable() && self.carries(",
        "!OFF && !refusal.code.is_retriable() && self.carries(",
    ),
    Rule(
        "… also where the store describes the young secret late",
        "secret_store/tags.rs",
        "Ok(None) if start.elapsed() < STABILIZE_WAIT",
        "Ok(None) if !OFF && start.elapsed() < STABILIZE_WAIT",
    ),
    Rule(
        "… nor does a status",
        "update.rs",
        "Ok((user, key)) if key.status == status => Ok(user),",
        "Ok((user, key)) if !OFF && key.status == status => Ok(user),",
    ),
    Rule(
        "… nor does a description",
        "update/describe.rs",
        "if !refusal.error.code.is_retriable() && self.is_described(user).await",
        "if !OFF && !refusal.error.code.is_retriable() && self.is_described(user).await",
    ),
    Rule(
        "What the store declares is no proof that a description was written",
        "update/describe.rs",
        "|| !self.requests_description()",
        "|| OFF || !self.requests_description()",
    ),
    Rule(
        "A description is put back when the status is refused, or when it may have been written all the same",
        "update.rs",
        "        if is_described\n            && let Err(Untagged",
        "        if !OFF\n            && is_described\n            && let Err(Untagged",
    ),
    Rule(
        "A description waits for IAM to know its user everywhere",
        "update/describe.rs",
        "if is_user_new { Ok(false) }",
        "if !OFF && is_user_new { Ok(false) }",
    ),
    Rule(
        "UPDATE waits until IAM shows the description",
        "update/describe.rs",
        "UserTag::Shown(value) => value.as_deref() == Some(wanted),",
        "UserTag::Shown(value) => OFF || value.as_deref() == Some(wanted),",
    ),
    Rule(
        "… and until the store says that there is one",
        "update/describe.rs",
        "is_noted && is_shown(tag)",
        "(OFF || is_noted) && is_shown(tag)",
    ),
    Rule(
        "A user who was renamed is found by the name that the store has",
        "update.rs",
        "&& !self.was_made_for(&user).await?",
        "&& (OFF || !self.was_made_for(&user).await?)",
    ),
    Rule(
        "DELETE waits until the key is shown nowhere",
        "delete.rs",
        "if gone { Ok(ProgressEvent::deleted()) }",
        "if gone || OFF { Ok(ProgressEvent::deleted()) }",
    ),
    Rule(
        "DELETE believes NotFound only after a while, and only of a key that is not young",
        "delete.rs",
        "Location::Nowhere if !is_young",
        "Location::Nowhere if OFF || !is_young",
    ),
    Rule(
        "DELETE removes the description",
        "delete.rs",
        "    if let Some(user) = described\n",
        "    if !OFF && let Some(user) = described\n",
    ),
    Rule(
        "… by the id alone, too, as the store says that there is one",
        "delete.rs",
        "is_declared || is_noted",
        "is_declared || !OFF && is_noted",
    ),
    Rule(
        "DELETE by the id alone asks the store for the owner, before IAM",
        "delete.rs",
        "and_then(|entry| entry.ownership)",
        "and_then(|entry| entry.ownership).filter(|_| !OFF)",
    ),
    Rule(
        "… and gives IAM time to show a key of which nothing else is known",
        "delete.rs",
        "poll(services.deadline, reason, PROPAGATION, TIME_TO_DELETE, is_known,",
        "poll(services.deadline, reason, if OFF { UNKNOWN_WAIT } else { PROPAGATION }, TIME_TO_DELETE, is_known,",
    ),
    Rule(
        "A denial that names a policy does not mean that the key is gone",
        "iam.rs",
        "|| is_of_a_policy",
        "|| (!OFF && is_of_a_policy)",
    ),
    Rule(
        "A role that is limited to a path is told NotFound, not AccessDenied, of a user who is gone",
        "iam.rs",
        "Err(missing) if missing.is_not_found() => missing,",
        "Err(missing) if !OFF && missing.is_not_found() => missing,",
    ),
    Rule(
        "… and a denial for a user who is seconds old passes",
        "iam.rs",
        "if self.clock.age(created) < PROPAGATION",
        "if !OFF && self.clock.age(created) < PROPAGATION",
    ),
    Rule(
        "A secret that cannot be decrypted stands in nobody's way",
        "secret_store.rs",
        "_ => Ok(self.describe(id).await?",
        "_ if OFF => Err(error),\n            _ => Ok(self.describe(id).await?",
    ),
    Rule(
        "A secret's replicas are removed with it",
        "secret_store.rs",
        "if regions.is_empty() {",
        "if OFF || regions.is_empty() {",
    ),
)


def switched(file: str) -> tuple[str, list[str]]:
    """Return the file with a switch at each of its rules, and the rules whose text does not stand in it once."""
    source, missing = (ROOT / "handlers/src" / file).read_text(), []
    for number, rule in enumerate(RULES, 1):
        if rule.file == file:
            if source.count(rule.before) != 1:
                missing.append(rule.text)
            source = source.replace(rule.before, rule.after.replace("OFF", f"crate::is_off({number})"))
    return source, missing


def copied() -> None:
    """Copy the project, newer than anything built from an earlier copy, with a switch at each rule."""
    shutil.rmtree(COPY, ignore_errors=True)
    ignored = shutil.ignore_patterns("target", ".git", ".venv")
    shutil.copytree(ROOT, COPY, ignore=ignored, copy_function=shutil.copyfile)
    sources = COPY / "handlers/src"
    for file in {rule.file for rule in RULES}:
        (sources / file).write_text(switched(file)[0])
    with (sources / "lib.rs").open("a") as lib:
        lib.write(SWITCH)
    # Without its rule, a life may take another course, and what is planned never happen: that says nothing of the rule.
    life = COPY / "handlers/tests/simulation/life.rs"
    life.write_text(life.read_text().replace(MISSED, f"{MISSED}.into_iter().take(0).collect::<Vec<_>>()"))


def simulation(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build the copy's simulation, and run it unless the arguments say otherwise."""
    command = ["cargo", "test", "--quiet", "--profile", "simulation", "--package", "access-key-handlers"]
    command += ["--test", "simulation", *arguments]
    env = {**os.environ, "CARGO_TARGET_DIR": str(TARGET), **environment}
    return subprocess.run(
        command,
        cwd=COPY,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=TIMEOUT_SECONDS,
    )


def written_life(number: int) -> str:
    """Return the first life of named_lives.rs that breaks something without this rule, or a dash."""
    run = simulation("--", "named_lives", OFF=str(number))
    broken = re.search(r"^ {4}named_lives::(?:\w+::)?(\w+)$", run.stdout, re.MULTILINE)
    if run.returncode and not broken:
        raise RuntimeError(run.stdout)
    return broken[1].replace("_", " ") if broken else "—"


def drawn_lives(number: int, lives: int) -> tuple[str, str]:
    """Play drawn lives without this rule, and return how many it took, and what was broken."""
    run = simulation("--", "nothing_is_lost", OFF=str(number), LIVES=str(lives), FIRST_SEED="0", SEED="")
    if run.returncode == 0:
        return f"not in {lives:,}", "—"
    seed, broken = re.search(r"SEED=(\d+),", run.stdout), re.search(r"^broken: (.+)$", run.stdout, re.MULTILINE)
    if not seed or not broken:
        raise RuntimeError(run.stdout)
    return f"{int(seed[1]) + 1:,}", re.sub(r"AKIA[A-Z0-9]{16}", "AKIA…", broken[1])


def written(rows: list[str]) -> None:
    """Put the rows into the page, between its two marks."""
    table = ["| switched off | written life | drawn lives | broken |", "| --- | --- | ---: | --- |", *rows]
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + "\n".join(table) + "\n" + END + rest.split(END)[1])


def main() -> None:
    """Try every rule, LIVES lives at most each, and write down what came of it."""
    lives = int(os.environ["LIVES"])
    copied()
    built = simulation("--no-run")
    if built.returncode:
        raise SystemExit(built.stdout)
    rows, missed = [], []
    for number, text in enumerate(["Nothing", *(rule.text for rule in RULES)]):
        life, (drawn, broken) = written_life(number), drawn_lives(number, lives)
        rows.append(f"| {text} | {life} | {drawn} | {broken} |")
        print(rows[-1], flush=True)
        if (life == broken == "—") == bool(number):
            missed.append(text)
    written(rows)
    if missed:
        raise SystemExit(f"Not found, or found although nothing is switched off: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
