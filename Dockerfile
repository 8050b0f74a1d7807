# syntax=docker/dockerfile:1
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked --bin sidegate && install -d -m 0700 /data

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="sidegate" \
      org.opencontainers.image.description="The auth sidecar: verifies integration tokens in front of an API and injects customers' credentials behind it" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /src/target/dist/sidegate /usr/bin/sidegate
COPY --from=build --chown=65532:65532 /data /var/lib/sidegate
USER 65532:65532
EXPOSE 8080
# No shell in this image: Sidegate asks itself.
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s CMD ["/usr/bin/sidegate", "healthcheck"]
ENTRYPOINT ["/usr/bin/sidegate"]
CMD ["run", "--config", "/etc/sidegate"]
