import pytest

from syncd.core.names import problem, windows_problem


@pytest.mark.parametrize(
    "name",
    [
        b"", b".", b"..", b"a/b", b"/", b"/abs", b"a\0b", b"x" * 256, b".git", b".GIT", b".Git", b"git~1",
        b"GIT~1", b"git~2", b".git.", b".git ", b".git. . ", b".git::$INDEX_ALLOCATION",
        b".git:x", b".git\\x", b"git~1 ", b"git~1:x",
        ".g\u200cit".encode(), ".gi\u200dt".encode(), "\ufeff.git".encode(), ".git\u206f".encode(),
        ".\u202eGIT".encode(),
    ],
)  # fmt: skip
def test_dangerous_name_is_left_out(name: bytes) -> None:
    assert problem(name)


@pytest.mark.parametrize(
    "name",
    [
        b"a", b"...", b".gitignore", b".gitattributes", b".gitmodules", b"git", b"git~", b"git~10", b"x.git",
        b".github", b"a b", b" ", b"-rf", b"caf\xc3\xa9", b"\xff\xfe", b"x" * 255, b"a\\b", b"a:b", b"CON", b"\n",
    ],
)  # fmt: skip
def test_harmless_name_is_shown(name: bytes) -> None:
    assert problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "a:b", "a\\b", 'a"b', "a?", "a*", "a<b", "a>b", "a|b", "a\tb", "a\x00", "a.", "a ", "con", "NUL", "com1.txt",
        "Lpt9.tar.gz", "aux .txt", "CONIN$", "COM²", "x" * 256, "\U0001f600" * 128,
    ],
)  # fmt: skip
def test_name_that_windows_cannot_hold_is_known(name: str) -> None:
    assert windows_problem(name)


@pytest.mark.parametrize(
    "name", ["a", ".a", "a b", "console", "com", "com0", "lpt10", "nul_", "x" * 255, "é", "~1", "'"]
)
def test_name_that_windows_holds_is_known(name: str) -> None:
    assert windows_problem(name) is None
