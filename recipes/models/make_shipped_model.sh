#!/usr/bin/env bash
# From nothing to the model in the package: fetch and render the music, prepare, train, distil, export.
#
#   recipes/models/make_shipped_model.sh WORK [STEPS] [UPDATES]
#
# Runs on one machine, with or without a GPU; every part resumes, so the same command again goes on. On a machine with
# no network, put WORK/music or WORK/data there first (a data set of two hours is 350 MB; float16 mels of the music).
# Needs the project's .venv (`make test` makes it) or another python named by PYTHON, and for the music: npm, fluidsynth,
# and `pip install music21==10.5.1 mido`.
set -euo pipefail
work=${1:?a folder to work in}
steps=${2:-2400}
updates=${3:-120}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../../.venv/bin/python}
halfstep() { "$python" -m halfstep.app.cli "$@"; }

mkdir -p "$work"
if [ ! -e "$work/data/dataset.json" ]; then
  "$python" "$here/../music/fetch_soundtracks.py" "$work/music" --set singularity
  # Every score that states a licence, 67 minutes, none in a second variant.
  "$python" "$here/../music/render_piano.py" "$work/music" --stated-licences --variants 0
fi
[ ! -d "$work/music" ] || halfstep prepare "$work/music/singularity" "$work/music/piano" --out "$work/data"
halfstep train "$work/data" --out "$work/run" --preset base --steps "$steps"
halfstep distill "$work/run" --to 1 --updates "$updates"
rm -rf "$work/model"
halfstep export "$work/run" --out "$work/model" --id ambient-piano --weights int8 \
  --description "Ambient soundtracks and solo piano" \
  --licence "CC-BY-SA-3.0" \
  --output-licence "Yours to use; where it is close to a training track, that track's licence (CC-BY-SA-3.0, CC-BY, CC0 or public domain) holds" \
  --credits "$work/music/singularity/LICENCES.json" --credits "$work/music/piano/LICENCES.json"
"$python" "$here/thin_student.py" "$work/model"
