#!/usr/bin/env bash
# From nothing to the model `soundtrack`: fetch and render three kinds of music, prepare, train on from `piano`, distil,
# export.
#
#   recipes/models/make_soundtrack.sh WORK [SECONDS]
#
# SECONDS of each of three trainings, one after the other, the last of two channels: 4800, some 4000 and some 5000 on two
# cores made the model in the package, and its ladder took ten minutes more. Every part resumes, so the same command again
# goes on. Needs npm, fluidsynth, fluid-soundfont-gm, musescore-general-soundfont, `pip install music21==10.5.1 mido`, and
# the project's .venv (`make test` makes it) or another python named by PYTHON.
set -euo pipefail
work=${1:?a folder to work in}
seconds=${2:-4800}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../../.venv/bin/python}
halfstep() { "$python" -m halfstep "$@"; }

mkdir -p "$work/kinds/ambient"
if [ ! -e "$work/data/dataset.json" ]; then
  "$python" "$here/../music/fetch_soundtracks.py" "$work/music" --no-gpl \
    --set 0ad --set singularity --set hyperrogue
  "$python" "$here/../music/render_piano.py" "$work/music" --stated-licences --variants 1 --minutes 150
  # A folder a style.
  ln -sfn ../music/piano "$work/kinds/piano"
  ln -sfn ../music/0ad "$work/kinds/orchestral"
  ln -sfn ../../music/singularity "$work/kinds/ambient/singularity"
  ln -sfn ../../music/hyperrogue "$work/kinds/ambient/hyperrogue"
  halfstep prepare "$work/kinds" --out "$work/data" --preset flagship --label style=folders
fi
[ -e "$work/stereo/dataset.json" ] ||
  halfstep prepare "$work/kinds" --out "$work/stereo" --preset flagship --label style=folders --stereo
# learn DATA RUN START BATCH RATE [SETTING...]
learn() {
  local data=$1 run=$2 start=$3 batch=$4 rate=$5
  shift 5
  halfstep train "$data" --out "$run" --preset flagship --from "$start" --set music.guide=both \
    --set train.batch_size="$batch" --set train.learning_rate="$rate" --set train.warmup_steps=100 \
    --set train.ema_decay=0.998 --set train.measure_every=1500 --set train.compile=off \
    --set "train.seconds=$seconds" --steps 100000 \
    --set distill.start_steps=16 --set distill.pooled_guidance=2 --set distill.batch_size=8 \
    --set distill.learning_rate=2e-4 "$@"
}
asked=(
  --set 'conditions.names=["style","key","loudness_like"]' --set conditions.dropout=0.2 --set conditions.dropout_each=0.35
  --set music.guide_dropout=0.5
)
learn "$work/data" "$work/first" piano 8 4e-4 "${asked[@]}"
# Of the piano, which was learned before, less; of the ambient music, of which there is least, more.
learn "$work/data" "$work/second" "$work/first" 16 5e-4 "${asked[@]}" \
  --set 'conditions.weights=["piano:0.5","ambient:1.6"]'
# Of two channels, with 24 components of the image below the 256 of the bands; key and level were not obeyed.
learn "$work/stereo" "$work/run" "$work/second" 16 5e-4 --set 'conditions.names=["style"]' \
  --set conditions.dropout=0.15 --set 'conditions.weights=["piano:0.5","orchestral:1.2","ambient:1.5"]' \
  --set music.components=280 --set music.guide_dropout=0.3
halfstep distill "$work/run" --to 4 --updates "${UPDATES:-450}"
# What new music follows: the model in the package has 40 minutes of it.
halfstep train "$work/data" --out "$work/plan" --preset plan --set 'conditions.names=["style"]' \
  --set 'conditions.weights=["piano:0.5","ambient:1.6"]' --set train.compile=off \
  --set train.seconds="${PLAN_SECONDS:-2400}"
halfstep distill "$work/plan" --to 8
rm -rf "$work/model"
halfstep export "$work/run" --out "$work/model" --id soundtrack --steps 4 --jump --weights int8 \
  --plan "$work/plan" --plan-weights int4 \
  --description "Piano, orchestral and ambient music by style, in a key, at a tempo, or after a guide" \
  --licence "CC-BY-SA-4.0" \
  --output-licence "Yours to use; where it is close to a training piece, that piece's licence (CC-BY-SA, CC-BY, CC0 or public domain) holds" \
  --credits "$work/music/0ad/LICENCES.json" --credits "$work/music/singularity/LICENCES.json" \
  --credits "$work/music/hyperrogue/LICENCES.json" --credits "$work/music/piano/LICENCES.json"
# A plan is turned into the key that is asked for; of ambient music, whose plans are out of tune, drawn chords lead to it.
"$python" "$here/keep_conditions.py" "$work/model" style --draw key tempo --beatless orchestral ambient --unplanned ambient
"$python" "$here/hold_stationary.py" "$work/model" --set 0 0.1 0 1.2
