"""The guide to the speaker tells of every option and every Event."""

import re
from pathlib import Path

import click

from reconciler.cli.main import cli
from reconciler.loop.speaker_events import _REASONS

GUIDE = (Path(__file__).parents[2] / "docs/speaker.md").read_text("utf-8")
COMMANDS = (Path(__file__).parents[2] / "docs/commands.md").read_text("utf-8")


def test_every_option_is_explained() -> None:
    (command,) = [found for name, found in cli.commands.items() if name == "speaker"]
    options = [option.opts[0] for option in command.params if isinstance(option, click.Option)]
    assert "--node-name" in options
    assert [
        name for name in options if f"`{name} " not in GUIDE + COMMANDS and f"`{name}`" not in GUIDE + COMMANDS
    ] == []


def test_every_event_on_a_service_is_explained() -> None:
    table = GUIDE.partition("| Event on a Service |")[2].partition("\n\n")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE))
    assert documented == {reason: kind for kind, reason in _REASONS.values()}
