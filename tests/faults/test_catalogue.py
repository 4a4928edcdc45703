"""The catalogue contains every fault, by name and by class, with correct facts about each."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import wove_http_dev
from wove_http_dev import faults
from wove_http_dev.faults import FAULTS, Duration, Fault, SlowResponse
from wove_http_dev.faults.fault import STAGES, Recipe, Worker
from wove_http_dev.faults.run import SlowResponse as OfItsStage

SOURCE = Path(wove_http_dev.__file__).parent
# These cases depend on nothing of this package, and some have the name of a fault.
INDEPENDENT = "conformance/worker/"
# Names of faults that mean something else in a module.
OTHER_MEANINGS = {
    ("conformance/executor/cases/time/timeouts.py", "hang"),  # the name of a case
    ("conformance/reporters/json.py", "status"),  # of a case
    ("cli/demo_steps.py", "expired-certificate"),  # shown as what a user writes
    ("cli/demo_steps.py", "hang"),
    ("cli/demo_steps.py", "status code=503"),
    ("measurement.py", "self-signed"),  # a word of OpenSSL's messages
    ("cli/log_lines.py", "status"),  # that of an answer
    ("cli/ctl.py", "status"),  # a word of ctl
    ("cli/ctl_operations.py", "status"),
    ("cli/ctl_text.py", "status"),  # that of an answer
    ("controlled/records.py", "status"),  # that of an answer
    ("inspector/api.py", "status"),  # that of GET /health
    ("inspector/shapes.py", "status"),  # that of an answer
    ("tls_contexts.py", "self-signed"),  # the name in such a certificate
}


def is_a_fault_in_text(text: str) -> bool:
    """Whether ``text`` is the name of a fault, alone or with fields."""
    name, *words = text.split(" ")
    return name in FAULTS and all("=" in word for word in words)


QUOTED = re.compile(rf"['\"](?:{'|'.join(map(re.escape, FAULTS))})['\" ]")


def fault_names_in(source: str) -> Iterator[str]:
    """The faults that ``source`` refers to by name."""
    if not QUOTED.search(source):  # to walk a syntax tree takes far longer
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from filter(is_a_fault_in_text, [node.value])


def test_a_summary_is_whole() -> None:
    """What the catalogue says of a fault ends with the end of a sentence."""
    assert [name for name, kind in FAULTS.items() if not kind.summary().endswith(".")] == []


def test_no_module_asks_for_a_fault_by_name() -> None:
    """Only the module of its stage has a fault's name; others use its class and its facts."""
    stages = {f"faults/{stage}.py" for stage in STAGES}
    found = {
        (module, name)
        for path in SOURCE.rglob("*.py")
        if (module := path.relative_to(SOURCE).as_posix()) not in stages
        and not module.startswith(INDEPENDENT)
        for name in fault_names_in(path.read_text(encoding="utf-8"))
    }
    assert found - OTHER_MEANINGS == set()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('if fault.name == "redirect": ...', ["redirect"]),
        ('worker.inject("status code=500")', ["status code=500"]),
        ('host = {"ip-san-missing": "127.0.0.1"}', ["ip-san-missing"]),
        ('"""The fault redirect sends it elsewhere."""', []),
    ],
    ids=["compared", "with-fields", "key", "prose"],
)
def test_a_name_is_found(source: str, names: list[str]) -> None:
    """The scan finds a fault's name anywhere in code and ignores prose."""
    assert list(fault_names_in(source)) == names


def defined_faults() -> set[type[Fault]]:
    """Every fault that a module of ``faults`` defines. Classes with a leading ``_`` are bases, not
    faults."""
    stems = {path.stem for path in (SOURCE / "faults").glob("*.py")} - {"fault", "__init__"}
    modules = [importlib.import_module(f"wove_http_dev.faults.{stem}") for stem in stems]
    return {
        kind
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, Fault)
        and kind.__module__ == module.__name__
        and not name.startswith("_")
    }


def test_the_catalogue_is_whole() -> None:
    """``FAULTS`` contains exactly the faults that the modules define."""
    assert set(FAULTS.values()) == defined_faults()


@pytest.mark.parametrize("stage", STAGES)
def test_a_module_exports_its_faults(stage: str) -> None:
    """Each fault is in ``__all__`` of its module, where type checkers find it."""
    module = importlib.import_module(f"wove_http_dev.faults.{stage}")
    names = sorted(kind.__name__ for kind in FAULTS.values() if kind.stage == stage)
    assert sorted(module.__all__) == names


def test_the_catalogue_is_in_order_of_the_stages() -> None:
    """The catalogue lists the faults by stage, in the order in which stages act."""
    stages = [kind.stage for kind in FAULTS.values()]
    assert stages == sorted(stages, key=STAGES.index)


def test_name_of_a_fault() -> None:
    """The key of a fault in the catalogue is its name."""
    assert [name for name, kind in FAULTS.items() if kind.name != name] == []


def test_a_fault_has_a_summary() -> None:
    """``faults`` prints a line for each fault: the first of its docstring, not one that
    ``dataclass`` made."""
    without = [
        kind.__name__
        for kind in FAULTS.values()
        if not kind.summary() or kind.summary().startswith(f"{kind.__name__}(")
    ]
    assert without == [], "these classes have no docstring"


def test_a_fault_has_an_effect() -> None:
    """``faults NAME`` prints the expected effect of each fault on Wove's executor."""
    without = [kind.__name__ for kind in FAULTS.values() if not kind.effect]
    assert without == [], "these classes have no class attribute effect"


def test_a_fault_is_in_the_module_of_its_stage() -> None:
    """The module that defines a fault has the name of its stage."""
    modules = {name: (kind.__module__, kind.stage) for name, kind in FAULTS.items()}
    expected = {name: f"wove_http_dev.faults.{stage}" for name, (_, stage) in modules.items()}
    assert {name: module for name, (module, _) in modules.items()} == expected


def test_every_class_can_be_imported() -> None:
    """``from wove_http_dev.faults import SlowResponse`` works for every fault."""
    imported = {name: getattr(faults, kind.__name__) for name, kind in FAULTS.items()}
    assert imported == FAULTS


def test_what_a_star_imports() -> None:
    """``from wove_http_dev.faults import *`` gives the faults, and no name of ``typing``'s."""
    names: dict[str, object] = {}
    exec("from wove_http_dev.faults import *", names)
    assert names.keys() >= {"FAULTS", "Fault", "SlowResponse"}
    assert not names.keys() & {"Any", "ModuleType", "TYPE_CHECKING", "annotations"}


def test_an_imported_class_has_its_type() -> None:
    """A type checker knows the fields of a class imported from the package."""
    delay: Duration = SlowResponse(delay=2.0).delay
    assert (SlowResponse, delay) == (OfItsStage, 2.0)


def test_a_misspelt_class() -> None:
    """Importing an unknown class is an error, for type checkers too."""
    with pytest.raises(ImportError):
        from wove_http_dev.faults import SlowRespond  # type: ignore[attr-defined]  # noqa: F401


def test_a_fault_can_act_on_the_worker_that_it_needs() -> None:
    """A worker with the options that a fault needs is one on which the fault can act."""
    worker = Worker(tls=True, security="signed", host="localhost", isolated=False)
    reasons = {
        name: kind().cannot_apply(worker._replace(**kind.worker_options()))
        for name, kind in FAULTS.items()
    }
    assert {name: reason for name, reason in reasons.items() if reason is not None} == {}


def test_how_a_fault_of_a_cancel_is_made_to_act() -> None:
    """The recipe for a fault of ``cancel_task`` holds a run until it is abandoned, and retries
    it."""
    holding = {name for name, kind in FAULTS.items() if kind.recipe() != Recipe()}
    assert holding == {name for name, kind in FAULTS.items() if kind.command == "cancel_task"}
