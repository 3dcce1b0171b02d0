import Config

config :shop, server: false
import_config "#{config_env()}.exs"
