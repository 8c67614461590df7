"""What students see of files with solutions: nbgrader's and Otter's own examples, and what both would refuse."""

import json

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staff_notebooks import code, notebook, prose, raw, sources

from syncd.core.entry import RelPath
from syncd.guards.markers import FORBIDDEN
from syncd.guards.solutions import CannotStrip, strip

CODE = {
    "nbgrader": (
        "def foo(bar):\n    '''Prints bar.'''\n    ### BEGIN SOLUTION\n    print(bar)\n    ### END SOLUTION",
        "def foo(bar):\n    '''Prints bar.'''\n    # YOUR CODE HERE\n    raise NotImplementedError()",
    ),
    "hidden tests": (
        "assert a\n### BEGIN HIDDEN TESTS\nassert b\n### END HIDDEN TESTS\nassert c",
        "assert a\nassert c",
    ),
    "a marking scheme": ("keep\n### BEGIN MARK SCHEME\n3 points\n### END MARK SCHEME", "keep"),
    "otter's lines": (
        "def square(x):\n    y = x * x # SOLUTION NO PROMPT\n    return y # SOLUTION\n\nnine = square(3) # SOLUTION",
        "def square(x):\n    ...\n\nnine = ...",
    ),
    "otter's blocks": (
        "pi = 3.14\nif True:\n    # BEGIN SOLUTION\n    r = 3\n    area = r * pi\n    # END SOLUTION\n    print(area)",
        "pi = 3.14\nif True:\n    ...\n    print(area)",
    ),
    "otter's prompt": (
        "def c(r):\n    # BEGIN SOLUTION NO PROMPT\n    return 2 * r\n    # END SOLUTION\n"
        '    """ # BEGIN PROMPT\n    # Next.\n    pass\n    """; # END PROMPT',
        "def c(r):\n    # Next.\n    pass",
    ),
    "an item and a pair": ("t['a'] = 1 # SOLUTION\nx, y = f(3) # SOLUTION", "t['a'] = ...\nx, y = ..."),
    "no assignment": ("f(x=3) # SOLUTION\nif x == 3: # SOLUTION\n    pass", "...\n...\n    pass"),
    "begin and end on one line": (
        "x = 1 ### BEGIN SOLUTION 2 ### END SOLUTION",
        "# YOUR CODE HERE\nraise NotImplementedError()",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), CODE.values(), ids=CODE)
def test_a_code_cell_and_a_script_become_what_the_tools_make_of_them(before: str, after: str) -> None:
    assert strip(RelPath("a/lab.py"), before.encode()).decode() == after
    assert sources(strip(RelPath("a/lab.ipynb"), notebook(code(before)))) == [after]


LANGUAGES = [
    ("r", "# BEGIN SOLUTION\nf(2)\n# END SOLUTION\nx <- 3 # SOLUTION", "# YOUR CODE HERE\nx <- NULL # YOUR CODE HERE"),
    ("r", "### BEGIN SOLUTION\nf(2)\n### END SOLUTION", "# YOUR CODE HERE\nfail()"),
    ("java", "// BEGIN SOLUTION\nf(2);\n// END SOLUTION", "// YOUR CODE HERE"),
    ("matlab", "% BEGIN SOLUTION\nf(2)\n% END SOLUTION", "% YOUR CODE HERE\nerror('No Answer Given!')"),
    ("javascript", "// BEGIN SOLUTION\nf(2);\n// END SOLUTION", "// YOUR CODE HERE"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "before", "after"), LANGUAGES)
def test_each_language_has_its_own_stub(language: str, before: str, after: str) -> None:
    assert sources(strip(RelPath("lab.ipynb"), notebook(code(before), language=language))) == [after]


def test_an_otter_question_keeps_its_text_and_public_tests() -> None:
    book = notebook(
        raw("# ASSIGNMENT CONFIG\nname: hw"),
        raw("# BEGIN QUESTION\nname: q1\nmanual: true"),
        prose("What is 2 + 2?"),
        raw("# BEGIN SOLUTION"),
        prose("It is four, of course."),
        prose("And not five."),
        code("q1 = 4 # SOLUTION", output="the answer is 4"),
        code("unmarked = 'secret work'"),
        raw("# END SOLUTION"),
        raw("# BEGIN TESTS"),
        code("q1 > 0"),
        code("# HIDDEN\nq1 == 4"),
        code('""" # BEGIN TEST CONFIG\nhidden: true\n""" # END TEST CONFIG\nq1 + 0 == 4'),
        raw("# END TESTS"),
        raw("# END QUESTION"),
        code("# IGNORE\nprint('for me')"),
        code("np.random.seed(42) # SEED\nprint(q1)", output="4"),
    )
    out = strip(RelPath("hw.ipynb"), book)
    assert sources(out) == [
        "What is 2 + 2?",
        "_Type your answer here, replacing this text._",
        "q1 = ...",
        "...",
        "q1 > 0",
        "print(q1)",
    ]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in json.loads(out)["cells"])
    nbformat.validate(nbformat.reads(out.decode(), as_version=4))


@pytest.mark.parametrize("tag", ["solution", "Staff", "private", "instructor"])
def test_a_tagged_cell_is_not_there(tag: str) -> None:
    book = notebook(code("a"), code("b", {"tags": ["other", tag]}), prose("c"))
    assert sources(strip(RelPath("x.ipynb"), book)) == ["a", "c"]


def graded(source: str, **grader: bool) -> bytes:
    return notebook(code(source, {"nbgrader": {"grade_id": "q", "solution": True, "grade": False, **grader}}))


def test_an_nbgrader_answer_cell_without_markers_becomes_the_stub() -> None:
    stub = "# YOUR CODE HERE\nraise NotImplementedError()"
    assert sources(strip(RelPath("x.ipynb"), graded("return 42"))) == [stub]
    released = graded("def f():\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert strip(RelPath("x.ipynb"), released) == released


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("x.ipynb", notebook(code("a = 1"), prose("# A Solution of Sugar"), code("b", output="4"))),
        ("x.ipynb", notebook(code("a = 1", {"tags": ["hide-input"]}), indent=4)),
        ("x.ipynb", b'{"not": "a notebook"}'),
        ("notes.md", b"# SOLUTION\nis a heading here\n"),
        ("x.py", b"x = 1  # the solution\r\ny = 2\n"),
        ("photo.png", b"\x89PNG\0\1\2 SOLUTION"),
        ("latin.txt", b"caf\xe9 SOLUTION\n"),
    ],
)
def test_what_holds_nothing_for_staff_keeps_every_byte(path: str, content: bytes) -> None:
    assert strip(RelPath(path), content) is content


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("x.py", b"### BEGIN SOLUTION\nx = 1\n"),
        ("x.py", b"x = 1\n### END SOLUTION\n"),
        ("x.py", b"### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION\n"),
        ("x.py", b"### BEGIN HIDDEN TESTS\n### BEGIN SOLUTION\n### END HIDDEN TESTS\n"),
        ("x.py", b"### BEGIN SOLUTION\n### BEGIN HIDDEN TESTS\n### END SOLUTION\nassert hidden\n"),
        ("x.py", b"### BEGIN SOLUTION\n### END HIDDEN TESTS\n### END SOLUTION\n"),
        ("x.ipynb", b'{"cells": [{"source": "### BEGIN SOLUTION'),
        ("x.ipynb", notebook(raw("# BEGIN SOLUTION"), code("x"))),
        ("x.ipynb", notebook(raw("# END TESTS"))),
        ("x.ipynb", notebook(code("x", {"note": "### BEGIN SOLUTION"}))),
        ("data.bin", b"\0### BEGIN SOLUTION\n"),
        ("wide.txt", "### BEGIN SOLUTION".encode("utf-16-le")),
    ],
)
def test_marks_that_cannot_be_followed_keep_the_whole_file(path: str, content: bytes) -> None:
    with pytest.raises(CannotStrip):
        strip(RelPath(path), content)


def test_wide_texts_and_escaped_marks_are_read() -> None:
    wide = "a\r\n# BEGIN SOLUTION\r\nb\r\n# END SOLUTION\r\n".encode("utf-16")
    assert strip(RelPath("x.py"), wide).decode("utf-16") == "a\r\n...\r\n"
    escaped = notebook(code("# BEGIN SOLUTION\nb\n# END SOLUTION")).replace(b"BEGIN", b"\\u0042EGIN")
    assert sources(strip(RelPath("x.ipynb"), escaped)) == ["..."]


def test_the_layout_of_what_stays_is_kept_to_the_byte() -> None:
    book = notebook(code("a = 'é'\n"), code("# BEGIN SOLUTION\nb\n# END SOLUTION"), prose("end"), indent=3)
    assert strip(RelPath("x.ipynb"), book) == notebook(code("a = 'é'\n"), code("..."), prose("end"), indent=3)


_lines = st.sampled_from(
    [
        "x = 1",
        "SECRET",
        *(f"# {word}" for word in FORBIDDEN),
        "### BEGIN SOLUTION",
        "### END SOLUTION",
        "y # SOLUTION",
        "",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_lines, max_size=12), st.sampled_from(["a.py", "a.R", "a.md", "a.ipynb"]))
def test_no_line_between_marks_and_no_mark_ever_gets_through(lines: list[str], name: str) -> None:
    content = notebook(code("\n".join(lines))) if name.endswith("ipynb") else "\n".join(lines).encode()
    try:
        out = strip(RelPath(name), content)
    except CannotStrip:
        return
    text = out.decode()
    assert not any(word in text for word in FORBIDDEN)
    open_marks, shown = 0, 0
    for line in lines:
        open_marks += ("BEGIN" in line) - ("END" in line)
        shown += line == "SECRET" and open_marks == 0
    assert text.count("SECRET") <= shown
    assert strip(RelPath(name), out) == out
