# Worker, HTTP side, command line and topic tool in one image, without compiler or package cache.
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/regulars
RUN apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev && pip install --no-cache-dir uv==0.13.8
WORKDIR /src
# Libraries that single commands need. Those of `fit` and of pages with plots are 215 of 585 MB (70 of 190 packed); workers
# never load them. Without: docker build --build-arg EXTRAS="parquet plan protection" .
ARG EXTRAS="parquet plan protection fit report"
# Dependencies in a layer of their own: it is built again only when the lock file changes.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-cache --no-dev --no-install-project $(printf -- ' --extra %s' $EXTRAS)
COPY README.md LICENSE ./
COPY schemas schemas
COPY profiles profiles
COPY streams streams
COPY deploy/mypyc_caches.h deploy/
# The hot path becomes C here; the image itself has no compiler.
ENV HATCH_BUILD_HOOK_ENABLE_MYPYC=1 CFLAGS="-include /src/deploy/mypyc_caches.h -fvisibility=hidden -fno-plt"
RUN uv sync --frozen --no-cache --no-dev --no-editable $(printf -- ' --extra %s' $EXTRAS)

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin regulars
COPY --from=build /opt/regulars /opt/regulars
ENV PATH=/opt/regulars/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /tmp
# 8080: metrics and health of a worker, bridge or relay. 8000: `regulars serve`, which needs a check of its own.
EXPOSE 8080 8000
# A worker's /health fails when records wait and none is taken, so one that hangs is seen as well as one that died. What
# restarts containers that fail their check should ask /live instead. No proxy of the environment is asked for this.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8080, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
# The worker commits what it has and leaves its group on SIGTERM.
STOPSIGNAL SIGTERM
ENTRYPOINT ["regulars"]
CMD ["worker"]
