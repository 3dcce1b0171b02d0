FROM base:1
ENV MIX_ENV=prod
USER 1000:1000
COPY --chown=1000:1000 . .
RUN mix compile && mix release --quiet --path _build/release && ln -s "$PWD/_build/release/bin/$(basename _build/release/releases/*/*.rel .rel)" /app/_build/run
