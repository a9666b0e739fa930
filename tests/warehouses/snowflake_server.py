"""fakesnow as a server, with what its own release lacks. A program: the port is its argument.

NULL instants are NULL (it sends them as 1970), a long result comes in pieces, which the connector asks for, and there
is MD5_NUMBER_UPPER64.
"""

import json
import sys
from base64 import b64decode, b64encode
from hashlib import md5
from importlib import import_module
from itertools import count
from typing import Any, Final

import pyarrow
import uvicorn
from fakesnow import arrow
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PIECE_ROWS: Final = 10_000

_to_struct = arrow.timestamp_to_sf_struct
_numbers = count(1)
_pieces: dict[str, bytes] = {}


def _with_nulls(instants: Any) -> pyarrow.StructArray:
    struct = _to_struct(instants)
    chunks = instants.combine_chunks() if isinstance(instants, pyarrow.ChunkedArray) else instants
    return pyarrow.StructArray.from_arrays(struct.flatten(), fields=list(struct.type), mask=chunks.is_null())


async def _query(request: Request) -> Response:
    answer: Response = await server.query_request(request)
    told = json.loads(bytes(answer.body))
    result = told.get("data") or {}
    if result.get("total", 0) <= PIECE_ROWS or not result.get("rowsetBase64"):
        return answer
    table = pyarrow.ipc.open_stream(b64decode(result["rowsetBase64"])).read_all()
    first, *others = (table.slice(start, PIECE_ROWS) for start in range(0, table.num_rows, PIECE_ROWS))
    result["rowsetBase64"] = b64encode(arrow.to_ipc(first)).decode()
    result["chunks"] = [_described(request, piece) for piece in others]
    return JSONResponse(told)


def _described(request: Request, piece: pyarrow.Table) -> dict[str, object]:
    """A piece of a result, as the answer to a query names it; it is kept until it is read."""
    name, content = str(next(_numbers)), bytes(arrow.to_ipc(piece))
    _pieces[name] = content
    url = str(request.url_for("piece", name=name))
    return {"url": url, "rowCount": piece.num_rows, "uncompressedSize": len(content), "compressedSize": len(content)}


def md5_number_upper64(text: str) -> int:
    """As Snowflake's SQL reference says: ``SELECT MD5_NUMBER_UPPER64('Snowflake')`` is 17145559544104499780."""
    return int.from_bytes(md5(text.encode(), usedforsecurity=False).digest()[:8])


async def _piece(request: Request) -> Response:
    return Response(_pieces.pop(request.path_params["name"]))


if __name__ == "__main__":
    # fakesnow.server is a function, which hides the module of that name
    server: Any = import_module("fakesnow.server")
    vars(arrow)["timestamp_to_sf_struct"] = _with_nulls
    server.app.router.routes[:0] = [
        Route("/queries/v1/query-request", _query, methods=["POST"]),
        Route("/pieces/{name}", _piece, name="piece"),
    ]
    # sqlglot's name of it in DuckDB, which has none
    server.shared_fs.duck_conn.create_function("m_d5_number_upper64", md5_number_upper64, ["VARCHAR"], "HUGEINT")
    uvicorn.run(server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
