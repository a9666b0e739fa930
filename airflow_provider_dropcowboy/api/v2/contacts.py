"""Contacts of API v2, and its lists as far as they can be added to.

These routes are served on another host, to whoever has a site's token. The search by number is left out: the number
would stand in a URL.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from airflow_provider_dropcowboy.api import reading
from airflow_provider_dropcowboy.api.account import Account, StoredContact
from airflow_provider_dropcowboy.api.lists import (
    AppendResult,
    Cell,
    ContactList,
    ListRules,
    RejectedRow,
    check_fields,
)
from airflow_provider_dropcowboy.api.v2.account import below, call, rows_of
from airflow_provider_dropcowboy.api.wire import Call, Site
from airflow_provider_dropcowboy.errors import ConfigurationError, RejectedError
from airflow_provider_dropcowboy.phone import Phone, PhoneError

CONTACTS: Final = "/contact/public/contacts"
TOKEN_LASTS_S: Final = 300
SCOPE: Final = "contacts"  # API v2, section 8
FIELD_TYPES: Final[Mapping[str, str]] = {
    "phone": "main_phone",
    **{name: name for name in ("first_name", "last_name", "email", "company")},
}
"""API v2, section 8: the standard fields, by the words that hold for both versions."""

_ONLY_ADDS: Final = (
    "API v2 has no route that makes, empties or renames a contact list. Nothing was changed. Make the list in the "
    'dashboard, give its list_id and leave mode="append"; or use a connection of API v1, without api_version.'
)
RULES: Final = ListRules(
    max_rows=100,  # API v2 documents no limit; few rows are left in doubt by a lost answer
    fields=frozenset(FIELD_TYPES),
    only_adds=_ONLY_ADDS,
)


def site(account: Account, scope: str) -> Call[Site]:
    """``POST /phone/public/embed/token``: a site's token, and where it opens the routes.

    :raises ConfigurationError: the connection names no site.
    """
    if not account.site_id:
        raise ConfigurationError(
            "API v2 opens its contacts to a site alone. Nothing was sent. Set site_id in the connection's extra, as "
            "the dashboard of Drop Cowboy shows it; the key needs the scope numbers:write."
        )
    base_url = account.base_url.replace("://api-v2.", "://app-api-v2.", 1)
    return call(
        "POST",
        "/phone/public/embed/token",
        lambda data: Site(base_url, {"Authorization": f"Bearer {reading.text(reading.as_object(data), 'token')}"}),
        body={"site_id": account.site_id, "scope": [scope], "ttl_seconds": TOKEN_LASTS_S},
    )


def get_list(list_id: str) -> Call[ContactList]:
    """``GET /contact/public/contacts``, of one list: how many are in it."""
    below(CONTACTS, list_id)
    return call(
        "GET",
        CONTACTS,
        lambda data: ContactList(list_id, contact_count=reading.count(reading.as_object(data), "total_contacts")),
        query={"list_id": list_id, "limit": "1"},
        site_scope=SCOPE,
    )


def append_contacts(
    list_id: str, fields: Sequence[str], *, values: Sequence[Sequence[Cell]], region: str = "US"
) -> Call[AppendResult]:
    """``POST /contact/public/contacts``: contacts are in the list; a contact that was there keeps what it had."""
    below(CONTACTS, list_id)
    RULES.check(fields)
    RULES.check_rows(fields, values)
    place = list(fields).index("phone")
    rows = [list(row) for row in values]
    for index, row in enumerate(rows):
        row[place] = _e164(row[place], index, region=region)
    return call(
        "POST",
        CONTACTS,
        _read_append,
        body={
            "fields": [{"type": FIELD_TYPES[name]} for name in fields],
            "values": rows,
            "conflict_mode": "append",
            "add_list_ids": [list_id],
        },
        check="Compare the list's contact_count with what it should be; the same rows once more do no harm.",
        site_scope=SCOPE,
    )


def list_contacts(list_id: str | None = None, *, limit: int = 100, offset: int = 0) -> Call[tuple[StoredContact, ...]]:
    """``GET /contact/public/contacts``: a page of all contacts, or of those in a list."""
    query = {"limit": str(limit), "offset": str(offset)} | ({} if list_id is None else {"list_id": list_id})
    return call(
        "GET",
        CONTACTS,
        lambda data: reading.records(StoredContact, rows_of(data, "contacts")),
        query=query,
        site_scope=SCOPE,
    )


def get_contact(contact_id: str) -> Call[StoredContact]:
    """``GET …/contacts/{id}``."""
    return call("GET", below(CONTACTS, contact_id), _read_contact, site_scope=SCOPE)


def update_contact(contact_id: str, **fields: str) -> Call[None]:
    """``PUT …/contacts/{id}``: these fields have other values.

    :param fields: of ``FIELD_TYPES``; the number in E.164.
    """
    check_fields(list(fields), known=FIELD_TYPES)
    return call(
        "PUT",
        below(CONTACTS, contact_id),
        _read_nothing,
        body={FIELD_TYPES[name]: value for name, value in fields.items()},
        check="Read the contact; the same change once more does no harm.",
        site_scope=SCOPE,
    )


def delete_contact(contact_id: str) -> Call[None]:
    """``DELETE …/contacts/{id}``."""
    check = "Read the contact: a 404 says that it is gone."
    return call("DELETE", below(CONTACTS, contact_id), _read_nothing, check=check, site_scope=SCOPE)


def record_consent(contact_id: str, *, consent_type: str, phone: Phone, text: str, method: str) -> Call[str]:
    """``POST …/contacts/{id}/consent``: the id of the record; one for each channel."""
    body = {"consent_type": consent_type, "phone_number": phone.e164, "consent_text": text, "consent_method": method}
    return call(
        "POST",
        below(CONTACTS, contact_id, "consent"),
        lambda data: reading.text(reading.as_object(data), "consent_id"),
        body=body,
        check="Read the contact: has_sms_consent or has_tcpa_consent says whether it is recorded.",
        site_scope=SCOPE,
    )


def _e164(cell: Cell, index: int, *, region: str) -> str | None:
    if cell is None or cell == "":
        return None  # the vendor rejects the row, and says which one it is
    try:
        return Phone.parse(cell, region=region).e164
    except PhoneError as error:
        reason = str(error)
    raise ConfigurationError(f"Row {index}: phone: {reason}. No contact was sent. Correct it, or leave the row out.")


def _read_contact(data: object) -> StoredContact:
    found = reading.as_object(data).get("contact", {})
    if found is None:  # one of the two ways of the reference; the other is 404
        raise RejectedError("Drop Cowboy knows no contact of this ID. Nothing was changed. Check the ID.")
    return reading.record(StoredContact, reading.as_object(found))


def _read_append(data: object) -> AppendResult:
    content = reading.as_object(data)
    inserted, updated, rejected = (
        reading.as_objects(content.get(name) or []) for name in ("inserted", "updated", "rejected")
    )
    done = [*inserted, *updated]
    if not done and not rejected:
        raise ValueError("no row in it")
    return AppendResult(
        accepted_count=len(done),
        rejected=tuple(RejectedRow(reading.count(row, "index"), reading.scrub(_reasons(row))) for row in rejected),
        contact_ids={reading.count(row, "index"): reading.text(row, "contact_id") for row in done},
    )


def _reasons(row: Mapping[str, object]) -> str:
    reasons = row.get("reasons")
    return ", ".join(map(str, reasons)) if isinstance(reasons, list) else ""


def _read_nothing(data: object) -> None:
    reading.as_object(data)
