"""What the systems show: a course, a package to import, one large file; and commits to switch between."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.overlay.made_commits import Store

_KEPT = Path("build", "bench-fs")
"""Where a package stays from run to run; `make clean` removes it."""

Tree = dict[str, bytes]


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    folders: int = 500
    files: int = 10
    """In each folder."""
    big_mb: int = 300
    modules: int = 400
    creates: int = 2000
    appends: int = 5000
    preads: int = 20_000
    edits: int = 150
    entries: int = 11_000
    """Files of the commits that are switched."""
    switches: tuple[int, ...] = (10, 1000, 4000)
    switch_times: int = 6
    views: int = 50


QUICK = Sizes(folders=50, big_mb=30, creates=200, appends=500, preads=2000, edits=15, switch_times=2, views=5)


@dataclass(frozen=True)
class Lower:
    """The tree below every system, as a folder and as a commit."""

    folder: Path
    store: Path
    commit: str
    files: tuple[str, ...]
    """The course's, without what else there is."""
    package: str


def course(sizes: Sizes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Notebooks, data, scripts, texts and pictures: 12 KB on average."""
    for n in range(sizes.folders):
        folder = f"course/week{n // 25 + 1:02}/part{n % 25 + 1:02}"
        for m in range(sizes.files):
            kind = rng.choices(("ipynb", "csv", "py", "md", "png"), (3, 2, 3, 1, 1))[0]
            size = int(min(rng.lognormvariate(9.0, 0.9), 200_000))
            yield f"{folder}/{kind}{m:02}.{kind}", _content(kind, size, rng)


def _content(kind: str, size: int, rng: random.Random) -> bytes:
    if kind == "png":
        return rng.randbytes(size)
    if kind == "ipynb":
        cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": rng.randbytes(size // 3).hex()}
        return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    line = rng.randbytes(30).hex().encode() + b"\n"
    return line * (size // len(line) + 1)


def make_lower(at: Path, sizes: Sizes, rounds: int, seed: int) -> Lower:
    """Write it all into `at`: `lower/` and `store/`."""
    rng = random.Random(seed)
    files = dict(course(sizes, rng))
    package, modules = _package(sizes)
    edits = {
        f"edits/round{r}/{n:03}.txt": rng.randbytes(6000).hex().encode()
        for r in range(rounds)
        for n in range(sizes.edits)
    }
    tree = {**files, **modules, **edits, "big.bin": b"".join(rng.randbytes(1 << 20) for _ in range(sizes.big_mb))}
    write_tree(at / "lower", tree)
    store = Store(at / "store")
    return Lower(at / "lower", store.root, store.commit(tree).commit, tuple(files), package)


def write_tree(top: Path, tree: Mapping[str, bytes]) -> None:
    """Write files into a folder."""
    made: set[str] = set()
    for path, content in tree.items():
        folder = path.rpartition("/")[0]
        if folder not in made:
            (top / folder).mkdir(parents=True, exist_ok=True)
            made.add(folder)
        (top / path).write_bytes(content)


def _package(sizes: Sizes) -> tuple[str, Tree]:
    """A package's name, and `package/` to import it from: pandas, or a made-up one where pip can't have it."""
    kept = _KEPT / f"pandas-{sys.version_info.major}{sys.version_info.minor}"
    if not (kept / "whole").exists():
        print("Fetching pandas, to import it (once).", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
        done = subprocess.run(
            [*pip, "--only-binary", ":all:", "--target", str(kept / "package"), "pandas"], check=False
        )
        if done.returncode:
            print("pandas can't be had from pip here: a made-up package is imported instead.")
            return "made", dict(_made_package(sizes))
        # A file's time is another in each system: what is compiled must not depend on it.
        compiling = [sys.executable, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([*compiling, str(kept / "package")], check=False)
        (kept / "whole").touch()
    paths = (path for path in sorted((kept / "package").rglob("*")) if path.is_file() and "tests" not in path.parts)
    return "pandas", {path.relative_to(kept).as_posix(): path.read_bytes() for path in paths}


def _made_package(sizes: Sizes) -> Iterator[tuple[str, bytes]]:
    body = "".join(f"def function{n}(a, b=1):\n    return a * {n} + b\n" for n in range(40))
    for n in range(sizes.modules):
        yield f"package/made/part{n // 20:02}/module{n:03}.py", body.encode()
    for n in range((sizes.modules + 19) // 20):
        yield f"package/made/part{n:02}/__init__.py", b""
    names = "".join(f"import made.part{n // 20:02}.module{n:03}\n" for n in range(sizes.modules))
    yield "package/made/__init__.py", names.encode()


# Commits to switch between

Expected = dict[str, bytes | None]
"""What must show at the paths that a switch changes; None: nothing."""


@dataclass(frozen=True)
class Switching:
    """Two commits that differ in so many paths."""

    one: str
    other: str
    in_one: Expected
    in_other: Expected


def many_files(sizes: Sizes) -> Tree:
    """A commit of many small files, 20 in a folder."""
    return {
        f"week{n // 500:02}/part{n // 20:03}/file{n:05}.txt": b"version one of %d\n" % n for n in range(sizes.entries)
    }


def switching(store: Store, tree: Tree, count: int, rng: random.Random) -> Switching:
    """Change so many paths: of ten, eight get another content, one goes and one comes."""
    chosen = rng.sample(sorted(tree), count)
    now, then = dict(tree), Expected()
    for n, path in enumerate(chosen):
        if n % 10 == 8:
            then[path] = None
        elif n % 10 == 9:
            path = f"{os.path.splitext(path)[0]}-new.txt"
            then[path] = b"new\n"
        else:
            then[path] = tree[path] + b"and then version two\n"
    for path, content in then.items():
        if content is None:
            del now[path]
        else:
            now[path] = content
    in_one: Expected = {path: tree.get(path) for path in then}
    return Switching(store.commit(tree).commit, store.commit(now).commit, in_one, then)
