# One image for all services; the command says which one runs.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# The evidence folder is made here so that a volume mounted on it belongs to the user.
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin parakeet \
    && mkdir -p /app /var/lib/parakeet/evidence \
    && chown -R parakeet:parakeet /app /var/lib/parakeet
WORKDIR /app

# Before the sources, so that a changed source does not install everything again.
COPY requirements.txt .
RUN pip install --requirement requirements.txt

# Owned by the user, because reload during development replaces them in the running container.
COPY --chown=parakeet:parakeet alembic.ini ./
COPY --chown=parakeet:parakeet migrations migrations
COPY --chown=parakeet:parakeet shared shared
COPY --chown=parakeet:parakeet services services
COPY --chown=parakeet:parakeet examples examples

USER parakeet
ENV PARAKEET_EVIDENCE_DIR=/var/lib/parakeet/evidence
CMD ["python", "-m", "services.api"]
