# The image in which the pipeline's components run on Kubeflow: TFX 1.21 on Debian 13, with tfmtl and its examples.
#   docker build --target tfmtl --tag tfmtl . && docker run --rm tfmtl tfmtl models
# Its stage `worker` is for Beam's workers on Flink, Spark or Dataflow (docs/beam.md):
#   docker build --target worker --tag tfmtl-worker .

FROM debian:trixie-slim AS tfmtl

RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libgomp1 python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

# Kubeflow starts a step as `python -m pipelines...`, which has to be the Python of the venv. A user whom the image does not
# know has no home for Matplotlib's cache.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=3 \
    MPLCONFIGDIR=/tmp/matplotlib

WORKDIR /opt/tfmtl

# A layer of its own for what seldom changes. One stage is enough, since no cache and no compiler gets into it.
COPY requirements/tfx-1.21.txt requirements/
RUN python3 -m venv /opt/venv \
    && pip install --no-cache-dir "$(grep '^uv==' requirements/tfx-1.21.txt)" \
    && uv pip sync --python /opt/venv --system-certs --no-cache --compile-bytecode requirements/tfx-1.21.txt

# The sources go: `python -m` would find them here before the installed packages, and compile them anew in each container.
COPY . .
RUN uv pip install --python /opt/venv --no-cache --no-deps --no-build-isolation --compile-bytecode . \
    && rm -r build *.egg-info setup.py pyproject.toml tfmtl transforms pipelines serving

# No entry point: Kubeflow and others give the whole command.
CMD ["tfmtl", "--help"]

# Debian 13's Python is 3.13; Beam's starter has to be of the version in the lock.
FROM tfmtl AS worker
COPY --from=apache/beam_python3.13_sdk:2.77.0 /opt/apache/beam /opt/apache/beam
ENTRYPOINT ["/opt/apache/beam/boot"]

# The last stage is what is built without `--target`.
FROM tfmtl
