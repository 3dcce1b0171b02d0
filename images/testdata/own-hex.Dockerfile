FROM base:1
USER 0:0
ENV LANG=C.UTF-8 SHELL=/bin/sh HOME=/home/beamyard MIX_ENV=dev
RUN mkdir -p /app /home/beamyard && chown 1000:1000 /app /home/beamyard
WORKDIR /app
USER 1000:1000
COPY --chown=1000:1000 ["mix.exs","./"]
COPY --chown=1000:1000 ["mix.lock","./"]
COPY --chown=1000:1000 ["config", "config"]
RUN mix deps.get --only $MIX_ENV && mix deps.compile
COPY --chown=1000:1000 . .
RUN mix compile
