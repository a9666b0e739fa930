"""Bodies of requests, of which each remembers the one before."""

import json

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.transport.http1 import Body

VALUES = st.one_of(st.sampled_from(["same", "Grüße", 'a\n"\u2028😀', ""]), st.text(), st.booleans(), st.integers())
FIELDS = st.dictionaries(st.sampled_from(["secret", "tts_body", "phone_number", "é"]), VALUES)


@given(st.lists(st.one_of(FIELDS, FIELDS.map(lambda fields: {"byoc": fields}))))
def test_a_body_is_what_json_makes_of_it_whatever_came_before(bodies: list[dict[str, object]]) -> None:
    writer = Body()
    assert [writer.dump(body) for body in bodies] == [json.dumps(body).encode() for body in bodies]


def test_a_value_that_was_changed_in_place_is_dumped_as_it_is_now() -> None:
    writer, credentials = Body(), {"token": "old"}
    writer.dump({"byoc": credentials})
    credentials["token"] = "new"
    assert json.loads(writer.dump({"byoc": credentials})) == {"byoc": {"token": "new"}}
