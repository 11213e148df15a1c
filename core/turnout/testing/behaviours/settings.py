"""Settings that an environment honours, takes as advice, or refuses."""

from __future__ import annotations

import pytest

from turnout.backend.capability import BEHAVIOURS, PLACEMENTS
from turnout.errors import ConfigError, PlanError
from turnout.testing.pipelines import around
from turnout.testing.place import Place, asks


class Settings:
    """Settings that an environment honours, takes as advice, or refuses."""

    @pytest.mark.parametrize("setting", sorted({**BEHAVIOURS, **PLACEMENTS}))
    def test_every_setting_has_a_level_and_a_reason(self, on: Place, setting: str) -> None:
        """A backend states each capability; below native with a reason."""
        found = on.capability(setting)
        assert found.level == "native" or found.reason
        assert "does not know" not in found.reason

    @pytest.mark.parametrize("setting", sorted(PLACEMENTS))
    def test_placements_are_honoured_or_told(self, on: Place, setting: str) -> None:
        """What only says where and how big is honoured, or the plan lists it and it runs."""
        plan = on.plan(around.placed, setting=setting)
        told = [note.text for note in plan.notes if setting in note.text]
        if on.capability(setting).honoured:
            assert told == []
        else:
            assert len(told) == 1
            assert "'idle'" in told[0]
            assert on.capability(setting).reason in told[0]
        if setting != "image" or not on.capability(setting).honoured:
            assert on.value(around.placed, setting=setting) == 1

    @pytest.mark.parametrize("setting", sorted(PLACEMENTS))
    def test_strict_refuses_what_would_have_no_effect(self, on: Place, setting: str) -> None:
        """With ``strict=true`` what is not honoured is refused."""
        if on.capability(setting).honoured:
            on.plan(around.placed, setting=setting, settings={"strict": True})
            return
        with pytest.raises(PlanError, match=setting):
            on.plan(around.placed, setting=setting, settings={"strict": True})

    @asks("secrets")
    def test_secrets(self, on: Place) -> None:
        """A task that declares a secret runs only where secrets are resolved."""
        on.plan(around.asked, setting="secrets")

    @asks("report")
    def test_reports(self, on: Place) -> None:
        """A task that renders a report runs only where reports are rendered."""
        on.plan(around.asked, setting="report")

    @asks("timeout")
    def test_timeouts_are_honoured_or_refused(self, on: Place) -> None:
        """A task with a timeout runs only where an attempt can be ended."""
        assert on.value(around.asked, setting="timeout") == 1

    def test_unknown_settings_are_refused(self, on: Place) -> None:
        """A setting of the environment that does not exist is an error with a suggestion."""
        with pytest.raises(ConfigError, match="strict"):
            on.run(around.metrics, settings={"strickt": True})
