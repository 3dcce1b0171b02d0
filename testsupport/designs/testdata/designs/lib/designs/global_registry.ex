defmodule Designs.GlobalRegistry do
  @moduledoc """
  One holder for each name, by `:global`. When two sides of a partition meet, and
  both have a holder, `:global` keeps one and kills the other.
  """

  @doc "Starts a holder of a name, unless there is one."
  def claim(name) do
    pid = Designs.Holder.start(__MODULE__, name)

    case :global.register_name({__MODULE__, name}, pid, &:global.random_exit_name/3) do
      :yes ->
        {:ok, pid}

      :no ->
        Process.exit(pid, :kill)
        {:ok, :global.whereis_name({__MODULE__, name})}
    end
  end

  def holders, do: Designs.Holder.alive(__MODULE__)
end
