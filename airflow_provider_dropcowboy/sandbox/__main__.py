"""``python -m airflow_provider_dropcowboy.sandbox``."""

from airflow_provider_dropcowboy.sandbox.command import sandbox

if __name__ == "__main__":
    sandbox()
