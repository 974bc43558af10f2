#!/bin/sh
# The three most similar places of a photo: sh examples/search.sh photo.jpg
set -eu
[ $# = 1 ] || { echo 'Name a photo: sh examples/search.sh photo.jpg' >&2; exit 2; }
server=${PLACE_SEARCH_SERVER:-http://127.0.0.1:8000}
key=${PLACE_SEARCH_KEY:-}

curl --fail-with-body --silent --show-error --retry 3 \
  ${key:+--header "Authorization: Bearer $key"} \
  --form "photo=@$1" "$server/v1/search?k=3"
