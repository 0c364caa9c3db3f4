# The image of `aurite api`. docs/how-to/deploy-with-docker.md says how to use it.
#
# The base is pinned by version and release of Debian. Pin its digest, too, where builds have to be the same byte for byte:
# `docker buildx imagetools inspect python:3.11-slim-bookworm` shows it.

FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1

WORKDIR /src
RUN python -m venv /opt/aurite

# Dependencies in a layer of their own: a change of the code alone does not install them again.
COPY requirements.lock ./
RUN /opt/aurite/bin/python -m pip install --require-hashes --requirement requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY src/ ./src/
RUN python -m pip wheel --no-deps --wheel-dir /wheels . \
    && /opt/aurite/bin/python -m pip install --no-deps /wheels/*.whl


FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="aurite" \
    org.opencontainers.image.description="AI agents from configuration; components and sessions in files, SQLite or PostgreSQL." \
    org.opencontainers.image.licenses="MIT"

# The number is SERVICE_USER of src/aurite/cli/service_user.py. /data is theirs, so that a named volume begins as theirs.
RUN groupadd --gid 10001 aurite \
    && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin aurite \
    && install --directory --owner=aurite --group=aurite --mode=0750 /data

COPY --from=build /opt/aurite/ /opt/aurite/
COPY --chmod=0755 docker/ /opt/aurite/docker/

# HOME: for whichever user the container runs as. The folder docker/ comes first: it has an `aurite` that gives up root.
ENV PATH=/opt/aurite/docker:/opt/aurite/bin:$PATH \
    HOME=/home/aurite \
    PYTHONUNBUFFERED=1 \
    AURITE_API_HOST=0.0.0.0

WORKDIR /app
EXPOSE 8000

# A server that cannot reach its database is not healthy. It starts answering after AURITE_WAIT_FOR_DB (60 s) at the latest.
HEALTHCHECK --interval=15s --timeout=5s --start-period=90s --retries=3 \
    CMD ["/opt/aurite/bin/python", "/opt/aurite/docker/healthcheck.py"]

# Root makes the data folder writable, whoever owns it, then the entry point gives up root for good: `docker run --user` works, too.
# hadolint ignore=DL3002
USER 0
# -P: modules of the project in /app must not stand in for those of Python.
ENTRYPOINT ["/opt/aurite/bin/python", "-P", "-m", "aurite.cli.container"]
CMD ["aurite", "api"]
