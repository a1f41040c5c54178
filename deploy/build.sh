#!/bin/sh
# Builds the binary of the image: static, without paths of the machine, stamped with what it was built from.
#   deploy/build.sh OUTPUT        VERSION, COMMIT and DATE name the build where the repository is not seen
set -eu
cd "$(dirname "$0")/.."
CGO_ENABLED=0 exec go build -trimpath -buildvcs=false -o "$1" -ldflags "-s -w \
  -X main.stampedVersion=${VERSION:-} -X main.stampedCommit=${COMMIT:-} -X main.stampedDate=${DATE:-}" ./cmd/freshet
