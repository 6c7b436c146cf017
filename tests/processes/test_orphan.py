"""A child that hangs does not outlive its parent."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def test_kernel_takes_the_child() -> None:
    """A child that hangs ends when its parent is killed."""
    child = (
        "import sys,time; from gateway.processes.orphan import *; print(die_with_parent(), flush=True); time.sleep(60)"
    )
    parent = f"""
        import os, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", {child!r}], stdout=subprocess.PIPE)
        child.stdout.readline()
        print(child.pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(parent)], capture_output=True, timeout=20, check=False)
    probe = f"import os,time; [time.sleep(0.02) for _ in range(100) if os.path.exists('/proc/{int(done.stdout)}/fd/0')]"
    subprocess.run([sys.executable, "-c", probe], timeout=20, check=True)
    state = subprocess.run(
        ["cat", f"/proc/{int(done.stdout)}/stat"], capture_output=True, timeout=5, check=False
    ).stdout
    assert not state or b") Z" in state


def test_answer_is_plain() -> None:
    """Where the kernel can, it says so."""
    code = "from gateway.processes.orphan import die_with_parent as d; raise SystemExit(not d())"
    assert subprocess.run([sys.executable, "-c", code], timeout=20, check=False).returncode == 0
