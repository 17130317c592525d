# PostgreSQL with omendb:  docker build -t omendb . && docker run -e POSTGRES_PASSWORD=... omendb
ARG PG=15
FROM postgres:${PG}-bookworm AS build
ARG PG
COPY . /omendb
WORKDIR /omendb
RUN apt-get update && apt-get install -y --no-install-recommends make && make install PGVER=${PG}
RUN d=/package && mkdir -p $d/lib $d/extension \
    && cp "$(pg_config --pkglibdir)"/omendb.so $d/lib/ && cp "$(pg_config --sharedir)"/extension/omendb* $d/extension/

FROM postgres:${PG}-bookworm
ARG PG
COPY --from=build /package/lib/ /usr/lib/postgresql/${PG}/lib/
COPY --from=build /package/extension/ /usr/share/postgresql/${PG}/extension/
