"""Stops one thread of a process by ptrace(2) until standard input closes, or the process ends: hang.py PID THREAD."""

import ctypes
import os
import sys
import threading

SEIZE, INTERRUPT = 0x4206, 0x4207
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
task = "/proc/%s/task" % sys.argv[1]
name = lambda thread: open("%s/%s/comm" % (task, thread)).read().strip()
thread = next(thread for thread in os.listdir(task) if name(thread) == sys.argv[2])
for request in SEIZE, INTERRUPT:
    if libc.ptrace(request, int(thread), None, None) != 0:
        sys.exit("ptrace: " + os.strerror(ctypes.get_errno()))
WALL = 0x40000000
os.waitpid(int(thread), WALL)
print("stopped", flush=True)
# The kernel keeps a dead thread, and with it the process, until its tracer has taken note.
threading.Thread(target=lambda: os.waitpid(int(thread), WALL) and os._exit(0), daemon=True).start()
sys.stdin.read()
