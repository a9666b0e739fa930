"""This build beside an older one, in one run: ``python -m benchmarks.against 46e5744``.

The older build is taken from this repository's history into a folder of its own. Both run by turns, each in a process
of its own, against the same vendor; the medians of their figures are divided. A measure is a function of a build, and
stands in ``MEASURES``.
"""

import argparse
import datetime
import ipaddress
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console
from rich.table import Table

REPOSITORY: Final = Path(__file__).resolve().parent.parent
CONNECTIONS: Final = 90

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Build:
    """The source of one build.

    :param certificate: of vendors that speak TLS; the build trusts it.
    """

    folder: Path
    certificate: Path

    def run(self, *command: object) -> dict[str, Any]:
        """What a benchmark of the build printed last, as JSON."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "SSL_CERT_FILE": str(self.certificate)}
        words = [sys.executable, "-m", *map(str, command)]
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed in {self.folder}:\n{done.stderr[-2000:]}")
        printed: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return printed


def send(build: Build, rows: int, *, latency_ms: float, has_tls: bool) -> Figures:
    """A campaign on an SQLite ledger, to a vendor with a latency."""
    words = ["--certificate", str(build.certificate)] if has_tls else []
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", "--latency-ms", str(latency_ms), *words],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        url = f"http{'s' * has_tls}://127.0.0.1:{int(server.stdout.readline())}/v1"
        printed = build.run(
            "benchmarks.ours", "--rows", rows, "--url", url, "--ledger", "sqlite", "--connections", CONNECTIONS
        )
    finally:
        server.terminate()
        seen = json.loads(server.stdout.read())
        server.wait()
    assert seen["max_in_flight"] <= CONNECTIONS, seen
    return {
        "requests a second": printed["rate_per_s"],
        "CPU s per 10,000": printed["cpu_s_per_10k"],
        "connections made": seen["connections"],
    }


MEASURES: Final[Mapping[str, Callable[[Build, int], Figures]]] = {
    "50 ms": lambda build, rows: send(build, rows, latency_ms=50, has_tls=False),
    "50 ms, TLS": lambda build, rows: send(build, rows, latency_ms=50, has_tls=True),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", help="of the older build")
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--only", choices=MEASURES, help="one measure")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    table = Table("measure", "figure", options.revision, "this build", "ratio", title=f"load {load:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="against-") as name:
        folder = Path(name)
        unpack(options.revision, folder / "older")
        certificate = make_certificate(folder / "certificate.pem")
        builds = Build(folder / "older", certificate), Build(REPOSITORY, certificate)
        for measure in [options.only] if options.only else MEASURES:
            older, ours = by_turns(builds, MEASURES[measure], rows=options.rows, repeats=options.repeats)
            for figure, before in older.items():
                after = ours[figure]
                ratio = f"{after / before:.3f}" if before else "-"
                table.add_row(measure, figure, f"{before:,.2f}", f"{after:,.2f}", ratio)
    Console().print(table)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def by_turns(
    builds: Sequence[Build], measure: Callable[[Build, int], Figures], *, rows: int, repeats: int
) -> list[Figures]:
    """The median figures of each build; who begins changes, since what ran before leaves the machine warm."""
    figures: list[list[Figures]] = [[] for _ in builds]
    for turn in range(repeats):
        order = list(range(len(builds)))
        for number in order if turn % 2 else reversed(order):
            figures[number].append(measure(builds[number], rows))
    return [{name: median(each[name] for each in all_of) for name in all_of[0]} for all_of in figures]


def unpack(revision: str, folder: Path) -> None:
    """The files of a revision, without what was changed since."""
    packed = subprocess.run(["git", "-C", REPOSITORY, "archive", revision], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def make_certificate(path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key; whoever trusts the file trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


if __name__ == "__main__":
    main()
