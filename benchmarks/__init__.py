"""What turnout costs, beside a plain loop, flytekit's local execution and pipefunc."""
