#!/usr/bin/env bash
# Renders the chart: deploy/render.sh HELM roles|all. deploy/kubernetes/freshet.yaml is what it prints for roles.
set -euo pipefail
cd "$(dirname "$0")/.."
exec "$1" template freshet deploy/helm/freshet --kube-version 1.34.0 --namespace freshet \
  -f "deploy/helm/freshet/ci/$2-values.yaml" --set-file project=deploy/helm/freshet/ci/project.yaml
