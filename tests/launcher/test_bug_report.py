"""The bundle for a bug report: what is in it, and that no name of the program is."""

import gzip
import io
import re
import stat
import tarfile
from pathlib import Path

import numpy as np
import pytest

from async_inspect import events as ev
from async_inspect.cli.main import main
from async_inspect.errors import UserError
from async_inspect.launcher.bug_report import Bundle, bundle
from async_inspect.launcher.scrub import Scrubber
from async_inspect.model import invariants
from async_inspect.support import internal

from .. import hostile
from ..tape import Tape, two_tasks

SECRETS = [f"secret{what}" for what in (
    "cwd", "file", "klass", "func", "task", "type", "error", "label", "message", "tag", "value", "said", "argv", "run",
    "prefix", "key", "module",
)]  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Details of internal errors are put, and looked for, in a folder of this test's."""
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("ASYNC_INSPECT_CORE", "python")  # nothing is to be built


def secretive(pid: int = 7) -> Tape:
    """Every place for a name has one of its own, and one name is in several."""
    tape = Tape(cwd="/home/secretcwd", pid=pid)
    tape.meta += [("argv", "--secretargv"), ("run", "secretrun"), ("prefix", "/home/secretcwd/secretprefix")]
    tape.meta += [("core_reason", "asked for by /home/secretcwd/.venv"), ("secretkey", "1"), ("python", "secretvalue")]
    func = tape.code("secretklass.secretfunc.<locals>.main", 10, "/home/secretcwd/secretfile.py")
    sleep = tape.code("sleep", 600, "/py/lib/asyncio/tasks.py")
    get = tape.code("Client.get", 30, "/home/secretcwd/.venv/lib/python3.13/site-packages/httpx/_client.py")
    feigned = [tape.code("secretfunc", 1, file) for file in ("<frozen secretmodule>", "/py/lib/secretmodule.py")]
    at = tape.node(0, func)
    kinds = [tape.string(text) for text in ("asyncio.Future", "secretmodule.secrettype", "ValueError", "secreterror")]
    tape.put(ev.SPAWN, 0, coro=1, aux=func, off=tape.site((func, 0)), flags=ev.NAME_GIVEN)
    tape.text(ev.NAME, b"secrettask", 0, coro=1)
    tape.put(ev.START, 10, coro=1, off=func, node=at, task=1, flags=ev.IS_TASK)
    tape.text(ev.TAG, b"secrettag\0secretvalue", 12, coro=1, node=at, task=1)
    tape.text(ev.POINT, b"secretlabel\0secretmessage", 14, coro=1, node=at, task=1)
    tape.put(ev.SUSPEND, 20, coro=1, aux=kinds[1], off=6)
    tape.put(ev.RESUME, 30, coro=1, aux=1, node=at, task=1)
    tape.put(ev.RAISE, 40, coro=1, aux=kinds[3])
    tape.text(ev.MESSAGE, b"secretsaid", 40, coro=1)
    tape.end_ns = 50
    assert (sleep, get, len(feigned)) == (2, 3, 2)
    return tape


def read(path: Path) -> dict[str, str]:
    """Its files; nothing is said of who made it, nor by what name."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        assert {(one.uid, one.uname, one.gname, one.mode) for one in members} == {(0, "", "", 0o600)}
        return {one.name.partition("/")[2]: (tar.extractfile(one) or io.BytesIO()).read().decode() for one in members}


def made(tape: Tape, folder: Path) -> tuple[Bundle, dict[str, str], bytes]:
    done = bundle(tape.write(folder / "a.rec"), folder / "bundle.tar.gz")
    return done, read(done.path), done.path.read_bytes() + gzip.decompress(done.path.read_bytes())


def test_no_name_is_in_it(tmp_path: Path) -> None:
    _, texts, data = made(secretive(), tmp_path)
    assert b"secret" not in data
    assert texts["problems.txt"] == "none\n"
    records = texts["recordings/1/records.txt"]
    for stays in ("'<stdlib>/asyncio/tasks.py' 'sleep'", "'site-packages/httpx/_client.py' 'Client.get'"):
        assert stays in records
    assert [line.rpartition(" ")[2] for line in records.splitlines() if " STRING " in line][::2] == [
        "'asyncio.Future'",
        "'ValueError'",
    ]
    header = texts["recordings/1/header.txt"]
    assert "pid: 7" in header
    assert "core: python" in header
    assert "damaged: 0 slots" in header
    assert texts["versions.txt"].startswith("async-inspect ")
    assert ": asked for by ASYNC_INSPECT_CORE\n" in texts["versions.txt"]
    assert "tasks: 1" in texts["trace.txt"]


def test_the_same_name_is_the_same_token(tmp_path: Path) -> None:
    done, texts, _ = made(secretive(), tmp_path)
    records = texts["recordings/1/records.txt"]
    tag = re.findall(r" TAG .* '(name-\d+)' '(name-\d+)'", records)[0]
    assert f"python: {tag[1]}" in texts["recordings/1/header.txt"], "a name in two places"
    assert tag[0] != tag[1]
    functions = re.findall(r"'((?:name-\d+\.)+<locals>\.name-\d+)'|'(name-\d+)' '\d+ bytes of lines'", records)
    assert functions[0][0].split(".")[1] == functions[1][1] == functions[2][1], "and one in three functions"
    tokens = set(re.findall(r"\b(?:name|path)-\d+\b", " ".join(texts.values())))
    assert len(tokens) == done.names


def test_hostile_names(tmp_path: Path) -> None:
    _, texts, data = made(hostile.tape(), tmp_path)
    for name in hostile.NAMES.values():
        assert name not in data
        assert repr(name.decode("utf-8", "replace"))[1:-1].encode() not in data
    assert texts["problems.txt"] == "none\n"


def test_internal_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their kinds, and the frames of this tool, of Python and of packages stay; messages, paths, words don't."""
    monkeypatch.setattr("sys.argv", ["/home/secretcwd/async-inspect", "report", "secretargv"])
    (program := tmp_path / "secretfile.py").write_text("def secretfunc():\n    raise KeyError('secretsaid')\n")
    names: dict[str, object] = {}
    exec(compile(program.read_text(), str(program), "exec"), names)

    def job() -> None:
        names["secretfunc"]()  # type: ignore[operator]

    assert internal.guarded(job, "the reports of secrettask failed", tmp_path) == 1
    (tmp_path / f"{internal.PREFIX}0.txt").symlink_to("/dev/zero")
    _, texts, data = made(secretive(), tmp_path)
    assert b"secret" not in data
    said = texts["errors/1.txt"]
    assert 'File "async_inspect/support/internal.py"' in said
    assert "in guarded\n    job()\n" in said
    assert re.search(r"the reports of name-\d+ failed", said)
    assert re.search(r"^KeyError: 'name-\d+'$", said, re.MULTILINE)
    assert set(said.splitlines()) >= set(internal.versions())
    assert "details of an internal error" in texts["problems.txt"], "the one that is no file"


def test_a_log_of_the_tracer(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "recording"
    secretive().write(folder / "a.rec")
    text = "pid 8: RuntimeError: no tool id: 3 'secrettype'\n  /home/secretcwd/x.py:3 secretfunc"
    (folder / "8.log").write_text(text, encoding="utf-8")
    done = bundle(tmp_path / "out", tmp_path / "b.tar.gz")
    log = read(done.path)["logs/1.txt"]
    assert "RuntimeError" in log
    assert "secret" not in log


def test_several_processes(tmp_path: Path) -> None:
    for pid in 7, 8, 9:
        tape = secretive(pid)
        tape.meta[2] = ("ppid", "1" if pid == 7 else "7")
        tape.write(tmp_path / "out" / "recording" / f"{pid}.rec")
    (tmp_path / "out" / "recording" / "10.rec").write_bytes(b"secretsaid")
    (tmp_path / "out" / "recording" / "7.missed").write_text("33\tsecretsaid\tpython secretargv\n", encoding="utf-8")
    done = bundle(tmp_path / "out", tmp_path / "b.tar.gz")
    texts = read(done.path)
    assert [f"pid: {pid}" in texts[f"recordings/{pid - 6}/header.txt"] for pid in (7, 8, 9)] == [True] * 3
    assert texts["recordings/1/records.txt"] == texts["recordings/2/records.txt"], "a token is the whole bundle's"
    assert texts["recordings/1/missed.txt"].startswith("33 ")
    assert "processes: 3" in texts["trace.txt"]
    assert "is not a recording" in texts["problems.txt"]
    assert not any("secret" in text for text in texts.values())


def test_damage(tmp_path: Path) -> None:
    """Whatever the bytes: there is a bundle, and no name in it."""
    data = secretive().data()
    body = ev.HEADER_SIZE + ev.TAIL_SIZE
    mutants = [data[:size] for size in (1, 40, 200, ev.HEADER_SIZE, body + 333)]
    places = [
        0,
        9,
        12,
        90,
        96,
        ev.META_OFFSET + 3,
        *range(body + 31, len(data), 256),
        *range(body + 20, len(data), 416),
    ]
    mutants += [data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :] for at in places]
    path = tmp_path / "a.rec"
    for mutant in (b"", b"secretsaid" * 100, *mutants):
        path.write_bytes(mutant)
        texts = read(bundle(path, tmp_path / "b.tar.gz").path)
        assert {"versions.txt", "trace.txt", "problems.txt"} <= texts.keys()
        assert not any("secret" in text for text in texts.values())
        if "recordings/1/header.txt" not in texts:
            assert texts["problems.txt"] != "none\n"


def test_a_part_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of secrettask")

    monkeypatch.setattr("async_inspect.launcher.bug_report.load", fail)
    done, texts, data = made(secretive(), tmp_path)
    assert re.search(r"^trace.txt: ZeroDivisionError: of name-\d+$", texts["problems.txt"], re.MULTILINE)
    assert "ZeroDivisionError" in texts["errors/doctor-1.txt"]
    assert done.problems == 1
    assert len(texts["recordings/1/records.txt"]) > 1000
    assert b"secret" not in data


def test_what_the_trace_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = invariants._Rule("a task ends once", np.array([True]), np.array([1]))
    monkeypatch.setattr(invariants, "_broken", lambda *_: [rule])
    _, texts, data = made(secretive(), tmp_path)
    assert re.search(
        r"^broken: a task ends once: 1 in all, first task 1 \(name-\d+\)$", texts["trace.txt"], re.MULTILINE
    )
    assert "exact: figures of 1 task are not exact" in texts["trace.txt"]
    assert b"secret" not in data


@pytest.mark.parametrize("most", [0, 1, 7, 40, 41])
def test_a_bound_on_records(most: int, tmp_path: Path) -> None:
    """Of 41 slots, 29 of them records."""
    path = two_tasks().write(tmp_path / "a.rec")
    every = read(bundle(path, tmp_path / "whole.tar.gz").path)["recordings/1/records.txt"].splitlines()
    part = bundle(path, tmp_path / "part.tar.gz", most)
    lines = read(part.path)["recordings/1/records.txt"].splitlines()
    first = [line for line in every if int(line.split()[0]) < (most + 1) // 2]
    last = [line for line in every if int(line.split()[0]) >= 41 - most // 2]
    gap = [] if most == 41 else [f"... {29 - len(first) - len(last)} records left out (--records) ..."]
    assert [line.split()[:2] for line in lines] == [line.split()[:2] for line in (*first, *gap, *last)]
    assert (part.records, part.left_out) == (len(first) + len(last), 29 - len(first) - len(last))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = two_tasks().write(tmp_path / "a.rec")
    with pytest.raises(SystemExit) as ended:
        main(["doctor", str(path)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    (found,) = tmp_path.glob("async-inspect-doctor-*.tar.gz")
    for name, text in read(found).items():
        assert f"{len(text.encode()):>12,} bytes  {name}\n" in said
    assert f"{found.name}: 29 records, " in said
    assert said.splitlines()[-1].startswith("Look at it before you send it")


def test_what_is_refused(tmp_path: Path) -> None:
    path = two_tasks().write(tmp_path / "a.rec")
    before = path.read_bytes()
    with pytest.raises(UserError, match="no such file"):
        bundle(tmp_path / "none", tmp_path / "b.tar.gz")
    with pytest.raises(UserError, match="is a recording"):
        bundle(path, path)
    with pytest.raises(UserError, match="no/b"):
        bundle(path, tmp_path / "no" / "b.tar.gz")
    with pytest.raises(UserError, match="a folder"):
        bundle(path, tmp_path)
    assert path.read_bytes() == before


def test_words_of_messages() -> None:
    scrub = Scrubber()
    scrub.name("worker")
    said = scrub.text("the check 'worker' can't be loaded: row 5 of secretcolumn, '/etc/secret x', “заказ”")
    assert "secret" not in said
    assert "заказ" not in said
    assert said.startswith("the check 'name-1' can't be loaded: row 5 of name-2, 'path-3'")
