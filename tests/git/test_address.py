import pytest

from syncd.core.errors import NeedsUser
from syncd.git.address import Kind, parse_address


@pytest.mark.parametrize(
    ("text", "kind", "host"),
    [
        ("https://github.com/data-8/textbook", Kind.HTTP, "github.com"),
        (" https://github.com/data-8/textbook.git/ ", Kind.HTTP, "github.com"),
        ("http://127.0.0.1:8080/x.git", Kind.HTTP, "127.0.0.1"),
        ("HTTPS://GitHub.com/x", Kind.HTTP, "github.com"),
        ("git@github.com:data-8/textbook.git", Kind.SSH, "github.com"),
        ("github.com:textbook", Kind.SSH, "github.com"),
        ("ssh://git@example.org:2222/x.git", Kind.SSH, "example.org"),
        ("/srv/git/x.git", Kind.LOCAL, ""),
        ("file:///srv/git/x.git", Kind.LOCAL, ""),
        ("../x.git", Kind.LOCAL, ""),
        ("C:\\courses\\x.git", Kind.LOCAL, ""),
        ("C:/courses/x.git", Kind.LOCAL, ""),
    ],
)
def test_address_is_understood(text: str, kind: Kind, host: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.host) == (kind, host)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "-oProxyCommand=touch /tmp/x",
        "--upload-pack=touch /tmp/x",
        "ext::sh -c touch% /tmp/x",
        "ext:sh",
        "fd::17",
        "https://token@github.com/x",
        "https://user:secret@github.com/x",
        "https://:secret@github.com/x",
        "https://github.com/x?token=secret",
        "https://github.com/x#main",
        "https:///x",
        "https://github.com:99999999/x",
        "https://[::1/x",
        "ssh://user:secret@host/x",
        "ssh://-oProxyCommand=x/y",
        "ssh://-lroot@host/x",
        "ssh://host/-x",
        "ssh://host",
        "-host:path",
        "git@-oProxyCommand=x:y",
        "host:-x",
        "git://example.org/x",
        "ftp://example.org/x",
        "javascript://x",
        "https://github.com/x\nhttps://evil.example/y",
        "https://github.com/\x00",
    ],
)
def test_address_is_refused_with_one_sentence(text: str) -> None:
    with pytest.raises(NeedsUser) as refusal:
        parse_address(text)
    sentence = str(refusal.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "secret" not in sentence and "token@" not in sentence


def test_loopback_is_known_by_name_and_number() -> None:
    assert parse_address("http://localhost:1/x").is_loopback
    assert parse_address("http://[::1]:1/x").is_loopback
    assert parse_address("http://127.1.2.3/x").is_loopback
    assert not parse_address("https://github.com/x").is_loopback
    assert not parse_address("https://localhost.example.org/x").is_loopback
