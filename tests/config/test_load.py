import ast
import re
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.files import FilesError, SourceFile, SourceSet
from reconciler.config.load import load, load_sources
from tests.config.builders import EVERYWHERE, load_files, load_folder, load_texts, manifest, pool, session

_ROOT = Path(__file__).resolve().parents[2]
_EXAMPLES = _ROOT / "config-examples"
# Arguments that look like a code and are none.
_NO_CODES = {"list-items", "utf-16-le"}


@pytest.mark.parametrize(
    "name", ["bgp-two-racks", "bgp-two-tor", "dual-stack", "kinds", "l2-homelab", "migration/config", "teams"]
)
def test_an_example_has_no_findings(name: str) -> None:
    loaded = load([str(_EXAMPLES / name)])
    assert loaded.problems == ()
    assert loaded.desired is not None
    assert loaded.desired.revision == loaded.revision
    assert loaded.documents > 1


def test_a_path_that_is_not_there_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(FilesError):
        load([str(tmp_path / "nowhere")])


@pytest.mark.parametrize("texts", [{}, {"a.yaml": ""}, {"a.yaml": "---\n---\n# nothing\n"}])
def test_no_document_of_ours_is_an_error_and_never_an_empty_configuration(texts: dict[str, str]) -> None:
    loaded = load_files(texts)
    assert [problem.code for problem in loaded.problems] == ["no-configuration"]
    assert loaded.desired is None


def test_a_configuration_without_a_pool_is_valid() -> None:
    loaded = load_texts(manifest("ReconcilerSettings", "s", api_version="lb-reconciler.io/v1alpha1"))
    assert loaded.problems == ()
    assert loaded.desired is not None
    assert loaded.desired.pools == ()


def test_a_text_that_cannot_be_read_is_the_only_finding_about_what_is_missing() -> None:
    profile = manifest("BFDProfile", "fast")
    loaded = load_files(
        {
            "peers.yaml": "---\n".join(
                (session("tor", more="bfdProfile: fast"), pool("p", "198.51.100.0/24"), EVERYWHERE)
            ),
            "profiles.yaml": profile + "  : [\n",
        }
    )
    assert {problem.origin.path for problem in loaded.problems} == {"profiles.yaml"}
    assert loaded.desired is None


def test_everything_is_sorted_by_name() -> None:
    loaded = load_texts(
        *(pool(name, f"192.0.2.{n}/32") for n, name in enumerate("cab")),
        *(manifest("L2Advertisement", name) for name in "cab"),
        *(manifest("BGPAdvertisement", name) for name in "cab"),
        *(session(name, f"192.0.2.{n}") for n, name in enumerate("cab")),
    )
    state = loaded.desired
    assert state is not None
    for kind in (state.pools, state.l2_advertisements, state.bgp_advertisements, state.peers):
        assert [value.name for value in kind] == ["a", "b", "c"]


_DOCUMENTS = [
    pool("p", "192.0.2.0/24", labels="{t: a}"),
    pool("p", "192.0.2.128/25", "2001:db8::/64"),
    pool("q", "192.0.2.0/26", "10.0.0.0/33", extra="autoAsign: true"),
    pool("r", "198.51.100.0/24"),
    manifest("BGPAdvertisement", "a", "localPref: 100\nipAddressPools: [p, x]\ncommunities: [c]"),
    manifest("BGPAdvertisement", "b", "localPref: 200\naggregationLength: 16"),
    manifest("L2Advertisement", "a", "ipAddressPoolSelectors: [{matchLabels: {t: a}}]"),
    manifest("Community", "c", 'communities: [{name: c, value: "1:1"}]'),
    manifest("Community", "d", 'communities: [{name: c, value: "1:2"}]'),
    session("t"),
    session("u", more="bfdProfile: fast"),
    manifest("BFDProfile", "fast", "echoMode: true"),
    "kind: Service\n",
]


@given(st.permutations(range(len(_DOCUMENTS))), st.sets(st.integers(0, len(_DOCUMENTS) - 1)))
@settings(max_examples=60, deadline=None)
def test_the_order_of_files_is_of_no_matter(order: list[int], left_out: set[int]) -> None:
    numbers = [number for number in range(len(_DOCUMENTS)) if number not in left_out]

    def loaded(numbers: list[int]) -> object:
        files = tuple(SourceFile(f"{n:02}.yaml", _DOCUMENTS[n].encode()) for n in numbers)
        return load_sources(SourceSet(files, "sha256:0"))

    assert loaded([n for n in order if n in numbers]) == loaded(numbers)


def _large(documents: int) -> dict[str, str]:
    half = documents // 2
    texts = [pool(f"p{n}", f"10.{n >> 8}.{n & 255}.0/24", labels=f"{{t: t{n}}}") for n in range(half)]
    texts += [
        manifest(
            "BGPAdvertisement",
            f"a{n}",
            f"localPref: {n}\naggregationLength: 24\nipAddressPoolSelectors: [{{matchLabels: {{t: t{n}}}}}]",
        )
        for n in range(half)
    ]
    texts.append(session("tor"))
    return {f"{n:05}.yaml": "---\n".join(texts[n : n + 50]) for n in range(0, len(texts), 50)}


def test_a_large_configuration_costs_in_proportion() -> None:
    seconds = []
    for size in (400, 3200):
        files = _large(size)
        begun = process_time()
        loaded = load_files(files)
        seconds.append(process_time() - begun)
        assert loaded.problems == ()
    # Eight times the documents; anything pairwise would take 64 times as long.
    assert seconds[1] < 24 * seconds[0]


def _codes_in_use() -> set[str]:
    """The words that calls in the room pass as a code: the first or second argument of what makes a finding."""
    found = set()
    for path in (_ROOT / "reconciler" / "config").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {code for call in ast.walk(tree) if isinstance(call, ast.Call) for code in _codes(call)}
        found |= {code for value in ast.walk(tree) if isinstance(value, ast.Constant) for code in _syntax_codes(value)}
    return found


def _syntax_codes(constant: ast.Constant) -> list[str]:
    return re.findall(r"^(?:yaml|files)-[a-z-]+$", constant.value) if isinstance(constant.value, str) else []


def _codes(call: ast.Call) -> set[str]:
    texts = {argument.value for argument in call.args[:2] if isinstance(argument, ast.Constant)} - _NO_CODES
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", text)}


def test_the_page_of_problem_codes_lists_the_codes_in_use() -> None:
    page = (_ROOT / "docs" / "problem-codes.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^### `([a-z0-9-]+)`", page, re.MULTILINE))
    expected = {
        line.split(" ")[2] for path in _expected_files() for line in path.read_text(encoding="utf-8").splitlines()
    }
    assert expected <= documented
    assert _codes_in_use() <= documented, "in use, not documented"
    assert documented <= _codes_in_use() | expected, "documented, not in use"


def _expected_files() -> list[Path]:
    return sorted((Path(__file__).parent / "malformed" / "semantic").glob("*.expected"))


def test_the_examples_of_the_page_show_what_they_explain() -> None:
    page = (_ROOT / "docs" / "problem-codes.md").read_text(encoding="utf-8")
    for section in page.split("\n### ")[1:]:
        code = section.split("`")[1]
        example = re.search(r"```yaml\n(.*?)```", section, re.DOTALL)
        if example is not None:
            assert code in {problem.code for problem in load_texts(example[1]).problems}, code


def test_a_folder_of_manifests_reads_as_its_files() -> None:
    assert load_folder(_EXAMPLES / "teams").documents == load([str(_EXAMPLES / "teams")]).documents
