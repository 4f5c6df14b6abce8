"""Conditions: the order of versions, each form of the grammar, and text from outside."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.attribution.conditions.grammar import CONDITION_KEYS, check, matcher, matches, version_key
from fleetcrash.errors import BadArgument

FIXED = settings(max_examples=100, deadline=None, derandomize=True)

_PARTS = st.one_of(st.integers(0, 30).map(str), st.sampled_from(["007", "rc", "beta", "B", "22h2", "9" * 30]))
VERSIONS = st.lists(st.tuples(_PARTS, st.sampled_from([".", "-", "_", " ", ".."])), max_size=4).map(
    lambda parts: "".join(part + separator for part, separator in parts).rstrip("._- ")
)


def _before(one: str, other: str) -> bool:
    """Whether a version comes before another, as the contract words it."""
    ones, others = (re.findall("[0-9]+|[A-Za-z]+", version) for version in (one, other))
    for mine, theirs in zip(ones, others, strict=False):
        if mine.isdigit() and theirs.isdigit():
            if int(mine) != int(theirs):
                return int(mine) < int(theirs)
        elif mine.isdigit() != theirs.isdigit():
            return theirs.isdigit()  # text stands below numbers
        elif mine != theirs:
            return mine < theirs
    return len(ones) < len(others)  # a missing part is the lowest


@FIXED
@given(VERSIONS, VERSIONS)
def test_versions_come_in_the_contracts_order(one, other):
    assert (version_key(one) < version_key(other)) == _before(one, other)
    assert (version_key(one) == version_key(other)) == (not _before(one, other) and not _before(other, one))


@FIXED
@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_total_and_has_no_circles(one, other, third):
    low, middle, high = sorted([one, other, third], key=version_key)
    assert not _before(middle, low)
    assert not _before(high, middle)
    assert not _before(high, low)


@pytest.mark.parametrize(
    "rising",
    [
        ["7.9", "7.11", "7.11.0"],
        ["7", "7.rc", "7.0", "7.1"],
        ["10.0.19045", "10.0.22631", "10.0.22631.3880"],
        ["22h2", "23h1"],
        ["4.1", "4.10"],
    ],
)
def test_versions_that_people_get_wrong(rising):
    falling = rising[::-1]
    assert sorted(falling, key=version_key) == rising


@FIXED
@given(VERSIONS)
def test_separators_and_leading_zeros_make_no_difference(version):
    assert version_key(re.sub("[^0-9A-Za-z]+", "-", version)) == version_key(version)
    assert version_key(re.sub("([0-9]+)", r"00\1", version)) == version_key(version)


def test_a_version_of_any_length_has_its_place():
    """A crash report may say anything; Python itself refuses integers of more than 4,300 digits."""
    huge = "9" * 10_000
    assert version_key("7.11") < version_key(f"7.{huge}") < version_key(f"7.1{huge}")


# -- the grammar

FORMS = [
    ("7.11", ["7.11"], ["7.11.0", "7.9", "7-11", "7.110"]),
    ("7.11.*", ["7.11", "7.11.0", "7.11.18110", "7.11-rc"], ["7.1", "7.110", "7.12", "17.11.1"]),
    (">=7.11", ["7.11", "7.11.0", "7.16", "10"], ["7.9", "7", "6.99", "7.rc"]),
    ("<7.11", ["7.9", "7", "7.10.99", "7.rc"], ["7.11", "7.11.0", "8"]),
    (">=7.11 <7.16", ["7.11", "7.15.9"], ["7.16", "7.16.0", "7.9"]),
    (">= 7.11  < 7.16", ["7.11", "7.15.9"], ["7.16", "7.9"]),
    ("windows", ["windows"], ["Windows", "windows 11", "linux"]),
]


@pytest.mark.parametrize(("text", "hits", "misses"), FORMS)
def test_each_form_matches_what_it_says(text, hits, misses):
    accepts = matcher(text)
    assert [value for value in hits if not accepts(value)] == []
    assert [value for value in misses if accepts(value)] == []


@pytest.mark.parametrize("text", [form[0] for form in FORMS])
def test_a_value_that_is_missing_matches_nothing(text):
    assert not matcher(text)(None)
    assert not matches({"agent_version": text}, {"agent_version": None})
    assert not matches({"agent_version": text}, {})


@FIXED
@given(VERSIONS.filter(bool), VERSIONS.filter(bool))
def test_below_and_from_on_part_the_versions(version, bound):
    bound = re.sub(r"\s", ".", bound)
    assert matcher(f">={bound}")(version) != matcher(f"<{bound}")(version)
    assert matcher(f">={bound}")(version) == (not _before(version, bound))


def test_no_condition_is_all_hosts_and_every_part_must_hold():
    host: dict[str, str | None] = {"os_type": "windows", "agent_version": "7.16.1", "region": None}
    assert matches({}, host)
    assert matches({}, {})
    assert matches({"os_type": "windows", "agent_version": ">=7.11"}, host)
    assert not matches({"os_type": "windows", "agent_version": "<7.11"}, host)
    assert not matches({"os_type": "windows", "region": "eu"}, host)


# -- from outside


@pytest.mark.parametrize("key", CONDITION_KEYS)
@pytest.mark.parametrize("text", [form[0] for form in FORMS])
def test_a_condition_in_the_grammar_is_taken_as_it_is(key, text):
    assert check({key: text}) == {key: text}
    assert check({}) == {}


@pytest.mark.parametrize(
    "hostile",
    [
        None, [], "windows", 3, True, [["os_type", "windows"]],
        {"os": "windows"}, {"OS_TYPE": "windows"}, {"": "x"}, {"update_id": "x"}, {None: "x"},
        {"os_type": None}, {"os_type": ""}, {"os_type": 7}, {"os_type": ["windows"]}, {"os_type": {"not": "x"}},
        {"agent_version": ">7.11"}, {"agent_version": "<=7.11"}, {"agent_version": ">="}, {"agent_version": "<"},
        {"agent_version": "< "}, {"agent_version": ">= <7"}, {"agent_version": ">=7 8"},
        {"agent_version": ">=7 and <8"},
        {"agent_version": ">==7"}, {"agent_version": "<>7"}, {"os_type": "windows", "x": "y"},
    ],
)  # fmt: skip
def test_what_is_not_in_the_grammar_is_bad_use(hostile):
    with pytest.raises(BadArgument):
        check(hostile)


@pytest.mark.slow
@FIXED
@given(st.dictionaries(st.sampled_from(CONDITION_KEYS), st.text()), st.text())
def test_any_text_is_understood_or_bad_use(condition, value):
    with contextlib.suppress(BadArgument):
        checked = check(condition)
        matches(checked, dict.fromkeys(CONDITION_KEYS, value))
