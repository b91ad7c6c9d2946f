"""What is used as code or configuration: nobody else could have put it there, whichever way it lies."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from async_inspect.tracer.trust import untrusted

STRANGER = 54_321


def strangers(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make what lies there another user's."""
    if os.geteuid() == 0:
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    else:  # then everything is: all that isn't root's
        monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "core.so").touch()
    (folder / "core.so").chmod(0o644)
    for one in (folder, folder.parent):
        one.chmod(0o755)
    return folder / "core.so"


def test_ones_own(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert untrusted(str(file)) == ""
    assert untrusted("/") == ""
    monkeypatch.chdir(tmp_path)
    assert untrusted("a/./b/../b//core.so") == ""
    assert untrusted(str(file.with_name("none"))) == f"{file.with_name('none')}: No such file or directory"


@pytest.mark.parametrize("which", [0, 1, 2], ids=["the file", "its folder", "the one above"])
@pytest.mark.parametrize(
    ("mode", "said"),
    [(0o777, "everybody may write {}"), (0o1777, ""), (0o775, "the group {gid} may write {}"), (0o1775, "")],
)
def test_who_may_write(which: int, mode: int, said: str, file: Path) -> None:
    path = (file, *file.parents)[which]
    if os.geteuid() == 0:
        os.chown(path, 0, STRANGER)
    gid = path.stat().st_gid
    if gid == path.stat().st_uid and mode & 0o777 == 0o775:
        pytest.skip("only root can give a file to a group that isn't its own")
    path.chmod(mode)
    if not which:  # of a file the sticky bit says nothing
        said = said or ("everybody may write {}" if mode & 2 else "the group {gid} may write {}")
    assert untrusted(str(file)).partition(" (chmod")[0] == said.format(path, gid=gid)


def test_a_group_of_ones_own_is_nobody_else(file: Path) -> None:
    if os.geteuid() != file.stat().st_gid:
        pytest.skip("this user's group has another number")
    file.parent.chmod(0o775)
    file.chmod(0o664)
    assert untrusted(str(file)) == ""


@pytest.mark.parametrize("which", [0, 1, 2], ids=["the file", "its folder", "the one above"])
def test_another_users(which: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = strangers((file, *file.parents)[which], monkeypatch)
    owner = STRANGER if os.geteuid() == 0 else path.stat().st_uid
    assert untrusted(str(file)).endswith(f"is another user's (uid {owner})")


@pytest.mark.parametrize(
    "link",
    [
        lambda link, file: link.symlink_to(file),
        lambda link, file: link.symlink_to(os.path.relpath(file, link.parent)),
    ],
    ids=["absolute", "relative"],
)
def test_links_lead_where_the_kernel_goes(
    link: Callable[[Path, Path], None], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "link.so"
    link(path, file)
    assert untrusted(str(path)) == ""
    file.parent.chmod(0o777)
    assert untrusted(str(path)) == f"everybody may write {file.parent} (chmod o-w)"
    file.parent.chmod(0o755)
    (tmp_path / "folder").symlink_to("a/b")
    assert untrusted(str(tmp_path / "folder" / "core.so")) == ""
    path.unlink()
    path.symlink_to(path.name)
    assert untrusted(str(path)) == f"{path} is a loop of symbolic links"
    path.unlink()
    path.symlink_to(file)
    strangers(path, monkeypatch)
    assert "is another user's" in untrusted(str(path)), "who made the link may change where it leads"


def test_a_list_of_rights_says_more_than_the_mode(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != file.stat().st_gid:
        pytest.skip("this user's group has another number")
    file.chmod(0o664)
    monkeypatch.setattr(os, "listxattr", lambda path: ["system.posix_acl_access"] if path == str(file) else [])
    assert untrusted(str(file)) == f"the group {file.stat().st_gid} may write {file} (chmod g-w)"
