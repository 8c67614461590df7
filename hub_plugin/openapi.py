"""The API's description (OpenAPI 3.1), made of the tables that its routes are made of."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hub_plugin.deeds import DEEDS, Deed
from hub_plugin.readings import READINGS, Reading

_ERRORS = {
    "400": "The request makes no sense; the sentence says why.",
    "401": "The token is nobody's, or has ended.",
    "403": "Not in that course, or not as an instructor; of a browser also: the form was not ours.",
    "429": "Too often; Retry-After says when again.",
    "503": "Hub, node, publisher or agent do not answer just now.",
}
_TEXT: Mapping[str, Any] = {"type": "string"}
_KINDS: Mapping[Any, Mapping[str, Any]] = {
    str: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    list: {"type": "array", "items": _TEXT},
    NoneType: {"type": "null"},
}
_COURSE = {"name": "course", "in": "path", "required": True, "schema": _TEXT}
_PATCH = (
    "Server-sent events for the pages' script: `patch` is an object of version, lists and pieces (HTML, escaped), "
    "`hello` a name to be sent back as ?heard= once it came. Told from the version ?since= or Last-Event-ID on."
)


def document(prefix: str) -> dict[str, Any]:
    """The description, for the service at this address."""
    paths: dict[str, dict[str, Any]] = {
        "/openapi.json": {"get": {**_answers("This description.", {"type": "object"}), "security": []}},
        "/events": {"get": _answers(f"What changes on my page. {_PATCH}", _TEXT, "text/event-stream")},
        "/courses/{course}/events": {
            "get": {
                **_answers(f"What changes on the class's page. {_PATCH}", _TEXT, "text/event-stream"),
                "parameters": [_COURSE],
            }
        },
        "/admin/events": {
            "get": _answers(f"What changes on the page of the whole hub. {_PATCH}", _TEXT, "text/event-stream")
        },
        **_REPORTS,
    }
    for reading in READINGS:
        paths.setdefault(f"/{reading.path}", {})["get"] = _reading(reading)
    for deed in DEEDS:
        paths.setdefault(f"/{deed.path}", {})["post"] = _deed(deed)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Synced Folders", "version": "1.0.0"},
        "servers": [{"url": f"{prefix}api/v1"}],
        "components": {
            "securitySchemes": {
                "hub": {"type": "http", "scheme": "bearer"},
                "page": {"type": "apiKey", "in": "cookie", "name": "synced-folders-session"},
            }
        },
        # A page's session; what changes something also needs its X-Form-Token.
        "security": [{"hub": []}, {"page": []}],
        "paths": paths,
    }


def schema_of(kind: Any) -> Mapping[str, Any]:
    """A type of Python as JSON has it: dataclasses, lists of one kind, and what may be null."""
    if (known := _KINDS.get(kind)) is not None:
        return known
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return _object({field.name: schema_of(hints[field.name]) for field in fields(kind)})
    among = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return {"oneOf": [schema_of(one) for one in among]}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": schema_of(among[0])}
    raise TypeError(f"{kind} is nothing that the API tells")


def _reading(reading: Reading) -> dict[str, Any]:
    asked = [{"name": name, "in": "query", "schema": _TEXT} for name in reading.query]
    return {**_answers(reading.summary, schema_of(reading.result)), "parameters": _course(reading.path) + asked}


def _deed(deed: Deed) -> dict[str, Any]:
    said = _object({name: _KINDS[kind] for name, kind in deed.fields.items()}, ())
    return {
        **_answers(deed.summary, _object({"sentence": _TEXT})),
        "parameters": _course(deed.path),
        "requestBody": {"content": {"application/json": {"schema": said}}},
    }


def _course(path: str) -> list[Mapping[str, Any]]:
    return [_COURSE] if "{course}" in path else []


def _object(properties: Mapping[str, Any], required: tuple[str, ...] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
    }


def _answers(summary: str, schema: Any, kind: str = "application/json") -> dict[str, Any]:
    error = {"application/json": {"schema": _object({"error": _TEXT})}}
    failures = {code: {"description": said, "content": error} for code, said in _ERRORS.items()}
    good = {"description": "Done.", "content": {kind: {"schema": schema}}}
    return {"summary": summary, "responses": {"200": good, **failures}}


_NAMES = _KINDS[list]
_REPORT = _object(
    {name: _TEXT for name in ("course", "kind", "root", "commit", "state", "sentence")}
    | {"waiting": _NAMES, "notes": _NAMES, "beside": _KINDS[int]}
)
_REPORTS: Mapping[str, dict[str, Any]] = {
    "/views": {
        "post": {
            **_answers("How the folder of the token's user is, from an agent elsewhere.", {"type": "object"}),
            "requestBody": {"required": True, "content": {"application/json": {"schema": _REPORT}}},
        }
    },
    "/nodes": {
        "post": {
            **_answers("A node's status, with the token of a service in node_services.", {"type": "object"}),
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        }
    },
    "/nodes/events": {
        "get": _answers(
            "Hints for a node, as JSON lines for as long as it listens: {} when nothing happened for a while.",
            _object({name: _TEXT for name in ("course", "branch", "commit")}),
            "application/jsonl",
        )
    },
}
