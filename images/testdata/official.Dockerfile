FROM base:1
ENV SHELL=/bin/sh HOME=/home/beamyard MIX_HOME=/home/beamyard/.mix HEX_HOME=/home/beamyard/.hex MIX_ENV=dev
RUN mkdir -p /app /home/beamyard && chown 1000:1000 /app /home/beamyard
WORKDIR /app
USER 1000:1000
COPY --chown=1000:1000 . .
RUN mix compile
