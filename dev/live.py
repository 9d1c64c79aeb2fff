"""`make live`: the life of access keys in a real AWS account, with the handlers on this machine.

The built function runs here, behind the Lambda API, and calls whatever AWS the caller's own credentials and region
reach (boto3's default chain; AWS_ENDPOINT_URL is honoured). It works on users of its own under the path
/iam-access-key-live/ and on secrets under the prefix iam-access-key-live/, and removes both again in any case, also
what an earlier run has left: no two runs in one account at a time. It needs what resource-role.yaml allows the
handlers, and iam:CreateUser, iam:DeleteUser and secretsmanager:ListSecrets.

It has been run on moto alone, never on the real AWS. Exit status 1: AWS or the handlers did otherwise than told.
"""

import argparse
import contextlib
import functools
import http.client
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError
from cfn_engine.aws import ACCOUNT
from cfn_engine.handlers import Handlers, Properties, Scope, invoke, send
from checkout import built_binary
from local_aws import function_environment, invocations, lambda_api
from ports import HOST
from processes import running, stop_on_signals

USER_PATH = "/iam-access-key-live/"
USER_PREFIX = "iam-access-key-live-"
SECRET_PREFIX = "iam-access-key-live/"
# What it needs beside what resource-role.yaml allows.
PERMISSIONS = "iam:CreateUser", "iam:DeleteUser", "secretsmanager:ListSecrets"
# For three minutes in all.
RETRIES, FIRST_BACKOFF_SECONDS = 5, 6
# While ListAccessKeys is asked, while the key is created and stored, while the outcome is waited for: roughly.
KILL_AFTER_SECONDS = 0.1, 0.4, 1.0
NEW_USER_SECONDS = 60
CLEANING_SECONDS = 90

Event = dict[str, Any]

# At once: somebody is waiting.
say = functools.partial(print, flush=True)


class Stopped(Exception):
    """A step ended so that the next one makes no sense."""


class Report:
    """What was measured, and what was not as told."""

    def __init__(self) -> None:
        # What, in how many seconds, and a remark.
        self.measured: list[tuple[str, float, str]] = []
        self.disagreements: list[str] = []

    def check(self, told: str, true: bool, seen: object = "") -> None:
        """Says whether something is so."""
        say(f"   ok: {told}" if true else f"   NOT AS TOLD: {told}. {seen}")
        if not true:
            self.disagreements.append(told)

    def measure(self, what: str, seconds: float, remark: str = "") -> None:
        """Keeps a row for the table."""
        say(f"   {what}: {seconds:.1f} s {remark}".rstrip())
        self.measured.append((what, seconds, remark))

    def table(self) -> None:
        """Shows all that was measured."""
        say(f"\n   {'measured':<62}{'seconds':>8}  ")
        for what, seconds, remark in self.measured:
            say(f"   {what:<62}{seconds:>8.1f}  {remark}".rstrip())


class Account:
    """The AWS account of the caller, behind the handlers' back."""

    def __init__(self) -> None:
        session = boto3.Session()
        if not session.region_name or not session.get_credentials():
            raise SystemExit("== no region or no credentials: set AWS_DEFAULT_REGION and AWS_PROFILE")
        self.region: str = session.region_name
        frozen = session.get_credentials().get_frozen_credentials()
        self.credentials = {"accessKeyId": frozen.access_key, "secretAccessKey": frozen.secret_key}
        self.credentials |= {"sessionToken": frozen.token} if frozen.token else {}
        self.iam, self.secrets, self.sts = map(session.client, ("iam", "secretsmanager", "sts"))
        identity = self.sts.get_caller_identity()
        self.id, self.caller = identity["Account"], identity["Arn"]
        self.endpoints = {name: value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL")}
        self.users: set[str] = set()
        self.key_ids: set[str] = set()

    def is_moto(self) -> bool:
        """Whether AWS is moto on this machine."""
        host = urlsplit(self.endpoints.get("AWS_ENDPOINT_URL", "")).hostname
        return self.id == ACCOUNT and self.endpoints.keys() == {"AWS_ENDPOINT_URL"} and host in (HOST, "localhost")

    def create_user(self) -> str:
        """A new user, known to `clean` before there is one."""
        name = USER_PREFIX + secrets.token_hex(6)
        self.users.add(name)
        self.iam.create_user(UserName=name, Path=USER_PATH)
        say(f"   user {name}")
        return name

    def keys(self, user: str) -> dict[str, str]:
        """The user's keys as IAM lists them, each with its status; none where there is no such user."""
        try:
            listed = self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        except self.iam.exceptions.NoSuchEntityException:
            return {}
        self.key_ids |= {key["AccessKeyId"] for key in listed}
        return {key["AccessKeyId"]: key["Status"] for key in listed}

    def owner(self, key: str) -> str:
        """The user whom GetAccessKeyLastUsed names, or the error code that it answers with."""
        try:
            return str(self.iam.get_access_key_last_used(AccessKeyId=key).get("UserName"))
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    def has_secret(self, key: str) -> bool:
        """Whether DescribeSecret shows the key's secret."""
        try:
            return "DeletedDate" not in self.secrets.describe_secret(SecretId=SECRET_PREFIX + key)
        except self.secrets.exceptions.ResourceNotFoundException:
            return False

    def takes(self, key: str, secret: str) -> bool:
        """Whether STS lets somebody in with this key."""
        client = boto3.client(
            "sts", region_name=self.region, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=None
        )
        try:
            return bool(client.get_caller_identity())
        except ClientError:
            return False

    def clean(self) -> bool:
        """Removes every user under the path and every secret under the prefix; whether nothing is left."""
        deadline = time.monotonic() + CLEANING_SECONDS
        while left := self._clean_once():
            if time.monotonic() > deadline:
                say(f"   left: {', '.join(left)}")
                return False
            time.sleep(1)
        return True

    def _clean_once(self) -> list[str]:
        """Removes all that is found. Returns it: a look that finds nothing is the proof, because AWS tells late."""
        pages = self.iam.get_paginator("list_users").paginate(PathPrefix=USER_PATH)
        listed = {user["UserName"] for page in pages for user in page["Users"]}
        users = {user for user in listed | self.users if user.startswith(USER_PREFIX) and self._remove_user(user)}
        pages = self.secrets.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [SECRET_PREFIX]}]
        )
        names = {secret["Name"] for page in pages for secret in page["SecretList"]}
        # ListSecrets knows nothing of the last minutes: neither of what is new, nor of what is deleted.
        ids = {name.removeprefix(SECRET_PREFIX) for name in names if name.startswith(SECRET_PREFIX)} | self.key_ids
        names = {SECRET_PREFIX + key for key in ids if self.has_secret(key)}
        for name in names:
            say(f"   removing secret {name}")
            with contextlib.suppress(self.secrets.exceptions.ResourceNotFoundException):
                self.secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        return sorted(users | names)

    def _remove_user(self, user: str) -> bool:
        """Removes a user with all keys; whether there was one."""
        for key in self.keys(user):
            with contextlib.suppress(self.iam.exceptions.NoSuchEntityException):
                self.iam.delete_access_key(UserName=user, AccessKeyId=key)
        try:
            self.iam.delete_user(UserName=user)
        except self.iam.exceptions.NoSuchEntityException:
            return False
        except self.iam.exceptions.DeleteConflictException:
            # IAM still knows of a key, or of a new one that it does not list yet.
            return True
        say(f"   removed user {user}")
        return True


class Function:
    """The function behind the Lambda API, called as CloudFormation calls it."""

    def __init__(self, binary: Path, api: str, account: Account, report: Report) -> None:
        self.account, self.report = account, report
        self.command, self.environment = [binary], function_environment(api, account.endpoints)
        self.handlers = Handlers(
            type_name="Live::IAM::AccessKey",
            lambda_url=invocations(api),
            caller=account.credentials,
            type_configuration={"SecretNamePrefix": SECRET_PREFIX},
            retries=RETRIES,
            first_backoff_seconds=FIRST_BACKOFF_SECONDS,
        )

    def process(self) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Runs the function until the caller is done, or has killed it."""
        return running(self.command, env=self.environment)

    def request(self, action: str, properties: Properties, previous: Properties | None = None) -> Event:
        """A request of an operation of its own, as CloudFormation sends it."""
        account, user = self.account, properties.get("UserName", "nobody")
        stack = f"arn:aws:cloudformation:{account.region}:{account.id}:stack/live/{user}"
        return self.handlers.request(
            action, Scope(account.id, account.region, stack, "live"), "Key", properties, previous
        )

    def run(self, request: Event) -> Event:
        """An operation to its end: again after an event in progress, and after an error that CloudFormation retries."""
        start, action, count = time.monotonic(), request["action"], 0
        for event in self.handlers.events(request):
            count += 1
            if identifier := event.get("resourceModel", {}).get("Id"):
                self.account.key_ids.add(identifier)
            if message := event.get("message"):
                say(f"   {action} says: {outcome(event)}: {message}")
        self.report.measure(action, time.monotonic() - start, f"in {count} invocations, {outcome(event)}")
        return event

    def succeed(self, action: str, properties: Properties, previous: Properties | None = None) -> Properties:
        """The model that an operation ends with; the scenario ends where it does not."""
        event = succeeded(self.run(self.request(action, properties, previous)), action)
        model: Properties = event.get("resourceModel", {})
        return model

    def read(self, key: str) -> Event:
        """READ by the id alone, once."""
        return invoke(self.handlers.lambda_url, self.request("READ", {"Id": key}))

    def listed(self) -> set[str]:
        """The ids that LIST names, on all its pages."""
        pages = self.handlers.pages(self.request("LIST", {}))
        return {model["Id"] for page in pages for model in succeeded(page, "LIST")["resourceModels"]}


def succeeded(event: Event, action: str) -> Event:
    """The event of a success. After anything else, the scenario makes no sense any more."""
    if event["status"] != "SUCCESS":
        raise Stopped(f"{action} ended with {outcome(event)}: {event.get('message')}")
    return event


def outcome(event: Event) -> str:
    """Status and error code. Never more of an event: its model may hold a secret."""
    return f"{event['status']} {event.get('errorCode', '')}".rstrip()


class Live:
    """The scenarios."""

    def __init__(self, account: Account, function: Function, report: Report, watch_seconds: float) -> None:
        self.account, self.function, self.report, self.watch_seconds = account, function, report, watch_seconds

    def watch(self, since: str, **questions: Callable[[], bool]) -> dict[str, float]:
        """Asks over and over. Returns for how long each question was not always answered with yes, and reports it."""
        start, late, agree = time.monotonic(), dict.fromkeys(questions, 0.0), dict.fromkeys(questions, True)
        while (elapsed := time.monotonic() - start) < self.watch_seconds:
            if sys.stdout.isatty():
                say(f"   … {elapsed:.0f} of {self.watch_seconds:.0f} s", end="\r")
            for name, is_so in questions.items():
                agree[name] = is_so()
                if not agree[name]:
                    late[name] = time.monotonic() - start
            time.sleep(0.2)
        for name, seconds in late.items():
            remark = "" if agree[name] else "and still does"
            self.report.measure(f"{name.replace('_', ' ')} disagreed, after {since}", seconds, remark)
        return late

    def shows(self, model: Properties) -> Callable[[], bool]:
        """Whether READ by the id alone answers the same."""
        return lambda: (
            (event := self.function.read(model["Id"]))["status"] == "SUCCESS"
            and all(event["resourceModel"].get(name) == value for name, value in model.items())
        )

    def is_gone(self, key: str) -> Callable[[], bool]:
        """Whether READ says NotFound."""
        return lambda: self.function.read(key).get("errorCode") == "NotFound"

    def iam_itself(self) -> None:
        """IAM without the handlers: how late it tells of a key."""
        user = self.account.create_user()
        created = self._create_access_key(user)
        key, secret = created["AccessKeyId"], created["SecretAccessKey"]
        self.watch(
            "CreateAccessKey",
            ListAccessKeys=lambda: key in self.account.keys(user),
            GetAccessKeyLastUsed=lambda: self.account.owner(key) == user,
            STS_with_the_key=lambda: self.account.takes(key, secret),
        )
        self.account.iam.delete_access_key(UserName=user, AccessKeyId=key)
        self.watch(
            "DeleteAccessKey",
            ListAccessKeys=lambda: key not in self.account.keys(user),
            GetAccessKeyLastUsed=lambda: self.account.owner(key) != user,
            STS_with_the_key=lambda: not self.account.takes(key, secret),
        )
        say(f"   GetAccessKeyLastUsed of the key that is gone says: {self.account.owner(key)}")

    def _create_access_key(self, user: str) -> Any:
        """A new key of a user whom IAM may not know everywhere yet."""
        start, late, listed = time.monotonic(), 0.0, False
        while True:
            with contextlib.suppress(self.account.iam.exceptions.NoSuchEntityException):
                self.account.iam.list_access_keys(UserName=user)
                listed = True
            try:
                created = self.account.iam.create_access_key(UserName=user)["AccessKey"]
                break
            except self.account.iam.exceptions.NoSuchEntityException:
                late = time.monotonic() - start
                if late > NEW_USER_SECONDS:
                    raise
            time.sleep(0.2)
        remark = "though ListAccessKeys had shown the user" if late and listed else ""
        self.report.measure("CreateAccessKey said NoSuchEntity, after CreateUser", late, remark)
        return created

    def whole_life(self) -> None:
        """CREATE, READ, UPDATE, LIST, DELETE, and what READ says after each."""
        user = self.account.create_user()
        model = self.function.succeed("CREATE", {"UserName": user})
        key, secret = model["Id"], model.get("SecretAccessKey", "")
        late = self.watch(
            "CREATE",
            READ=self.shows(model),
            ListAccessKeys=lambda: key in self.account.keys(user),
            GetAccessKeyLastUsed=lambda: self.account.owner(key) == user,
            DescribeSecret=lambda: self.account.has_secret(key),
            STS_with_the_key=lambda: self.account.takes(key, secret),
        )
        self.report.check("READ by the id alone answers at once, and always, what CREATE answered", late["READ"] == 0)
        desired = {"Id": key, "UserName": user, "Status": "Inactive"}
        model = self.function.succeed("UPDATE", desired, desired | {"Status": "Active"})
        late = self.watch(
            "UPDATE",
            READ=self.shows(model),
            ListAccessKeys=lambda: self.account.keys(user).get(key) == "Inactive",
            STS_with_the_key=lambda: not self.account.takes(key, secret),
        )
        inactive = model["Status"] == "Inactive"
        self.report.check("READ shows the new status at once, and always", inactive and late["READ"] == 0)
        self.report.check("LIST names the key", key in self.function.listed())
        self.function.succeed("DELETE", {"Id": key})
        late = self.watch(
            "DELETE",
            READ=self.is_gone(key),
            ListAccessKeys=lambda: key not in self.account.keys(user),
            GetAccessKeyLastUsed=lambda: self.account.owner(key) != user,
            DescribeSecret=lambda: not self.account.has_secret(key),
        )
        self.report.check("READ says NotFound at once, and always", late["READ"] == 0)
        left = self.account.keys(user), self.account.has_secret(key)
        self.report.check("neither key nor secret is left", not any(left), left)

    def rotation(self) -> None:
        """Another Serial, another key."""
        user = self.account.create_user()
        old = self.function.succeed("CREATE", {"UserName": user, "Serial": 1})
        new = self.function.succeed("CREATE", {"UserName": user, "Serial": 2})
        self.report.check("the new Serial made a new key", new["Id"] != old["Id"])
        self.report.check("READ shows both", self.shows(old)() and self.shows(new)())
        self.function.succeed("DELETE", {"Id": old["Id"], "UserName": user})
        late = self.watch("DELETE of the old key", READ_of_old=self.is_gone(old["Id"]), READ_of_new=self.shows(new))
        self.report.check("READ says NotFound of the old key, and shows the new one", not any(late.values()), late)
        keys = self.account.keys(user)
        self.report.check("the new key is the only one", keys.keys() == {new["Id"]}, keys)
        self.function.succeed("DELETE", {"Id": new["Id"], "UserName": user})

    def lost_process(self, seconds: float) -> None:
        """The function dies while CREATE runs, and CloudFormation sends the same request again."""
        user = self.account.create_user()
        request = self.function.request("CREATE", {"UserName": user})
        with self.function.process() as process, contextlib.closing(send(self.function.handlers.lambda_url, request)):
            time.sleep(seconds)
            process.kill()
        keys = self.account.keys(user)
        say(f"   killed {seconds} s after the request, when IAM lists {len(keys)} keys. The same request again")
        with self.function.process():
            event = succeeded(self.function.run(request), "CREATE")
            model = event["resourceModel"]
            late = self.watch("the second CREATE", READ=self.shows(model))
        self.report.check("READ shows the key of the second invocation", late["READ"] == 0)
        others = self.account.keys(user).keys() - {model["Id"]}
        # Killed before the record names the key, the first one leaves a key that nothing proves to be its.
        named = {key for key in others if key in event.get("message", "")}
        self.report.check("exactly one key is there, or another one is named for a person", others == named, others)
        for key in named:
            self.report.measure(f"killed after {seconds} s", 0, f"left key {key}, which the event names")

    def play(self) -> None:
        """Every scenario, whatever becomes of the others."""
        self._play("IAM itself", self.iam_itself)
        with self.function.process():
            self._play("a key's whole life", self.whole_life)
            self._play("a rotation", self.rotation)
        for seconds in KILL_AFTER_SECONDS:
            self._play("a lost process", functools.partial(self.lost_process, seconds))

    def _play(self, title: str, scenario: Callable[[], None]) -> None:
        say(f"\n== {title}")
        try:
            scenario()
        except (Stopped, ClientError, OSError, http.client.HTTPException) as error:
            self.report.check(title, False, error)


def confirm(account: Account) -> None:
    """Asks before an account is touched that is not moto's."""
    say(f"== account {account.id}, region {account.region}, as {account.caller}")
    say(f"   IAM users under {USER_PATH} and secrets under {SECRET_PREFIX} are made there, and removed")
    say(f"   It takes what resource-role.yaml allows, and {', '.join(PERMISSIONS)}")
    if account.is_moto() or os.environ.get("YES") == "1":
        return
    try:
        answer = input(f"   Type the account's id to go on (YES=1 goes on without asking): {account.id}? ")
    except EOFError:
        answer = ""
    if answer.strip() != account.id:
        raise SystemExit("== nothing was touched")


def main() -> int:
    """Plays the scenarios and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watch", type=float, default=15, metavar="SECONDS", help="how long to look after a write")
    options = parser.parse_args()
    binary = built_binary()
    stop_on_signals()
    account, report = Account(), Report()
    confirm(account)
    say("\n== what an earlier run has left")
    account.clean()
    try:
        with lambda_api() as api:
            Live(account, Function(binary, api, account, report), report, options.watch).play()
    finally:
        say("\n== removing everything")
        report.check("no user and no secret is left", account.clean())
        report.table()
    for told in report.disagreements:
        say(f"== NOT AS TOLD: {told}")
    return int(bool(report.disagreements))


if __name__ == "__main__":
    sys.exit(main())
