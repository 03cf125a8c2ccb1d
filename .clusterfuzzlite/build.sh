#!/usr/bin/env bash
# Builds every fuzz target into `$OUT`, with its seeds and its dictionary beside it: the build script of OSS-Fuzz and of
# ClusterFuzzLite. It runs anywhere with cargo-fuzz: `OUT=DIR SANITIZER=none .clusterfuzzlite/build.sh`.
set -euo pipefail
# In the image this script stands beside the sources, and is started among them.
cd "$(git rev-parse --show-toplevel)"

: "${OUT:?says where the targets go}"
sanitizer=${SANITIZER:-address}
mkdir -p "$OUT"
OUT=$(realpath "$OUT")
target_dir=$PWD/fuzz/target/oss-$sanitizer
cargo fuzz build --fuzz-dir fuzz -O -s "$sanitizer" --target-dir "$target_dir"
host=$(rustc -vV | sed -n 's/^host: //p')

for target in $(cargo fuzz list --fuzz-dir fuzz); do
    cp "$target_dir/$host/release/$target" "$OUT/"
    (cd "fuzz/corpus/$target" && python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" ./*)
    if [ -f "fuzz/dict/$target.dict" ]; then
        cp "fuzz/dict/$target.dict" "$OUT/"
    fi
    printf '[libfuzzer]\nmax_len = 4096\n' >"$OUT/$target.options"
done
