"""Where a file may not be that several processes lock."""

from pathlib import Path
from typing import Final

import psutil

from airflow_provider_dropcowboy.errors import ConfigurationError

_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "beegfs", "fuse")
_LOCAL_FUSE: Final = frozenset({"fuseblk", "fuse.fuse-overlayfs", "fuse-overlayfs"})


def refuse_network_disk(path: Path) -> None:
    """Nothing, if the file is, or would be, on a local disk.

    :raises ConfigurationError: on a network file system SQLite's locks do not hold (sqlite.org, "How To Corrupt", 2.1).
    """
    kind = _file_system(path)
    if kind.startswith(_NETWORK) and kind not in _LOCAL_FUSE:
        raise ConfigurationError(
            f"The ledger's file {path} is on a network file system ({kind}), where SQLite's locks do not hold: two "
            "workers could call the same people. Nothing was sent. Put it on a local disk, or set ledger_conn_id or "
            "DROPCOWBOY_LEDGER_URL to a PostgreSQL database."
        )


def _file_system(path: Path) -> str:
    """The kind of the file system that holds a path, in lower case; empty: not known."""
    resolved = path.resolve()
    holding = [part for part in psutil.disk_partitions(all=True) if resolved.is_relative_to(part.mountpoint)]
    innermost = max(holding, key=lambda part: len(part.mountpoint), default=None)
    return innermost.fstype.lower() if innermost else ""
