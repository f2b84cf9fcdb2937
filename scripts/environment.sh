# Sourced by scripts/run, scripts/test and the others: makes the checkout's own virtual environment.
# usage: use_environment LOCKFILE   (afterwards $PYTHON is the environment's interpreter)
# The environment is rebuilt only when the lock file differs from the one it was made from, so a second call costs nothing.

find_python() {
  for name in ${GPUPLAN_PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
    if command -v "$name" >/dev/null 2>&1 && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return 0
    fi
  done
  echo "gpuplan needs Python 3.11 or newer; none was found on PATH (set GPUPLAN_PYTHON to point at one)" >&2
  return 2
}

use_environment() {
  local lock="$ROOT/$1" venv="$ROOT/.venv" base wanted found=""
  PYTHON="$venv/bin/python"
  wanted="$1 $(cksum <"$lock" | tr ' ' '-')"
  [ -f "$venv/installed" ] && found=$(cat "$venv/installed")
  # The developers' lock holds everything that the users' lock holds.
  if [ "$found" = "$wanted" ] || { [ "$1" = requirements.lock ] && [ "$found" = "requirements-dev.lock $(cksum <"$ROOT/requirements-dev.lock" | tr ' ' '-')" ]; }; then
    return 0
  fi
  base=$(find_python) || return 2
  echo "preparing .venv from $1 (once; a minute or so)" >&2
  if [ ! -x "$PYTHON" ]; then
    "$base" -m venv "$venv" >&2 || { echo "could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; return 2; }
  fi
  rm -f "$venv/installed"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" >&2 || {
    echo "could not install the pinned dependencies; is the package index reachable?" >&2
    return 2
  }
  # The checkout itself is put on the path of this environment: no build step, no second copy of the code.
  "$PYTHON" - "$ROOT" <<'PY'
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "gpuplan-checkout.pth").write_text(sys.argv[1] + "\n", encoding="utf-8")
PY
  printf '%s' "$wanted" >"$venv/installed"
}
