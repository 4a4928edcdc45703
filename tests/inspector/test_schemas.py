"""The schemas of the control API."""

from __future__ import annotations

from wove_http_dev.inspector.schemas import SCHEMAS, ref


def test_reference() -> None:
    """A reference leads into the components of the document."""
    assert ref("run") == {"$ref": "#/components/schemas/run"}


def test_list() -> None:
    """A list is an object with one array named like its path."""
    assert SCHEMAS["runs"]["properties"] == {"runs": {"type": "array", "items": ref("run")}}


def test_required() -> None:
    """Fields are required unless they are said to be optional."""
    assert SCHEMAS["new_stub"]["required"] == ["task"]


def test_nothing_else() -> None:
    """An object has no other fields."""
    assert SCHEMAS["nothing"] == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }
