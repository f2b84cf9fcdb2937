# Sourced by scripts/run, scripts/test and the others: makes the checkout's own virtual environment.
# usage: use_environment LOCKFILE   (afterwards $PYTHON is the environment's interpreter)
# Lock files hold one another: base.txt < all.txt < dev.txt, all in requirements/. An environment that holds more is left as it
# is, one that holds less is added to. One whose lock file has changed since, or whose making was cut off, is made anew: pip
# alone would leave in it what the lock has dropped.

find_python() {
  for name in ${GPUPLAN_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
    if command -v "$name" >/dev/null 2>&1 && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return 0
    fi
  done
  echo "gpuplan needs Python 3.11 or newer; none was found on PATH (set GPUPLAN_PYTHON to point at one)" >&2
  return 2
}

lock_state() { # lock_state LOCKFILE: its name and checksum, as an environment made from it remembers them
  echo "$1 $(cksum <"$ROOT/$1" | tr ' ' '-')"
}

holds() { # holds LOCKFILE: whether the environment was made from this lock file, or from one that holds it, as they are now
  local made_from="" lock wanted=no
  [ -x "$PYTHON" ] || return 1
  [ -f "$VENV/installed" ] && made_from=$(cat "$VENV/installed")
  for lock in requirements/base.txt requirements/all.txt requirements/dev.txt; do
    [ "$lock" = "$1" ] && wanted=yes
    [ "$wanted" = yes ] && [ "$made_from" = "$(lock_state "$lock")" ] && return 0
  done
  return 1
}

use_environment() {
  VENV="${GPUPLAN_VENV:-$ROOT/.venv}"
  PYTHON="$VENV/bin/python"
  holds "$1" && return 0
  # Two first calls at once: the second waits, then finds the environment made.
  if command -v flock >/dev/null; then
    exec 8<"$ROOT/scripts/environment.sh"
    flock 8
  fi
  holds "$1" || make_environment "$1" || return 2
  { exec 8<&-; } 2>/dev/null || true
}

make_environment() {
  local base clear=""
  base=$(find_python) || return 2
  echo "preparing ${VENV##*/} from $1 (once; half a minute or more)" >&2
  # Only what was made here is ever cleared, not a folder of the user's own.
  [ -f "$VENV/installed" ] && ! holds requirements/base.txt && clear=--clear
  if [ -n "$clear" ] || [ ! -x "$PYTHON" ]; then
    "$base" -m venv $clear "$VENV" >&2 || { echo "could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; return 2; }
  fi
  echo "unfinished" >"$VENV/installed"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes --requirement "$ROOT/$1" >&2 || {
    echo "could not install the pinned dependencies; is the package index reachable?" >&2
    return 2
  }
  # The checkout itself is put on the path of this environment: no build step, no second copy of the code.
  "$PYTHON" - "$ROOT" <<'PY'
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "gpuplan-checkout.pth").write_text(sys.argv[1] + "\n", encoding="utf-8")
PY
  lock_state "$1" | tr -d '\n' >"$VENV/installed"
}
