"""Run a program with callbacks that do nothing (``bench_floor.c``): ``bench_floor.py MODULE PROGRAM [ARGUMENT …]``."""

import importlib.machinery
import importlib.util
import os
import runpy
import sys

module, program = sys.argv[1:3]
loader = importlib.machinery.ExtensionFileLoader("floor", module)
importlib.util.module_from_spec(importlib.util.spec_from_loader("floor", loader, origin=module))
sys.argv = sys.argv[2:]
sys.path[0] = os.path.dirname(program)
runpy.run_path(program, run_name="__main__")
