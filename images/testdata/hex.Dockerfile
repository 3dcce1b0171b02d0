FROM base:1
ENV SHELL=/bin/sh HOME=/home/beamyard MIX_HOME=/home/beamyard/.mix HEX_HOME=/home/beamyard/.hex MIX_ENV=prod
RUN mkdir -p /app /home/beamyard && chown 1000:1000 /app /home/beamyard
WORKDIR /app
USER 1000:1000
COPY --chown=1000:1000 ["mix.exs","./"]
COPY --chown=1000:1000 ["mix.lock","./"]
RUN mix local.hex --force && mix local.rebar --force && mix deps.get --only $MIX_ENV && mix deps.compile
COPY --chown=1000:1000 . .
RUN mix compile
