"""AISBench starts a Python for each task, which imports torch anew; this runner forks one instead.

The task's own script runs in it as it is. Imported in AISBench's environment alone, by its configuration.
"""

import os
import runpy
import sys
import traceback
from pathlib import Path

from ais_bench.benchmark.registry import RUNNERS
from ais_bench.benchmark.runners.local import LocalRunner
from ais_bench.benchmark.tasks import openicl_api_infer


@RUNNERS.register_module()
class ForkingRunner(LocalRunner):
    """Runs each task's script in a forked process."""

    def _run_debug(self, tasks, all_gpu_ids, monitor_p):
        return [self._fork(number, task) for number, task in enumerate(tasks)]

    def _run_normal(self, tasks, all_gpu_ids, monitor_p):
        return self._run_debug(tasks, all_gpu_ids, monitor_p)

    def _fork(self, number, task):
        config = str(Path(f"task-{number}.py").resolve())
        task.dump(config)
        child = os.fork()
        if child == 0:
            sys.argv = [openicl_api_infer.__file__, config]
            status = 1
            try:
                runpy.run_path(openicl_api_infer.__file__, run_name="__main__")
                status = 0
            except BaseException:  # told in the log of the run
                traceback.print_exc()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        return str(number), os.waitstatus_to_exitcode(status)
