"""fakesnow as a server, with NULL instants: its own release sends them as 1970. A program: the port is its argument."""

import sys
from importlib import import_module
from typing import Any

import pyarrow
import uvicorn
from fakesnow import arrow

_to_struct = arrow.timestamp_to_sf_struct


def _with_nulls(instants: Any) -> pyarrow.StructArray:
    struct = _to_struct(instants)
    chunks = instants.combine_chunks() if isinstance(instants, pyarrow.ChunkedArray) else instants
    return pyarrow.StructArray.from_arrays(struct.flatten(), fields=list(struct.type), mask=chunks.is_null())


if __name__ == "__main__":
    vars(arrow)["timestamp_to_sf_struct"] = _with_nulls
    # fakesnow.server is a function, which hides the module of that name
    uvicorn.run(import_module("fakesnow.server").app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
