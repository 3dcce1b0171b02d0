defmodule Designs.Holder do
  @moduledoc """
  A process that holds a name in one of the registries, as long as it lives.
  """

  def start(registry, name) do
    {:ok, pid} =
      Agent.start(fn -> {:ok, _} = Registry.register(Designs.Holders, registry, name) end)

    pid
  end

  @doc "The living holders on this node, by name, whatever a registry knows of them."
  def alive(registry) do
    Enum.group_by(Registry.lookup(Designs.Holders, registry), &elem(&1, 1), &elem(&1, 0))
  end
end
