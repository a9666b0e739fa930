"""What the sandbox saw, for tests (JSON) and for people (one page), and what a test may change while it runs.

It needs no credentials: the sandbox listens on this machine alone unless ``--host`` says otherwise.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from html import escape
from itertools import islice
from typing import Final

from aiohttp import web

from airflow_provider_dropcowboy.sandbox.faults import TRAP_PATH, response
from airflow_provider_dropcowboy.sandbox.protocol import QUEUED
from airflow_provider_dropcowboy.sandbox.results import outcome_of
from airflow_provider_dropcowboy.sandbox.settings import Fault, SettingsError
from airflow_provider_dropcowboy.sandbox.vendor import Vendor

MAX_WAIT_S: Final = 600.0
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


Counts = Mapping[str, Callable[[], int]]
"""Figures that a view can wait for, by their names in its query."""


class Control:
    """The routes below ``/_sandbox``."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    def routes(self) -> list[web.RouteDef]:
        """For the application's router: views that may wait for a figure, such as ``?done=3``, and changes."""
        vendor = self._vendor
        state, callbacks, hooks = vendor.state, vendor.callbacks, vendor.webhooks
        views: dict[str, tuple[Callable[[], object], Counts]] = {
            "stats": (self.stats, {}),
            "takes": (state.takes, {"asks": lambda: state.total.asks, "takes": lambda: state.total.takes}),
            "phones": (lambda: {number: asdict(tally) for number, tally in state.phones.items()}, {}),
            "lists": (vendor.lists.shown, {}),
            "callbacks": (callbacks.shown, {"done": lambda: callbacks.done}),
            "webhooks": (hooks.shown, {"done": lambda: hooks.done, "attempts": lambda: hooks.attempts.total()}),
            "faults": (vendor.faults.shown, {}),
        }
        changes: dict[str, Callable[[object], object]] = {
            "events": self.emit,
            "clock": self.advance,
            "faults": self.add_faults,
            "settings": self.change_settings,
            "reset": self.reset,
        }
        return [
            web.get("/_sandbox", self.page),
            *(
                web.get(f"/_sandbox/{name}", partial(self._show, show=show, counts=counts))
                for name, (show, counts) in views.items()
            ),
            *(web.post(f"/_sandbox/{name}", partial(_change, change=change)) for name, change in changes.items()),
            web.get("/_sandbox/sends", self.sends),
            web.delete("/_sandbox/faults", self.clear_faults),
            web.route("*", TRAP_PATH, self.trap),
        ]

    async def page(self, _request: web.Request) -> web.Response:
        """The page for people; a browser loads it again by itself."""
        headers = {
            "Refresh": str(REFRESH_S),
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        }
        return web.Response(text=render_page(self._vendor), content_type="text/html", headers=headers)

    def stats(self) -> dict[str, object]:
        """Totals of everything."""
        state = self._vendor.state
        return {
            **state.takes(),
            "in_flight": state.in_flight,
            "requests": dict(state.requests),
            "answers": {str(status): count for status, count in state.answers.items()},
            "unauthorized": state.answers[401],
            "lists": len(self._vendor.lists),
            "faults_met": {str(row["name"]): row["met"] for row in self._vendor.faults.shown()},
            "callbacks": {name: value for name, value in self._vendor.callbacks.shown().items() if name != "last"},
            "keys": self._vendor.v2_sends.keys.shown(),
            "codes": {str(code): count for code, count in self._vendor.v2_sends.by_code.items()},
            "trap": state.trap,
        }

    async def sends(self, request: web.Request) -> web.Response:
        """Every send by its foreign_id; with ``?contains=`` only those with that in their id or number."""
        contains = request.query.get("contains", "")
        found: dict[str, dict[str, object]] = {}
        for key, send in self._vendor.state.sends.items():
            if contains in key or contains in send.phone_number:
                outcome = outcome_of(send.phone_number, self._vendor.settings.outcomes)
                found[key] = {**asdict(send), "outcome": outcome if send.takes else ""}
        return web.json_response(found)

    def emit(self, told: object) -> dict[str, int]:
        """An event of a JSON object, ``event`` and ``data``, is delivered to every webhook that hears of it."""
        match told:
            case {"event": str() as event, "data": dict() as fields}:
                return {"heard": self._vendor.webhooks.emit(event, fields)}
            case _:
                raise SettingsError("an event has the text event and the object data")

    def advance(self, told: object) -> dict[str, object]:
        """The clock moves forward by ``advance_s``: what is due by then is sent, and old keys are forgotten."""
        match told:
            case {"advance_s": int() | float() as seconds} if seconds >= 0:
                self._vendor.state.clock.advance(seconds)
                return {}
            case _:
                raise SettingsError("advance_s must be a number of seconds")

    def add_faults(self, told: object) -> list[dict[str, object]]:
        """Faults of a JSON list are in force, all or (400) none of them."""
        if not isinstance(told, list):
            raise SettingsError("faults are a JSON list of objects")
        self._vendor.faults.add([Fault.parse(row) for row in told])
        return self._vendor.faults.shown()

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """No fault is in force."""
        self._vendor.faults.clear()
        return web.json_response([])

    def change_settings(self, told: object) -> dict[str, object]:
        """The settings of a JSON object hold from the next request on, all or (400) none of them."""
        if not isinstance(told, dict):
            raise SettingsError("settings are a JSON object")
        self._vendor.change(told)
        return self._vendor.settings.shown()

    def reset(self, _told: object) -> dict[str, object]:
        """Forget all requests, and the faults too; the settings stay."""
        self._vendor.reset()
        return {}

    async def trap(self, request: web.Request) -> web.Response:
        """A client that followed a redirect is seen here, and gets the answer that it wants."""
        raw = await request.read()
        secret = self._vendor.settings.secret
        self._vendor.state.trap["requests"] += 1
        self._vendor.state.trap["with_secret"] += secret.encode() in raw or request.headers.get("x-secret") == secret
        return response(QUEUED)

    async def _show(self, request: web.Request, *, show: Callable[[], object], counts: Counts) -> web.Response:
        try:
            wanted = {name: int(request.query.get(name, "0")) for name in counts}
            timeout_s = min(float(request.query.get("timeout_s", "30")), MAX_WAIT_S)
        except ValueError:
            raise web.HTTPBadRequest(text="a figure to wait for is a whole number, timeout_s a number") from None
        await self._vendor.state.wait_until(
            lambda: all(count() >= wanted[name] for name, count in counts.items()), timeout_s=timeout_s
        )
        return web.json_response(show())


async def _change(request: web.Request, *, change: Callable[[object], object]) -> web.Response:
    try:
        told = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is not JSON") from None
    try:
        return web.json_response(change(told))
    except SettingsError as error:
        return web.json_response({"error": str(error)}, status=400)


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
