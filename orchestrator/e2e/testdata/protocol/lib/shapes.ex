defprotocol Shapes.Area do
  @doc "What a shape covers."
  def of(shape)
end

defimpl Shapes.Area, for: Tuple do
  def of({a, b}), do: a * b
end

defmodule Shapes do
  @moduledoc "An application with a protocol, which nothing uses when it starts."
  use Application

  @impl true
  def start(_type, _args), do: Supervisor.start_link([], strategy: :one_for_one)
end
