"""What handlers are asked, and what becomes of their answers."""

import pytest
from things import Event, Things, ThingStack, failure, thing


def test_a_request_is_cloudformations_with_every_primitive_as_a_string(stack: ThingStack, things: Things) -> None:
    declared = thing(Name="a", Size=3, Flags={"On": True, "List": [1, False]})
    assert stack.apply({"Thing": declared}, tags={"team": "payments"}) == "CREATE_COMPLETE"
    [request] = things.asked("CREATE")
    data = request["requestData"]
    arn = stack.engine.stack(stack.name)["StackId"]
    strings = {"Name": "a", "Size": "3", "Flags": {"On": "true", "List": ["1", "false"]}}
    assert data["resourceProperties"] == strings
    assert data["logicalResourceId"] == "Thing"
    assert data["stackTags"] == {"team": "payments"}
    assert data["systemTags"] == {
        "aws:cloudformation:stack-name": stack.name,
        "aws:cloudformation:stack-id": arn,
        "aws:cloudformation:logical-id": "Thing",
    }
    assert data["callerCredentials"].keys() == {"accessKeyId", "secretAccessKey", "sessionToken"}
    assert data["typeConfiguration"] == {"Prefix": "p"}
    assert (request["stackId"], request["region"], request["awsAccountId"]) == (arn, "us-east-1", "123456789012")
    assert (request["resourceType"], request["callbackContext"]) == ("Acme::Test::Thing", None)


NO_VALUE = {"Ref": "AWS::NoValue"}
TAG = {"Key": "team", "Value": "a"}


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ([TAG, NO_VALUE], [TAG]),
        ([NO_VALUE], []),
        ([{"Fn::If": ["No", "x", NO_VALUE]}, TAG, {"Fn::If": ["Yes", NO_VALUE, "x"]}], [TAG]),
        ([{"Fn::If": ["Yes", {"Fn::If": ["No", "x", NO_VALUE]}, "y"]}, TAG], [TAG]),
        ({"Fn::If": ["Yes", [NO_VALUE, {"Fn::If": ["Yes", TAG, NO_VALUE]}], "x"]}, [TAG]),
        ([{"Key": "team", "Value": NO_VALUE}], [{"Key": "team"}]),
        ([[TAG, NO_VALUE], [NO_VALUE]], [[TAG], []]),
        ({"Fn::Join": [",", ["a", NO_VALUE, "b"]]}, "a,b"),
        ({"Fn::If": ["No", TAG, NO_VALUE]}, None),
        (NO_VALUE, None),
    ],
)
def test_a_property_and_a_list_item_that_are_no_value_are_left_out(
    stack: ThingStack, things: Things, declared: object, sent: object
) -> None:
    conditions = {"Yes": {"Fn::Equals": ["1", "1"]}, "No": {"Fn::Equals": ["1", "2"]}}
    stack.apply({"Thing": thing(Name="a", Flags=["before"])}, Conditions=conditions)
    assert stack.apply({"Thing": thing(Name="a", Flags=declared)}, Conditions=conditions) == "UPDATE_COMPLETE"
    [update] = things.asked("UPDATE")
    expected: Event = {"Name": "a", "Number": stack.engine.resource(stack.name, "Thing")}
    expected |= {} if sent is None else {"Flags": sent}
    assert update["requestData"]["resourceProperties"] == expected


@pytest.mark.parametrize("value", [None, [None], [{"Key": "team", "Value": None}]])
def test_a_template_with_a_null_is_refused(stack: ThingStack, things: Things, value: object) -> None:
    refused = pytest.raises(stack.engine.cloudformation.exceptions.ClientError, match="'null' values are not allowed")
    with refused:
        stack.apply({"Thing": thing(Name="a", Flags=value)})
    assert things.requests == []
    stack.apply({"Thing": thing(Name="a")})
    with refused:
        stack.apply({"Thing": thing(Name="a", Flags=value)})
    assert things.asked("UPDATE") == []


@pytest.mark.parametrize(
    ("kind", "given", "sent"),
    [
        ("String", "", ""),
        ("String", "  ", "  "),
        ("Number", "007", "007"),
        ("Number", "+30", "+30"),
        ("Number", "1e3", "1e3"),
        ("Number", "30.0", "30.0"),
        ("CommaDelimitedList", "a, b ,c", ["a", "b", "c"]),
        ("List<Number>", "1, 2.50", ["1", "2.50"]),
    ],
)
@pytest.mark.parametrize("default", [False, True], ids=["given", "by default"])
def test_a_parameter_is_sent_as_it_was_written(
    stack: ThingStack, things: Things, kind: str, given: str, sent: object, default: bool
) -> None:
    slot = {"Type": kind, "Default": given} if default else {"Type": kind}
    resources = {"Thing": thing(Name="a", Size={"Ref": "P"})}
    stack.apply(resources, parameters={} if default else {"P": given}, Parameters={"P": slot})
    [create] = things.asked("CREATE")
    assert create["requestData"]["resourceProperties"] == {"Name": "a", "Size": sent}


@pytest.mark.parametrize("given", ["", "two", "1,2", "nan"])
def test_a_number_that_is_none_is_refused(stack: ThingStack, things: Things, given: str) -> None:
    with pytest.raises(stack.engine.cloudformation.exceptions.ClientError, match="Parameter 'P' must be a number"):
        stack.apply({"Thing": thing(Name="a")}, parameters={"P": given}, Parameters={"P": {"Type": "Number"}})
    assert things.requests == []


@pytest.mark.parametrize(
    ("kind", "given", "literal", "holds"),
    [
        ("Number", "1", 1, True),
        ("Number", "1", "1", True),
        ("Number", "1.0", 1, False),
        ("String", "2", 2, True),
        ("String", "true", True, True),
        ("String", "True", True, False),
        ("String", "", "", True),
    ],
)
def test_conditions_compare_strings(
    stack: ThingStack, things: Things, kind: str, given: str, literal: object, holds: bool
) -> None:
    size = {"Size": {"Fn::If": ["Equal", "1", {"Ref": "AWS::NoValue"}]}}
    conditions, parameters = {"Equal": {"Fn::Equals": [{"Ref": "P"}, literal]}}, {"P": {"Type": kind}}
    resources = {"Thing": thing(Name="a", **size)}
    stack.apply(resources, parameters={"P": given}, Parameters=parameters, Conditions=conditions)
    [create] = things.asked("CREATE")
    assert ("Size" in create["requestData"]["resourceProperties"]) is holds


def test_a_retriable_failure_is_tried_again_with_the_same_bearer_token(stack: ThingStack, things: Things) -> None:
    things.scripted["CREATE"] = [failure("Throttling"), failure("NetworkFailure")]
    assert stack.apply({"Thing": thing(Name="a")}) == "CREATE_COMPLETE"
    assert len(things.asked("CREATE")) == 3
    assert len({request["bearerToken"] for request in things.asked("CREATE")}) == 1


def test_retries_end_and_other_failures_are_final(stack: ThingStack, things: Things) -> None:
    things.scripted["CREATE"] = [failure("ResourceConflict")] * 9
    assert stack.apply({"Thing": thing(Name="a")}) == "ROLLBACK_COMPLETE"
    assert len(things.asked("CREATE")) == 4

    another = ThingStack(stack.engine, f"{stack.name}-2")
    things.scripted["CREATE"] = [failure("AccessDenied")]
    things.requests.clear()
    assert another.apply({"Thing": thing(Name="a")}) == "ROLLBACK_COMPLETE"
    assert len(things.asked("CREATE")) == 1
    [reason] = [reason for _, status, reason in another.engine.events(another.name) if status == "CREATE_FAILED"]
    token = things.requests[0]["bearerToken"]
    message = 'Resource handler returned message: "because of AccessDenied"'
    assert reason == f"{message} (RequestToken: {token}, HandlerErrorCode: AccessDenied)"


def test_every_operation_has_a_bearer_token_of_its_own(stack: ThingStack, things: Things) -> None:
    stack.apply({"One": thing(Name="a"), "Two": thing(Name="b")})
    stack.apply({"One": thing(Name="a", Size=1), "Two": thing(Name="b")})
    tokens = [request["bearerToken"] for request in things.requests]
    assert len(tokens) == len(set(tokens)) == 6


def test_an_event_in_progress_is_followed_up_with_its_context_and_its_model(stack: ThingStack, things: Things) -> None:
    progress = {
        "status": "IN_PROGRESS",
        "resourceModel": {"Number": "thing-0", "Name": "a"},
        "callbackContext": {"Step": 1},
        "callbackDelaySeconds": 1,
    }
    things.scripted["CREATE"] = [progress, failure("Throttling")]
    assert stack.apply({"Thing": thing(Name="a", Size=1)}) == "CREATE_COMPLETE"
    first, second, third = things.asked("CREATE")
    assert first["callbackContext"] is None
    assert second["callbackContext"] == {"Step": 1}
    assert second["requestData"]["resourceProperties"] == {"Number": "thing-0", "Name": "a"}
    assert third == second
    assert first["bearerToken"] == second["bearerToken"]


def test_read_gets_the_primary_identifier_only_and_is_all_that_getatt_knows(stack: ThingStack, things: Things) -> None:
    outputs = {"Number": {"Ref": "Thing"}, "Colour": {"Fn::GetAtt": ["Thing", "Colour"]}}
    stack.apply({"Thing": thing(Name="a", Size=1)}, outputs)
    stack.apply({"Thing": thing(Name="a", Size=2)}, outputs)
    [number] = things.things
    reads = [request["requestData"]["resourceProperties"] for request in things.asked("READ")]
    assert reads == [{"Number": number}] * 2
    assert stack.engine.outputs(stack.name) == {"Number": number, "Colour": "red"}


def test_an_attribute_that_read_does_not_return_fails_the_stack(stack: ThingStack, things: Things) -> None:
    dependent = thing(Name={"Fn::GetAtt": ["Thing", "Shape"]})
    assert stack.apply({"Thing": thing(Name="a"), "Dependent": dependent}) == "ROLLBACK_COMPLETE"
    assert ("Dependent", "CREATE_FAILED", "Attribute 'Shape' does not exist") in stack.engine.events(stack.name)
    assert things.things == {}


def test_a_failed_create_that_names_what_it_left_behind_has_it_deleted(stack: ThingStack, things: Things) -> None:
    things.things["left"] = {"Number": "left"}
    things.scripted["CREATE"] = [{**failure("InternalFailure"), "resourceModel": {"Number": "left"}}]
    assert stack.apply({"Thing": thing(Name="a")}) == "ROLLBACK_COMPLETE"
    assert things.story() == [("CREATE", ""), ("DELETE", "left")]
    assert things.things == {}


def test_what_read_does_not_find_after_create_is_rolled_back(stack: ThingStack, things: Things) -> None:
    things.scripted["READ"] = [failure("NotFound")]
    assert stack.apply({"Thing": thing(Name="a")}) == "ROLLBACK_COMPLETE"
    assert things.things == {}


def test_a_function_that_crashes_is_asked_again_then_an_internal_failure(stack: ThingStack, things: Things) -> None:
    things.scripted["CREATE"] = [None] * 9
    assert stack.apply({"Thing": thing(Name="a")}) == "ROLLBACK_COMPLETE"
    assert len(things.asked("CREATE")) == 4
    assert len({request["bearerToken"] for request in things.asked("CREATE")}) == 1
    reason = stack.engine.reasons(stack.name, "CREATE_FAILED")["Thing"]
    assert "the handler did not answer" in reason and "HandlerErrorCode: InternalFailure" in reason


def test_the_rollback_deletes_a_thing_in_progress_whose_callback_never_answers(
    stack: ThingStack, things: Things
) -> None:
    things.things["begun"] = {"Number": "begun"}
    progress = {"status": "IN_PROGRESS", "resourceModel": {"Number": "begun"}, "callbackContext": {}}
    things.scripted["CREATE"] = [progress, *[None] * 9]
    assert stack.apply({"Thing": thing(Name="a")}) == "ROLLBACK_COMPLETE"
    assert things.story() == [("CREATE", ""), *[("CREATE", "begun")] * 4, ("DELETE", "begun")]
    assert things.things == {}


def test_a_read_that_is_in_progress_fails_the_stack(stack: ThingStack, things: Things) -> None:
    things.scripted["READ"] = [{"status": "IN_PROGRESS", "resourceModel": {"Number": "thing-0"}}]
    assert stack.apply({"Thing": thing(Name="a")}) == "ROLLBACK_COMPLETE"
    assert "answered READ with IN_PROGRESS" in stack.engine.reasons(stack.name, "CREATE_FAILED")["Thing"]
    assert things.things == {}


def test_a_create_that_succeeds_without_the_primary_identifier_fails(stack: ThingStack, things: Things) -> None:
    things.scripted["CREATE"] = [{"status": "SUCCESS", "resourceModel": {"Name": "a"}}]
    assert stack.apply({"Thing": thing(Name="a")}) == "ROLLBACK_COMPLETE"
    reason = stack.engine.reasons(stack.name, "CREATE_FAILED")["Thing"]
    assert "answered CREATE without the primary identifier" in reason


def test_a_replacement_creates_updates_dependents_and_deletes_in_this_order(stack: ThingStack, things: Things) -> None:
    dependent = thing(Name="b", Flags={"Of": {"Ref": "Thing"}})
    stack.apply({"Dependent": dependent, "Thing": thing(Name="a")})
    old, of = (stack.engine.resource(stack.name, name) for name in ("Thing", "Dependent"))
    things.requests.clear()
    assert stack.apply({"Dependent": dependent, "Thing": thing(Name="c")}) == "UPDATE_COMPLETE"
    new = stack.engine.resource(stack.name, "Thing")
    assert things.story() == [("CREATE", ""), ("UPDATE", of), ("DELETE", old)]
    [update] = things.asked("UPDATE")
    assert update["requestData"]["resourceProperties"] == {"Name": "b", "Flags": {"Of": new}, "Number": of}
    assert update["requestData"]["previousResourceProperties"] == {"Name": "b", "Flags": {"Of": old}, "Number": of}


def test_removed_resources_are_deleted_last_and_after_those_that_refer_to_them(
    stack: ThingStack, things: Things
) -> None:
    first, second = thing(Name="a"), thing(Name="b", Flags={"Of": {"Ref": "First"}})
    stack.apply({"First": first, "Second": second, "Kept": {**thing(Name="k"), "DeletionPolicy": "Retain"}})
    numbers = {name: stack.engine.resource(stack.name, name) for name in ("First", "Second", "Kept")}
    things.requests.clear()
    assert stack.apply({"Third": thing(Name="c")}) == "UPDATE_COMPLETE"
    assert things.story() == [("CREATE", ""), ("DELETE", numbers["Second"]), ("DELETE", numbers["First"])]
    assert ("Kept", "DELETE_SKIPPED", "") in stack.engine.events(stack.name)
    assert numbers["Kept"] in things.things


def test_a_failed_update_undoes_what_came_before_it_and_keeps_the_old(stack: ThingStack, things: Things) -> None:
    def resources(name: str, size: int) -> Event:
        last = {**thing(Name="z", Size=size), "DependsOn": ["Replaced", "Changed"]}
        return {"Replaced": thing(Name=name), "Changed": thing(Name="b", Size=size), "Last": last}

    outputs = {"Replaced": {"Ref": "Replaced"}}
    stack.apply(resources("a", 1), outputs)
    before, shown = dict(things.things), stack.engine.outputs(stack.name)
    things.requests.clear()
    last = stack.engine.resource(stack.name, "Last")
    broken = {"Name": "z", "Size": "2", "Number": last}
    things.refused = lambda request: request["requestData"]["resourceProperties"] == broken
    assert stack.apply(resources("c", 2), outputs) == "UPDATE_ROLLBACK_COMPLETE"
    changed = stack.engine.resource(stack.name, "Changed")
    assert [step for step in things.story() if step[0] == "UPDATE"] == [
        ("UPDATE", each) for each in (changed, last) * 2
    ]
    assert things.story()[-1][0] == "DELETE"
    assert things.things == before
    assert stack.engine.outputs(stack.name) == shown
    statuses = [status for name, status, _ in stack.engine.events(stack.name) if name == stack.name]
    assert statuses[-2:] == ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]


@pytest.mark.parametrize("failed_as_previous", [True, False])
@pytest.mark.parametrize("marked", [True, False])
def test_a_rollback_sends_the_failed_or_the_old_previous_and_a_mark_if_told(
    stack: ThingStack, things: Things, failed_as_previous: bool, marked: bool
) -> None:
    stack.apply({"Thing": thing(Name="a", Size=1)}, tags={"team": "a"})
    number = stack.engine.resource(stack.name, "Thing")
    stack.engine.set_rollbacks(failed_as_previous=failed_as_previous, marked=marked)
    things.scripted["UPDATE"] = [failure("InvalidRequest")]
    assert stack.apply({"Thing": thing(Name="a", Size=2)}, tags={"team": "b"}) == "UPDATE_ROLLBACK_COMPLETE"
    old: Event = {"Name": "a", "Size": "1", "Number": number}
    new: Event = {**old, "Size": "2"}
    sent = [
        (data["resourceProperties"], data["previousResourceProperties"], data["stackTags"], data["previousStackTags"])
        for data in (request["requestData"] for request in things.asked("UPDATE"))
    ]
    previous = (new, {"team": "b"}) if failed_as_previous else (old, {"team": "a"})
    assert sent == [(new, old, {"team": "b"}, {"team": "a"}), (old, previous[0], {"team": "a"}, previous[1])]
    update, back = things.asked("UPDATE")
    assert "rollback" not in update and back.get("rollback", False) is marked


def test_a_new_stack_tag_is_an_update_of_a_taggable_type(stack: ThingStack, things: Things) -> None:
    stack.apply({"Thing": thing(Name="a")}, tags={"team": "a"})
    assert stack.apply({"Thing": thing(Name="a")}, tags={"team": "b"}) == "UPDATE_COMPLETE"
    [update] = things.asked("UPDATE")
    assert update["requestData"]["stackTags"] == {"team": "b"}
    assert update["requestData"]["previousStackTags"] == {"team": "a"}


def test_what_is_gone_already_counts_as_deleted(stack: ThingStack, things: Things) -> None:
    stack.apply({"Thing": thing(Name="a")})
    things.things.clear()
    assert stack.engine.delete(stack.name) == "DELETE_COMPLETE"


def test_resources_that_refer_to_each_other_are_refused(stack: ThingStack) -> None:
    one, two = thing(Name={"Ref": "Two"}), thing(Name={"Fn::Sub": "${One.Colour}"})
    with pytest.raises(stack.engine.cloudformation.exceptions.ClientError, match="Circular dependency"):
        stack.apply({"One": one, "Two": two})
    assert stack.name not in stack.engine.stacks()
