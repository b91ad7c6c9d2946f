"""Damaged recordings: a clean line, or a partial trace that says so; never a traceback, or a figure that can't be.

Deterministic: hypothesis draws the same mutants each time, and what fuzzers have found is replayed.
``scripts/fuzz`` draws 20,000 others.
"""

import gzip
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from async_inspect.recording.reader import Recording

from ..damage.judge import PARTIAL, REFUSED, SOUND, broken, judge
from ..damage.mutate import MUTATIONS, mutant, spliced
from ..samples import SAMPLES
from ..tools import ROOT

CORPUS = sorted((ROOT / "tests" / "corpus").glob("*.rec.gz"))
RECORDINGS = [make().data() for make in SAMPLES.values()]
QUIET = settings(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def judged(data: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.rec"
        path.write_bytes(data)
        return judge(path)


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_sound_is_said_to_be(sample: str) -> None:
    assert judged(SAMPLES[sample]().data()) == (PARTIAL if SAMPLES[sample]().header["lost"] else SOUND)


@pytest.mark.parametrize("name", MUTATIONS)
@QUIET
@given(recording=st.sampled_from(RECORDINGS), random=st.randoms(use_true_random=False))
def test_one_kind_of_damage(name: str, recording: bytes, random: Random) -> None:
    data = bytearray(recording)
    MUTATIONS[name](data, random)
    assert judged(bytes(data)) in (REFUSED, SOUND, PARTIAL)


@QUIET
@given(random=st.randoms(use_true_random=False))
def test_several_kinds(random: Random) -> None:
    data, how = mutant(RECORDINGS, random)
    assert judged(data) in (REFUSED, SOUND, PARTIAL), how


@QUIET
@given(recordings=st.permutations(RECORDINGS), random=st.randoms(use_true_random=False))
def test_two_recordings_in_one(recordings: list[bytes], random: Random) -> None:
    assert judged(bytes(spliced(recordings[0], recordings[1], random))) in (REFUSED, SOUND, PARTIAL)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_found_once(path: Path) -> None:
    assert judged(gzip.decompress(path.read_bytes())) in (REFUSED, SOUND, PARTIAL)


def test_one_damaged_recording_of_several_costs_itself_alone(tmp_path: Path) -> None:
    from async_inspect.model import load

    from ..model.test_merge import put
    from ..tape import two_tasks

    put(tmp_path, two_tasks(), 7)
    other = put(tmp_path, two_tasks(), 8, 10)
    data = bytearray(other.read_bytes())
    data[-14] ^= 0xFF  # in the last slot's time
    other.write_bytes(data)
    trace = load(tmp_path)
    assert [one.damaged for one in trace.processes] == [0, 1]
    assert trace.inexact
    assert len(trace.tasks) == 4


def test_the_oracle_sees_what_can_not_be(tmp_path: Path) -> None:
    from dataclasses import replace

    from async_inspect.model import load

    path = tmp_path / "a.rec"
    path.write_bytes(RECORDINGS[0])
    trace = load(path)
    assert broken(trace, RECORDINGS[0]) == []
    late = replace(trace, task_table=replace(trace.task_table, end_ns=trace.task_table.end_ns + 10**12))
    assert "a task ends in it, after that" in broken(late, RECORDINGS[0])
    with Recording(path) as recording:
        assert recording.damaged == 0
