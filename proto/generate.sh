#!/bin/sh
# Checks the API and writes its Go code. Tools are built from the module proxy at pinned versions into
# .tools beside this file; nothing is installed elsewhere. Run it from anywhere.
set -eu
cd "$(dirname "$0")"
GOBIN="$PWD/.tools"
export GOBIN
install() { # binary, package@version
	[ -x "$GOBIN/$1" ] && [ "$(cat "$GOBIN/$1.version" 2>/dev/null)" = "$2" ] && return
	echo "install $2" >&2
	(cd / && GOFLAGS= go install "$2")
	echo "$2" >"$GOBIN/$1.version"
}
mkdir -p "$GOBIN"
install buf github.com/bufbuild/buf/cmd/buf@v1.72.0
install protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
install protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
install protoc-gen-go-vtproto github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto@v0.6.1-0.20240319094008-0393e58bdf10
PATH="$GOBIN:$PATH"
export PATH
buf lint
buf format -w
buf generate
hot=freshet/v1
buf generate --template buf.gen.hot.yaml --path $hot/value.proto --path $hot/predict.proto --path $hot/features.proto
