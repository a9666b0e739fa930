"""The migrations of the ledger are one chain."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from airflow_provider_dropcowboy.ledger import database


def test_each_migration_follows_another_one_up_to_the_revision_that_this_package_reads() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    chain = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert chain == [f"{number:04d}" for number in range(int(database.HEAD), 0, -1)]
