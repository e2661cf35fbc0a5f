#!/usr/bin/env bash
# Training on machines that ssh reaches: HOSTS="one two" recipes/cluster/ssh.sh DATA RUN [options of halfstep train]
# DATA and RUN are the same paths on every machine (a shared file system), and so is the folder this is started in.
# PROCESSES: on each machine, one a GPU. ACTIVATE: what makes torchrun known there. DRY_RUN=1 says what would be started.
set -euo pipefail
[ $# -ge 2 ] && [ -n "${HOSTS:-}" ] || { echo 'usage: HOSTS="one two" ssh.sh DATA RUN [options of halfstep train]' >&2; exit 2; }
data=$1 run=$2
shift 2
read -ra hosts <<<"$HOSTS"
processes=${PROCESSES:-8}
port=${PORT:-29500}
quoted=$(printf '%q ' "$data" --out "$run" "$@")
started=()
trap 'kill "${started[@]}" 2>/dev/null || true' EXIT INT TERM
for rank in "${!hosts[@]}"; do
  there="cd $(printf '%q' "$PWD") && ${ACTIVATE:-. .venv/bin/activate} && exec torchrun --nnodes ${#hosts[@]}\
 --node-rank $rank --nproc-per-node $processes --master-addr ${hosts[0]} --master-port $port -m halfstep train $quoted"
  if [ -n "${DRY_RUN:-}" ]; then
    printf 'ssh %s %q\n' "${hosts[$rank]}" "$there"
  else
    ssh -tt "${hosts[$rank]}" "$there" </dev/null & # a terminal there: what is ended here ends there
    started+=($!)
  fi
done
for process in "${started[@]}"; do wait "$process"; done
