#!/usr/bin/env bash
# Training on several machines under Slurm: sbatch recipes/cluster/slurm.sh DATA RUN [options of halfstep train]
# The same command again goes on from the last checkpoint, with another number of machines too.
# DRY_RUN=1 bash recipes/cluster/slurm.sh DATA RUN says what would be started.
#SBATCH --job-name=halfstep
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@300
#SBATCH --requeue
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: slurm.sh DATA RUN [options of halfstep train]" >&2; exit 2; }
data=$1 run=$2
shift 2
nodes=${SLURM_JOB_NUM_NODES:-2}
processes=${PROCESSES:-${SLURM_GPUS_ON_NODE:-8}}
port=${PORT:-29500}
first=$(scontrol show hostnames "${SLURM_JOB_NODELIST:-}" 2>/dev/null | head -n 1 || true)
command=(
  srun torchrun --nnodes "$nodes" --nproc-per-node "$processes" --max-restarts 3
  --rdzv-id "${SLURM_JOB_ID:-0}" --rdzv-backend c10d --rdzv-endpoint "${first:-localhost}:$port"
  -m halfstep train "$data" --out "$run" "$@"
)
if [ -n "${DRY_RUN:-}" ]; then printf '%q ' "${command[@]}"; echo; else exec "${command[@]}"; fi
