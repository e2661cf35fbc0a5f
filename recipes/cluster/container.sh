#!/usr/bin/env bash
# Training on this machine's GPUs in a container: recipes/cluster/container.sh DATA RUN [options of halfstep train]
# ENGINE: podman or docker. PROCESSES: one a GPU. GPUS="" for none. DRY_RUN=1 says what would be started.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: container.sh DATA RUN [options of halfstep train]" >&2; exit 2; }
data=$(realpath -m -- "$1") run=$(realpath -m -- "$2")
shift 2
gpus=${GPUS-all}
command=(
  "${ENGINE:-podman}" run --rm --ipc host --network none ${gpus:+--gpus "$gpus"}
  -v "$data:/data:ro" -v "$run:/run-folder" "${IMAGE:-halfstep}"
  --standalone --nproc-per-node "${PROCESSES:-8}" -m halfstep train /data --out /run-folder "$@"
)
if [ -n "${DRY_RUN:-}" ]; then printf '%q ' "${command[@]}"; echo; else mkdir -p -- "$run" && exec "${command[@]}"; fi
