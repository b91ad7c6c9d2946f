"""Which commands are said to start a Python that will not be recorded."""

import pytest

from async_inspect.tracer import env, unrecorded

pytestmark = pytest.mark.tracer

OURS = {env.DIR: "/folder", "PYTHONPATH": f"/a:{unrecorded.BOOT}:/b"}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python app.py -I", ""),
        ("python -m app -I", ""),
        ("python -mapp -I", ""),
        ("python -uc pass -I", ""),
        ("python - -I", ""),
        ("python --version -I", "-I"),
        ("python -X dev -W error::I -I app.py", "-I"),
        ("python -Xdev -WI app.py", ""),
        ("python -X", ""),
        ("python -bBdE app.py", "-E"),
        ("/usr/bin/python3.13t -s -S", "-S"),
        ("python3.13-config -I", ""),
        ("pythonic -I", ""),
        ("sh -c python", ""),
    ],
)
def test_options(command: str, expected: str) -> None:
    words = command.split()
    assert unrecorded.reason(words[0], words, OURS) == expected
    preloaded = {**OURS, env.DOOR: "/door"}
    assert unrecorded.reason(words[0], words, preloaded) == ("-I with debugged memory" if "-X dev" in command else "")


@pytest.mark.parametrize(
    ("environ", "merged", "expected"),
    [
        (OURS, False, ""),
        ({}, False, "an environment of its own"),
        ({}, True, ""),
        ({**OURS, "PYTHONPATH": "/a"}, False, "a PYTHONPATH of its own"),
        ({**OURS, "PYTHONPATH": "/a"}, True, ""),
        ({**OURS, "PYTHONPATH": "/a", env.DOOR: "/door"}, False, ""),
        ({env.DISABLE: "1"}, False, ""),
    ],
)
def test_environments(environ: dict[str, str], merged: bool, expected: str) -> None:
    assert unrecorded.reason("python", ["python", "app.py"], environ, merged) == expected
