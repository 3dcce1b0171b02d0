import Config

config :shop, server: false
