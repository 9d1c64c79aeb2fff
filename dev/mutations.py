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
        "if self.make(&first).await.map_err(Failure::without_record)? {",
        "if self.make(&first).await.map_err(Failure::without_record)? || OFF {",
    ),
    Rule(
        "… and nobody makes the next one while that invocation may be at work",
        "create/record.rs",
        "last.note.age(clock) < LEASE => return Step::Wait(last.number),",
        "!OFF && last.note.age(clock) < LEASE => return Step::Wait(last.number),",
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
        ".find(|key| key.is_by(self.request))",
        ".find(|key| !OFF && key.is_by(self.request))",
    ),
    Rule(
        "The key of an attempt that ended before its secret was stored is deleted by the record",
        "create/record.rs",
        "        rollback::delete(self, &key, true)",
        "        if OFF {\n            return Ok(None);\n        }\n        rollback::delete(self, &key, true)",
    ),
    Rule(
        "A record that takes over keeps the doubt of those before it",
        "create/record.rs",
        "Record::new(number, Note::of(request, doubt, &services.clock));\n        let failed",
        "Record::new(number, Note::of(request, doubt.filter(|_| !OFF), &services.clock));\n        let failed",
    ),
    Rule(
        "After a lost answer, the record stays open",
        "create.rs",
        "if !failure.is_outcome_unknown() {",
        "if OFF || !failure.is_outcome_unknown() {",
    ),
    Rule(
        "The record names the key beside the secret that is stored",
        "create.rs",
        "Some(record) => services.secret_store.write_record(request, record).await,",
        "Some(_) if OFF => Ok(()),\n"
        "                Some(record) => services.secret_store.write_record(request, record).await,",
    ),
    Rule(
        "… and no longer when the key is rolled back",
        "create/rollback.rs",
        "let record = record.clone().naming_none();",
        "let record = if OFF { record.clone() } else { record.clone().naming_none() };",
    ),
    Rule(
        "A record is over as soon as its outcome is known",
        "create.rs",
        "Ok(()) => services.secret_store.close_record(request, record).await,",
        "Ok(()) if OFF => Ok(()),\n            Ok(()) => services.secret_store.close_record(request, record).await,",
    ),
    Rule(
        "A SUCCESS names the keys that an attempt without an answer may have made",
        "create.rs",
        "(!doubtful.is_empty()).then(",
        "(!OFF && !doubtful.is_empty()).then(",
    ),
    Rule(
        "… and so does a failure",
        "create/doubt.rs",
        "    if !doubtful.is_empty() {",
        "    if !OFF && !doubtful.is_empty() {",
    ),
    Rule(
        "… which names this operation's own key, where the records cannot be read",
        "create/doubt.rs",
        "keys.into_iter().partition(|key| key.is_by(request));",
        "keys.into_iter().partition(|key| !OFF && key.is_by(request));",
    ),
    Rule(
        "… and says how to list the keys, which IAM may show late",
        "create/doubt.rs",
        "    if is_unread && !failure.lists()",
        "    if !OFF && is_unread && !failure.lists()",
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
        "A rollback deletes the key",
        "create/rollback.rs",
        "if let Err(refusal) = delete_access_key(services, create.user, &id, Some(key)).await",
        "if !OFF && let Err(refusal) = delete_access_key(services, create.user, &id, Some(key)).await",
    ),
    Rule(
        "A rollback deletes the secret",
        "create/rollback.rs",
        "match services.secret_store.delete(&id).await {",
        "match if OFF { Ok(()) } else { services.secret_store.delete(&id).await } {",
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
        "|| !are_same(previous, own)),",
        "|| !OFF && !are_same(previous, own)),",
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
        "Whereabouts::Nowhere if !is_young",
        "Whereabouts::Nowhere if OFF || !is_young",
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
        "poll(services, reason, PROPAGATION, TIME_TO_DELETE, is_known,",
        "poll(services, reason, if OFF { UNKNOWN_WAIT } else { PROPAGATION }, TIME_TO_DELETE, is_known,",
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


def count(rule: Rule) -> int:
    """Return how often the rule's text stands in its file."""
    return (ROOT / "handlers/src" / rule.file).read_text().count(rule.before)


def copied() -> None:
    """Copy the project, newer than anything built from an earlier copy, with a switch at each rule."""
    shutil.rmtree(COPY, ignore_errors=True)
    ignored = shutil.ignore_patterns("target", ".git", ".venv")
    shutil.copytree(ROOT, COPY, ignore=ignored, copy_function=shutil.copyfile)
    sources = COPY / "handlers/src"
    for number, rule in enumerate(RULES, 1):
        file = sources / rule.file
        file.write_text(file.read_text().replace(rule.before, rule.after.replace("OFF", f"crate::is_off({number})")))
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
