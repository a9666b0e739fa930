#!/usr/bin/env bash
# clickhouse-connect 1.12.0: a stream of rows that is left early reads all that is left of the result when it is closed.
# `with client.query_row_block_stream(…) as blocks: break` takes as long as the whole query. A query without end never returns.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "clickhouse-connect==1.12.0"
"$folder/venv/bin/python" - <<'PYTHON'
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import clickhouse_connect

BLOCKS, ROWS = 200, 60_000
BLOCK = b"\x01" + bytes([ROWS & 127 | 128, ROWS >> 7 & 127 | 128, ROWS >> 14]) + b"\x02id\x05UInt8" + bytes(ROWS)
sent = []


class Server(BaseHTTPRequestHandler):
    """As much of ClickHouse as the client asks: who it is, its settings (none), and 200 blocks of one column."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        query = self.path + self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        is_question = "id_of_everybody" in query
        for block in [BLOCK] * BLOCKS if is_question else [b"26.5.1\tUTC\n"] if "version()" in query else []:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
            if is_question:
                sent.append(block)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
client = clickhouse_connect.get_client(host="127.0.0.1", port=server.server_port, compress=False)
with client.query_row_block_stream("SELECT id_of_everybody") as blocks:
    print(f"rows of the block that was read: {len(next(iter(blocks)))}; blocks in all: {BLOCKS}")
print(f"blocks that the closed stream had taken from the server: {len(sent)}")
assert len(sent) == BLOCKS
PYTHON
