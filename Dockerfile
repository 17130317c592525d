# PostgreSQL with omendb: docker build -t omendb . && docker run -e POSTGRES_PASSWORD=... omendb
ARG PG=15
FROM postgres:${PG}-bookworm AS build
ARG PG
COPY . /omendb
WORKDIR /omendb
RUN apt-get update && apt-get install -y --no-install-recommends make
RUN make deps PGVER=${PG} && make install PGVER=${PG} DESTDIR=/package

FROM postgres:${PG}-bookworm
COPY --from=build /package/ /
