"""Keys and tokens in a text, by the rules of detect-secrets.

Rules that know a key by its form only.  Left off: entropy, keywords ("password = ...") and addresses of
machines, which teaching material is full of; JSON web tokens, Twilio's and Discord's, whose forms ordinary data
has as well; and IBM's and Cloudant's rules, which take as long as all others together.
Nothing is asked over the network.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

_RULES: dict[str, tuple[bytes, ...]] = {
    "artifactory.ArtifactoryDetector": (b"AKC",),
    "aws.AWSKeyDetector": (b"A3T", b"ABIA", b"ACCA", b"AKIA", b"ASIA", b"aws", b"AWS", b"Aws"),
    "azure_storage_key.AzureStorageKeyDetector": (b"AccountKey",),
    "basic_auth.BasicAuthDetector": (b"@",),
    "github_token.GitHubTokenDetector": (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"),
    "gitlab_token.GitLabTokenDetector": (
        b"glpat-", b"gldt-", b"glft-", b"glsoat-", b"glrt-", b"GR1348941", b"glcbt-", b"glimt-", b"glptt-", b"glagent-",
        b"gloas-",
    ),
    "mailchimp.MailchimpDetector": (b"-us",),
    "npm.NpmDetector": (b"_authToken",),
    "openai.OpenAIDetector": (b"T3BlbkFJ",),
    "private_key.PrivateKeyDetector": (b"PRIVATE KEY", b"PuTTY-User-Key"),
    "pypi_token.PypiTokenDetector": (b"pypi-",),
    "sendgrid.SendGridDetector": (b"SG.",),
    "slack.SlackDetector": (b"xox", b"XOX", b"hooks.slack.com"),
    "square_oauth.SquareOAuthDetector": (b"sq0csp-",),
    "stripe.StripeDetector": (b"k_live_",),
    "telegram_token.TelegramBotTokenDetector": (b":AA",),
}  # fmt: skip
"""Each rule, and what a text must hold for it to find anything: looking for that takes next to no time."""

_PIECE = 1 << 20
_picture = re.compile(rb"[A-Za-z0-9+/]{1000,}={0,2}")
# GitHub's fine-grained tokens, which detect-secrets 1.5 does not know yet.
_fine_grained = re.compile(rb"\bgithub_pat_[A-Za-z0-9_]{36,255}\b").search


@cache
def _rule(rule: str) -> tuple[str, tuple[re.Pattern[str], ...]]:
    module, _, name = rule.partition(".")
    found = getattr(import_module(f"detect_secrets.plugins.{module}"), name)
    return str(found.secret_type), tuple(found.denylist)


def secret_in(content: bytes) -> str | None:
    """The kind of the first key or token in a content ('GitHub Token'); None where none is found, and in binaries."""
    if b"\0" in content[:8000]:
        return None
    return next(filter(None, map(_secret_in_lines, _pieces(content))), None)


def _pieces(content: bytes) -> Iterator[bytes]:
    """Some lines at a time: while a regular expression is at work, no other thread is."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start + _PIECE) + 1 or len(content)
        yield content[start:end]
        start = end


def _secret_in_lines(content: bytes) -> str | None:
    if b"github_pat_" not in content and not any(word in content for words in _RULES.values() for word in words):
        return None
    if len(content) > 1000:
        content = _picture.sub(b"", content)  # pictures in notebooks
    text: str | None = None
    if b"github_pat_" in content and _fine_grained(content):
        return "GitHub Token"
    for rule, words in _RULES.items():
        if not any(word in content for word in words):
            continue
        if text is None:
            text = content.decode("utf-8", "replace")
        kind, patterns = _rule(rule)
        if any(found and not _is_example(found) for pattern in patterns for found in _matches(pattern, text)):
            return kind
    return None


def _matches(pattern: re.Pattern[str], text: str) -> list[str]:
    found = pattern.findall(text)
    return [next(filter(None, each), "") if isinstance(each, tuple) else each for each in found]


def _is_example(secret: str) -> bool:
    """Placeholders of manuals: AKIAIOSFODNN7EXAMPLE, user:password@, {token}."""
    low = secret.lower()
    return "example" in low or low in _PLACEHOLDERS or secret[0] in "{<$" or len(set(low)) < 3


_PLACEHOLDERS = frozenset({"password", "passwd", "pass", "pwd", "secret", "token", "your_password", "yourpassword"})
