import Config

config :shop, server: true
