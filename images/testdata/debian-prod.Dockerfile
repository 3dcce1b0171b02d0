FROM base:1
ENV MIX_ENV=prod
USER 1000:1000
COPY --chown=1000:1000 . .
RUN mix compile
