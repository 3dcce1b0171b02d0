defmodule Demo.Application do
  @moduledoc """
  Starts the counter, then the HTTP server that shows it on port `$PORT` (4000).
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

    # rest_for_one: a new :pg has forgotten its members, so the counter that
    # joined the old one must join again.
    with {:ok, pid} <-
           Supervisor.start_link(children, strategy: :rest_for_one, name: Demo.Supervisor) do
      IO.puts("demo #{node()} listening on #{Demo.Http.port()}")
      {:ok, pid}
    end
  end
end
