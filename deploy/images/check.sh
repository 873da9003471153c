#!/usr/bin/env bash
# Tries the steps of serving.Dockerfile without an image engine: a clean virtual environment, only the folders that
# are copied, generated code, and every process's entry point. It proves what the image holds, not that it builds.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r requirements/serving.txt
python3 -m venv "$work/generator"
"$work/generator/bin/pip" install --quiet --disable-pip-version-check -r requirements/build.txt

mkdir "$work/app"
(cd protos && find aisle -name '*.proto' -exec \
  "$work/generator/bin/python" -m grpc_tools.protoc -I . --python_out="$work/app" --grpc_python_out="$work/app" {} +)
for folder in $(sed -n 's/^COPY \([a-z]*\) \/app\/.*/\1/p' deploy/images/serving.Dockerfile); do
  cp -r "$folder" "$work/app/$folder"
done

# As in the image: no home, nothing of this shell's environment, nothing written beside the code.
run() {
  env -i PATH="$work/venv/bin:/usr/bin:/bin" HOME=/nonexistent PYTHONDONTWRITEBYTECODE=1 python "$@"
}

cd "$work/app"
chmod -R a-w .
run - << 'PY'
import importlib.util

held = [name for name in ("torch", "transformers", "optimum", "training") if importlib.util.find_spec(name)]
if held:
    raise SystemExit(f"the serving image would hold {', '.join(held)}")
PY
for module in services.intent services.retrieval services.ranking gateway; do
  run -m "$module" --help > "$work/help.txt"
  grep -q -- --metrics-port "$work/help.txt"
  echo "$module starts"
done
du -sm "$work/venv" | awk '{print "packages: " $1 " MB"}'
