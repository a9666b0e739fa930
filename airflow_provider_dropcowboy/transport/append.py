"""Any number of contacts into a list: as many appends as it takes, and none of them twice."""

from collections.abc import Sequence

from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, RejectedRow
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.errors import AmbiguousError, VendorError
from airflow_provider_dropcowboy.transport.client import Client


def append_all(
    client: Client, list_id: str, *, fields: Sequence[str], values: Sequence[Sequence[Cell]], region: str = "US"
) -> AppendResult:
    """The rows are in the list, but for those that the result names.

    Every append is checked before the first one is written.

    :param values: any number of rows; ``ListRules.max_rows`` go with one append.
    :raises ConfigurationError: fields or rows that the route does not take; nothing was sent.
    :raises AmbiguousError: some rows are in, or may be, also where an answer does not account for each row; the text
        says which are in, may be in, and were not sent.
    :raises VendorError: of another kind: no row is in the list.
    """
    vendor = vendor_of(client.account)
    vendor.list_rules.check(fields)
    most = vendor.list_rules.max_rows
    starts = range(0, len(values), most)
    calls = [
        vendor.lists.append_contacts(list_id, fields, values=values[start : start + most], region=region)
        for start in starts
    ]
    accepted_count = 0
    rejected: list[RejectedRow] = []
    contact_ids: dict[int, str] = {}
    for start, call in zip(starts, calls, strict=True):
        try:
            result = client.ask(call)
            result.check_rows(len(values[start : start + most]))
        except VendorError as error:
            if not start and not isinstance(error, AmbiguousError):
                raise
            end = min(start + most, len(values))
            raise _partial(
                list_id, error, start=start, end=end, row_count=len(values), accepted_count=accepted_count
            ) from error
        accepted_count += result.accepted_count
        rejected += [RejectedRow(start + row.index, row.reason) for row in result.rejected]
        contact_ids |= {start + index: contact_id for index, contact_id in result.contact_ids.items()}
    return AppendResult(accepted_count, tuple(rejected), contact_ids)


def _partial(
    list_id: str, error: VendorError, *, start: int, end: int, row_count: int, accepted_count: int
) -> AmbiguousError:
    """What stands in the list now; nothing but the text can tell, since no route reads a list's contacts."""
    before = f"rows 0 to {start - 1} were appended ({accepted_count} accepted), " if start else ""
    doubtful = "may have been appended" if isinstance(error, AmbiguousError) else "were not appended"
    after = f", rows {end} to {row_count - 1} were not sent" if end < row_count else ""
    return AmbiguousError(
        f"Contact list {list_id}: {before}rows {start} to {end - 1} {doubtful}{after}. {error} "
        "Compare the list's contact_count, then append only what is missing, or build the list anew."
    )
