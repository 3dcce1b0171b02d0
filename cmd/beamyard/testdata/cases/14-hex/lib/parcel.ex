defmodule Parcel do
  use Application

  def start(_type, _args) do
    IO.puts("parcel: " <> Jason.encode!(%{}))
    Supervisor.start_link([], strategy: :one_for_one)
  end
end
