#!/usr/bin/env bash
# Gradescope runs this script once, as root, when it builds the image of the autograder.
set -euo pipefail

source_folder=${GRADER_SOURCE:-/autograder/source}
home=${GRADER_HOME:-/opt/cnn-grader}
export DEBIAN_FRONTEND=noninteractive UV_PYTHON_INSTALL_DIR="$home/python" GRADER_DATA="$home/data"

apt-get update -qq
apt-get install -y -qq --no-install-recommends bubblewrap ca-certificates python3 python3-venv util-linux

# uv brings Python 3.11, whatever Python the image has. Everything is outside of /root, where only root can read.
python3 -m venv "$home/uv"
"$home/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv
"$home/uv/bin/uv" venv --quiet --clear --python 3.11 "$home/venv"
cd "$source_folder"
"$home/uv/bin/uv" pip install --quiet --python "$home/venv/bin/python" --requirement requirements.txt

while read -r name; do
    "$home/venv/bin/grader" data fetch "$name"
done < datasets.txt

# Notebooks run as another user: they need the grader's Python and the data sets, and must not see the rubric.
chmod -R a+rX "$home"
chmod 700 "$source_folder"
"$home/venv/bin/grader" --version
