"""The arguments of the delivery sensor."""

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"min_final_share": 0}, "min_final_share is 0"),
        ({"min_final_share": 95}, "min_final_share is 95"),
        ({"fail_below_delivered": 80}, "fail_below_delivered is 80"),
        ({"fail_below_delivered": -0.1}, "fail_below_delivered is -0.1"),
        ({"expire_after": timedelta(0)}, "expire_after is 0"),
    ],
)
def test_a_wrong_share_or_time_is_told_when_the_dag_is_parsed(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        DropCowboyDeliverySensor(task_id="wait", campaign="spring", **arguments)
