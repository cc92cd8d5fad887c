# One static-enough binary on a small base: built with the `dist` profile, run without privileges.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/fanfare --create-home fanfare
COPY --from=build /src/target/dist/fanfare /usr/local/bin/fanfare
USER fanfare
WORKDIR /var/lib/fanfare
VOLUME /var/lib/fanfare
ENV FANFARE__SERVER__BIND=0.0.0.0:8080 FANFARE__STORAGE__PATH=/var/lib/fanfare/data FANFARE__LOG__FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s CMD curl --fail --silent http://127.0.0.1:8080/health
ENTRYPOINT ["fanfare"]
CMD ["serve", "--config", "/etc/fanfare/fanfare.toml"]
