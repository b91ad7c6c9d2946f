"""How much memory there is, by what the system says."""

from pathlib import Path

import pytest

from async_inspect.support.memory import available

MB = 1 << 20


def files(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return folder


def test_what_the_machine_has(tmp_path: Path) -> None:
    proc = files(tmp_path, meminfo="MemTotal: 9 kB\nMemAvailable: 2048 kB\nSwapFree: 1024 kB\n")
    assert available(proc, tmp_path / "none") == 3 * MB
    assert available(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize("of_all", ["max", str(64 * MB)])
def test_what_is_left_to_a_group_and_those_above_it(of_all: str, tmp_path: Path) -> None:
    proc = files(tmp_path / "proc", meminfo=f"MemAvailable: {1 << 20} kB\n", self__cgroup="0::/all/own\n")
    groups = files(
        tmp_path / "cgroup",
        all__memoryDOTmax=of_all,
        all__memoryDOTcurrent=str(60 * MB),
        all__own__memoryDOTmax=str(32 * MB),
        all__own__memoryDOTcurrent=str(30 * MB),
        all__own__memoryDOTstat=f"anon 5\ninactive_file {5 * MB}\n",
    )
    assert available(proc, groups) == (7 * MB if of_all == "max" else 4 * MB)


def test_groups_of_version_1_and_limits(tmp_path: Path) -> None:
    proc = files(tmp_path / "proc", self__cgroup="4:memory:/own\n3:cpu:/\n")
    groups = files(
        tmp_path / "cgroup",
        memory__own__memoryDOTlimit_in_bytes=str(8 * MB),
        memory__own__memoryDOTusage_in_bytes=str(9 * MB),
        memory__memoryDOTlimit_in_bytes=str((1 << 63) - 4096),
        memory__memoryDOTusage_in_bytes="1",
    )
    assert available(proc, groups) == 0
    limited = files(tmp_path / "limited", self__limits="Max address space    5242880   unlimited  bytes\n")
    files(limited, self__status="Name:\tx\nVmSize:\t 1024 kB\n")
    assert available(limited, groups / "none") == 4 * MB
