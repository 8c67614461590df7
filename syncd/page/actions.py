"""What a button does: each is one request to the publisher's control, as a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from syncd.page import words
from syncd.page.asking import Publisher
from syncd.page.paths import unquoted

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Action:
    """The path below `/v1/folders/ID/` (with fields of the form in it), and the request's body."""

    path: str
    body: Callable[[Form], Mapping[str, object]]
    said: str = ""
    """What to say when the publisher says nothing."""


def _fields(*names: str) -> Callable[[Form], Mapping[str, object]]:
    return lambda form: {
        name: unquoted(form[name]) if name == "path" else form[name] for name in names if form.get(name)
    }


ACTIONS: Mapping[str, Action] = {
    "pause": Action("pause", _fields(), words.SAID["pause"]),
    "resume": Action("resume", _fields("keep"), words.SAID["resume"]),
    "remove": Action("remove", _fields()),
    "restore": Action("restore", _fields("path", "version")),
    "allow": Action("allow", _fields("path", "guard")),
    "token": Action("token", _fields("token")),
    "publish": Action("publish", lambda form: _publish(form)),
    "undo": Action("undo", _fields("release")),
    "cancel": Action("releases/{plan}/cancel", _fields()),
    "students": Action("students", lambda form: {"off": True} if form.get("way") == "own" else _fields("way")(form)),
    "hub": Action("hub", lambda form: {"hub": form.get("hub", "")}, words.SAID["hub"]),
}


def _publish(form: Form) -> Mapping[str, object]:
    at = form.get("at", "").replace("T", " ")
    return {
        "paths": [unquoted(each) for each in form.get("paths", "").splitlines()],
        "message": form.get("message", ""),
        **({"at": at} if at else {}),
    }


async def act(publisher: Publisher, id: str, name: str, form: Form) -> str | None:
    """Do it; the sentence to say.  None: there is no such button.  Unanswered if the publisher says no."""
    if name == "hint":
        await publisher.ask("POST", "/v1/hint", {})
        return words.SAID["hint"]
    action = ACTIONS.get(name)
    if action is None:
        return None
    try:
        path = action.path.format_map({field: quote(value, safe="") for field, value in form.items()})
    except KeyError:
        return None
    found = await publisher.ask("POST", f"/v1/folders/{quote(id, safe='')}/{path}", action.body(form))
    said = found.get("sentence") if action.said == "" else action.said
    return words.plain(said) if isinstance(said, str) else words.SAID["resume"]
