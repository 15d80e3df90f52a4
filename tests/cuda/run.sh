#!/bin/sh
# Prove and measure every ONNX and TorchScript artifact below EXPORTS on this machine's NVIDIA GPU. Only OUT is written.
# See docs/cuda.md. usage: tests/cuda/run.sh EXPORTS OUT
set -u
if [ $# != 2 ] || [ ! -d "$1" ] || [ -e "$2" ]; then
    echo "usage: $0 EXPORTS OUT: a folder of exports, and a folder that is not there yet" >&2
    exit 2
fi
mkdir -p "$2" && cp -R "$1" "$2/exports" && cd "$2" || exit 2
worst=0

# Run a command to its end and keep the highest exit code: what could not be proved is measured all the same.
keep() {
    "$@" || { code=$?; [ "$code" -le "$worst" ] || worst=$code; }
}

keep isoform doctor --json > doctor.json
keep isoform verify exports --runtime ort-cuda --runtime torch-jit-cuda --junit verify.xml --json > verify.json
keep isoform bench exports --runtime ort-cuda --runtime torch-jit-cuda --force --json > bench.json
keep isoform report exports --verified verify.json --html report.html
exit "$worst"
