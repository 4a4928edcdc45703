"""JSON schemas (2020-12) of what the control API takes and returns, by name."""

from __future__ import annotations

from typing import Any

from wove_http_dev.faults.fault import STAGES
from wove_http_dev.faults.selector import COMMANDS
from wove_http_dev.fields import LARGEST
from wove_http_dev.inspector.shapes import HELD_RUNS
from wove_http_dev.runs.records import STATES

Schema = dict[str, Any]
RUN_STATES = [state for state in STATES if state != "finished"]


def ref(name: str) -> Schema:
    """Return a reference to the schema ``name``."""
    return {"$ref": f"#/components/schemas/{name}"}


def _described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _object(*optional: str, **properties: Schema) -> Schema:
    """Return an object that has ``properties`` and nothing else; all but the ``optional`` ones are
    required."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _list(name: str) -> Schema:
    return _object(**{name: _array(ref(name.removesuffix("s")))})


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
_NUMBER_OF_REQUESTS: Schema = {"type": "integer", "minimum": 1, "maximum": LARGEST}
_TASK = _described(_or_null({**TEXT, "minLength": 1}), "name or glob of tasks; null: all")
_TIME = _described(NUMBER, "seconds since the epoch")
_SECONDS = _described(_or_null(NUMBER), "seconds")
_DRAWN = _described(
    {"type": "object", "additionalProperties": _array(NUMBER)},
    "seconds drawn for the faults, by the fault's name with a field that has a distribution",
)
_LEGS = _array(
    _object(
        status=_or_null(INTEGER),
        seconds=_SECONDS,
        sent=_described(INTEGER, "bytes of the request's body"),
        received=_described(INTEGER, "bytes of the answer's body"),
        reused=_described(BOOLEAN, "whether the connection was kept from before"),
        error=_described(TEXT, "what was wrong with the answer, or why there is none"),
        code=TEXT,
        text=_described(TEXT, "all that in words"),
    )
)
_EXCEPTION = _object(
    "message",
    type=_described(
        {**TEXT, "minLength": 1}, "a built-in exception, such as ValueError, or module.Class"
    ),
    message=TEXT,
)

SCHEMAS: dict[str, Schema] = {
    "error": _object(error=TEXT, hint=_described(TEXT, "what to do")),
    "health": _object(status={"const": "ok"}),
    "worker": _object(
        url=TEXT,
        page_url=_or_null(TEXT),
        environment=TEXT,
        security={"enum": ["signed", "bearer", "none"]},
        version=TEXT,
        wove=TEXT,
        python=TEXT,
        started=_TIME,
        running=BOOLEAN,
        ca_file=_or_null(TEXT),
        runner=_described(TEXT, "where task bodies run, in words"),
        options=_described({"type": "object"}, "those of the service, without credentials"),
        snippet=_described(TEXT, "Python code that configures Wove"),
        exports=_described(_array(TEXT), "lines of a shell"),
        doctor=_described(TEXT, "the command that checks an application's configuration"),
    ),
    "run": _object(
        run_id=TEXT,
        task_id=TEXT,
        state={"enum": RUN_STATES},
        args=_described(_or_null(TEXT), "the arguments as text; null if they were not loaded"),
        result=_or_null(TEXT),
        error=_described(_or_null(TEXT), "kind and message"),
        error_place=_described(_or_null(TEXT), "file:line of the error in the task's code"),
        traceback=_described(_or_null(TEXT), "cut after 2000 characters in a list"),
        stack=_described(
            _or_null(TEXT),
            "where the body is at this moment, as the lines of a traceback, or in words for what it"
            " waits; null in a list, and where that is not known",
        ),
        delivery_key=_described(
            _or_null(TEXT), "the delivery_idempotency_key, if the task has one; null in a list"
        ),
        executions=_described(INTEGER, "how often the body was started"),
        faults=_described(_array(TEXT), "names of the faults that hit the run"),
        faults_text=_described(TEXT, "the faults, with the seconds that were drawn"),
        drawn=_DRAWN,
        received=_TIME,
        started=_or_null(_TIME),
        finished=_or_null(_TIME),
        answered=_or_null(_TIME),
        seconds=_described(_or_null(NUMBER), "from the start of the body to its outcome"),
        output=_described(TEXT, "what the body printed; cut after 2000 characters in a list"),
        held_by=_array(TEXT),
        initial_value=_described(BOOLEAN, "whether it only delivers an initial value of a weave"),
        stubbed=BOOLEAN,
        cancel_requested=BOOLEAN,
        replayable=BOOLEAN,
        exchanges=_described(
            _array(INTEGER),
            "numbers of its exchanges; in an event, only of the one that brought it",
        ),
        upstream=_described(
            _or_null(_LEGS),
            "what was forwarded to the service of the option upstream; null in a list",
        ),
        pytest=_described(
            _or_null(TEXT),
            "a test in which the worker answers as in this run; null in a list, and unless the run"
            " has a result or an error",
        ),
    ),
    "runs": _list("runs"),
    "replay": _object(
        id=_described(TEXT, "the new run's id"),
        run=_described(
            {"oneOf": [ref("run"), {"type": "null"}]}, "null if the worker did not accept it"
        ),
    ),
    "exchange": _object(
        number=INTEGER,
        kind={"enum": ["request", "connection"]},
        received=_TIME,
        seconds=_SECONDS,
        method=TEXT,
        target=TEXT,
        headers=_described(
            _array({"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2}),
            "name and value of each header; credentials are redacted",
        ),
        body_size=_described(INTEGER, "bytes"),
        type=_described(_or_null(TEXT), "the type of the command frame"),
        run_id=_or_null(TEXT),
        task_id=_or_null(TEXT),
        initial_value=BOOLEAN,
        accepted=_or_null(BOOLEAN),
        verdict={
            "oneOf": [
                _object(
                    code=TEXT, hint=TEXT, steps=_array(_object(code=TEXT, text=TEXT, ok=BOOLEAN))
                ),
                {"type": "null"},
            ]
        },
        refusal=TEXT,
        code=TEXT,
        hint=_described(TEXT, "what would mend a refusal"),
        status=_or_null(INTEGER),
        faults=_array(TEXT),
        faults_text=_described(TEXT, "the faults, with the seconds that were drawn"),
        drawn=_DRAWN,
        events=_described(_array(TEXT), "types of the event frames of the answer"),
        error=TEXT,
        internal_error=_described(BOOLEAN, "whether the worker itself failed"),
        upstream=_described(_LEGS, "what was forwarded to the service of the option upstream"),
        line=TEXT,
    ),
    "exchanges": _list("exchanges"),
    "injection": _object(
        id=INTEGER,
        fault=TEXT,
        faults=_array(TEXT),
        task=_or_null(TEXT),
        command=_or_null(TEXT),
        times=_or_null(INTEGER),
        after=INTEGER,
        probability=NUMBER,
        seed=_or_null(INTEGER),
        hits=_described(INTEGER, "requests or connections that were hit"),
        seen=_described(INTEGER, "requests or connections that matched"),
        active=_described(BOOLEAN, "whether it may still hit one"),
        redirected=_described(INTEGER, "requests that followed to the second origin"),
        background=_described(BOOLEAN, "whether an option of the worker made it"),
    ),
    "injections": _list("injections"),
    "new_injection": _object(
        "fault",
        "faults",
        "task",
        "command",
        "times",
        "after",
        "probability",
        "seed",
        "initial_values",
        fault=_described(_or_null(TEXT), "as on the command line: 'slow-response delay=2'"),
        faults=_described(_array(TEXT), "in place of fault: several that act together"),
        task=_TASK,
        command={"enum": [*COMMANDS, None]},
        times=_or_null(_NUMBER_OF_REQUESTS),
        after=_or_null({**_NUMBER_OF_REQUESTS, "minimum": 0}),
        probability=_or_null({"type": "number", "minimum": 0, "maximum": 1}),
        seed=_or_null({"type": "integer", "minimum": -LARGEST, "maximum": LARGEST}),
        initial_values=_or_null(BOOLEAN),
    ),
    "hold": _object(
        id=INTEGER,
        task=_or_null(TEXT),
        release_when=_or_null(INTEGER),
        arrived=_described(INTEGER, "runs that have arrived"),
        released=BOOLEAN,
        runs=_described(_array(TEXT), f"their ids; in an event, those of the newest {HELD_RUNS}"),
    ),
    "holds": _list("holds"),
    "new_hold": _object(
        "task",
        "release_when",
        task=_TASK,
        release_when=_described(
            _or_null(_NUMBER_OF_REQUESTS), "the number of runs whose arrival releases them"
        ),
    ),
    "stub": _object(
        "result",
        "error",
        id=INTEGER,
        task=TEXT,
        result={},
        error=_EXCEPTION,
        matched=_described(BOOLEAN, "whether a run has matched"),
    ),
    "stubs": _list("stubs"),
    "new_stub": _object(
        "result",
        "error",
        task={**TEXT, "minLength": 1},
        result=_described({}, "any JSON value"),
        error=_EXCEPTION,
    ),
    "fault": _object(
        name=TEXT,
        family={"enum": list(STAGES)},
        summary=TEXT,
        fields=_array(
            _object(
                name=TEXT,
                type={"enum": ["boolean", "integer", "number", "string"]},
                default={},
                distribution=_described(BOOLEAN, "whether it takes one, such as 0.1..0.5"),
                unit=TEXT,
                doc=TEXT,
                choices=_array(TEXT),
            )
        ),
        cannot_apply=_described(_or_null(TEXT), "why it has no effect on this worker"),
    ),
    "faults": _list("faults"),
    "reset": _object(reset={"const": True}),
    "nothing": _object(),
    "openapi": {"type": "object"},
}
