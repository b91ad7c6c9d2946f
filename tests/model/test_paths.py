"""How paths are shown, and whose code a file is."""

import pytest

from async_inspect.model.paths import Paths, stdlib_folders

PATHS = Paths("/home/me/app", ("/py/lib/python3.12",), ("/opt/libs/site-packages", "/weird/place"))


@pytest.mark.parametrize(
    ("file", "shown", "user"),
    [
        ("/home/me/app/main.py", "main.py", True),
        ("/home/me/app/pkg/x.py", "pkg/x.py", True),
        ("/home/me/application/x.py", "/home/me/application/x.py", True),
        ("/home/me/app/.venv/lib/python3.12/site-packages/a/b.py", "site-packages/a/b.py", False),
        ("/py/lib/python3.12/site-packages/a.py", "site-packages/a.py", False),
        ("/usr/lib/python3/dist-packages/a.py", "dist-packages/a.py", False),
        ("/weird/place/a.py", "site-packages/a.py", False),
        ("/py/lib/python3.12/asyncio/tasks.py", "<stdlib>/asyncio/tasks.py", False),
        ("<frozen runpy>", "<stdlib>/runpy.py", False),
        ("<frozen importlib._bootstrap>", "<stdlib>/importlib/_bootstrap.py", False),
        ("<string>", "<string>", True),
        ("./main.py", "main.py", True),
        ("", "", True),
    ],
)
def test_paths(file: str, shown: str, user: bool) -> None:
    assert (PATHS.shown(file), PATHS.user(file)) == (shown, user)


def test_the_root_is_no_cwd() -> None:
    assert Paths("/").shown("/x.py") == "/x.py"


def test_standard_library() -> None:
    assert stdlib_folders("/declared", "/py", ()) == ("/declared",)
    assert stdlib_folders("", "/py", ["/py/lib/python3.13t/a.py", "/x.py"]) == ("/py/lib/python3.13t/",)
    assert stdlib_folders("", "", ["/py/lib/python3.13/a.py"]) == ()
