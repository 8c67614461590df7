"""`python -m syncd.demo.witness FOLDER`: what is in a folder, said by a process of whoever may read it.

A student's overlay is open to that student alone, to root neither.
"""

import base64
import json
import subprocess
import sys
from pathlib import Path

from syncd.demo.hands import Files, files_of
from syncd.demo.processes import as_account


def testify(folder: Path, account: int | None) -> Files:
    """All files of a folder as this account sees them.  OSError if they can't be read."""
    argv = [sys.executable, "-m", "syncd.demo.witness", str(folder)]
    done = subprocess.run(argv, capture_output=True, check=False, cwd="/", **as_account(account))
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace"))
    return {path: (mode, base64.b64decode(text)) for path, (mode, text) in json.loads(done.stdout).items()}


def main() -> None:
    """Print it as JSON: path to mode and content in base64."""
    found = files_of(Path(sys.argv[1]))
    print(json.dumps({path: (mode, base64.b64encode(content).decode()) for path, (mode, content) in found.items()}))


if __name__ == "__main__":
    main()
