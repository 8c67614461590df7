"""A mounted view in a process of its own, that can be killed; and what a test does to it."""

import contextlib
import json
import os
import signal
import subprocess
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from made_commits import Store

from fuse_mount.catch_up import notices
from fuse_mount.kernel.engine import KernelEngine
from fuse_mount.kernel.mount import close_mount, is_mounted
from fuse_mount.view import OverlayView, open_view
from syncd.agent.news import Answers, News, Page
from syncd.core.entry import CommitId, Mode, RelPath
from syncd.manifest import difference
from syncd.view import Step, Take, Update, Wait, Write

ENGINES = ["kernel", "mfusepy"]


class Mounted:
    """One student's folder, served by another process: page faults on it must not wait for our interpreter."""

    def __init__(self, store: Store, where: Path, engine: str, name: str = "student") -> None:
        self.store = store
        self.root, self.state = where / name, where / f"{name}.state"
        self.engine = engine
        self.process = 0
        self.start()

    def start(self) -> None:
        hear, say = os.pipe(), os.pipe()
        self.process = os.fork()
        if self.process == 0:
            with contextlib.suppress(BaseException):
                kept = sorted([say[0], hear[1]])
                os.closerange(3, kept[0])
                os.closerange(kept[0] + 1, kept[1])
                os.closerange(kept[1] + 1, kept[1] + 100)
                self._serve(os.fdopen(say[0]), os.fdopen(hear[1], "w"))
            os._exit(0)
        os.close(say[0])
        os.close(hear[1])
        self._hearing, self._saying = os.fdopen(hear[0]), os.fdopen(say[1], "w")
        assert self._hear() == "ready"

    def _serve(self, said: IO[str], answers: IO[str]) -> None:
        try:
            view = open_view(self.root, self.state, self.store.snapshot, 0.0, self.engine)
            assert isinstance(view, OverlayView)
            print('"ready"', file=answers, flush=True)
            for line in said:
                word = json.loads(line)
                print(json.dumps(self._obey(view, *word)), file=answers, flush=True)
                if word[0] == "close":
                    return
        except Exception:  # noqa: BLE001  (a child of the test: it must not go on into pytest)
            traceback.print_exc()

    def _obey(self, view: OverlayView, order: str, *more: Any) -> Any:
        match order:
            case "switch":
                return [step.path for step in view.apply(Update(self._snapshot(more[0]), self._steps(view, more[1])))]
            case "switch while":
                told = view.engine.tell  # type: ignore[union-attr]

                def late(stale: Any) -> None:
                    subprocess.run(["sh", "-c", more[2]], cwd=self.root, check=False)
                    told(stale)

                view.engine.tell = late  # type: ignore[union-attr, method-assign]
                refused = self._obey(view, "switch", *more[:2])
                view.engine.tell = told  # type: ignore[union-attr, method-assign]
                return refused
            case "follow":
                self._page, self._answers, self._asked = Page(), Answers(), []
                news = News(self._page.fd, self._answers, 0)
                for earlier in more:
                    self._obey(view, "post", earlier)
                    self._walk()
                view.follow(news, lambda: self._asked.append(self._page.version))
            case "post":
                posted = self._page.post(json.dumps({**more[0], "manifest": "", "blobs": "", "ready_at": 0}).encode())
                assert posted is not None and isinstance(view.engine, KernelEngine)
                for words in notices(posted.paths):
                    with contextlib.suppress(OSError):  # as a parent does: what the kernel does not know
                        os.write(view.engine.session.fd, words)
            case "post while it is still":
                with view.still():
                    self._obey(view, "post", *more)
                    self._walk()
                return view.at_newest()
            case "went over":
                return [self._answers.of(0), self._asked]
            case "nudge":
                view.nudge()
            case "observe":
                return sorted(view.observe())
            case "busy":
                return sorted(view.busy([RelPath(path) for path in more[0]]))
            case "requests":
                return getattr(getattr(view.engine, "session", None), "requests", -1)
            case "drop":
                # As an agent is: without any right of root's.  It stays able to unmount nothing.
                for folder, _, files in os.walk(self.state):
                    for name in (".", *files):
                        os.chown(os.path.join(folder, name), more[0], more[0], follow_symlinks=False)
                os.setgroups([])
                os.setresgid(more[0], more[0], more[0])
                os.setresuid(more[0], more[0], more[0])
            case "linger":
                self._linger(view, more[0])
            case "close":
                view.close()
        return None

    def _linger(self, view: OverlayView, seconds: float) -> None:
        """Have a child that keeps the folder's lock, as a process does that takes its time to die."""
        if os.fork() == 0:
            os.closerange(3, view._lock)
            os.closerange(view._lock + 1, os.sysconf("SC_OPEN_MAX"))
            time.sleep(seconds)
            os._exit(0)

    def _walk(self) -> None:
        """Have another process look at everything, so that the kernel knows all names."""
        subprocess.run(["find", ".", "-ls"], cwd=self.root, check=True, stdout=subprocess.DEVNULL)

    def _snapshot(self, commit: str) -> Any:
        return self.store.snapshot(CommitId(commit))

    def _steps(self, view: OverlayView, wanted: dict[str, Any]) -> list[Step]:
        mine = view.observe()
        steps: list[Step] = []
        for path in map(RelPath, wanted.get("take", [])):
            steps.append(Take(path, mine[path].stamp if path in mine else None))
        for path, text in wanted.get("write", {}).items():
            steps.append(Write(RelPath(path), text.encode(), Mode.FILE, mine[RelPath(path)].stamp))
        steps.extend(Wait(RelPath(path), None) for path in wanted.get("wait", []))
        return steps

    def switch(self, files: Mapping[str, Any], **steps: Any) -> list[str]:
        """Switch to a commit of these files; the paths of the steps that were refused."""
        said = self.ask("switch", self.store.commit(files).commit, steps)
        assert isinstance(said, list)
        return said

    def follow(self, *earlier: dict[str, Any]) -> None:
        """Go over to what is posted by itself from now on; `earlier`: what was posted, and looked for, before that."""
        self.ask("follow", *earlier)

    def post(self, files: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """Post a commit of these files, which follows the one of `before`."""
        self.ask("post", self.version(files, before))

    def post_while_still(self, files: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """The same while the view may not go over, and somebody looks; it goes over when its agent finds time."""
        assert self.ask("post while it is still", self.version(files, before))

    def version(self, files: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
        """What is posted of a commit of these files."""
        new, old = (self.store.commit(each) for each in (files, before))
        kinds = {
            path: "+" if change.base is None else "-" if change.now is None else "~"
            for path, change in difference(old.manifest, new.manifest).items()
        }
        return {"commit": new.commit, "since": old.commit, "paths": kinds}

    def went_over(self) -> tuple[tuple[int, bool], list[int]]:
        """The version that the view has come to, and whether by itself; the versions for which the agent was asked."""
        (version, by_itself), asked = self.ask("went over")
        return (version, by_itself), asked

    def switch_while(self, script: str, files: Mapping[str, Any], **steps: Any) -> list[str]:
        """The same, with a shell in the folder at work between the switch and the kernel's hearing of it."""
        said = self.ask("switch while", self.store.commit(files).commit, steps, script)
        assert isinstance(said, list)
        return said

    def observe(self) -> list[str]:
        said = self.ask("observe")
        assert isinstance(said, list)
        return said

    def busy(self, *paths: str) -> list[str]:
        said = self.ask("busy", paths)
        assert isinstance(said, list)
        return said

    def kill(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        self._shut()

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        if self.process:
            self.ask("close")
            self._shut()
        if is_mounted(self.root):
            close_mount(self.root)

    def _shut(self) -> None:
        os.waitpid(self.process, 0)
        self.process = 0
        self._hearing.close()
        self._saying.close()

    def ask(self, *word: Any) -> Any:
        self._saying.write(json.dumps(word) + "\n")
        self._saying.flush()
        return self._hear()

    def _hear(self) -> Any:
        line = self._hearing.readline().strip()
        assert line, "the server died"
        return json.loads(line)

    def path(self, where: str) -> Path:
        return self.root / where

    def read(self, where: str) -> bytes:
        return self.path(where).read_bytes()

    def write(self, where: str, data: bytes) -> None:
        self.path(where).write_bytes(data)

    def names(self, where: str = "") -> list[str]:
        return sorted(os.listdir(self.path(where)))
