"""The API's description (OpenAPI 3.1)."""

from typing import Any

_ERRORS = {
    "400": "The request makes no sense; the sentence says why.",
    "401": "The token is nobody's, or has ended.",
    "403": "Not in that course, or not as an instructor.",
    "429": "Too often; Retry-After says when again.",
    "503": "Hub, node or agent do not answer just now.",
}
_TEXT, _NUMBER, _TRUTH = {"type": "string"}, {"type": "number"}, {"type": "boolean"}


def document(prefix: str) -> dict[str, Any]:
    """The description, for the service at this address."""
    view = _object(
        version=_TEXT,
        state=_TEXT,
        tone={"enum": ["good", "busy", "wait", "bad", "quiet"]},
        sentence=_TEXT,
        waiting={"type": "integer", "description": "How many files wait for an update."},
        updated_at={"type": ["string", "null"], "format": "date-time"},
        age_s={"type": ["number", "null"], "description": "Seconds since the agent reported."},
    )
    mine = _object(
        name=_TEXT,
        title=_TEXT,
        folder={"type": "string", "description": "From the home."},
        role={"enum": ["student", "instructor", "admin"]},
        view={"oneOf": [view, {"type": "null"}]},
    )
    versions = {"type": "array", "items": _object(sentence=_TEXT, count=_NUMBER, newest=_TRUTH)}
    student = {"allOf": [_object(user=_TEXT), view]}
    a_class = _object(
        name=_TEXT, title=_TEXT, state=_TEXT, versions=versions, students={"type": "array", "items": student}
    )
    me = _object(name=_TEXT, admin=_TRUTH, courses={"type": "array", "items": mine})
    names = {"type": "array", "items": _TEXT}
    report = _object(
        course=_TEXT, kind=_TEXT, root=_TEXT, commit=_TEXT, state=_TEXT, sentence=_TEXT, waiting=names, notes=names
    )
    done = _object(sentence=_TEXT)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Synced Folders", "version": "1.0.0"},
        "servers": [{"url": f"{prefix}api/v1"}],
        "components": {"securitySchemes": {"hub": {"type": "http", "scheme": "bearer"}}},
        "security": [{"hub": []}],
        "paths": {
            "/openapi.json": {"get": {**_answers("This description.", {"type": "object"}), "security": []}},
            "/me": {"get": _answers("Whose token it is, and their courses.", me)},
            "/views": {
                "post": {
                    **_answers("How the folder of the token's user is, from an agent elsewhere.", {"type": "object"}),
                    "requestBody": {"required": True, "content": {"application/json": {"schema": report}}},
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
                    _object(course=_TEXT, branch=_TEXT, commit=_TEXT),
                )
            },
            "/courses/{course}": {"get": {**_answers("The class, for its instructors.", a_class), **_COURSE}},
            "/courses/{course}/update": {"post": {**_answers("Merge what waits in my folder now.", done), **_COURSE}},
            "/courses/{course}/pause": {
                "post": {
                    **_answers("Let no new versions come into my folder, or let them come again.", done),
                    **_COURSE,
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": _object(paused=_TRUTH)}},
                    },
                }
            },
            "/courses/{course}/restore": {
                "post": {
                    **_answers("Give my folder the instructor's version of a file or folder back.", done),
                    **_COURSE,
                    "requestBody": {"required": True, "content": {"application/json": {"schema": _object(path=_TEXT)}}},
                }
            },
        },
    }


_COURSE = {"parameters": [{"name": "course", "in": "path", "required": True, "schema": _TEXT}]}


def _object(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _answers(summary: str, schema: object) -> dict[str, Any]:
    error = {"application/json": {"schema": _object(error=_TEXT)}}
    failures = {code: {"description": said, "content": error} for code, said in _ERRORS.items()}
    good = {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    return {"summary": summary, "responses": {"200": good, **failures}}
