defmodule Demo.Application do
  @moduledoc """
  Starts the counter, then the HTTP server that shows it.
  """
  use Application

  @impl true
  def start(_type, _args) do
    port = String.to_integer(System.get_env("PORT", "4000"))

    children = [
      %{id: :pg, start: {:pg, :start_link, [Demo.Counter.scope()]}},
      Demo.Counter,
      {Task.Supervisor, name: Demo.Connections},
      {Demo.Http, port: port}
    ]

    with {:ok, pid} <-
           Supervisor.start_link(children, strategy: :one_for_one, name: Demo.Supervisor) do
      IO.puts("demo #{node()} listening on #{port}")
      {:ok, pid}
    end
  end
end
