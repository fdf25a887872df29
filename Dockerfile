# Penstock as one container: needs no volume, no root and no writable root file system.
#   docker build -t penstock .
#   docker run --read-only --cap-drop all --tmpfs /tmp -v "$PWD/etc:/etc/penstock:ro" -v "$PWD/secrets:/run/secrets/penstock:ro" penstock
# with penstock.yaml in etc, as config/deploy has one, and the files that it names in secrets, readable for uid 1000.
# BASE may name another registry's copy of the same image.
ARG BASE=node:24-bookworm-slim

FROM ${BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
RUN npm run build \
 && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) -delete

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Penstock" \
      org.opencontainers.image.description="GitOps for Apache Flink without Kubernetes" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY LICENSE package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# The only thing that is written is a cache; without a volume it is filled again after a restart.
# It listens for the whole network, so `server.tokensFile` has to be there (or set PENSTOCK__SERVER__HOST to 127.0.0.1).
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/tmp/penstock-compile \
    PENSTOCK__ARTIFACTS__CACHE_DIR=/tmp/penstock \
    PENSTOCK__SERVER__HOST=0.0.0.0 \
    HEALTH_URL=http://127.0.0.1:8080/healthz
EXPOSE 8080
USER 1000:1000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.HEALTH_URL).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# The heap's limit follows the container's memory; what remains is for the jars that pass through, and for Node itself.
ENTRYPOINT ["node", "--optimize-for-size", "--max-old-space-size-percentage=50", "dist/main.js"]
CMD ["run", "--config", "/etc/penstock/penstock.yaml"]
STOPSIGNAL SIGTERM
