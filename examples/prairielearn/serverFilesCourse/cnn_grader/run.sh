#!/usr/bin/env bash
# PrairieLearn runs this script as root in the image of the question. Variables set other paths, to try it elsewhere.
set -uo pipefail

root=${GRADE_ROOT:-/grade}
home=${GRADER_HOME:-/opt/cnn-grader}
grader=${GRADER_COMMAND:-$home/venv/bin/grader}
export GRADER_DATA=${GRADER_DATA:-$home/data}
results=$root/results/results.json
work=$(mktemp -d)

finish() {
    # A submission that is not gradable costs neither points nor an attempt.
    if [ ! -s "$results" ]; then
        cat > "$results" << 'JSON'
{
  "gradable": false,
  "format_errors": [
    "The grader could not grade this submission. The reason is not in your notebook. You lose neither points nor an attempt; please tell your instructor."
  ]
}
JSON
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM INT

mkdir -p "$root/results"
rm -f "$results"
# The notebook runs as another user. It must neither read the rubric nor write its own results.
chmod 700 "$root" "$root/results"

# A sandbox where the container allows it; else each notebook is a user of its own.
isolation=${GRADER_ISOLATION:-}
if [ -z "$isolation" ]; then
    if bwrap --unshare-all --ro-bind / / true 2> /dev/null; then
        isolation=bubblewrap
    else
        isolation=user
    fi
fi
echo "isolation: $isolation"

# All files are of one student, also if there are several notebooks.
mkdir -p "$work/submitted/student/notebook"
cp -R -P "$root/student/." "$work/submitted/student/notebook"
"$grader" grade "$work/submitted" --rubric "$root/tests/$(cat "$root/tests/rubric.txt")" --out "$work/results" \
    --isolation "$isolation" --jobs 1
echo "exit code of grader grade: $?"
"$grader" export "$work/results" --to prairielearn --with-pending --out "$work/export"
echo "exit code of grader export: $?"
for file in "$work"/export/*/results.json; do
    if [ -s "$file" ]; then
        cp "$file" "$results.partial" && mv "$results.partial" "$results"
    fi
done
