defmodule Designs.QuorumRegister do
  @moduledoc """
  Linearizable registers on majorities, by the algorithm of Attiya, Bar-Noy and
  Dolev. A write learns the latest stamp from a majority, and stores its value
  under a later one in a majority. A read stores the latest value that it found
  in a majority, too, before it returns: later reads then find it.
  """
  use GenServer

  alias Designs.Majority

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  def read(key) do
    with {:ok, {stamp, value}} <- latest(key),
         {:ok, _} <- Majority.ask(__MODULE__, {:store, key, {stamp, value}}) do
      {:ok, value}
    else
      :none -> {:failed, "no majority"}
    end
  end

  def write(key, value) do
    case latest(key) do
      {:ok, {{count, _}, _}} ->
        entry = {{count + 1, {node(), System.unique_integer()}}, value}

        case Majority.ask(__MODULE__, {:store, key, entry}) do
          {:ok, _} -> {:ok, true}
          :none -> {:unknown, "no majority has stored it"}
        end

      :none ->
        {:failed, "no majority"}
    end
  end

  defp latest(key) do
    with {:ok, entries} <- Majority.ask(__MODULE__, {:read, key}), do: {:ok, Enum.max(entries)}
  end

  @impl true
  def init(_), do: {:ok, %{}}

  @impl true
  def handle_call({:read, key}, _from, entries), do: {:reply, entry(entries, key), entries}

  def handle_call({:store, key, entry}, _from, entries) do
    {:reply, :ok, Map.put(entries, key, max(entry(entries, key), entry))}
  end

  defp entry(entries, key), do: Map.get(entries, key, {{0, nil}, 0})
end
