"""Makes `.venv` beside this repository ready to use; `make` calls it, Windows users type it.

    python scripts/install.py          what the Studio, the command line and the notebooks need
    python scripts/install.py --dev    and what the tests need

Where nothing changed since the last time it returns at once. OFFLINE=1 installs nothing and names
what is missing. Needs nothing but Python.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"

# Runs inside .venv: prints the requirements of "semedit-lite[...]" that are not met there.
MISSING = """
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pip._vendor.packaging.requirements import Requirement
try:
    lines = requires("semedit-lite")
except PackageNotFoundError:
    sys.exit(print("semedit-lite itself"))
for line in lines:
    need = Requirement(line)
    if need.marker and not any(need.marker.evaluate({"extra": e}) for e in sys.argv[1:]):
        continue
    try:
        if version(need.name) not in need.specifier:
            print(need.name)
    except PackageNotFoundError:
        print(need.name)
"""


def pip(*arguments: str) -> bool:
    """Runs pip in .venv; whether it succeeded."""
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def has_gpu() -> bool:
    """Whether an NVIDIA driver answers."""
    if shutil.which("nvidia-smi") is None:
        return False
    try:
        return subprocess.run(["nvidia-smi"], capture_output=True, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def answers(url: str, seconds: float = 8) -> bool:
    """Whether `url` answers in time. In a process of its own: a name look-up cannot be timed."""
    code = f"import urllib.request; urllib.request.urlopen({url!r}, timeout={seconds})"
    try:
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def install_torch() -> bool:
    """PyTorch for this machine. Only on Linux is there a choice: the ordinary package brings
    gigabytes of CUDA libraries, which are of no use without a GPU."""
    torch = ("-c", "constraints.txt", "torch")
    vision = ("-c", "constraints.txt", "--no-deps", "torchvision")  # see semedit_lite/vision.py
    if sys.platform == "linux" and not has_gpu() and answers(f"{CPU_INDEX}/torch/"):
        source = ("--index-url", CPU_INDEX, "--timeout", "15", "--retries", "2")
        if pip(*source, *torch) and pip(*source, *vision):
            return True
    return pip(*torch) and pip(*vision)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes .venv ready to use.")
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    dev = parser.parse_args().dev
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs it by hand may have an older one
        sys.exit(f"semedit needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

    files = ("requirements.txt", "constraints.txt", "pyproject.toml", "scripts/install.py")
    content = b"".join((ROOT / name).read_bytes() for name in files)
    state = hashlib.sha256(content + str(ROOT).encode()).hexdigest()  # the install names ROOT
    stamps = {False: VENV / "ready", True: VENV / "ready-dev"}  # with --dev both are met
    if PYTHON.exists() and stamps[dev].is_file() and stamps[dev].read_text() == state:
        return

    if os.environ.get("OFFLINE", "0") not in ("", "0"):
        extras = ("app", "notebooks", "dev") if dev else ("app", "notebooks")
        missing = ["everything"]
        if PYTHON.exists():
            run = subprocess.run([PYTHON, "-c", MISSING, *extras], capture_output=True, text=True)
            missing = run.stdout.split("\n")[:-1] if run.returncode == 0 else missing
        if missing:
            sys.exit(
                f"OFFLINE=1 refuses the network, and .venv lacks {', '.join(missing)}; run "
                "the same command once with the network (without OFFLINE=1)."
            )
        return

    if not PYTHON.exists():
        print("Making .venv …", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", VENV], check=False).returncode != 0:
            shutil.rmtree(VENV, ignore_errors=True)  # it may hold a Python without pip
            sys.exit("Python's venv module is missing; on Debian: apt install python3-venv.")
    print("Installing the packages (once; some minutes) …", flush=True)
    package = ("-e", ".[dev]") if dev else ("-e", ".")
    if not (install_torch() and pip("-c", "constraints.txt", "-r", "requirements.txt", *package)):
        sys.exit("The packages could not be installed; pip says above why.")
    for stamp in (stamps[False], *([stamps[True]] if dev else [])):
        stamp.write_text(state)


if __name__ == "__main__":
    main()
