FROM base:1
ENV SHELL=/bin/sh HOME=/home/beamyard MIX_HOME=/home/beamyard/.mix HEX_HOME=/home/beamyard/.hex MIX_ENV=prod
RUN mkdir -p /app /home/beamyard && chown 1000:1000 /app /home/beamyard
WORKDIR /app
USER 1000:1000
COPY --chown=1000:1000 ["apps/a/mix.exs","apps/a/"]
COPY --chown=1000:1000 ["apps/b c/mix.exs","apps/b c/"]
COPY --chown=1000:1000 ["mix.exs","./"]
COPY --chown=1000:1000 ["mix.lock","./"]
COPY --chown=1000:1000 ["libs/d","libs/d"]
COPY --chown=1000:1000 ["config", "config"]
RUN mix local.hex --force && mix local.rebar --force && mix deps.get --only $MIX_ENV && mix deps.compile
COPY --chown=1000:1000 . .
RUN mix compile && mix release web --quiet --path _build/release && ln -s "$PWD/_build/release/bin/$(basename _build/release/releases/*/*.rel .rel)" /app/_build/run
