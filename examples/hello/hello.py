"""Two tasks and a workflow, no config file."""

import turnout
from turnout import task, workflow


@task
def greet(name: str) -> str:
    return f"Hello, {name}!"


@workflow
def hello(name: str = "world") -> str:
    return greet(name)


if __name__ == "__main__":
    turnout.main(hello)
