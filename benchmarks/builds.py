"""Builds of this package that a benchmark runs: this one, and one of the repository's history."""

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Build:
    """The source of one build.

    :param certificate: of vendors that speak TLS; the build trusts it.
    """

    folder: Path
    certificate: Path

    def run(self, *command: object) -> dict[str, Any]:
        """What a benchmark of the build printed last, as JSON."""
        return self._run("-m", *command)

    def run_file(self, file: Path, *command: object) -> dict[str, Any]:
        """What a benchmark of this build printed last, which measures that build."""
        return self._run(file, *command)

    def _run(self, *command: object) -> dict[str, Any]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "SSL_CERT_FILE": str(self.certificate)}
        words = [sys.executable, *map(str, command)]
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed in {self.folder}:\n{done.stderr[-2000:]}")
        printed: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return printed


def unpack(revision: str, folder: Path) -> None:
    """The files of a revision, without what was changed since."""
    packed = subprocess.run(["git", "-C", REPOSITORY, "archive", revision], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
