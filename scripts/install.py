"""Makes `.venv` beside this repository ready to use; `make` calls it, Windows users type it.

    python scripts/install.py          what the Studio, the command line and the notebooks need
    python scripts/install.py --dev    and what the tests need
    python scripts/install.py --bundle and fills dist/semedit-bundle for machines without a network

Where nothing changed since the last time it returns at once. OFFLINE=1 installs from that bundle;
without one it installs nothing and names what is missing. Needs nothing but Python.
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
BUNDLE = ROOT / "dist" / "semedit-bundle"  # wheels/, and weights/ that the package lacks
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
    command = [PYTHON, "-m", "pip", *arguments, "--disable-pip-version-check"]
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


def get_torch(*how: str) -> bool:
    """PyTorch for this machine; `how` is pip's command and its options. Only on Linux is there a
    choice: the ordinary package brings gigabytes of CUDA libraries, which are of no use without a
    GPU."""
    torch = (*how, "-c", "constraints.txt", "torch")
    vision = (*how, "-c", "constraints.txt", "--no-deps", "torchvision")  # semedit_lite/vision.py
    choice = sys.platform == "linux" and "--no-index" not in how and not has_gpu()
    if choice and answers(f"{CPU_INDEX}/torch/"):
        source = ("--index-url", CPU_INDEX, "--timeout", "15", "--retries", "2")
        if pip(*torch, *source) and pip(*vision, *source):
            return True
    return pip(*torch) and pip(*vision)


def packages(*how: str, besides: tuple[str, ...]) -> bool:
    """PyTorch, requirements.txt and what comes `besides`."""
    return get_torch(*how) and pip(
        *how, "-c", "constraints.txt", "-r", "requirements.txt", *besides
    )


def offline() -> bool:
    return os.environ.get("OFFLINE", "0") not in ("", "0")


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes .venv ready to use.")
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    parser.add_argument("--bundle", action="store_true", help="also what a machine offline needs")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs it by hand may have an older one
        sys.exit(f"semedit needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    if arguments.bundle and offline():
        sys.exit("OFFLINE=1 refuses the network, which a bundle comes from; unset it.")
    install(arguments.dev)
    if arguments.bundle:
        bundle()


def install(dev: bool) -> None:
    files = ("requirements.txt", "constraints.txt", "pyproject.toml", "scripts/install.py")
    content = b"".join((ROOT / name).read_bytes() for name in files)
    state = hashlib.sha256(content + str(ROOT).encode()).hexdigest()  # the install names ROOT
    stamps = {False: VENV / "ready", True: VENV / "ready-dev"}  # with --dev both are met
    if PYTHON.exists() and stamps[dev].is_file() and stamps[dev].read_text() == state:
        return

    how = ("install",)
    if offline():
        extras = ("app", "notebooks", "dev") if dev else ("app", "notebooks")
        missing = ["everything"]
        if PYTHON.exists():
            run = subprocess.run([PYTHON, "-c", MISSING, *extras], capture_output=True, text=True)
            missing = run.stdout.split("\n")[:-1] if run.returncode == 0 else missing
        if not missing:
            return
        if not BUNDLE.is_dir():
            sys.exit(
                f"OFFLINE=1 refuses the network, and .venv lacks {', '.join(missing)}; run "
                "the same command once with the network (without OFFLINE=1), or `make bundle` on "
                "another machine and copy its dist folder."
            )
        how = ("install", "--no-index", "--find-links", str(BUNDLE / "wheels"))
        for weights in (BUNDLE / "weights").glob("*"):
            target = ROOT / "semedit_lite" / "weights" / weights.name
            shutil.copytree(weights, target, dirs_exist_ok=True)

    if not PYTHON.exists():
        print("Making .venv …", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", VENV], check=False).returncode != 0:
            shutil.rmtree(VENV, ignore_errors=True)  # it may hold a Python without pip
            sys.exit("Python's venv module is missing; on Debian: apt install python3-venv.")
    print("Installing the packages (once; some minutes) …", flush=True)
    if not packages(*how, besides=("-e", ".[dev]" if dev else ".")):
        sys.exit("The packages could not be installed; pip says above why.")
    for stamp in (stamps[False], *([stamps[True]] if dev else [])):
        stamp.write_text(state)


def bundle() -> None:
    """Collects the packages as wheels, and the weights that were published but not packaged."""
    import tomllib  # here, so that an older Python gets as far as the sentence about its age

    shutil.rmtree(BUNDLE, ignore_errors=True)
    wheels = str(BUNDLE / "wheels")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    print("Collecting the packages (some minutes) …", flush=True)
    how = ("wheel", "--wheel-dir", wheels, "--find-links", wheels)  # torch is found there again
    command = [PYTHON, "-m", "semedit_lite.cli", "weights", "pack", BUNDLE / "weights"]
    if not (
        packages(*how, besides=tuple(project["build-system"]["requires"]))
        and subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    ):
        shutil.rmtree(BUNDLE, ignore_errors=True)
        sys.exit("The bundle could not be made; what stands above says why.")
    size = sum(file.stat().st_size for file in BUNDLE.rglob("*") if file.is_file())
    print(
        f"{BUNDLE} holds {size / 1e6:.0f} MB. Copy {ROOT}, without .venv, to a machine with the "
        f"same system and Python {sys.version_info[0]}.{sys.version_info[1]}; there "
        "`OFFLINE=1 make demo` installs and starts."
    )


if __name__ == "__main__":
    main()
