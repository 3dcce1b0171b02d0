defmodule Shop.Application do
  use Application

  def start(_type, _args) do
    http = if Application.get_env(:shop, :server), do: [{ShopWeb.Endpoint, Application.fetch_env!(:shop, :port)}], else: []
    Supervisor.start_link(http, strategy: :one_for_one, name: Shop.Supervisor)
  end
end
