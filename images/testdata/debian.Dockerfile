FROM base:1
USER 1000:1000
COPY --chown=1000:1000 . .
RUN mix compile
