# The base of every stage. Pin it by digest where images must be reproducible:
# docker build --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:… .
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY proxy ./proxy
RUN node node_modules/typescript/bin/tsc -p proxy

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
# The commit this is built from, shown by `pullwarden_build_info` and the status page.
ARG REVISION=
LABEL org.opencontainers.image.title="Pullwarden" \
      org.opencontainers.image.description="A reverse proxy for container registries that lets only signed tags through" \
      org.opencontainers.image.revision="${REVISION}"
# PULLWARDEN_HEALTH_URL is what the health check asks; change it together with `admin` in the configuration.
# MALLOC_TRIM_THRESHOLD_ (bytes): without it glibc gives the buffers of a large blob back to the system after each
# garbage collection and takes them again, which costs a third of the throughput (`npm run bench`).
ENV NODE_ENV=production \
    MALLOC_TRIM_THRESHOLD_=134217728 \
    PULLWARDEN_REVISION=${REVISION} \
    PULLWARDEN_HEALTH_URL=http://127.0.0.1:9150/livez
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY --from=build /src/dist ./dist
# Verified trust lives here (`trust.state.path`): losing it loses rollback protection. Nothing else is written, so
# the root file system can be read-only.
RUN mkdir -p /var/lib/pullwarden && chown 65532:65532 /var/lib/pullwarden && chmod 700 /var/lib/pullwarden
VOLUME /var/lib/pullwarden
USER 65532:65532
EXPOSE 5050 9150
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.PULLWARDEN_HEALTH_URL).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The option (MB): with V8's own small first limit, a stream of buffers starts a full collection every 30 MB.
ENTRYPOINT ["node", "--initial-old-space-size=256", "--max-semi-space-size=64", "/app/dist/main.js"]
CMD ["serve", "--config", "/etc/pullwarden/pullwarden.yaml"]
