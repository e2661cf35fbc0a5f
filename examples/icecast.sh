#!/usr/bin/env bash
# A day of music to an Icecast server, as it is made:  examples/icecast.sh icecast://source:PASSWORD@HOST:8000/halfstep
set -euo pipefail
: "${1:?the address of the mount: icecast://source:PASSWORD@HOST:8000/MOUNT}"
halfstep generate - --seconds 86400 --seed "${SEED:-7}" --loudness -18 \
  | ffmpeg -hide_banner -loglevel warning -re -i - -c:a libmp3lame -b:a 160k -content_type audio/mpeg -f mp3 "$1"
