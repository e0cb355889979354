"""
What docs/commands.md shows of the demonstration is what it says.

The part without a network is compared with the text that tests/cli/test_demo.py makes sure of. The live part takes half
a minute and has other figures each time; tests/cli/test_demo_live.py runs it. So here its lines are held against the
sentences in the code.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from reconciler.cli import demo_bgp, demo_live

ROOT = Path(__file__).resolve().parents[2]
_BEGINS = {"say": "# ", "typed": r"\w*\$ ", "result": ""}
_LEFT_OUT = "..."


def _shown() -> list[str]:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    (block,) = re.findall(r"^```text\n(.*?)^```$", page.partition("\n## demo\n")[2], re.MULTILINE | re.DOTALL)
    return [line for line in block.splitlines() if line != _LEFT_OUT]


def test_what_is_shown_of_the_demonstration_is_what_it_says() -> None:
    shown = _shown()
    begin = next(number for number, line in enumerate(shown) if line.startswith("# Now live"))
    said = iter((ROOT / "tests" / "cli" / "expected" / "demo.txt").read_text("utf-8").splitlines())
    assert [line for line in shown[:begin] if line not in said] == []
    sentences = [sentence for module in (demo_live, demo_bgp) for sentence in _sentences(module)]
    assert [line for line in shown[begin:] if not any(each.may_be(line) for each in sentences)] == []
    assert min(begin, len(shown) - begin) > 3


@dataclass(frozen=True, slots=True)
class Sentence:
    """A line that the narration may say, whatever is put into it; `fixed` counts the characters that never change."""

    pattern: re.Pattern[str]
    fixed: int

    def may_be(self, line: str) -> bool:
        """Whether it is this line. One that is put in almost as a whole tells nothing."""
        return self.pattern.fullmatch(line) is not None and 3 * self.fixed >= len(line)


def _sentences(module: ModuleType) -> Iterator[Sentence]:
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.Call(func=ast.Name(id="say" | "typed" | "result" as how), args=[text]):
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                words = [part.value if isinstance(part, ast.Constant) else None for part in parts]
                pattern = "".join(".*" if word is None else re.escape(str(word)) for word in words)
                yield Sentence(re.compile(_BEGINS[how] + pattern), sum(len(str(word)) for word in words if word))
            case _:
                continue
