#!/usr/bin/env bash
# Prepares a CPU libtorch 2.9.0 for the backend tch: eval "$(scripts/libtorch.sh [DIR])", libtorch/ by default.
#
# It comes from PyTorch's Linux x86-64 wheel without the CUDA parts, whose place a stub of libtorch.so takes.
# Needs python3 with pip and a C compiler; no Python packages are installed. Wheels are checked against pinned
# SHA-256 sums, what is there already stays. The last two lines, alone on standard output, export what the build
# and the run need. For GPUs point LIBTORCH at a whole libtorch 2.9.0 instead.
set -euo pipefail

version=2.9.0

fail() {
    echo "libtorch.sh: $*" >&2
    exit 1
}

requirements() {
    cat <<LIST
torch==$version --hash=sha256:51de31219c97c51cf4bf2be94d622e3deb5dcc526c6dc00e97c17eaec0fc1d67
nvidia-cuda-runtime-cu12==12.8.90 --hash=sha256:adade8dcbd0edf427b7204d480d6066d33902cab2a4707dcfc48a2d0fd44ab90
nvidia-cuda-cupti-cu12==12.8.90 --hash=sha256:ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182
LIST
}

# unpack WHEELS TARGET: the headers and the libraries that libtorch_cpu.so needs.
unpack() {
    python3 - "$1" "$2" <<'PYTHON'
import pathlib, shutil, sys, zipfile

wheels, target = map(pathlib.Path, sys.argv[1:])
libraries = {"libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.12", "libcupti.so.12"}
for wheel in wheels.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = pathlib.PurePosixPath(name)
            if path.parent.name == "lib" and path.name in libraries:
                to = target / "lib" / path.name
            elif path.parts[:2] == ("torch", "include") and not name.endswith("/"):
                to = target.joinpath(*path.parts[1:])
            else:
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(to, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
missing = [name for name in sorted(libraries) if not (target / "lib" / name).exists()]
sys.exit(f"the wheels lack {missing}" if missing else 0)
PYTHON
}

# stub LIB: a libtorch.so that needs libtorch_cpu.so alone; the wheel's also wants libtorch_cuda.so.
stub() {
    (cd "$1" && : | cc -shared -x c - -x none -o libtorch.so -Wl,--no-as-needed -L. -ltorch_cpu \
        -Wl,-soname,libtorch.so -Wl,-rpath,'$ORIGIN' -Wl,--allow-shlib-undefined)
}

prepare() {
    local target=$1 work
    [ "$(uname -sm)" = "Linux x86_64" ] \
        || fail "pinned for Linux x86_64 only; here point LIBTORCH at a libtorch $version of your own"
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is needed to download libtorch"
    command -v cc >/dev/null || fail "a C compiler is needed to link the stub of libtorch.so"
    mkdir -p "$(dirname "$target")"
    # Beside the target, so that the last step is a rename.
    work=$(mktemp -d "$target.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    requirements >"$work/requirements.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest "$work" \
        --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --abi none \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
        --requirement "$work/requirements.txt" >&2 || fail "pip could not download the pinned wheels"
    unpack "$work" "$work/libtorch" || fail "the wheels can't be unpacked"
    stub "$work/libtorch/lib" || fail "the stub of libtorch.so can't be linked"
    echo "$version" >"$work/libtorch/build-version"
    rm -rf "$target"
    mv "$work/libtorch" "$target"
}

case ${1:-} in
    -h | --help)
        sed -n '2,7s/^# \{0,1\}//p' "$0"
        exit
        ;;
esac
directory=${1:-$(dirname "$(cd "$(dirname "$0")" && pwd)")/libtorch}
if [ "$(cat "$directory/build-version" 2>/dev/null)" = "$version" ] && [ -e "$directory/lib/libtorch.so" ]; then
    echo "libtorch $version: already in $directory" >&2
else
    echo "libtorch $version: downloading 0.9 GB" >&2
    prepare "$directory"
    echo "libtorch $version: ready in $directory" >&2
fi
directory=$(cd "$directory" && pwd)
printf 'export LIBTORCH=%q\n' "$directory"
printf 'export LD_LIBRARY_PATH=%q${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n' "$directory/lib"
