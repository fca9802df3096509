"""reference.py: the emulator whose RISC-V arithmetic is compared with."""
import os
import shutil
import subprocess


def find_reference():
    """FPU_REFERENCE, what scripts/test fetched into the build folder (where tests run), or qemu-riscv64 in the path; None without one that has the
    processor "max": Debian 12's has not."""
    for path in (os.environ.get('FPU_REFERENCE'), os.path.abspath('guest/reference/usr/bin/qemu-riscv64'), shutil.which('qemu-riscv64')):
        if path and os.path.exists(path):
            models = subprocess.run([path, '-cpu', 'help'], capture_output=True, text=True).stdout.split()
            if 'max' in models:
                return path
    return None
