"""Which deliveries of webhooks are genuine, and what they say."""

import hashlib
import hmac

import pytest
from multidict import CIMultiDict

from syncd.core.delivery import Deliveries, Delivery, Push, read_delivery

BODY = b'{"ref": "refs/heads/main", "after": "' + b"1" * 40 + b'"}'
PROOF = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
PUSH = Push("main", "1" * 40)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"X-Hub-Signature-256": f"sha256={PROOF}", "X-GitHub-Event": "push"}, Delivery("GitHub", "", PUSH)),
        ({"X-Hub-Signature-256": f"sha256={PROOF}", "X-GitHub-Event": "ping"}, Delivery("GitHub", "", None)),
        ({"x-gitlab-token": "secret", "x-gitlab-event": "Push Hook"}, Delivery("GitLab", "", PUSH)),
        ({"X-Gitlab-Token": "secret", "X-Gitlab-Event": "Tag Push Hook"}, Delivery("GitLab", "", None)),
        ({"X-Gitea-Signature": PROOF, "X-Gitea-Event": "push", "X-Gitea-Delivery": "d"}, Delivery("Gitea", "d", PUSH)),
        ({"X-Forgejo-Signature": PROOF, "X-Forgejo-Event": "push"}, Delivery("Forgejo", "", PUSH)),
        ({"X-Hub-Signature-256": PROOF, "X-GitHub-Event": "push"}, None),
        ({"X-Hub-Signature-256": "sha256=ü", "X-GitHub-Event": "push"}, None),
        ({"X-Gitlab-Token": "Secret", "X-Gitlab-Event": "Push Hook"}, None),
        # A wrong proof of one form is not made good by another form's headers.
        ({"X-Gitea-Signature": "0" * 64, "X-Gitlab-Token": "secret", "X-Gitlab-Event": "Push Hook"}, None),
        ({"X-GitHub-Event": "push"}, None),
        ({}, None),
    ],
)
def test_only_a_proof_makes_a_delivery(headers: dict[str, str], found: Delivery | None) -> None:
    assert read_delivery(CIMultiDict(headers), BODY, "secret") == found
    assert read_delivery(CIMultiDict(headers), BODY, "") is None


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b"{}", b"[]", b'{"ref": 3}', b"\xff"])
def test_a_genuine_push_that_cannot_be_read_is_still_a_hint(body: bytes) -> None:
    found = read_delivery(CIMultiDict({"X-Gitlab-Token": "s", "X-Gitlab-Event": "Push Hook"}), body, "s")
    assert found == Delivery("GitLab", "", Push(None, None))


def test_deliveries_seen_before_are_known_until_they_are_too_many() -> None:
    seen = Deliveries(2)
    assert [seen.is_new(name) for name in "aabca"] == [True, False, True, True, True]
