defmodule Designs do
  @moduledoc """
  Designs of distributed state, good and bad, for three nodes.

  What an operation returns says what a client knows of it: `{:ok, value}`,
  `{:failed, why}` if it surely did not happen, or `{:unknown, why}`.
  """
  use Application

  @impl true
  def start(_type, _args) do
    children = [
      {Registry, keys: :duplicate, name: Designs.Holders},
      Designs.NaiveRegistry,
      Designs.LastWriteWins,
      Designs.MergedCounter,
      Designs.QuorumCounter,
      Designs.QuorumRegister
    ]

    Supervisor.start_link(children, strategy: :one_for_one)
  end
end
