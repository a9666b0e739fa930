"""The page at ``/_sandbox``: what reached the sandbox so far, for a person who watches while a DAG runs."""

from collections.abc import Iterable, Mapping
from html import escape
from itertools import islice
from typing import Final

from airflow_provider_dropcowboy.sandbox.callbacks import outcome_of
from airflow_provider_dropcowboy.sandbox.vendor import Vendor

REFRESH_S: Final = 2
LATEST: Final = 25
"""Messages in the table."""

STYLE: Final = """
:root { color-scheme: light dark; --ground: #fff; --raised: #f4f4f5; --line: #d4d4d8; --ink: #18181b; --quiet: #52525b;
  --good: #15803d; --bad: #b91c1c; --bar: #2f78c4; }
@media (prefers-color-scheme: dark) { :root { --ground: #111113; --raised: #1d1d20; --line: #3f3f46; --ink: #f4f4f5;
  --quiet: #b4b4bd; --good: #4ade80; --bad: #f87171; --bar: #6aaef2; } }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
p, small { color: var(--quiet); margin: .25rem 0; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
dl div { background: var(--raised); border-radius: .5rem; padding: .6rem .9rem; }
dt { color: var(--quiet); font-size: .8125rem; } dd { margin: 0; font-size: 1.6rem; font-weight: 650; }
.good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; } .bars { max-width: 40rem; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--quiet); font-size: .8125rem; } .n { text-align: right; width: 1%; white-space: nowrap; }
.wide { overflow-x: auto; } code { font: .85rem ui-monospace, monospace; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: .8rem; } rect { fill: var(--bar); }
"""

RESULTS: Final = {"success": "delivered", "failure": "failed", "dnc": "failed: do not call", "silent": "no result"}


def render_page(vendor: Vendor) -> str:
    """The whole page as HTML, without scripts; the server has the browser load it again every ``REFRESH_S``."""
    state, callbacks = vendor.state, vendor.callbacks
    twice = state.sends_taken_twice + state.phones_taken_twice
    figures = [
        ("Messages requested", f"{len(state.sends):,}", ""),
        ("Messages accepted", f"{state.sends_taken:,}", ""),
        ("Accepted twice", f"{twice:,}", "bad" if twice else "good"),
        ("Requests in flight", f"{vendor.state.in_flight:,}", ""),
        ("Results sent back", f"{callbacks.done:,} <small>of {callbacks.planned:,}</small>", ""),
    ]
    verdict = (
        f"{twice:,} messages or numbers were accepted more than once."
        if twice
        else "No message and no phone number was accepted more than once."
    )
    results = {RESULTS.get(name, name): count for name, count in callbacks.by_outcome.items()}
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Drop Cowboy sandbox</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>',
            "<h1>Drop Cowboy sandbox</h1><p>A local copy of the API. It contacts nobody. ",
            f"This page reloads every {REFRESH_S} seconds.</p><dl>",
            *(f'<div><dt>{name}</dt><dd class="{tone}">{value}</dd></div>' for name, value, tone in figures),
            f'</dl><p class="{"bad" if twice else "good"}">{verdict}</p>',
            _bars("Answers to requests", "HTTP status", {str(code): n for code, n in sorted(state.answers.items())}),
            _bars("Injected faults", "Fault", _faults(vendor)),
            _bars("Results", "Result", results),
            _bars("How the receiver answered", "Answer", {str(code): n for code, n in callbacks.by_answer.items()}),
            _messages(vendor),
            "<h2>Settings</h2><p>",
            escape(", ".join(f"{name} {value}" for name, value in vendor.settings.shown().items())),
            '</p><p>As JSON: <a href="/_sandbox/stats">totals</a>, <a href="/_sandbox/sends">messages</a>, '
            '<a href="/_sandbox/callbacks">callbacks</a>, <a href="/_sandbox/lists">contact lists</a>, '
            '<a href="/_sandbox/faults">faults</a></p></body></html>',
        )
    )


def _faults(vendor: Vendor) -> dict[str, int]:
    met: dict[str, int] = {}
    for active in vendor.faults.shown():
        name = str(active["name"])
        met[name] = met.get(name, 0) + int(str(active["met"]))
    return met


def _messages(vendor: Vendor) -> str:
    """The latest ones first."""
    rows: list[Iterable[str]] = []
    for foreign_id, send in islice(reversed(vendor.state.sends.items()), LATEST):
        outcome = outcome_of(send.phone_number, vendor.settings.outcomes) if send.takes else ""
        rows.append(
            (
                f"<code>{escape(foreign_id)}</code>",
                escape(send.phone_number),
                "Voicemail" if send.channel == "rvm" else "Text",
                escape(send.answers),
                "yes" if send.takes == 1 else f"{send.takes} times" if send.takes else "no",
                f"{RESULTS.get(outcome, outcome)}{f', receiver: {escape(send.callback)}' if send.callback else ''}",
            )
        )
    heads = ("foreign_id", "Number", "Channel", "Answers", "Accepted", "Result")
    return _table(f"The latest {LATEST} messages", heads, rows) if rows else ""


def _bars(title: str, head: str, counts: Mapping[str, int]) -> str:
    most = max(counts.values(), default=0)
    if not most:
        return ""
    rows = [
        (
            escape(name),
            f"{count:,}",
            f'<svg viewBox="0 0 {most} 1" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect width="{count}" height="1"></rect></svg>',
        )
        for name, count in counts.items()
    ]
    return _table(title, (head, "Count", ""), rows, bars=True)


def _table(title: str, heads: Iterable[str], rows: Iterable[Iterable[str]], *, bars: bool = False) -> str:
    tone = ("", ' class="n"', "") if bars else ("",) * 6
    cells = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(tone, row, strict=True)) + "</tr>"
        for row in rows
    )
    head = "".join(
        f'<th scope="col"{kind}>{name}</th>' if name else "<td></td>" for kind, name in zip(tone, heads, strict=True)
    )
    return (
        f'<h2>{title}</h2><div class="wide" tabindex="0" role="region" aria-label="{title}">'
        f"<table{' class=bars' if bars else ''}><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table></div>"
    )
