#!/usr/bin/env bash
# Build the Dockerfile where there is no Docker daemon and no image registry, and play in it; needs root and Debian's
# packages buildah and mmdebstrap: recipes/release/image.sh WORK [play or train]
# The base image is made from Debian's packages, so its Python is Debian's. MOUNTS: more options of `buildah build`, such
# as --volume /etc/pip.conf:/etc/pip.conf:ro where pip needs to be told of a mirror. RELEASE: bookworm, or a newer one.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: image.sh WORK [play or train]" >&2; exit 2; }
mkdir -p -- "$1"
work=$(realpath -- "$1") target=${2:-play} repository=$(realpath -- "$(dirname "$0")/../..")
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
store=(--root "$work/store" --runroot "$work/run")

# Like python:3-slim: `python` and `pip` in /usr/local, which a virtual environment with the system's Python is.
if [ ! -e "$work/base.tar" ]; then
  mmdebstrap --variant=minbase --include=python3-venv,ca-certificates "${RELEASE:-bookworm}" "$work/base.part"
  mv -- "$work/base.part" "$work/base.tar"
fi
base=$(buildah "${store[@]}" from scratch)
buildah "${store[@]}" add --quiet "$base" "$work/base.tar" /
buildah "${store[@]}" run "$base" -- python3 -m venv /usr/local
buildah "${store[@]}" commit --quiet --rm "$base" halfstep-base

# shellcheck disable=SC2086 # MOUNTS is several words
buildah "${store[@]}" build ${MOUNTS:-} --pull-never --build-arg BASE=localhost/halfstep-base --target "$target" \
  --file "$repository/Dockerfile" --tag "halfstep-$target" "$repository"

image=$(buildah "${store[@]}" from --pull-never "halfstep-$target")
inside() { buildah "${store[@]}" run --user halfstep "$image" -- "$@"; }
inside halfstep doctor
inside halfstep generate two.wav --seconds 2 --seed 7
inside sha256sum two.wav
inside python -c 'import sys; print(sys.version)'
buildah "${store[@]}" rm "$image"
