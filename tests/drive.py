"""Run a command as ``attach`` does, without its reports: ``drive.py RECORDINGS [--everywhere] COMMAND...``.

``--everywhere``: with what ``--follow-env`` and ``--preload`` add.
"""

import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from async_inspect.launcher import child, corebuild, interpreter, target
from async_inspect.tracer import env
from async_inspect.tracer.settings import Settings

folder, *command = sys.argv[1:]
everywhere = command[0] == "--everywhere"
command = command[everywhere:]
preload = corebuild.preload() if everywhere else ""
environ = target.environment(dict(os.environ), folder, Settings(1 << 30), follow_env=everywhere, preload=preload)
python = interpreter.of_command(command, environ)
if python is not None:
    environ |= corebuild.prepare(interpreter.ask(python), environ.get(env.CORE, "")).variables()
child.mirror(child.run(command, environ))
