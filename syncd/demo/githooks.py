"""What the stand-in for GitHub does around a push: refuses as GitHub does, and tells others as it does."""

import asyncio
import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

NOTHING = "0" * 40

# Both read "old new ref" lines; the first decides, the second tells the front what was accepted.
_PRE_RECEIVE = """\
#!/bin/sh
bad=0
while read -r old new ref; do
    for branch in $SYNCD_PROTECTED; do
        if [ "$ref" = "refs/heads/$branch" ]; then
            echo "error: GH006: Protected branch update failed for $ref." >&2
            bad=1
        fi
    done
    if [ -n "$SYNCD_QUOTA" ]; then
        echo "error: The repository is above its quota; remove something or buy storage." >&2
        bad=1
    fi
    case $new in 0000000000000000000000000000000000000000) continue ;; esac
    big=$(git rev-list --objects "$new" --not --all |
        git cat-file --batch-check='%(objecttype) %(objectsize) %(rest)' |
        while read -r kind size name; do
            [ "$kind" = blob ] && [ "$size" -gt "$SYNCD_LARGEST" ] && echo "$size $name"
        done)
    if [ -n "$big" ]; then
        echo "error: GH001: Large files detected." >&2
        echo "$big" | while read -r size name; do
            echo "error: File $name is $size bytes; this exceeds the limit of $SYNCD_LARGEST bytes" >&2
        done
        bad=1
    fi
done
exit $bad
"""
_POST_RECEIVE = '#!/bin/sh\nexec cat > "$SYNCD_RECEIVED"\n'


def write_hooks(folder: Path) -> None:
    """Put the server's git hooks into a folder (for `core.hooksPath`)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("pre-receive", _PRE_RECEIVE), ("post-receive", _POST_RECEIVE)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


@dataclass(frozen=True, slots=True)
class Hook:
    """Somebody who wants to hear of pushes."""

    url: str
    secret: str
    repository: str | None = None
    """None: of all repositories."""


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One ref that a push moved."""

    before: str
    after: str
    ref: str


def ref_updates(received: str) -> list[RefUpdate]:
    """The updates of a post-receive hook's input."""
    return [RefUpdate(*line.split(" ", 2)) for line in received.splitlines() if line.count(" ") >= 2]


def payload(repository: str, url: str, update: RefUpdate) -> bytes:
    """The body of a push event in GitHub's form, as far as anybody reads it."""
    name = repository.removesuffix(".git")
    return json.dumps(
        {
            "ref": update.ref,
            "before": update.before,
            "after": update.after,
            "created": update.before == NOTHING,
            "deleted": update.after == NOTHING,
            "forced": False,
            "repository": {"name": name, "full_name": name, "clone_url": url},
            "pusher": {"name": "stand-in"},
            "head_commit": {"id": update.after},
        }
    ).encode()


def signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def deliver(session: aiohttp.ClientSession, hook: Hook, event: str, body: bytes) -> int | None:
    """Send one event; the answer's status, None if there was none.  Like GitHub, never tried again."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/stand-in",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": signature(hook.secret, body),
    }
    try:
        async with session.post(hook.url, data=body, headers=headers) as answer:
            return answer.status
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None


async def deliver_all(
    session: aiohttp.ClientSession, hooks: Sequence[Hook], repository: str, url: str, updates: Sequence[RefUpdate]
) -> list[int | None]:
    """Tell all hooks of a repository of all that moved."""
    return await asyncio.gather(
        *(
            deliver(session, hook, "push", payload(repository, url, update))
            for hook in hooks
            if hook.repository in (None, repository)
            for update in updates
        )
    )
