# Image for a cluster's machines with GPUs: the grader, TensorFlow with its CUDA libraries, Ray and bubblewrap.
#
#     docker build -f docker/gpu-runner.Dockerfile -t cnn-grader-gpu .
#
# Run this in the project's top folder. The host provides the driver (NVIDIA's container toolkit); the CUDA libraries
# are in the wheels. Packages are installed from docker/gpu-runner.lock with their hashes (`make lock` resolves it again).

FROM python:3.11.13-slim-bookworm AS wheel
RUN pip install --no-cache-dir hatchling==1.27.0
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY grader grader
COPY rubrics rubrics
COPY reference reference
COPY templates templates
COPY examples examples
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11.13-slim-bookworm
# KubeRay checks the health of its pods with wget.
RUN apt-get update \
    && apt-get install -y --no-install-recommends 'bubblewrap=0.8.*' 'wget=1.21.*' \
    && rm -rf /var/lib/apt/lists/*
COPY docker/gpu-runner.lock /tmp/gpu-runner.lock
RUN pip install --no-cache-dir --require-hashes -r /tmp/gpu-runner.lock && rm /tmp/gpu-runner.lock
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl && rm -r /wheels

# Nothing here needs root: bubblewrap creates its sandboxes in user namespaces.
RUN useradd --uid 1000 --user-group --create-home grader
USER 1000:1000
WORKDIR /home/grader
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    RAY_USAGE_STATS_ENABLED=0
CMD ["grader", "doctor"]
