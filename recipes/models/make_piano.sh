#!/usr/bin/env bash
# From nothing to the model `piano`: render the music, prepare, train and distil by the clock, export.
#
#   recipes/models/make_piano.sh WORK [SECONDS]
#
# SECONDS of training, teacher and ladder together: 570 on an H200 made the model in the package, and a processor takes
# days for as much. What is there already is kept, so the same command goes on; a trip that was stopped begins again.
# WORK/model has the package's vocoder for these bands (recipes/models/train_bands_vocoder.py trains another).
# Needs git, npm, fluidsynth, `pip install music21==10.5.1 mido`, and the project's .venv (`make test` makes it) or
# another python named by PYTHON. With a GPU on another machine: carry WORK/piano.*.npz there, run gpu_trip.py, and put
# what it left into WORK/trip.
set -euo pipefail
work=${1:?a folder to work in}
seconds=${2:-570}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../../.venv/bin/python}
halfstep() { "$python" -m halfstep "$@"; }

mkdir -p "$work"
if [ ! -e "$work/data/dataset.json" ]; then
  [ -d "$work/mutopia" ] || git clone --depth 1 https://github.com/MutopiaProject/MutopiaProject "$work/mutopia"
  "$python" "$here/../music/render_piano.py" "$work/music" --mutopia "$work/mutopia" --several-pianos \
    --stated-licences --minutes "${MINUTES:-1200}"
  halfstep prepare "$work/music/piano" --out "$work/data" --preset flagship
fi
[ -e "$work/piano.2.npz" ] ||
  "$python" "$here/carry.py" "$work/data" "$work"/piano.{0,1,2}.npz --judged-seconds 40
[ -e "$work/trip/piano-0004.0.safetensors" ] ||
  "$python" "$here/gpu_trip.py" "$work"/piano.{0,1,2}.npz "$work/trip" --work "$work/log" \
    --seconds "$seconds" --name piano
[ -e "$work/run/config.json" ] ||
  "$python" "$here/bring_back.py" "$work/trip" "$work/data" "$work/run" --name piano --carried "$work/piano.0.npz"
rm -rf "$work/model"
halfstep export "$work/run" --out "$work/model" --id piano --steps 4 --jump --weights int8 \
  --description "Solo piano: struck notes and chords in tune, with a beat" \
  --licence "CC-BY-SA-4.0" \
  --output-licence "Yours to use; where it is close to a training piece, that encoding's licence (CC-BY-SA, CC-BY, CC0 or public domain) holds" \
  --credits "$work/music/piano/LICENCES.json"
# The student of one step beside it, as a change of a twentieth of its size: half an hour of one core.
"$python" "$here/add_student.py" "$work/model" "$work/run" "$work/student" --seconds 1900
# Contrast, which means lack, and detail taken back: chosen by their figures (docs/experiments/flagship.md).
"$python" "$here/hold_stationary.py" "$work/model" --set 0 0.15 0 1.12
