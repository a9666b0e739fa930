"""The table of ``docs/answers.md``, drawn from the code: ``python -m tests.unit.docs.answers_table`` writes it."""

from pathlib import Path
from typing import Final

from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Outcome, Reply, read_send_answer

PAGE: Final = Path(__file__).parents[3] / "docs" / "answers.md"
BEGIN: Final = "<!-- drawn from the code: begin -->"
END: Final = "<!-- drawn from the code: end -->"

HTML: Final = b"<html>Bad Gateway</html>"
REASON: Final = b'{"error": "Invalid brand_id"}'
QUEUED: Final = b'{"status": "queued"}'

SITUATIONS: Final[tuple[tuple[str, Reply], ...]] = (
    ("connection refused", NotWritten("connection refused")),
    ("host name not found", NotWritten("the host's name was not found")),
    ("TLS handshake failed", NotWritten("TLS failed")),
    ("time-out while connecting", NotWritten("time-out")),
    ("lease over before the first byte", NotWritten("the claim's lease was over")),
    ("reset after the first byte, before an answer", Broken("Connection reset by peer")),
    ("time-out while writing or reading", Broken("time-out")),
    ("answer cut off (Content-Length or chunks)", Broken("ClientPayloadError")),
    ('2xx `{"status": "queued"}`', Answer(200, QUEUED)),
    ('2xx `{"accepted_count": 1, "rejected": []}`', Answer(200, b'{"accepted_count": 1, "rejected": []}')),
    (
        "2xx, none accepted, one rejected with a reason",
        Answer(200, b'{"accepted_count": 0, "rejected": [{"reason": "x"}]}'),
    ),
    ("2xx, accepted and rejected at once", Answer(200, b'{"status": "queued", "rejected": [{"reason": "x"}]}')),
    ("2xx, a JSON object in other words, none of them a refusal", Answer(200, b'{"status": "ok"}')),
    ("2xx, a JSON object that names an error or a failure", Answer(200, b'{"success": false}')),
    ("2xx, other JSON (a list, a text)", Answer(200, b'["queued"]')),
    ("2xx without a body", Answer(202)),
    ("2xx, no JSON, or HTML", Answer(200, HTML)),
    ("3xx (never followed)", Answer(302)),
    ("400 in JSON, whatever its words", Answer(400, b'{"errors": {"phone_number": ["is invalid"]}}')),
    ("400 in text or HTML, or empty", Answer(400, HTML)),
    ("401", Answer(401, REASON)),
    ("402", Answer(402, REASON)),
    ("403", Answer(403, REASON)),
    ("404", Answer(404, HTML)),
    ("405", Answer(405)),
    ("408", Answer(408, REASON)),
    ("409", Answer(409, REASON)),
    ("413 in JSON", Answer(413, REASON)),
    ("415 in JSON", Answer(415, REASON)),
    ("422 in JSON", Answer(422, REASON)),
    ("429", Answer(429)),
    ("429 with Retry-After, seconds or date", Answer(429, retry_after="7")),
    ("500", Answer(500, REASON)),
    ("502", Answer(502, HTML)),
    ("503", Answer(503, REASON)),
    ("503 with Retry-After", Answer(503, retry_after="7")),
    ("504", Answer(504, HTML)),
)

MEANINGS: Final = {
    Outcome.ACCEPTED: ("accepted", "no"),
    Outcome.REJECTED: ("rejected", "by a later run, if its request differs"),
    Outcome.RELEASED: ("not accepted", "yes, after a pause; then by a later run"),
    Outcome.REFUSED: ("a refusal that holds for every message: the run stops", "by a later run"),
    Outcome.UNKNOWN: ("in doubt: it may have been accepted", "no"),
}


def table() -> str:
    """The table, in Markdown."""
    lines = ["| what happens | it means | sent again |", "|---|---|---|"]
    for situation, reply in SITUATIONS:
        meaning, is_asked_again = MEANINGS[read_send_answer(reply).kind]
        lines.append(f"| {situation} | {meaning} | {is_asked_again} |")
    return "\n".join(lines)


def page() -> str:
    """The page with the table as the code draws it now."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
